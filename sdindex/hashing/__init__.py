"""One file, one picture: hashes and what else sampling needs. No folders, no SQL."""
