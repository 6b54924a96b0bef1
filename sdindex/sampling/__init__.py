"""The rule by which a sample is drawn and measured. Pure: no database, no disk."""
