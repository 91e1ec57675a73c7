"""A head solved on the features of an encoder as it is: where training by steps can start from."""

from typing import TYPE_CHECKING, Any

from pipelines.core import registry
from pipelines.core.console import say
from pipelines.core.labels import REGRESSION, SINGLE
from pipelines.features.extractor import HEAD

if TYPE_CHECKING:
    from pipelines.features.extractor import Extractor
    from pipelines.features.heads import Head
    from pipelines.strategies.probing.search import Search, Trial
    from pipelines.training.job import Job


def usual(job: "Job") -> "Head":
    """Logistic regression for classes, ridge regression for numbers."""
    name = "ridge" if kind(job) == REGRESSION else "logistic_regression"
    return registry.find("heads", name)()


def kind(job: "Job") -> str:
    """The problem that each answer of a head poses; by token it is that of one token."""
    return SINGLE if job.task.prediction_unit == "token" else job.labels.problem_type


def solve(
    job: "Job", head: "Head", found: "Extractor", *, plain: bool = False
) -> tuple["Search", "Trial", list["Trial"]]:
    """Features of train and validation, a head for each candidate, and the best of them; `plain`
    only for what the model's own head reads."""
    from pipelines.strategies.probing.search import Answers, Search

    def answers(rows: Any, title: str, options: dict[str, Any]) -> Answers:
        features, labels = found.extract(rows, job.collate, title=title, **options)
        if plain:
            features = {HEAD: features[HEAD]}
        return Answers.of(features, labels, found.by_token, kind(job) == REGRESSION)

    train = answers(job.train, "features of train", job.fast_options)
    # what is scored is computed as precisely as the saved model will
    validation = answers(job.validation, "… of validation", job.forward_options)
    search = Search(job, head, train, validation, found.has_bias)
    return search, *search.run()


def start_from_solved_head(job: "Job") -> None:
    """Write the best linear head into the model, and say how good that is."""
    from pipelines.features.candidates import pooled_extractor, token_extractor
    from pipelines.features.heads import Linear
    from pipelines.models.anatomy import dissect

    model, newly_initialized = job.checkpoint.model.eval(), job.checkpoint.newly_initialized
    anatomy = dissect(model, newly_initialized)
    if job.task.prediction_unit == "token":
        found = token_extractor(model, anatomy)
    else:
        # all poolings, as a probe and `auto` have them: what one has computed the others find
        found = pooled_extractor(model, anatomy, "auto", job.train, job.collate, newly_initialized)
    _, best, _ = solve(job, usual(job), found, plain=True)
    assert isinstance(best.head, Linear)
    found.graft(best.head)
    told = f"{job.scorer.main} {best.score:.4f}"
    say(f"the head was solved on frozen features: {told} on validation")
