"""Python that predicts with the models of an ensemble, without Graft."""

import json
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipelines.tasks import Task

EXAMPLES = {
    "text": '"…"',
    "image": '"image.jpg"',
    "audio": '{"raw": samples, "sampling_rate": rate}',
}


POOLED = (
    'scores = softmax(SentenceTransformer(f"{folder}/{name}").encode([example])[0])',
    'for label, score in zip(ensemble["labels"], scores):',
    "    totals[label] += weight * score",
)


def write(task: "Task", num_labels: int, libraries: AbstractSet[str], folder: Path) -> str:
    """Write Python that adds the weighed probabilities of all models up, without Graft.

    Args:
        libraries: that load the models.
        folder: with all of them, and ensemble.json.
    """
    body, example = _body(task, num_labels, libraries), EXAMPLES[task.modality]
    imports = ["import json", "from pathlib import Path"]
    if "transformers" in libraries:
        imports += ["from transformers import pipeline"]
    if "sentence-transformers" in libraries:
        imports += [
            "from scipy.special import softmax",
            "from sentence_transformers import SentenceTransformer",
        ]
    return "\n".join(
        [
            *imports,
            f"folder, example = {json.dumps(folder.as_posix())}, {example}",
            'ensemble = json.loads(Path(folder, "ensemble.json").read_text(encoding="utf-8"))',
            'totals = dict.fromkeys(ensemble["labels"], 0.0)',
            'for name, weight in ensemble["weights"].items():',
            *(f"    {line}" for line in body),
            "print(max(totals, key=totals.get), totals)",
        ]
    )


def _body(task: "Task", num_labels: int, libraries: AbstractSet[str]) -> list[str]:
    """Write what adds one model up."""
    truncation = ", truncation=True" if task.modality == "text" else ""
    plain = [
        f'classify = pipeline("{task.pipeline}", model=f"{{folder}}/{{name}}", '
        f"top_k={num_labels}{truncation})",
        "for answer in classify([example])[0]:",
        '    totals[answer["label"]] += weight * answer["score"]',
    ]
    if len(libraries) == 1:
        return plain if libraries == {"transformers"} else [*POOLED]
    return [
        'if "sentence" not in name:',
        *(f"    {line}" for line in plain),
        "else:",
        *(f"    {line}" for line in POOLED),
    ]
