"""Records every event once, in order; only ever appends; answers operators."""
