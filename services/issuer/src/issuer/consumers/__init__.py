"""What the issuer hears: the revocations feed, like any resource server."""
