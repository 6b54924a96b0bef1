"""Bringing an index up to date: survey the archive, read what changed, store it."""
