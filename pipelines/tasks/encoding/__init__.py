"""Encoded rows: columns in memory-mapped files, found again in a cache."""
