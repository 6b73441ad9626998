"""The standard corpus: its models, how they are trained, pruned, stored and traced. Needs torch."""
