"""Decides what is dead, and tells every resource server."""
