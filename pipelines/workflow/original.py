"""A run, or a stage of one, that is repeated: what its lock says, compared with what is here."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pipelines import data
from pipelines.core.errors import RunError
from pipelines.recipe import Recipe
from pipelines.recipe.differences import Difference
from pipelines.report import lock as locks
from pipelines.report import lock_differences, machine, requested, strict_json
from pipelines.report.run_folder import RunFolder

ADVICE = "to train by its recipe instead, with what is here now:"


@dataclass(frozen=True)
class Original:
    """A run, or a stage of one, that is repeated.

    Attributes:
        follows: whether it starts from the model of the stage before.
    """

    folder: RunFolder
    follows: bool = False

    @cached_property
    def lock(self) -> dict[str, Any]:
        """What the recipe meant when it was run.

        Raises:
            RunError: the file is missing or damaged, or is none that a run has written.
        """
        lock = strict_json.read(self.folder.lock, "name the lock.json of a run folder")
        for section in ("recipe", "model", "data"):
            if not isinstance(lock.get(section), dict):
                raise RunError(
                    f"{self.folder.lock}: damaged: no section '{section}'; name the lock.json of a "
                    "run folder"
                )
        return lock

    @cached_property
    def values(self) -> dict[str, Any]:
        """The resolved recipe, with each revision replaced by the commit that it meant.

        Raises:
            RunError: the file is missing or damaged, or is not what the lock was written with.
        """
        file = self.folder.recipe
        remedy = "a run is repeated from its lock.json and the recipe.yaml beside it"
        values = requested.document(file, remedy).values
        expected = self.lock["recipe"].get("sha256")
        if locks.digest(values) != expected:
            raise RunError(
                f"{file}: is not the recipe that the lock beside it was written with (sha256 "
                f"{expected} -> {locks.digest(values)}); {ADVICE} graft run {file}"
            )
        try:
            return locks.with_commits(values, self.lock)
        except (LookupError, TypeError, AttributeError):
            raise RunError(f"{self.folder.lock}: damaged: it does not fit {file}") from None

    @cached_property
    def metrics(self) -> dict[str, Any]:
        """What came of the run; empty where it is not finished.

        Raises:
            RunError: the file is damaged.
        """
        file = self.folder.metrics
        return strict_json.read(file, "move it away") if file.is_file() else {}

    @property
    def name(self) -> str:
        """Recipe and number of the run, without the folders above."""
        is_stage = self.folder.whole != self.folder
        return "/".join(self.folder.path.absolute().parts[-2 - is_stage :])

    @property
    def entry(self) -> dict[str, Any]:
        """What the lock of the repetition says of it."""
        with self.folder.lock.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        differs = [str(difference) for difference in self.environment_differences()]
        return {
            "run": self.name,
            "date": self.lock.get("date"),
            "lock_sha256": digest,
            "differs": differs,
        }

    def changed_contents(self, recipe: Recipe) -> Iterator[Difference]:
        """Yield where files or commits are not those that were read.

        Raises:
            GraftError: data cannot be read.
        """
        data.forget_digests()
        # the model of the stage before comes of the repetition
        before = {key: self.lock[key] for key in self.lock if not (self.follows and key == "model")}
        return lock_differences.contents(before, locks.contents(recipe))

    def environment_differences(self) -> Iterator[Difference]:
        """Yield packages, processors and numbers of processes that are others now."""
        from pipelines.core import processes

        now = {"num_processes": processes.num_processes(), **machine.describe()}
        return lock_differences.environment(self.lock, now)
