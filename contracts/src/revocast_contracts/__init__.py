"""Every topic, event type and schema of Revocast."""
