"""What the audit service hears: everything."""
