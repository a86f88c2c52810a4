"""Augmentation: what is done at random to training posters, anew in each epoch."""
