"""The MLflow store, and what every run records."""
