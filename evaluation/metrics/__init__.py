"""The metrics, and what they look at."""
