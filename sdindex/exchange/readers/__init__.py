"""What other programs' files say of images: a file for each of their formats."""
