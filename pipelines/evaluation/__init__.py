"""How good predictions are: scores, metrics and calibration."""
