"""A section of a recipe: a frozen pydantic model that refuses keys it does not know."""

from typing import Any, Self

from pydantic import BaseModel, ConfigDict, model_validator


class Section(BaseModel):
    """Base of every part of a recipe; its fields are the recipe's keys.

    A class with `shorthand` takes a bare string for that field: `model: ID` is short for
    `model: {checkpoint: ID}`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

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
