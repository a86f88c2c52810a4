"""The command line: `recolor`."""
