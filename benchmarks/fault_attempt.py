"""One attempt to disturb a job: its folder, its calls, and what came of them."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import isolated
from fault_jobs import FaultJob
from isolated import Limits

SECONDS = 180  # that a job may take
NOTHING_TO_RESUME = "nothing to resume"
ALL = Limits(seconds=SECONDS, gigabytes=None)


class LostError(Exception):
    """A job that does not go on."""


@dataclass
class Attempt:
    """A job that is disturbed.

    Attributes:
        folder: of this attempt alone.
        given: the folder of checkpoints and data.
        seconds: how long it takes undisturbed.
        events: what happened.
    """

    job: FaultJob
    random: Random
    folder: Path
    given: Path
    seconds: float
    events: list[str] = field(default_factory=list)

    @property
    def place(self) -> Path:
        """The folder that the job writes into."""
        return self.folder / "place"

    @property
    def log(self) -> Path:
        """What the last call printed."""
        return self.folder / "log"

    def begin(self) -> None:
        """Write the recipe; nothing is cached yet."""
        self.job.write(self.place, self.given)
        fresh_caches(self.folder)

    def start(self, arguments: tuple[str, ...], limits: Limits = ALL) -> int:
        """Start a call of the command line; return the process's id."""
        return isolated.start(isolated.graft(arguments, self.place), self.log, limits)

    def next_arguments(self) -> tuple[str, ...]:
        """Return the command line by which a person would go on."""
        begun = [*self.place.glob("runs/recipe/*/lock.json")]
        begun += self.place.glob("runs/recipe/*/stages.yaml")
        return self.job.resuming if begun else self.job.arguments

    def note(self, code: int | None) -> str:
        """Record how a call ended.

        Raises:
            LostError: in a traceback, or in a message without the code of a mistake.
        """
        text = isolated.printed(self.log)
        last = (text.strip().splitlines() or [""])[-1]
        self.events.append(f"{code}: {last[:300]}")
        if "Traceback (most recent call last)" in text:
            raise LostError(f"traceback: {text[-1500:]}")
        return text

    def finish(self) -> None:
        """Let the job go on undisturbed until it is done.

        Raises:
            LostError: it is not done by that.
        """
        if self.job.result(self.place) is not None:
            return
        arguments = self.next_arguments()
        code = self.call(arguments)
        if code == 2 and NOTHING_TO_RESUME in isolated.printed(self.log):
            self.events.append("begun anew")
            code = self.call(self.job.arguments)
        if code != 0 or self.job.result(self.place) is None:
            raise LostError(f"{code}: {isolated.printed(self.log)[-1500:]}")

    def call(self, arguments: tuple[str, ...], limits: Limits = ALL) -> int | None:
        """Run the command line to its end; return its exit code."""
        child = self.start(arguments, limits)
        code = isolated.wait(child, SECONDS)
        isolated.end(child)
        self.note(code)
        return code


def fresh_caches(folder: Path) -> None:
    """Keep what is computed from now on in `folder`."""
    import datasets

    os.environ["GRAFT_CACHE"] = str(folder / "cache")
    datasets.config.HF_DATASETS_CACHE = folder / "datasets"
