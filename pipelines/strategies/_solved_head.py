"""A head solved on the features of an encoder as it is: where training by steps can start from."""

from typing import TYPE_CHECKING

from pipelines import registry
from pipelines.console import say
from pipelines.labels import REGRESSION, SINGLE

if TYPE_CHECKING:
    from pipelines.features import Extractor
    from pipelines.heads import Head
    from pipelines.heads._search import Search, Trial
    from pipelines.trainer import Job


def usual(job: "Job") -> "Head":
    """Logistic regression for classes, ridge regression for numbers."""
    name = "ridge" if kind(job) == REGRESSION else "logistic_regression"
    return registry.find("heads", name)()


def kind(job: "Job") -> str:
    """The problem that each answer of a head poses; by token it is that of one token."""
    return SINGLE if job.task.answers_per == "token" else job.labels.problem_type


def solve(
    job: "Job", head: "Head", pooling: str
) -> tuple["Extractor", "Search", "Trial", list["Trial"]]:
    """Features of train and validation, a head for each candidate, and the best of them."""
    from pipelines.anatomy import dissect
    from pipelines.features.candidates import by_token, extractor
    from pipelines.heads._search import Answers, Search

    model, fresh = job.checkpoint.model.eval(), job.checkpoint.fresh
    anatomy = dissect(model, fresh)
    tokens = job.task.answers_per == "token"
    if tokens:
        found = by_token(model, anatomy)
    else:
        found = extractor(model, anatomy, pooling, job.train, job.collate, fresh)
    is_regression = job.labels.problem_type == REGRESSION
    # what is scored is computed as precisely as the saved model will
    train, validation = (
        Answers.of(*found.extract(rows, job.collate, **options), tokens, is_regression)
        for rows, options in (
            (job.train, {"title": "features of train", **job.fast_options}),
            (job.validation, {"title": "… of validation", **job.forward_options}),
        )
    )
    search = Search(job, head, train, validation, found.has_bias)
    return found, search, *search.run()


def start_from_solved_head(job: "Job") -> None:
    """Write the best linear head into the model, and say how good that is."""
    found, _, best, _ = solve(job, usual(job), "head")
    found.graft(best.head)
    told = f"{job.scorer.main} {best.score:.4f}"
    say(f"the head was solved on frozen features: {told} on validation")
