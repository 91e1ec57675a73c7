"""Frozen encoder, new linear head: one forward pass, then a solver (arXiv 1610.01644)."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import field_validator

from pipelines import registry
from pipelines.errors import RecipeError, suggest
from pipelines.labels import REGRESSION
from pipelines.strategies import Strategy

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from pipelines.anatomy import Anatomy
    from pipelines.features import Extractor
    from pipelines.heads import Head, Linear
    from pipelines.output import Output
    from pipelines.trainer import Fitted, Job

MANY = 10_000


@dataclass(frozen=True)
class Trial:
    """One head: from which features, how strongly regularised, how good on validation."""

    pooling: str
    strength: float
    biased: bool
    score: float
    head: "Linear"


@dataclass(frozen=True)
class Search:
    """Which features, and how strongly regularised: validation chooses, coarse to fine.

    Every pooling is tried with two strengths, then the best pooling with the whole grid; on at
    most `MANY` examples of train, so that choosing costs little beside the forward pass. What was
    chosen is solved on all of them: the penalty is a prior, and does not depend on their number.
    """

    job: "Job"
    head: "Head"
    train: dict[str, np.ndarray]
    validation: dict[str, np.ndarray]
    bias: bool  # whether the model's own output layer has one

    def run(self) -> tuple[Trial, list[Trial]]:
        """The head that was chosen, and all that were tried."""
        coarse = self.head.grid[1::4]
        trials = [trial for pooling in self.train for trial in self._solve(pooling, coarse, MANY)]
        fine = [strength for strength in self.head.grid if strength not in coarse]
        trials += self._solve(self._best(trials).pooling, fine, MANY)
        best = self._best(trials)
        if len(self.job.train_targets) > MANY:
            (best,) = self._solve(best.pooling, [best.strength], None)
        return best, trials

    def _best(self, trials: list[Trial]) -> Trial:
        """The first of equals: the plain class before a pooling that needs another library."""
        sign = 1 if self.job.scorer.greater_is_better else -1
        return max(trials, key=lambda trial: sign * trial.score)

    def record(self, trial: Trial) -> dict[str, Any]:
        """A trial as the history keeps it."""
        return {
            "pooling": trial.pooling,
            self.head.strength: trial.strength,
            f"validation_{self.job.scorer.main}": trial.score,
        }

    def _solve(self, pooling: str, strengths: Iterable[float], most: int | None) -> Iterator[Trial]:
        from pipelines.heads import Scaler

        job = self.job
        rows = np.random.default_rng(job.arguments.seed).permutation(len(job.train_targets))[:most]
        features, targets = self.train[pooling][rows], np.asarray(job.train_targets)[rows]
        biased = self.bias or pooling != "head"
        scaler = Scaler.of(features, center=biased)
        scaled = scaler(features)
        for strength in strengths:
            solved = self.head.solve(scaled, targets, job.labels.num_labels, strength, biased)
            folded = scaler.fold(solved)
            predictions = job.labels.predict(folded(self.validation[pooling]))
            score = job.scorer(predictions, job.validation_targets)[job.scorer.main]
            yield Trial(pooling, strength, biased, score, folded)


class LinearProbe(Strategy):
    """The encoder runs once over each split; the head is solved on its features.

    Nothing frozen changes by a bit, and dropout and normalisation stay in eval mode, because
    the encoder is never trained. With `pooling: auto`, validation chooses between what the
    model's own head reads (`head`) and poolings of the last hidden state: the pooler of a
    sentence encoder is its worst feature by far.
    """

    pooling: Literal["auto", "head", "mean", "mean_max", "cls", "last"] = "auto"
    head: str = "auto"

    @field_validator("head")
    @classmethod
    def _known(cls, head: str) -> str:
        known = ("auto", *registry.names("heads"))
        if head not in known:
            raise ValueError(f"no such head; {suggest(head, known)}")
        return head

    def training_defaults(self, modality: str, anatomy: "Anatomy") -> dict[str, Any]:
        """Nothing is trained by steps: only batch size, precision and seed have a meaning here."""
        return {}

    def apply(self, model: "PreTrainedModel", anatomy: "Anatomy") -> "PreTrainedModel":
        """Freeze everything but the layer that gives the logits."""
        model.requires_grad_(False)
        model.get_submodule(anatomy.output).requires_grad_(True)
        return model

    def fit(self, job: "Job") -> "Fitted":
        """Features of train and validation, a head for each candidate, and the best of them."""
        from pipelines.anatomy import dissect
        from pipelines.features import extractor
        from pipelines.trainer import Fitted

        head = self._head(job)
        model = job.checkpoint.model.eval()
        anatomy = dissect(model, job.checkpoint.fresh)
        tap = extractor(model, anatomy, self.pooling, job.train, job.collate)
        train, validation = (
            tap.extract(rows, job.collate, title=title, **job.forward_options)
            for rows, title in (
                (job.train, "features of train"),
                (job.validation, "… of validation"),
            )
        )
        output_layer = model.get_submodule(anatomy.output)
        search = Search(job, head, train, validation, output_layer.bias is not None)
        best, trials = search.run()
        return Fitted(
            output=_graft(model, output_layer, tap, best),
            history=[search.record(trial) for trial in trials],
            trainable=best.head.weight.size + (best.head.bias.size if best.biased else 0),
            chosen={"pooling": best.pooling, head.strength: best.strength},
        )

    def _head(self, job: "Job") -> "Head":
        kind = job.labels.problem_type
        usual = "ridge" if kind == REGRESSION else "logistic_regression"
        head = registry.find("heads", usual if self.head == "auto" else self.head)()
        if kind not in head.problem_types:
            told = ", ".join(head.problem_types)
            raise RecipeError(f"strategy.head: '{self.head}' solves {told}; this is a {kind}")
        return head


def _graft(model: Any, output_layer: Any, tap: "Extractor", best: Trial) -> "Output":
    """Put the solved head where it belongs: into the plain class, or beside its pooling."""
    import dataclasses

    import torch

    from pipelines.output import PlainModel, SentenceModel

    if best.pooling != "head":
        chosen = dataclasses.replace(tap, poolings=(best.pooling,))
        return SentenceModel(model, chosen, best.head)
    with torch.no_grad():
        output_layer.weight.copy_(torch.from_numpy(best.head.weight))
        if output_layer.bias is not None:
            output_layer.bias.copy_(torch.from_numpy(best.head.bias))
    return PlainModel(model)
