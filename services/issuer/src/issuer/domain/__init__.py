"""The rules of the issuer, in the standard library only; time and randomness are passed in."""
