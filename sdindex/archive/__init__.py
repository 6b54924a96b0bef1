"""Where images are, and what changed: names, cameras, listings, comparisons. No SQL, no pixels."""
