"""Several labeled sources of one task, such as domains, of which one can be held out."""

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, Field, SerializeAsAny, WithJsonSchema, model_validator

from pipelines.core.errors import DataError, suggest
from pipelines.data.sources import Source, of_its_kind
from pipelines.data.split_names import SplitNames

if TYPE_CHECKING:
    from datasets import Dataset

# keys of one of several sources that are meant for all of them together
OF_ALL = ("target", "limit_per_class", "folds", "label_names", "streaming", "on_bad_row")

SourceOfItsKind = Annotated[
    SerializeAsAny[Source],
    BeforeValidator(of_its_kind),
    WithJsonSchema({"type": "object"}),  # the schema of a recipe says which
]


class Several(Source):
    """`sources` lists them, or names them: {books: {source: files, path: books.csv}, dvd: {…}}.

    What `data` says about columns, splits and group holds for each source that does not say
    otherwise itself.
    """

    source: str = "several"
    sources: dict[str, SourceOfItsKind] = Field(
        min_length=1,
        description="a list of sources, each with its source, path, columns, splits, limit… as of "
        "`data`, or name -> source; left out, names are those of files or data sets",
    )
    held_out: str | None = Field(
        None,
        description="name of the source that is not trained on, but scored once, as data.target is",
    )

    @model_validator(mode="after")
    def _can_be_united(self) -> "Several":
        for name, source in self.sources.items():
            if not name.strip() or not name.isprintable():
                raise ValueError(f"sources: {name!r}: expected a name in one line")
            if isinstance(source, Several):
                raise ValueError(f"sources.{name}: several sources cannot stand within others")
            fields = type(source).model_fields
            for key in OF_ALL:
                if key in fields and getattr(source, key) != fields[key].default:
                    raise ValueError(
                        f"sources.{name}.{key}: is for all sources together, where it can be said "
                        f"at all; write data.{key}, or leave it out"
                    )
        self._check_held_out()
        return self

    def _check_held_out(self) -> None:
        if self.held_out is None:
            return
        if self.held_out not in self.sources:
            raise ValueError(
                f"held_out: no source is called '{self.held_out}'; "
                f"{suggest(self.held_out, self.sources)}"
            )
        if len(self.sources) == 1:
            raise ValueError(f"held_out: '{self.held_out}' is the only source; add others to train")
        if self.target is not None:
            raise ValueError(
                f"held_out: '{self.held_out}' would be a second domain beside data.target; leave "
                "one of them out"
            )

    @property
    def trained(self) -> dict[str, Source]:
        """Name -> source, with what `data` says of all; without the one that is held out."""
        return {name: each for name, each in self._whole.items() if name != self.held_out}

    @property
    def other_domain(self) -> Source | None:
        """The source that is held out, else `target`; a share of it is not set aside."""
        if self.held_out is None:
            return self.target
        source = self._whole[self.held_out]
        shares = [split for split, value in source.splits if isinstance(value, float)]
        if _says_something(self.sources[self.held_out].splits) or not shares:
            return source
        # which all sources are to be cut by: where none is trained on, all rows are scored
        splits = {s: v for s, v in source.splits if s not in shares and v is not None}
        return source.replace(splits=splits)

    @property
    def other_domain_key(self) -> str:
        """The section of the recipe that `other_domain` stands in."""
        return f"data.sources.{self.held_out}" if self.held_out else super().other_domain_key

    # cached: a source that is loaded and then identified has to be the same one
    @cached_property
    def _whole(self) -> dict[str, Source]:
        """Name -> source, with what `data` says of all."""
        return {name: self._with_shared(name) for name in self.sources}

    def _with_shared(self, name: str) -> Source:
        section = self.sources[name]
        splits = section.splits if _says_something(section.splits) else self.splits
        return section.replace(
            columns={**self.columns, **section.columns},
            splits=splits,
            group=section.group or self.group,
            on_bad_row=self.on_bad_row,
        )

    def load(self) -> "Mapping[str, Dataset]":
        """Refuse: sources are loaded one by one, since their columns may differ.

        Raises:
            DataError: always.
        """
        raise DataError("data.sources: several sources stand where one is read; name one")

    def identity(self) -> dict[str, Any]:
        """Identify each source."""
        identities = {name: source.identity() for name, source in self._whole.items()}
        return {"source": self.source, "sources": identities}


def _says_something(splits: SplitNames) -> bool:
    """Return whether a split is named; read back from a record, unnamed ones are null."""
    # `test: null` means that there is none
    return any(value is not None for _, value in splits) or "test" in splits.model_fields_set
