"""Anyone's model: recorded in its own loop, read from weight files, imported from arrays."""
