"""The audit service's tables: one file for each way of touching them."""
