"""The tables of the revocation service; the only place of its SQL."""
