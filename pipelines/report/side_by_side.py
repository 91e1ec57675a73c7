"""Python that predicts with several models whose logits are added, without Graft."""

import json
from typing import TYPE_CHECKING

from pipelines.models.output.side_by_side import FILE

if TYPE_CHECKING:
    from pipelines.report.evidence import Evidence
    from pipelines.tasks import Task

SENTENCE = "sentence-transformers"
# `{name}` is a variable of the lines
ADDRESS = "{folder}/{name}"
CLIP = '"clip.wav"'


def lines(evidence: "Evidence", folder: str, example: str) -> list[str]:
    """Write the lines that compute `scores`, the probability of each class by its name.

    Args:
        folder: as it stands between quotes.
        example: Python for the example.
    """
    libraries = set(evidence.libraries)
    imports, plain = _plain(evidence.task, evidence.labels.num_labels)
    add = '    logits[answer["label"]] += answer["score"]'
    body = [*plain, add]
    # a pair is two texts by name, as a pipeline takes it
    given = "[*example.values()]" if evidence.pair else "example"
    pooled = [
        f'part = SentenceTransformer(f"{ADDRESS}").encode([{given}])[0]',
        "for label, score in zip(logits, part.tolist()):",
        "    logits[label] += score",
    ]
    if SENTENCE in libraries:
        body = pooled if libraries == {SENTENCE} else _either(body, pooled)
    if libraries == {SENTENCE}:
        imports = []
    if SENTENCE in libraries:
        imports = ["from sentence_transformers import SentenceTransformer", *imports]
    return [
        *dict.fromkeys(["import json", "from pathlib import Path", "import torch", *imports]),
        f'folder, example = "{folder}", {example}',
        f'whole = json.loads(Path(folder, {json.dumps(FILE)}).read_text(encoding="utf-8"))',
        'logits = dict(zip(whole["labels"], whole["bias"]))',
        'for name in whole["models"]:',
        *(f"    {line}" for line in body),
        "probabilities = torch.tensor([*logits.values()]).softmax(-1).tolist()",
        "scores = dict(zip(logits, probabilities))",
    ]


def usage(evidence: "Evidence", folder: str, example: str) -> list[str]:
    """Write the lines that find the most probable class, the last one as what will be printed."""
    best = "label = max(scores, key=scores.get)"
    return [*lines(evidence, folder, example), best, "label, scores[label]"]


def _plain(task: "Task", num_labels: int) -> tuple[list[str], list[str]]:
    """Write imports, and the lines up to the loop over the answers of one plain model."""
    truncation = ", truncation=True" if task.modality == "text" else ""
    options = f'f"{ADDRESS}", top_k={num_labels}, function_to_apply="none"{truncation})'
    code = task.usage("…")
    if code is None:
        load = f'part = pipeline("{task.pipeline}", model={options}'
        return ["from transformers import pipeline"], [load, "for answer in part([example])[0]:"]
    # of sounds, which its lines read and resample for each model
    written = code.replace(CLIP, "example").replace('"…")', options).splitlines()
    imports = [line for line in written if line.startswith(("import ", "from "))]
    *setup, answers = (line for line in written if line not in imports)
    return imports, [*setup, f"for answer in {answers}:"]


def _either(plain: list[str], pooled: list[str]) -> list[str]:
    """Load a model by the library that its name says."""
    return [
        'if "sentence" not in name:',
        *(f"    {line}" for line in plain),
        "else:",
        *(f"    {line}" for line in pooled),
    ]
