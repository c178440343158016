"""HTTP in: kills for operators, entries for whoever follows them without Kafka."""
