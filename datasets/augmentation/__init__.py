"""Augmentation: random changes of training posters, different in each epoch."""
