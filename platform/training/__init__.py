"""Training a network, on any of Keras' backends."""
