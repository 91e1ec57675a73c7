"""Updates beside frozen weights: where they go, and how they are merged back."""
