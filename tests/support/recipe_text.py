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
