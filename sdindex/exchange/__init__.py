"""What other programs write and read: lists, labels, tables, formats, copies of files."""
