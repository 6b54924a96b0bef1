"""The local page: a server on this machine alone, in which a sample is reviewed."""
