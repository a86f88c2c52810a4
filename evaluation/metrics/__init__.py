"""The metrics, each in a file of its own, and what they have in common."""
