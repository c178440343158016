"""What the revocation service does, one verb per module."""
