"""All SQL of the issuer, a file for each table or statement."""
