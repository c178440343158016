"""Embedded PostgreSQL and Apache Kafka, started, supervised and stopped."""
