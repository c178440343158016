"""Keys and JWTs. No other service has this room: only the issuer can mint."""
