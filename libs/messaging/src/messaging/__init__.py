"""Outbox, relay and consumers: nothing lost, nothing doubled."""

from pathlib import Path

MIGRATIONS = Path(__file__).parent / "migrations"
"""The tables of outbox, relay and positions; applied before a service's own files."""
