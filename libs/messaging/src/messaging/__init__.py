"""Outbox, relay and consumers: nothing lost, nothing doubled."""
