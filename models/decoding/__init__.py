"""From a network's outputs to colors: the options, and the steps."""
