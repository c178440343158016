"""Records every fact and decision once; only ever appends."""
