"""What comes in from topics."""
