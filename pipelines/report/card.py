"""The model card: what the model is, how good, how to use it and how to make it again.

It holds no path of this machine.
"""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.report import card_facts, card_metadata, pictures, stages_text
from pipelines.report import lock as locks
from pipelines.report.evidence import Evidence
from pipelines.report.privacy import without_paths, without_tokens
from pipelines.report.run_folder import RunFolder
from pipelines.report.writing import writing

if TYPE_CHECKING:
    from pipelines.recipe import Recipe

TEXT = """
# {name}

{base}, {verb} by [Graft](#how-to-reproduce) for **{task}** with the strategy **{strategy}**.
{stages}{predicts}

## Results

{results}

The baseline is a predictor that ignores the input: it answers, for example, with the most frequent
class or with the mean of the training data. {others}
{below}{chosen} {test}

Reload parity: {parity}.

{sections}{pictures}## How to use

```python
{usage}
```

{printed}## Data

The splits, with the number of examples in each:

{data}

## Training

{trainable:,} of {parameters:,} parameters were trained for {seconds:.1f} s with seed {seed} on
{hardware}.{reason}

{training}

## How to reproduce

    graft run recipe.yaml

or, from a checkout and on several GPUs, `accelerate launch pipelines/run.py recipe.yaml`, with this
`recipe.yaml`, whose revisions are the commits that were used; local files and folders appear by
name only:

{recipe}

Whoever has the run's folder repeats it by `graft run RUN/lock.json`: at the same commits, on the
same files (others are refused by name) and with the same seed; in the end it says whether weights
and scores are equal.

Versions: {versions}.{foreign}

## Limits

- The scores come from one run with one seed; they say nothing about the spread between seeds.
- {source}
- The model gives an answer for every input, even one that is unlike its training data.
- It inherits the biases of the checkpoint and of the data, which have not been examined.
{limits}"""


def write(folder: RunFolder, evidence: Evidence, recipe: "Recipe", lock: dict[str, Any]) -> None:
    """Write README.md into the model folder.

    Raises:
        RunError: the folder cannot be written.
    """
    from huggingface_hub import ModelCard

    # a card is published: it must not show where folders of this machine are
    values = without_paths(locks.pinned(recipe, lock))
    lock = stages_text.origin(folder, lock)
    metadata = card_metadata.collect(evidence, values, lock).to_yaml()
    facts = card_facts.collect(evidence, values, lock)
    # without `hub`: whoever repeats the run pushes elsewhere
    published = {key: value for key, value in values.items() if key != "hub"}
    facts["recipe"] = card_facts.as_yaml(stages_text.whole_recipe(folder, published))
    shown = _pictures(folder)
    text = TEXT.format(**facts, stages=stages_text.sentence(folder), pictures=_gallery(shown))
    with writing(folder.card):
        for picture in shown:
            shutil.copyfile(picture, folder.model / picture.name)
        ModelCard(without_tokens(f"---\n{metadata}\n---\n{text}")).save(folder.card)


def _pictures(folder: RunFolder) -> list[Path]:
    """List the pictures of the run, which go beside the card: only that folder is pushed."""
    return [path for name in pictures.CAPTIONS if (path := folder.path / name).is_file()]


def _gallery(shown: list[Path]) -> str:
    if not shown:
        return ""
    images = (f"![{pictures.CAPTIONS[path.name]}]({path.name})\n" for path in shown)
    return "\n".join(["## Pictures\n", *images, ""])
