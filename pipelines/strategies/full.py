"""Full fine-tuning: every weight trains (Devlin et al. 2019, arXiv 1810.04805)."""

from pipelines.strategies._new_head import NewHead


class Full(NewHead):
    """Every weight trains at one low rate, new layers faster."""
