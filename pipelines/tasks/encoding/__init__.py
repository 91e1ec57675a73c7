"""Encoded rows: columns in memory-mapped files that a cache holds from run to run."""

LENGTHS = "lengths"  # batch key: samples of each row, where no attention mask marks the padding
