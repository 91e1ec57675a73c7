"""Frozen encoder -> features, in one pass for all that want them, and kept on disk.

`head` is what the model's own output layer reads, caught by a hook: solved there, the result is
the plain class. The other poolings read the encoder's last hidden state. What was computed once is
found again by weights, rows and precision, by runs with other heads and other seeds, too.
"""

from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from pipelines.core.labels import IGNORED
from pipelines.features import chunks, fingerprints, projection
from pipelines.features.activation_hook import ActivationHook
from pipelines.features.pooling import pool

if TYPE_CHECKING:
    from pipelines.features.head_input import HeadInput
    from pipelines.features.heads import Linear, SolvedHead
    from pipelines.models.anatomy import Anatomy

HEAD, LABELS, STEM = "head", "labels", "head_input"
BATCH = 1024  # rows that a head reads at once


@dataclass(frozen=True)
class Extractor:
    """Reads the features of the candidate `poolings` out of a model's forward pass.

    Attributes:
        own: the pooling by which the model's own head reduces a sequence to one vector, where
            its output layer sees the whole sequence (GPT-2); None where it sees one vector already.
        by_token: every token with a label has features of its own.
        projection: a new layer of the head that is left out, since what is solved stands for both.
        stem: what is kept for a head that has other new layers than the last; None where what the
            output layer reads follows from the checkpoint alone.
        layer: which states the poolings read: the last ones, or the mean of all blocks'.
        plain: whether the plain class can hold what is solved. What its output layer reads is
            kept for other heads, but not given, where it cannot.
        chosen: the pooling that a head was solved on.
    """

    model: Any
    anatomy: "Anatomy"
    poolings: tuple[str, ...]
    own: str | None
    by_token: bool = False
    projection: str | None = None
    head_input: "HeadInput | None" = None
    layer: Literal["last", "mean"] = "last"
    plain: bool = True
    chosen: str = HEAD

    def extract(self, rows: Any, collate: Any, **options: Any) -> tuple[dict[str, Any], Any]:
        """({pooling: (rows, dim) float32}, the rows' labels) from a single pass, or from disk.

        By token, a row is (tokens with a label, dim) and has as many labels.
        """
        about = f"{type(self.model).__name__}, {len(rows):,} rows, {', '.join(self.poolings)}"
        with self._left_out(), ActivationHook(self.model, self.anatomy, self.layer) as tap:
            key = self._key(rows, bool(options.get("bf16")))

            def read(_: Any, batch: dict[str, Any]) -> dict[str, Any]:
                return self._read(tap, batch)

            kept = chunks.computed(key, about, self.model, rows, collate, read, **options)
            return self._features(kept), kept.column(LABELS)

    def logits(self, head: "SolvedHead", rows: Any, collate: Any, **options: Any) -> Any:
        """(rows, classes) of a head on the chosen pooling; by token a list of such arrays."""
        features, _ = self.extract(rows, collate, **options)
        found = features[self.chosen]
        if self.by_token:
            return [head(row).astype(np.float32) for row in found]
        return head(found).astype(np.float32)

    @property
    def has_bias(self) -> bool:
        """Whether what is solved may have one."""
        with self._left_out():
            return self.model.get_submodule(self.anatomy.output).bias is not None

    def graft(self, head: "Linear") -> None:
        """Write a head that was solved on `head` into the model."""
        import torch

        if self.projection:
            projection.fold(self.model, self.anatomy, self.projection, head)
            return
        output = self.model.get_submodule(self.anatomy.output)
        with torch.no_grad():
            output.weight.copy_(torch.from_numpy(head.weight))
            if output.bias is not None:
                output.bias.copy_(torch.from_numpy(head.bias))

    def _features(self, kept: chunks.Chunks) -> dict[str, Any]:
        found = {pooling: kept.column(pooling) for pooling in self.poolings if self._keeps(pooling)}
        if not self.plain:
            found.pop(HEAD, None)
        elif HEAD in self.poolings and self.head_input:
            found = {HEAD: self._through_head(kept.column(STEM)), **found}
        return found

    def _keeps(self, pooling: str) -> bool:
        return pooling != HEAD or self.head_input is None

    def _through_head(self, stems: np.ndarray) -> np.ndarray:
        """What the output layer reads of (rows, dim) stems, for the head as it is now."""
        import torch

        assert self.head_input
        read = []
        with torch.inference_mode(), ActivationHook(self.model.eval(), self.anatomy) as tap:
            for start in range(0, len(stems), BATCH):
                batch = torch.from_numpy(stems[start : start + BATCH]).to(self.model.device)
                with self.head_input.replace_encoder(self.model, batch) as inputs:
                    self.model(**inputs)
                read.append(tap.input.cpu().numpy())
        return np.concatenate(read)

    def _read(self, tap: ActivationHook, batch: dict[str, Any]) -> dict[str, Any]:
        labels = batch["labels"]
        if self.by_token:
            there = labels != IGNORED
            entries = zip(tap.input, labels, there, strict=True)
            features, answers = zip(*((x[i], y[i]) for x, y, i in entries), strict=True)
            return {HEAD: features, LABELS: answers}
        read = {LABELS: labels}
        for pooling in filter(self._keeps, self.poolings):
            if pooling != HEAD:
                read[pooling] = pool(tap.hidden, batch["attention_mask"], pooling)
            elif self.own:
                read[HEAD] = pool(tap.input, batch["attention_mask"], self.own)
            else:
                read[HEAD] = tap.input
        if self.head_input and HEAD in self.poolings:
            read[STEM] = self.head_input.read(tap.outputs, batch)
        return read

    def _left_out(self) -> Any:
        if self.projection is None:
            return nullcontext()
        return projection.left_out(self.model, self.anatomy, self.projection)

    def _key(self, rows: Any, bf16: bool) -> str | None:
        """All that features follow from; None for rows that are others each time."""
        if rows.fingerprint is None:
            return None
        root = self.anatomy.encoder if self.head_input else ""
        weights = fingerprints.weights(self.model, inside=root, outside=self.anatomy.output)
        stored = [
            self.head_input and self.head_input.kind,
            self.own,
            self.by_token,
            self.projection,
        ]
        stored.append(self.layer)
        poolings = [*filter(self._keeps, self.poolings)]
        precision = (bf16, self.model.device.type)
        return fingerprints.of(weights, rows.fingerprint, poolings, stored, precision)
