"""HTTP in: operators and auditors read; nobody writes."""
