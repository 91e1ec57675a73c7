"""The recipe's section on evidence beside the scores."""

from pydantic import Field

from pipelines.core.section import Section


class Evaluation(Section):
    """Measure more than the scores: how they fall where inputs are worse."""

    robustness: bool = Field(
        False,
        description="score test (validation where there is none) under corruptions of severity 1 "
        "to 5, too: at most 1,000 rows",
    )
