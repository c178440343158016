"""Validate JWTs locally and still refuse a revoked one at once."""
