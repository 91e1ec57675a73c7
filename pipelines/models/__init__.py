"""Checkpoints: loading, forward passes, memory, anatomy, and what comes out."""
