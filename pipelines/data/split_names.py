"""Which splits of a source serve a run, and how many rows of each."""

from typing import Any

from pydantic import (
    Field,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)

from pipelines.core.section import Section

# split -> the names under which sources usually have it, likeliest first
USUAL_NAMES = {
    "train": ("train",),
    "validation": ("validation", "valid", "val", "dev", "eval"),
    "test": ("test",),
}

Names = str | tuple[str, ...]  # of one split, or of its files


class SplitNames(Section):
    """Which split of the source serves as train, validation and test.

    A split that is left out is found by its usual name. A list names files, which are one split
    together. A number is a share of train, cut off with a seed, stratified by label. `test: null`
    means that there is none. Where no validation split is found, `data.folds` says what chooses.
    """

    train: Names | None = Field(None, description="name of a split, or files; null: the usual name")
    validation: Names | float | None = Field(
        None, description="name, files, or share of train; null: the usual name, else see folds"
    )
    test: Names | float | None = Field(
        None,
        description="name, files, or share of train; left out: the usual name; null: no test split",
    )

    @property
    def names(self) -> dict[str, str]:
        """Split -> the name of what serves as it; of a list, all its names in a row."""
        return {split: ", ".join(names) for split, names in self.lists.items()}

    @property
    def lists(self) -> dict[str, tuple[str, ...]]:
        """Split -> the names that the recipe has for it."""
        return {
            split: (names,) if isinstance(names, str) else names
            for split, names in self
            if isinstance(names, str | tuple)
        }

    @field_validator("train", "validation", "test")
    @classmethod
    def _has_names(cls, names: Names | float | None) -> Names | float | None:
        if names in ("", ()):
            raise ValueError("names nothing; expected a split, or files such as [b.csv, c.csv]")
        return names

    @model_validator(mode="after")
    def _shares_leave_something(self) -> "SplitNames":
        shares = [share for share in (self.validation, self.test) if isinstance(share, float)]
        if any(not 0 < share < 1 for share in shares) or sum(shares) >= 1:
            given = " and ".join(f"{share:g}" for share in shares)
            raise ValueError(
                "shares of train lie between 0 and 1, and add up to less than 1 so that some of "
                f"train is left; got {given}"
            )
        return self

    @model_serializer(mode="wrap")
    def _without_unset_test(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        values: dict[str, Any] = serialize(self)
        # read back, `test: null` would mean that there is no test split
        if "test" not in self.model_fields_set:
            values.pop("test", None)
        return values


class Limits(Section):
    """How many examples of each split to use, drawn with a seed, stratified by label."""

    train: int | None = Field(None, ge=1, description="number of examples; null: all")
    validation: int | None = Field(None, ge=1, description="number of examples; null: all")
    test: int | None = Field(None, ge=1, description="number of examples; null: all")
