"""The files of a Space: app.py, README.md with the Hub's metadata, requirements.txt."""

from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from pipelines import recipe as recipes
from pipelines.core.errors import RunError
from pipelines.core.labels import Labels
from pipelines.models.output.reload import library_of
from pipelines.report import strict_json, usage
from pipelines.report.privacy import without_tokens
from pipelines.report.run_folder import RunFolder
from pipelines.report.space import app_code
from pipelines.report.space.app_code import ShownModel

SENTENCES = "sentence-transformers"
GRADIO = "6.31.0"  # that the lines were tried with
AGAIN = "train the run again"
TIMM = "timm_wrapper"
PRIVATE = """
The model is private: without a token of somebody who may read it, set as the secret `HF_TOKEN` in
the settings of this Space, the app cannot load it.
"""
TEXT = """\
---
{metadata}
---

# {model}

A demo of [{model}](https://huggingface.co/{model}), whose card says how good it is, and on what. \
`app.py` loads it with {library} alone.
{private}"""


def write(folder: RunFolder, model: str, *, private: bool) -> dict[str, str]:
    """Write the files: name -> content.

    Args:
        model: id of the repository that has the model.
        private: whether the model may be read by its owner alone.

    Raises:
        RunError: there is no app for this run, or a file of it is damaged.
        ModelError: the run has lost its model.
    """
    recipe, library = recipes.load(folder.recipe), library_of(folder.model)
    if recipe.model.trust_remote_code:
        raise RunError(
            f"{folder}: its checkpoint brings Python code of its own, which no Space gets from here"
        )
    data, lock = strict_json.read(folder.data, AGAIN), strict_json.read(folder.lock, AGAIN)
    labels = _labels(folder, data)
    pair = "text_pair" in data.get("columns", {})
    texts = {
        "app.py": app_code.write(ShownModel(model, library, recipe.task, labels, pair)),
        "README.md": TEXT.format(
            metadata=_metadata(model),
            model=model,
            library=SENTENCES if library in usage.SENTENCES else library,
            private=PRIVATE if private else "",
        ),
        "requirements.txt": "\n".join(_requirements(folder, library, recipe.task.modality, lock)),
    }
    return {name: without_tokens(text).rstrip() + "\n" for name, text in texts.items()}


def _labels(folder: RunFolder, data: Mapping[str, Any]) -> Labels:
    try:
        described = data["labels"]
        return Labels(str(described["problem_type"]), tuple(map(str, described["names"])))
    except (KeyError, TypeError):
        raise RunError(f"{folder.data}: does not say which labels the run has; {AGAIN}") from None


def _metadata(model: str) -> str:
    values = {
        "title": model.partition("/")[2],
        "sdk": "gradio",
        "sdk_version": GRADIO,
        "app_file": "app.py",
        "models": [model],
        "tags": ["graft"],
    }
    return yaml.safe_dump(values, sort_keys=False).strip()


def _requirements(
    folder: RunFolder, library: str, modality: str, lock: Mapping[str, Any]
) -> Iterator[str]:
    """Yield the libraries, those that read the model in the versions of the run."""
    packages = lock.get("packages") or {}
    names = ["transformers"]
    if library in usage.SENTENCES:
        names.append(SENTENCES)
    config = folder.model / "config.json"
    if config.is_file() and strict_json.read(config, AGAIN).get("model_type") == TIMM:
        names.append("timm")
    yield "torch"
    for name in names:
        version = str(packages.get(name) or "").partition("+")[0]
        yield f"{name}=={version}" if version else name
    if modality == "image":
        yield from ("torchvision", "pillow")
    if modality == "audio":
        yield from ("numpy", "soundfile", "soxr")
