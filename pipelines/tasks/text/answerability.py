"""Whether questions have answers: where some have none, no answer is one, too."""

from typing import Any

from pipelines.core.errors import DataError
from pipelines.core.labels import Labels
from pipelines.tasks.text import spans

ANSWERABLE = "question_answering"
PARTLY_ANSWERABLE = "question_answering_with_unanswerable_questions"


def infer(answers: list[Any]) -> Labels:
    """Find out whether there are questions without an answer; there are no classes.

    Args:
        answers: of each row of train, in SQuAD's format.

    Raises:
        DataError: no question has an answer.
    """
    is_answered, problems = [], []
    for row, each in enumerate(answers):
        try:
            is_answered.append(bool(spans.accepted_answers(each)))
        except ValueError as error:
            problems.append(f"train, row {row}: {error}")
    if not any(is_answered):
        unanswered = (
            f"train: no question has an answer in column 'answers' of {len(answers):,} rows: "
            "there is nothing to learn"
        )
        raise DataError(next(iter(problems), unanswered))
    if all(is_answered):
        return Labels(ANSWERABLE)
    count = f"{is_answered.count(False):,} of {len(is_answered):,} questions of train have none"
    return Labels(PARTLY_ANSWERABLE, reason=f"answers: {count}, so that none is an answer, too")
