"""The formats that a sample is written in: a file for each, and a line in `registry`."""
