"""The index: the only SQL."""
