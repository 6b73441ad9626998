"""Making traces: the model zoo, training, pruning, precision, capture, and the corpus format."""
