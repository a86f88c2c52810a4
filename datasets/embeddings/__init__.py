"""Embeddings: what describes to a network what a gray picture shows."""
