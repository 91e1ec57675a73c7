"""Where examples come from: one file per kind of source.

A source loads all its splits, under their own names and with their own columns; `data.load` then
chooses among them, names columns by role and checks them.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import (
    Field,
    SerializeAsAny,
    WithJsonSchema,
    field_validator,
)

from pipelines.core import registry
from pipelines.core.errors import RecipeError, listed
from pipelines.core.section import Section
from pipelines.data.split_names import Limits, SplitNames

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from datasets import Dataset

# of a section: what concerns training, for which no row of a target counts
NOT_OF_A_TARGET = ("target", "limit_per_class", "group", "folds", "label_names", "streaming")


def of_its_kind(value: Any) -> Any:
    """Check a section within `data` by the class of its own source.

    Raises:
        ValueError: it names no source, or one that does not exist.
        ValidationError: a key or a value that its source does not have.
    """
    if value is None or isinstance(value, Source):
        return value
    kind = value.get("source") if isinstance(value, dict) else None
    if not isinstance(kind, str):
        known = listed(registry.names("sources"))
        raise ValueError(
            f"should be keys and values, such as {{source: files, path: other.csv}}; known "
            f"sources: {known}"
        )
    try:
        return registry.find("sources", kind).model_validate(value)
    except RecipeError as error:
        raise ValueError(f"source: {error}") from None


class LoadedSplits(dict[str, Any]):
    """What a source has loaded: the name of a split -> its data set.

    Attributes:
        notes: what was inferred while reading, to be printed.
        unreadable: column -> why it was left out; an error only where it is used.
        spelled: read all splits again with these columns as texts, as the files spell them; None
            where there are no such files.
    """

    def __init__(
        self,
        splits: "Mapping[str, Any]",
        notes: Iterable[str] = (),
        unreadable: "Mapping[str, str] | None" = None,
        spelled: "Callable[[Collection[str]], LoadedSplits] | None" = None,
    ) -> None:
        super().__init__(splits)
        self.notes = tuple(notes)
        self.unreadable = dict(unreadable or {})
        self.spelled = spelled


class Source(Section):
    """Base class of all sources: the keys that every `data:` section has."""

    source: str
    columns: dict[str, str | list[str]] = Field(
        {}, description="role -> column, such as {text: sentence, label: label}"
    )
    label_names: tuple[str, ...] | None = Field(
        None,
        min_length=2,
        description="names of the classes, in the order of their ids or of the 0 and 1 of a row; "
        "null: those of the data",
    )
    splits: SplitNames = SplitNames()
    limit: Limits = Limits()
    limit_per_class: int | None = Field(
        None,
        ge=1,
        description="at most so many examples of each class of train; what validates is cut from "
        "these; null: all",
    )
    group: str | None = Field(
        None,
        min_length=1,
        description="column whose equal values belong together (a patient, a speaker, an author, "
        "a document): no split that is cut from train, and no fold, shares one with the rest",
    )
    folds: Literal["auto"] | Annotated[int, Field(ge=0)] = Field(
        "auto",
        description="where there is no validation split: into how many folds train is dealt, each "
        "scored by what was trained on the others; 0: a tenth of train is set aside; auto: 5 for "
        "up to 1,000 rows (300 where a strategy that trains by steps is named), else 0",
    )
    on_bad_row: Literal["error", "skip"] = Field(
        "error",
        description="rows without a label, unreadable, or too much for the model: "
        "refuse them, or leave them out and list them",
    )
    target: Annotated[
        SerializeAsAny["Source | None"],
        WithJsonSchema({"type": ["object", "null"]}),  # the schema of a recipe says which
    ] = Field(
        None,
        description="another domain, to be adapted to: source, path, columns, splits, limit… as "
        "of `data`; its labels, if it has some, are used once, to score the result",
    )

    @field_validator("target", mode="before")
    @classmethod
    def _of_its_kind(cls, value: Any) -> Any:
        """Check a target by the class of its own source."""
        return of_its_kind(value)

    @field_validator("target")
    @classmethod
    def _has_no_keys_of_training(cls, target: "Source | None") -> "Source | None":
        if target is None:
            return None
        fields = type(target).model_fields
        if "held_out" in fields:
            raise ValueError(
                "several sources are no target; expected one, or hold one of data.sources out by "
                "its name: data.held_out"
            )
        for key in fields.keys() & {*NOT_OF_A_TARGET}:
            if getattr(target, key) != fields[key].default:
                raise ValueError(
                    f"{key}: rows of a target are never trained on by their labels, nor choose, so "
                    f"data.target.{key} has no meaning; leave it out"
                )
        if target.splits.validation is not None or target.limit.validation:
            raise ValueError(
                "validation: a target validates nothing: its train split is adapted to, and its "
                "test split is scored; name those, or leave splits and limit out"
            )
        return target

    @field_validator("folds")
    @classmethod
    def _is_more_than_one(cls, folds: str | int) -> str | int:
        if folds == 1:
            raise ValueError("one fold leaves no rows to solve on; expected 0, 2 or more, or auto")
        return folds

    def load(self) -> "Mapping[str, Dataset]":
        """Load all splits of the source, unchanged; a streamed one as an IterableDataset.

        What was inferred while reading is in the notes of a LoadedSplits.

        Raises:
            DataError: there is nothing to read, or it cannot be read.
            HubError: a hub is needed and cannot be reached.
        """
        raise NotImplementedError

    @property
    def other_domain(self) -> "Source | None":
        """What may be adapted to without its labels, and is scored once; None where nothing is."""
        return self.target

    @property
    def other_domain_key(self) -> str:
        """The section of the recipe that `other_domain` stands in."""
        return "data.target"

    @property
    def folder(self) -> "Path | None":
        """The folder that paths in its tables are relative to; None where there is none."""
        return None

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Explain what goes wrong with rows that are streamed inside the block.

        Raises:
            HubError: they can be had no longer.
        """
        yield

    def identity(self) -> dict[str, Any]:
        """Identify exactly what was read, for the lock: id and commit, or path and content hash."""
        raise NotImplementedError


class StreamedSource(Source):
    """Base class of sources whose train split may be larger than memory and disk."""

    streaming: bool = Field(
        False,
        description="stream train instead of loading it; needs training.max_steps and a "
        "validation split",
    )
    shuffle_buffer: int = Field(
        10_000, ge=1, description="how many streamed rows are held, and shuffled, at a time"
    )
