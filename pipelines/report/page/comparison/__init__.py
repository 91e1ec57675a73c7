"""The page of a comparison: sections like those of a run's page, made from its folder's files."""
