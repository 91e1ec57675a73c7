"""The whole story of a run, of a check, and of what both begin with."""
