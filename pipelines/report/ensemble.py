"""Models whose probabilities are averaged: a table, and a folder that needs no Graft to predict.

0-books_1/      a standard checkpoint, and so on: the models that count
ensemble.json   the weight of each, the classes in the order of the logits, the scores
README.md       the table, and lines that predict with all of them
"""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.report import ensemble_usage, strict_json, tables
from pipelines.report.writing import require_new, writing

if TYPE_CHECKING:
    from pipelines.core.labels import Labels
    from pipelines.models.output import Library
    from pipelines.tasks import Task

Scores = dict[str, dict[str, float]]  # split -> metric -> score

README = """# Mean of the probabilities of {count} models

{table}

`weight` is how much the probabilities of a model count: {origin}. A model without weight is not in
this folder. Test chose nothing.

```python
{usage}
```
"""


@dataclass(frozen=True)
class Member:
    """A model of an ensemble.

    Attributes:
        folder: the saved model.
        run: the run that it is from, such as `bert_sst2/1`; no path of this machine.
        weight: how much its probabilities count; 0: it is left out.
        scores: of it alone.
    """

    folder: Path
    run: str
    library: "Library"
    weight: float
    scores: Scores


@dataclass(frozen=True)
class Ensemble:
    """Models whose probabilities are averaged, and how good they are.

    Attributes:
        equal: scores where all models count the same.
        chosen: scores with the weights of `members`.
        is_folded: whether folds of train stood in for validation, so that weights are equal.
    """

    members: tuple[Member, ...]
    labels: "Labels"
    task: "Task"
    main_metric: str
    greater_is_better: bool
    equal: Scores
    chosen: Scores
    is_folded: bool

    @property
    def best(self) -> Member:
        """The model that is best alone, on validation."""
        sign = 1 if self.greater_is_better else -1
        return max(self.members, key=lambda m: sign * m.scores["validation"][self.main_metric])

    @property
    def used(self) -> dict[str, Member]:
        """The models that count: name of the folder -> member."""
        used = (member for member in self.members if member.weight)
        return {f"{number}-{member.library}": member for number, member in enumerate(used)}

    def rows(self) -> Iterator[list[str]]:
        """Yield a header, a row for each model, and one for each way to average them."""
        splits = list(self.chosen)
        yield ["", "weight", *(f"{self.main_metric} ({split})" for split in splits)]
        lines = [(member.run, f"{member.weight:.2f}", member.scores) for member in self.members]
        lines.append(("all, equal weights", "", self.equal))
        if not self.is_folded:
            lines.append(("all, these weights", "", self.chosen))
        for name, weight, scores in lines:
            yield [name, weight, *(f"{scores[split][self.main_metric]:.4f}" for split in splits)]

    def lines(self) -> Iterator[str]:
        """Yield the table for a terminal, and what follows from it."""
        yield from tables.align([*self.rows()])
        if self.is_folded:
            yield "weights are equal: folds of train stood in for validation, which all models know"
        sign, best = 1 if self.greater_is_better else -1, self.best
        alone = best.scores["validation"][self.main_metric]
        if sign * alone >= sign * self.chosen["validation"][self.main_metric]:
            yield f"on validation {best.run} alone is as good, and {len(self.used)} times as fast"

    def usage(self, folder: Path) -> str:
        """Write Python that predicts with what `write` leaves in a folder, without Graft."""
        libraries = {member.library for member in self.used.values()}
        return ensemble_usage.write(self.task, self.labels.num_labels, libraries, folder)


def check(folder: Path) -> None:
    """Refuse a folder that holds something, before models predict.

    Raises:
        RunError: it is there, and not empty.
    """
    require_new(folder, "--to")


def write(ensemble: Ensemble, folder: Path) -> None:
    """Write the models that count, their weights, and lines that predict with all of them.

    Raises:
        RunError: the folder holds something already, or cannot be written.
    """
    check(folder)
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for name, member in ensemble.used.items():
            shutil.copytree(member.folder, folder / name)
        readme = README.format(
            count=len(ensemble.used),
            table=tables.markdown([*map(_without_markup, ensemble.rows())]),
            origin="all the same" if ensemble.is_folded else "chosen on validation",
            usage=ensemble.usage(Path(folder.name)),
        )
        (folder / "README.md").write_text(readme, encoding="utf-8")
        # last: it marks the folder as whole
        strict_json.write(
            folder / "ensemble.json",
            {
                "weights": {name: member.weight for name, member in ensemble.used.items()},
                "labels": list(ensemble.labels.names),
                "runs": [member.run for member in ensemble.used.values()],
                "scores": ensemble.chosen,
            },
        )


def _without_markup(cells: list[str]) -> list[str]:
    """Keep a row of a Markdown table on its line, and its text from being anything else."""
    marks = str.maketrans({"|": "\\|", "<": "&lt;", "`": "'", "\n": " "})
    return [cell.translate(marks) for cell in cells]
