"""Faults on purpose: `make faults` runs them all, `make test` a small part of them."""
