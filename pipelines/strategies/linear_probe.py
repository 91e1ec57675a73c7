"""Frozen encoder, new linear head: one forward pass, then a solver (arXiv 1610.01644)."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from pipelines import registry
from pipelines.labels import REGRESSION
from pipelines.strategies import Strategy

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from pipelines.anatomy import Anatomy
    from pipelines.features import Extractor
    from pipelines.heads import Head, Linear
    from pipelines.output import Output
    from pipelines.trainer import Fitted, Job


@dataclass(frozen=True)
class Trial:
    """One head: from which features, how strongly regularised, how good on validation."""

    pooling: str
    strength: float
    score: float
    head: "Linear"


class LinearProbe(Strategy):
    """The encoder runs once over each split; the head is solved on its features.

    Nothing frozen changes by a bit, and dropout and normalisation stay in eval mode, because
    the encoder is never trained. With `pooling: auto`, validation chooses between what the
    model's own head reads (`head`) and poolings of the last hidden state: the pooler of a
    sentence encoder is its worst feature by far.
    """

    pooling: Literal["auto", "head", "mean", "cls", "last"] = "auto"
    head: str = "auto"

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
        trials = list(self._trials(job, train, validation, bias=output_layer.bias is not None))
        # the first of equals: the plain class before a pooling that needs another library
        sign = 1 if job.scorer.greater_is_better else -1
        best = max(trials, key=lambda trial: sign * trial.score)
        return Fitted(
            output=_graft(model, output_layer, tap, best),
            history=[self._record(job, trial) for trial in trials],
            trainable=best.head.weight.size + best.head.bias.size,
            chosen={"pooling": best.pooling, self._head(job).strength: best.strength},
        )

    def _trials(
        self, job: "Job", train: dict[str, Any], validation: dict[str, Any], bias: bool
    ) -> Iterator[Trial]:
        from pipelines.heads import Scaler

        targets, head = np.asarray(job.train_targets), self._head(job)
        for pooling, features in train.items():
            # only the model's own output layer can be without a bias
            biased = bias or pooling != "head"
            scaler = Scaler.of(features, center=biased)
            scaled = scaler(features)
            for strength in head.grid:
                solved = head.solve(scaled, targets, job.labels.num_labels, strength, biased)
                folded = scaler.fold(solved)
                predictions = job.labels.predict(folded(validation[pooling]))
                score = job.scorer(predictions, job.validation_targets)[job.scorer.main]
                yield Trial(pooling, strength, score, folded)

    def _head(self, job: "Job") -> "Head":
        usual = "ridge" if job.labels.problem_type == REGRESSION else "logistic_regression"
        return registry.find("heads", usual if self.head == "auto" else self.head)()

    def _record(self, job: "Job", trial: Trial) -> dict[str, Any]:
        return {
            "pooling": trial.pooling,
            self._head(job).strength: trial.strength,
            f"validation_{job.scorer.main}": trial.score,
        }


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
