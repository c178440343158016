"""The rules of the revocation service, in the standard library only; time is passed in."""
