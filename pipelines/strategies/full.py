"""Full fine-tuning: every weight trains (Devlin et al. 2019, arXiv 1810.04805)."""

from pipelines.strategies import Strategy


class Full(Strategy):
    """Every weight trains, at one low rate."""
