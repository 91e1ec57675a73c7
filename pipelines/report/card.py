"""The model card: what the model is, how good, how to use it and how to make it again.

Its metadata is in the Hub's form, the scores as `model-index`. Nothing in it tells where on this
machine anything lay.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from pipelines.core.labels import REGRESSION, Labels
from pipelines.report import confidence
from pipelines.report import lock as locks
from pipelines.report.evidence import Evidence, is_number
from pipelines.report.privacy import without_paths, without_tokens
from pipelines.report.run_folder import RunFolder, writing

if TYPE_CHECKING:
    from huggingface_hub import EvalResult, ModelCardData

    from pipelines.recipe import Recipe

LOADED = (r'model="', r'SentenceTransformer\("', r'from_pretrained\("')
BESIDE = (r'model_id="', r'tokenizer="', r'image_processor="', r'feature_extractor="')  # an adapter
ADDRESS = re.compile("|".join(f'(?<={call})[^"]+(?=")' for call in LOADED + BESIDE))
MANY = 50  # more class names than this are left to the model's config

TEXT = """
# {name}

{base}, {verb} for **{task}** by [Graft](#how-to-reproduce) with the strategy **{strategy}**.
{predicts}

## Results

{results}

The floor is what a predictor scores that never looks at its input. Validation chose what was
kept. {test} Reload parity: {parity}.

{calibration}## How to use

```python
{usage}
```

## Data

```yaml
{data}
```

## Training

{trainable:,} of {parameters:,} parameters trained for {seconds:.1f} s, seed {seed}, {hardware}.

```yaml
{training}
```

## How to reproduce

    accelerate launch pipelines/run.py recipe.yaml

`recipe.yaml`, its revisions being the commits that were used, and local files and folders going by
their names:

```yaml
{recipe}
```

Versions: {versions}.

## Limits

- The numbers come from one run with one seed; they say nothing about the spread between seeds.
- {flattery}
- It answers whatever it is given, also what is nothing like its training data.
- It inherits the biases of the checkpoint and of the data. Nobody has looked for them.
"""


def write(folder: RunFolder, evidence: Evidence, recipe: "Recipe", lock: dict[str, Any]) -> None:
    """Write README.md into the model folder.

    Raises:
        RunError: the folder cannot be written.
    """
    from huggingface_hub import ModelCard

    values = without_paths(locks.pinned(recipe, lock))
    metadata = _metadata(evidence, values, lock).to_yaml()
    text = TEXT.format(**_facts(evidence, values, lock))
    with writing(folder.card):
        ModelCard(without_tokens(f"---\n{metadata}\n---\n{text}")).save(folder.card)


def address(card: Path, repo_id: str) -> None:
    """Let the example in a card load the model from `repo_id`, where it is about to be."""
    text = card.read_text(encoding="utf-8")
    card.write_text(ADDRESS.sub(repo_id, text), encoding="utf-8")


def _facts(evidence: Evidence, values: dict[str, Any], lock: dict[str, Any]) -> dict[str, Any]:
    """What the text has gaps for."""
    tested = evidence.test is not None
    model = values["hub"]["repo_id"] or "model"
    code = lock["graft"]["commit"] or lock["graft"]["version"]
    versions = {"graft": code, "python": lock["python"], **lock["packages"]}
    return {
        "name": values["name"],
        "base": _link(lock["model"]),
        "verb": "fine-tuned" if evidence.pretrained else "from random weights, trained",
        "task": evidence.task.name,
        "strategy": evidence.strategy,
        "predicts": _predicts(evidence.labels),
        "results": _markdown(evidence),
        "test": "Test was scored once, after that." if tested else "There was no test split.",
        "parity": evidence.parity or "not checked",
        "calibration": _calibration(evidence, model),
        "usage": evidence.usage(model),
        "data": _yaml({**lock["data"], "examples": dict(evidence.examples)}),
        "parameters": evidence.parameters,
        "trainable": evidence.trainable,
        "seconds": evidence.seconds,
        "hardware": _hardware(lock["hardware"]),
        "seed": lock["seed"],
        "training": _yaml({key: values[key] for key in ("strategy", "training")}),
        "versions": ", ".join(f"{name} {version}" for name, version in versions.items() if version),
        "recipe": _yaml({key: values[key] for key in values if key != "hub"}),
        "flattery": (
            "Training and test come from one source; on data from elsewhere expect less."
            if tested
            else "Validation both chose and scored the model, so its scores flatter."
        ),
    }


def _metadata(evidence: Evidence, values: dict[str, Any], lock: dict[str, Any]) -> "ModelCardData":
    from huggingface_hub import ModelCardData

    grafted = evidence.pretrained and "files" not in lock["model"]
    return ModelCardData(
        library_name=evidence.library,
        pipeline_tag=evidence.task.pipeline,
        base_model=lock["model"]["checkpoint"] if grafted else None,
        datasets=[values["data"]["path"]] if values["data"]["source"] == "hub" else None,
        metrics=[name for name, score in evidence.validation.items() if is_number(score)],
        tags=["graft", evidence.strategy],
        model_name=values["name"],
        eval_results=list(_results(evidence, values["data"], lock["data"].get("commit"))),
    )


def _results(
    evidence: Evidence, data: dict[str, Any], commit: str | None
) -> "Iterator[EvalResult]":
    """One for each split and metric; validation and test stay apart."""
    from huggingface_hub import EvalResult

    path, config = data.get("path") or data["source"], data.get("name")
    for part, scores in evidence.splits.items():
        split = data["splits"][part]
        for metric, score in scores.items():
            if is_number(score):
                yield EvalResult(
                    task_type=evidence.task.pipeline,
                    dataset_type=path,
                    dataset_name=f"{path} ({config})" if config else path,
                    dataset_config=config,
                    dataset_split=split if isinstance(split, str) else part,
                    dataset_revision=commit,
                    metric_type=metric,
                    metric_value=float(score),
                    verified=False,
                )


def _link(model: dict[str, Any]) -> str:
    name = model["checkpoint"]
    return name if "files" in model else f"[{name}](https://huggingface.co/{name})"


def _predicts(labels: Labels) -> str:
    if labels.problem_type == REGRESSION:
        return "It predicts a number."
    if not labels.names:
        return f"It does {labels.problem_type.replace('_', ' ')}."
    names = f": {', '.join(labels.names)}" if len(labels.names) <= MANY else ""
    return f"It predicts {len(labels.names)} classes, in the order of their ids{names}."


def _markdown(evidence: Evidence) -> str:
    header, *rows = evidence.table()
    rule = ["---", *("---:" for _ in header[1:])]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (header, rule, *rows))


def _calibration(evidence: Evidence, model: str) -> str:
    told = confidence.section(evidence, model)
    return f"{told}\n" if told else ""


def _hardware(hardware: dict[str, Any]) -> str:
    gpus = [f"{count} x {name}" for name, count in hardware["gpus"].items()]
    return ", ".join(gpus) or f"{hardware['cores']} cores of {hardware['cpu']}"


def _yaml(values: Any) -> str:
    return yaml.safe_dump(values, sort_keys=False, allow_unicode=True).strip()
