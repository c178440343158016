"""What a record is, how records are searched, and how a family's story is told."""
