"""HTTP for machines: a file for each endpoint."""
