"""Recoloring pictures: files, and requests to MLflow's scoring server."""
