"""What the folds of a job gave, in the cache: none is trained a second time."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from pipelines.core import cache, processes, registry
from pipelines.features import fingerprints
from pipelines.training.job import Job

KIND = "folds"  # the folder of the cache
# that training calls, beside those that compute features
PACKAGES = (*fingerprints.PACKAGES, "accelerate", "peft", "scikit-learn", "scipy", "numpy")
# encoded row of train -> (num_labels,), or by token (tokens, num_labels)
Logits = dict[int, np.ndarray]


@dataclass(frozen=True)
class FoldCache:
    """The logits of the rows of each fold, by what did not see them.

    Attributes:
        units: (examples,) equal numbers in those that are in one fold.
    """

    job: Job
    units: np.ndarray

    def load(self, fold: int) -> Logits | None:
        """Look up what a fold gave; None where it was not trained, or is not kept."""
        key = self._key(fold)
        # on the main process: the others may see another disk, and all have to train or none
        known = processes.from_main(lambda: cache.load(cache.path(KIND, key)) if key else None)
        if known is None:
            return None
        return {int(row): values.numpy() for row, values in known.items()}

    def save(self, fold: int, logits: Logits) -> None:
        """Keep what a fold gave, where its rows have a key and the cache may be written."""
        import torch

        key = self._key(fold)
        if key is None or not processes.is_main():
            return
        tensors = {str(row): torch.from_numpy(np.array(v)) for row, v in logits.items()}
        if cache.save(tensors, cache.path(KIND, key), f"{len(logits):,} rows of a fold"):
            cache.make_room()

    def has(self, fold: int) -> bool:
        """Return whether a fold need not be trained again."""
        key = self._key(fold)
        return key is not None and cache.has(KIND, key)

    @property
    def has_keys(self) -> bool:
        """Whether the rows have keys, so that something can be kept."""
        return self._digest is not None

    def _key(self, fold: int) -> str | None:
        """Return what a fold is found by; None where its rows have no key."""
        return self._digest and fingerprints.of(self._digest, fold)

    @cached_property
    def _digest(self) -> str | None:
        """A key of all that a training follows from: weights, rows, recipe, code, packages."""
        job = self.job
        rows = getattr(job.validation, "fingerprint", None)
        if rows is None:
            return None
        assert job.folds is not None
        weights = fingerprints.weights(job.checkpoint.model, "", None)
        files = registry.source_files(registry.ROOT, "**/*.py")
        code = [file.read_text(encoding="utf-8") for file in files]
        shape = (job.folds.tolist(), self.units.tolist(), processes.num_processes())
        return fingerprints.of(*code, weights, rows, job.identity, *shape, packages=PACKAGES)
