"""Frozen encoder, new linear head: one forward pass, then a solver (arXiv 1610.01644)."""

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import field_validator

from pipelines import registry
from pipelines.errors import RecipeError, suggest
from pipelines.strategies import Strategy
from pipelines.strategies._solved_head import kind, solve, usual

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from pipelines.anatomy import Anatomy
    from pipelines.features import Extractor
    from pipelines.heads import Head
    from pipelines.heads._search import Trial
    from pipelines.output import Output
    from pipelines.tasks import Task
    from pipelines.trainer import Fitted, Job


class LinearProbe(Strategy):
    """The encoder runs once over each split; the head is solved on its features.

    Nothing frozen changes by a bit, and dropout and normalisation stay in eval mode, because
    the encoder is never trained. With `pooling: auto`, validation chooses between what the
    model's own head reads (`head`) and poolings of the last hidden state: the pooler of a
    sentence encoder is its worst feature by far.
    """

    augments: ClassVar[bool] = False
    takes_no_steps: ClassVar[str | None] = "its head is solved for, at no learning rate"

    pooling: Literal["auto", "head", "mean", "mean_max", "cls", "last"] = "auto"
    head: str = "auto"

    @field_validator("head")
    @classmethod
    def _known(cls, head: str) -> str:
        known = ("auto", *registry.names("heads"))
        if head not in known:
            raise ValueError(f"no such head; {suggest(head, known)}")
        return head

    @property
    def needs_all_rows(self) -> str | None:
        return "its head is solved on the features of all examples"

    def refuses(self, task: "Task") -> str | None:
        """A head can be solved for where the loss is a sum over single answers."""
        if task.answers_per == "token" and self.pooling not in ("auto", "head"):
            return f"pooling '{self.pooling}': {task.name} reads every token, not a pooled sequence"
        if task.answers_per:
            return None
        return (
            f"{task.name} has no linear head that can be solved for on frozen features; "
            "use full or lora"
        )

    def training_defaults(self, modality: str, anatomy: "Anatomy") -> dict[str, Any]:
        """Nothing is trained by steps: only batch size, precision and seed have a meaning here."""
        return {}

    def apply(self, model: "PreTrainedModel", anatomy: "Anatomy") -> "PreTrainedModel":
        """Freeze everything but the layer that gives the logits."""
        assert anatomy.output  # tasks without one are refused
        model.requires_grad_(False)
        model.get_submodule(anatomy.output).requires_grad_(True)
        return model

    def fit(self, job: "Job") -> "Fitted":
        """Features of train and validation, a head for each candidate, and the best of them."""
        from pipelines.trainer import Fitted

        head = self._head(job)
        found, search, best, trials = solve(job, head, self.pooling)
        return Fitted(
            output=_graft(found, best),
            history=[search.record(trial) for trial in trials],
            trainable=best.head.weight.size + (best.head.bias.size if best.biased else 0),
            chosen={"pooling": best.pooling, head.strength: best.strength},
        )

    def _head(self, job: "Job") -> "Head":
        if self.head == "auto":
            return usual(job)
        head = registry.find("heads", self.head)()
        if kind(job) not in head.problem_types:
            told = ", ".join(head.problem_types)
            raise RecipeError(f"strategy.head: '{self.head}' solves {told}; this is a {kind(job)}")
        return head


def _graft(found: "Extractor", best: "Trial") -> "Output":
    """Put the solved head where it belongs: into the plain class, or beside its pooling."""
    import dataclasses

    from pipelines.output import ProbedModel, SentenceModel

    chosen = dataclasses.replace(found, chosen=best.pooling)
    if best.pooling != "head":
        return SentenceModel(found.model, chosen, best.head)
    found.graft(best.head)
    return ProbedModel(found.model, chosen, best.head)
