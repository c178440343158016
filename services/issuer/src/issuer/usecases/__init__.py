"""What the issuer does, a verb a file; each returns an outcome and never raises a refusal."""
