"""Where examples come from: one file per kind of source.

A source loads whatever splits there are, under their own names and with their own columns;
`data.load` then chooses splits, names columns by role and checks them.
"""

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, model_validator

from pipelines.core.section import Section

if TYPE_CHECKING:
    from collections.abc import Mapping

    from datasets import Dataset

# part -> the names under which a split that plays it is usually found, likeliest first
USUAL_NAMES = {
    "train": ("train",),
    "validation": ("validation", "valid", "val", "dev", "eval"),
    "test": ("test",),
}


class SplitNames(Section):
    """Which split plays which part.

    A part that is left out is found by its usual name. A number is a share of train, set aside
    with a seed, stratified by label. `test: null` means that there is none; a run cannot do
    without validation, so where none is found a tenth of train is set aside for it.
    """

    train: str | None = None
    validation: str | float | None = None
    test: str | float | None = None

    @model_validator(mode="after")
    def _shares_leave_something(self) -> "SplitNames":
        shares = [part for part in (self.validation, self.test) if isinstance(part, float)]
        if any(not 0 < share < 1 for share in shares) or sum(shares) >= 1:
            told = " and ".join(f"{share:g}" for share in shares)
            raise ValueError(f"a share of train lies between 0 and 1, and leaves some; got {told}")
        return self


class Limits(Section):
    """How many examples of each split to use, drawn with a seed, stratified by label."""

    train: int | None = Field(default=None, ge=1)
    validation: int | None = Field(default=None, ge=1)
    test: int | None = Field(default=None, ge=1)


class Source(Section):
    """Base of all sources: the keys that every `data:` section has."""

    source: str
    columns: dict[str, str | list[str]] = Field(
        {}, description="role -> column, such as {text: sentence, label: label}"
    )
    splits: SplitNames = SplitNames()
    limit: Limits = Limits()
    on_bad_row: Literal["error", "skip"] = Field(
        "error",
        description="rows without a label, unreadable, or too much for the model: "
        "refuse them, or leave them out and list them",
    )

    def load(self) -> "Mapping[str, Dataset]":
        """All splits that there are, as they are; of streamed ones an IterableDataset.

        Raises:
            DataError: nothing there, or nothing readable; says what was looked for and where.
            HubError: a hub is needed and cannot be reached.
        """
        raise NotImplementedError

    def identity(self) -> dict[str, Any]:
        """What exactly was read, for the lock: id and commit, or path and content hash."""
        raise NotImplementedError


class StreamedSource(Source):
    """Base of the sources whose train split may be larger than memory, and than the disk."""

    streaming: bool = Field(
        False,
        description="read train as it flows by; needs training.max_steps and a validation split",
    )
    shuffle_buffer: int = Field(
        10_000, ge=1, description="streamed rows among which the next one is drawn"
    )
