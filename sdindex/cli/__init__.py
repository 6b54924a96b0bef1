"""The command line: options in, the library's answer out."""
