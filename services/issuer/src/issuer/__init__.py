"""Mints tokens; refuses first and lets others judge."""
