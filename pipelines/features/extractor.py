"""The features of a frozen model: computed in one pass for all poolings, and kept on disk.

`head` is what the model's output layer reads, caught by a hook: a head solved there is the plain
class. The other poolings read the encoder's last hidden state. Features are found again by weights,
rows and precision, so that runs with other heads and other seeds need no pass of their own.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from pipelines.core.labels import IGNORED
from pipelines.features import chunks, fingerprints, projection
from pipelines.features.activation_hook import ActivationHook
from pipelines.features.head_input import HeadInput
from pipelines.features.pooling import pool

if TYPE_CHECKING:
    from pipelines.models.anatomy import Anatomy
    from pipelines.models.output.head_layers import Linear, SolvedHead

# names of what is kept of each row, beside the poolings
HEAD, LABELS, HEAD_INPUT = "head", "labels", "head_input"
ROWS_PER_BATCH = 1024  # that a model's head computes at once


@dataclass(frozen=True)
class Extractor:
    """Reads features of the candidate `poolings` out of a model's forward pass.

    Attributes:
        head_pooling: the pooling by which the model's own head reduces a sequence to one vector,
            where its output layer sees the whole sequence (GPT-2); None where it sees one vector.
        by_token: every token with a label has features of its own.
        projection: a new layer of the head that is left out, since what is solved stands for both.
        head_input: what is kept for a head that has other new layers than the last; None where the
            input of the output layer follows from the checkpoint alone.
        layer: which states the poolings read: the last ones, or the mean of all blocks'.
        plain: whether the plain class can hold what is solved. If not, `head` is not among the
            features.
        chosen: the pooling that a head was solved on.
    """

    model: Any
    anatomy: "Anatomy"
    poolings: tuple[str, ...]
    head_pooling: str | None
    by_token: bool = False
    projection: str | None = None
    head_input: HeadInput | None = None
    layer: Literal["last", "mean"] = "last"
    plain: bool = True
    chosen: str = HEAD

    def extract(self, rows: Any, collate: Any, **options: Any) -> tuple[dict[str, Any], Any]:
        """Compute the features and labels of all rows in a single pass, or load them.

        Args:
            rows: encoded rows; those with a `fingerprint` are found on disk.
            options: of `forward.iter_batches`.

        Returns:
            {pooling: (rows, dim) float32} and the labels (rows, …). By token each is a list, with
            (labeled tokens, dim) features and (labeled tokens,) labels for each row.
        """
        about = f"{type(self.model).__name__}, {len(rows):,} rows, {', '.join(self.poolings)}"
        with (
            self.without_projection(),
            ActivationHook(self.model, self.anatomy, self.layer) as hook,
        ):
            # inside the hooks: the key is that of the model without its projection
            key = self._key(rows, bool(options.get("bf16")))

            def collect(_: Any, batch: dict[str, Any]) -> dict[str, Any]:
                return self._collect(hook, batch)

            computed = chunks.compute(key, about, self.model, rows, collate, collect, **options)
            return self._features(computed), computed.column(LABELS)

    def logits(self, head: "SolvedHead", rows: Any, collate: Any, **options: Any) -> Any:
        """Apply a head to the chosen pooling: (rows, num_labels) float32.

        By token the result is a list of (labeled tokens, num_labels) arrays.
        """
        features, _ = self.extract(rows, collate, **options)
        inputs = features[self.chosen]
        if self.by_token:
            return [head(row).astype(np.float32) for row in inputs]
        return head(inputs).astype(np.float32)

    @property
    def has_bias(self) -> bool:
        """Whether the model has a place for the bias of a solved head."""
        with self.without_projection():
            return self.model.get_submodule(self.anatomy.output).bias is not None

    def graft(self, head: "Linear") -> None:
        """Write a head that was solved on `head` into the model."""
        import torch

        # the head read what comes before the projection: two layers have to express it
        if self.projection:
            projection.fold(self.model, self.anatomy, self.projection, head)
            return
        output = self.model.get_submodule(self.anatomy.output)
        with torch.no_grad():
            output.weight.copy_(torch.from_numpy(head.weight))
            if output.bias is not None:
                output.bias.copy_(torch.from_numpy(head.bias))

    @contextmanager
    def without_projection(self) -> Iterator[None]:
        """Leave the head's projection out inside the block, where it has one."""
        if self.projection is None:
            yield
            return
        with projection.left_out(self.model, self.anatomy, self.projection):
            yield

    @property
    def _stored_poolings(self) -> list[str]:
        """The poolings that are kept on disk: of a new head its input is kept, not its output."""
        return [p for p in self.poolings if p != HEAD or self.head_input is None]

    def _features(self, computed: chunks.Chunks) -> dict[str, Any]:
        features = {pooling: computed.column(pooling) for pooling in self._stored_poolings}
        # computed and stored all the same, so that a run with another head finds it
        if not self.plain:
            features.pop(HEAD, None)
        elif HEAD in self.poolings and self.head_input:
            features = {HEAD: self._through_head(computed.column(HEAD_INPUT)), **features}
        return features

    def _through_head(self, head_inputs: np.ndarray) -> np.ndarray:
        """Compute what the output layer reads, from (rows, dim) inputs of the head as it is now."""
        import torch

        assert self.head_input
        features = []
        with torch.inference_mode(), ActivationHook(self.model.eval(), self.anatomy) as hook:
            for start in range(0, len(head_inputs), ROWS_PER_BATCH):
                vectors = torch.from_numpy(head_inputs[start : start + ROWS_PER_BATCH])
                vectors = vectors.to(self.model.device)
                with self.head_input.replace_encoder(self.model, vectors) as inputs:
                    self.model(**inputs)
                features.append(hook.input.cpu().numpy())
        return np.concatenate(features)

    def _collect(self, hook: ActivationHook, batch: dict[str, Any]) -> dict[str, Any]:
        labels = batch["labels"]
        if self.by_token:
            is_labeled = labels != IGNORED
            features = [x[i] for x, i in zip(hook.input, is_labeled, strict=True)]
            return {
                HEAD: features,
                LABELS: [y[i] for y, i in zip(labels, is_labeled, strict=True)],
            }
        # labels are stored with the features: rows that come from disk are never collated
        collected = {LABELS: labels}
        for pooling in self._stored_poolings:
            if pooling != HEAD:
                collected[pooling] = pool(hook.hidden, batch["attention_mask"], pooling)
            elif self.head_pooling:
                collected[HEAD] = pool(hook.input, batch["attention_mask"], self.head_pooling)
            else:
                collected[HEAD] = hook.input
        if self.head_input and HEAD in self.poolings:
            collected[HEAD_INPUT] = self.head_input.read(hook.outputs, batch)
        return collected

    def _key(self, rows: Any, bf16: bool) -> str | None:
        """Digest all that features follow from; None for rows that differ each time."""
        if rows.fingerprint is None:
            return None
        # with a head input only the encoder counts: the head is new with every seed
        root = self.anatomy.encoder if self.head_input else ""
        weights = fingerprints.weights(self.model, inside=root, outside=self.anatomy.output)
        settings = [
            self.head_input and self.head_input.kind,
            self.head_pooling,
            self.by_token,
            self.projection,
            self.layer,
        ]
        # GPUs and CPUs round differently, and mixed precision more so
        precision = (bf16, self.model.device.type)
        return fingerprints.of(
            weights, rows.fingerprint, self._stored_poolings, settings, precision
        )
