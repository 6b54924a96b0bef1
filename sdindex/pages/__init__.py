"""A sample as a page to look at."""
