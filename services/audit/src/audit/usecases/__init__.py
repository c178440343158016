"""What the audit service does, one file each."""
