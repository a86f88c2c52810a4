"""Finished pictures for printers: their size, inks and files."""
