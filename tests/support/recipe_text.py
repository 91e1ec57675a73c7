"""A recipe that tests of recipes change, line by line."""

from collections.abc import Callable

from pipelines.recipe import Recipe

BASE = """\
task: text_classification
model: {checkpoint: google-bert/bert-base-uncased, revision: v1}
data: {source: hub, path: nyu-mll/glue, name: sst2, limit: {train: 2000}}
strategy: {name: lora, r: 4}
"""
NEXT = BASE.count("\n") + 1  # the line on which a test's own text starts

Load = Callable[..., Recipe]
Problems = Callable[..., list[str]]


def multiplied_aliases() -> str:
    """Write ten lines that mean ten billion items ("billion laughs")."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    for i in range(1, 10):
        lines.append(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]")
    return "\n".join(lines)
