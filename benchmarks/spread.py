"""A mean with its deviation over seeds, as the tables of benchmarks print it."""

import statistics


def mean_and_deviation(scores: list[float]) -> str:
    """Format `81.5 ± 0.8`; of one score without a deviation, of none nothing."""
    if not scores:
        return ""
    deviation = f" ± {statistics.stdev(scores):.1f}" if len(scores) > 1 else ""
    return f"{statistics.mean(scores):.1f}{deviation}"
