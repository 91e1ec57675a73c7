"""A head that is solved on frozen features: which one, and how strong."""
