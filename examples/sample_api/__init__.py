"""The model of how to protect an API: `python -m examples.sample_api`."""
