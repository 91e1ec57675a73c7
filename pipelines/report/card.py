"""The model card: what the model is, how good, how to use it and how to make it again.

It holds no path of this machine.
"""

import json
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from pipelines.core.labels import REGRESSION, Labels
from pipelines.report import (
    adaptation_text,
    baseline,
    card_metadata,
    choice_text,
    detection_text,
    foreign_code,
    forgetting_text,
    pictures,
    robustness_text,
    source_text,
    stages_text,
    threshold_text,
)
from pipelines.report import lock as locks
from pipelines.report.calibration_text import card_section
from pipelines.report.evidence import Evidence
from pipelines.report.markdown_text import escape, fence
from pipelines.report.privacy import without_paths, without_tokens
from pipelines.report.run_folder import RunFolder, writing
from pipelines.report.tables import interval_note, markdown, score_rows
from pipelines.report.usage import usage

if TYPE_CHECKING:
    from pipelines.recipe import Recipe

LOADERS = (r'model="', r'SentenceTransformer\("', r'from_pretrained\("')
# what an adapter's example loads besides
ADAPTER_LOADERS = (r'model_id="', r'tokenizer="', r'image_processor="', r'feature_extractor="')
MODEL_ADDRESS = re.compile("|".join(f'(?<={call})[^"]+(?=")' for call in LOADERS + ADAPTER_LOADERS))
MAX_LISTED_CLASSES = 50  # more names than this are left to the model's config

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

{calibration}{pictures}## How to use

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
    facts = _facts(evidence, values, lock)
    # without `hub`: whoever repeats the run pushes elsewhere
    published = {key: value for key, value in values.items() if key != "hub"}
    facts["recipe"] = _yaml(stages_text.whole_recipe(folder, published))
    shown = _pictures(folder)
    text = TEXT.format(**facts, stages=stages_text.sentence(folder), pictures=_gallery(shown))
    with writing(folder.card):
        for picture in shown:
            shutil.copyfile(picture, folder.model / picture.name)
        ModelCard(without_tokens(f"---\n{metadata}\n---\n{text}")).save(folder.card)


def set_model_address(card: Path, repo_id: str) -> None:
    """Make the example in a card load the model from the Hub repository `repo_id`."""
    text = card.read_text(encoding="utf-8")
    card.write_text(address_model(text, repo_id), encoding="utf-8")


def address_model(code: str, address: str) -> str:
    """Let the lines that load a model load the one at `address`, a folder or Hub id."""
    quoted = json.dumps(address, ensure_ascii=False)[1:-1]
    return MODEL_ADDRESS.sub(lambda _: quoted, code)


def _pictures(folder: RunFolder) -> list[Path]:
    """List the pictures of the run, which go beside the card: only that folder is pushed."""
    return [path for name in pictures.CAPTIONS if (path := folder.path / name).is_file()]


def _gallery(shown: list[Path]) -> str:
    if not shown:
        return ""
    images = (f"![{pictures.CAPTIONS[path.name]}]({path.name})\n" for path in shown)
    return "\n".join(["## Pictures\n", *images, ""])


def _facts(evidence: Evidence, values: dict[str, Any], lock: dict[str, Any]) -> dict[str, Any]:
    """Collect the values of the text's placeholders."""
    tested = evidence.test is not None
    model = values["hub"]["repo_id"] or "model"
    code = lock["graft"]["commit"] or lock["graft"]["version"]
    versions = {"graft": code, "python": lock["python"], **lock["packages"]}
    return {
        "name": escape(values["name"]),
        "base": " beside ".join(map(_link, (lock["model"], *lock.get("beside", ())))),
        "verb": "fine-tuned" if evidence.pretrained else "trained from random weights",
        "task": evidence.task.name,
        "strategy": evidence.strategy,
        "predicts": _predicts(evidence.labels),
        "results": markdown(list(score_rows(evidence))),
        "others": " ".join(map(_sentence, _beside(evidence))),
        "below": "".join(f"**{line}.** " for line in baseline.warnings(evidence)),
        "chosen": choice_text.chosen_on(evidence) + adaptation_text.card_sentence(evidence),
        "test": choice_text.scored_once(evidence),
        "parity": evidence.parity or "not checked",
        "calibration": card_section(evidence, model)
        + threshold_text.card_section(evidence)
        + source_text.card_section(evidence)
        + robustness_text.card_section(evidence)
        + detection_text.card_section(evidence)
        + forgetting_text.card_section(evidence),
        "usage": usage(evidence, model),
        "printed": f"These lines were run: {evidence.printed}.\n\n" * bool(evidence.printed),
        "data": _yaml({**_without_files(lock["data"]), "examples": dict(evidence.examples)}),
        "parameters": evidence.parameters,
        "trainable": evidence.trainable,
        "seconds": evidence.seconds,
        "hardware": _hardware(lock["hardware"]),
        "seed": lock["seed"],
        "reason": f" The strategy was chosen by `auto`: {evidence.reason}." * bool(evidence.reason),
        "training": _yaml({key: values[key] for key in ("strategy", "training")}),
        "foreign": foreign_code.sentence(lock),
        "versions": ", ".join(f"{name} {version}" for name, version in versions.items() if version),
        "limits": "".join(f"- {limit}\n" for limit in evidence.limits),
        "source": (
            f"Training and test data come from {_origin(evidence)}; expect lower scores on other "
            "data."
            if tested
            else "Validation both chose and scored the model, so its scores are too optimistic."
        ),
    }


def _origin(evidence: Evidence) -> str:
    return "the same sources" if evidence.by_source else "one source"


def _beside(evidence: Evidence) -> list[str]:
    """Say what stands beside the scores."""
    return [*filter(None, [*baseline.others(evidence), interval_note(evidence)])]


def _without_files(identity: dict[str, Any]) -> dict[str, Any]:
    """Leave out the names of single files, which a published card need not tell."""
    whole = {key: value for key, value in identity.items() if key != "files"}
    sources = identity.get("sources", {})
    within = {name: _without_files(source) for name, source in sources.items()}
    return {**whole, **({"sources": within} if sources else {})}


def _link(model: dict[str, Any]) -> str:
    name = model["checkpoint"]
    return escape(name) if "files" in model else f"[{escape(name)}](https://huggingface.co/{name})"


def _predicts(labels: Labels) -> str:
    if labels.problem_type == REGRESSION:
        return "It predicts a number."
    if not labels.names:
        return f"It does {labels.problem_type.replace('_', ' ')}."
    names = (
        f": {', '.join(map(escape, labels.names))}"
        if len(labels.names) <= MAX_LISTED_CLASSES
        else ""
    )
    return f"It predicts {len(labels.names)} classes, in the order of their ids{names}."


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}." if text else ""


def _hardware(hardware: dict[str, Any]) -> str:
    # training runs on the GPUs where there are any, so the CPU is of no interest
    gpus = [f"{count} x {name}" for name, count in hardware["gpus"].items()]
    return ", ".join(gpus) or f"{hardware['cores']} cores of {hardware['cpu']}"


def _yaml(values: Any) -> str:
    text = yaml.safe_dump(values, sort_keys=False, allow_unicode=True).strip()
    return fence(text, "yaml")
