"""The words of the OAuth RFCs: errors, scopes, forms, client credentials."""
