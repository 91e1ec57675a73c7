"""Values of a recipe -> YAML text that `yaml_reader` reads back as the same values.

PyYAML writes the text `1e5` without quotes, since YAML 1.1 has no such number.
"""

import re
from typing import Any

import yaml

from pipelines.recipe.yaml_reader import FLOAT, FLOAT_STARTS, NUMBER


class _Dumper(yaml.SafeDumper):
    """The safe dumper, which quotes what the reader would take for a number."""


# a copy of its own is made of the resolvers of the base class, which every other user shares
_Dumper.add_implicit_resolver(FLOAT, re.compile(f"^({NUMBER})$"), FLOAT_STARTS)


def text_of(values: Any) -> str:
    """Write values in their own order, as people write and read a recipe."""
    text: str = yaml.dump(values, Dumper=_Dumper, sort_keys=False, allow_unicode=True)
    return text
