"""A section of a recipe: a frozen pydantic model that refuses keys it does not know."""

from collections.abc import Iterator
from types import UnionType
from typing import Annotated, Any, Self, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator, model_validator


class Section(BaseModel):
    """Base of every part of a recipe; its fields are the recipe's keys.

    A class with `shorthand` takes a bare string for that field: `model: ID` is short for
    `model: {checkpoint: ID}`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    @field_validator("*", mode="before")
    @classmethod
    def _no_truth_for_a_number(cls, value: Any, info: ValidationInfo) -> Any:
        # pydantic takes true for 1: `flip: true` would be a probability of 1
        field = cls.model_fields[info.field_name or ""]
        if isinstance(value, bool) and _is_number(field.annotation):
            meaning = f" ({field.description})" if field.description else ""
            raise ValueError(f"should be a number{meaning}, not true or false")
        return value

    def replace(self, **changes: Any) -> Self:
        """Copy with some fields changed, validated again; unset fields stay unset.

        Raises:
            ValidationError: a change that the section does not allow.
        """
        # defaults stay unset, since some decisions depend on what a recipe says itself
        explicit = {name: getattr(self, name) for name in self.model_fields_set}
        return type(self).model_validate({**explicit, **changes})


class Named(Section):
    """A section whose `name` is the file that defines it: a task, a strategy."""

    name: str = ""

    @model_validator(mode="before")
    @classmethod
    def _own_name(cls, values: Any) -> Any:
        return {"name": cls.__module__.rsplit(".", 1)[-1], **values}


def _is_number(annotation: Any) -> bool:
    """Return whether a type takes numbers, and no truth values."""
    kinds = {*_alternatives(annotation)}
    return bool(kinds & {int, float}) and not kinds & {bool, Any}


def _alternatives(annotation: Any) -> Iterator[Any]:
    """Yield the types of a union, without their bounds."""
    origin, options = get_origin(annotation), get_args(annotation)
    if origin in (Union, UnionType):
        for option in options:
            yield from _alternatives(option)
    elif origin is Annotated:
        yield from _alternatives(options[0])
    else:
        yield annotation
