"""Files of a run as its report reads them, and the page as a browser reads it."""

import atexit
import json
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from example_run import finished

from pipelines.report.page import document
from pipelines.report.run_folder import RunFolder

VOID = {"meta", "img", "line", "circle", "rect", "path", "br"}
Row = tuple[str, str, str, float]  # input, label, prediction, confidence


@dataclass
class Element:
    """A tag with what it holds."""

    tag: str
    attributes: dict[str, str]
    texts: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """All text in it, with single spaces."""
        return " ".join(" ".join(self.texts).split())


class Page(HTMLParser):
    """The elements of a page, in their order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.source, self.elements = text, []
        self._open: list[Element] = []
        self.feed(text)
        assert not self._open, f"not closed: {self._open[-1].tag}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs})
        self.elements.append(element)
        if tag not in VOID:
            self._open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(Element(tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop().tag == tag

    def handle_data(self, data: str) -> None:
        for element in self._open:
            element.texts.append(data)

    def all(self, tag: str) -> list[Element]:
        """All elements of a tag."""
        return [element for element in self.elements if element.tag == tag]

    def by_id(self, name: str) -> Element:
        """The element of that id."""
        (element,) = (each for each in self.elements if each.attributes.get("id") == name)
        return element

    @property
    def sections(self) -> list[str]:
        """The ids of the sections."""
        return [each.attributes["id"] for each in self.all("section")]


def draw(folder: RunFolder) -> Page:
    """Draw a run's report and read it."""
    document.write(folder)
    return Page(folder.report.read_text(encoding="utf-8"))


def add_to(path: Path, **values: Any) -> None:
    """Set values in a JSON file, which need not be there."""
    before = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    path.write_text(json.dumps({**before, **values}), encoding="utf-8")


def write_table(
    path: Path, rows: Sequence[Row], names: Sequence[str], ids: Sequence[str] = ()
) -> None:
    """Write predictions of classes."""
    inputs, labels, predictions, confidences = zip(*rows, strict=True)
    scores = [
        [sure if name == best else (1 - sure) / (len(names) - 1) for name in names]
        for best, sure in zip(predictions, confidences, strict=True)
    ]
    table = pa.table(
        {
            "row": pa.array(range(len(rows)), "int64"),
            "id": [*(ids or map(str, range(len(rows))))],
            "input": pa.array(inputs, "string"),
            "label": labels,
            "prediction": predictions,
            "correct": [a == b for a, b in zip(labels, predictions, strict=True)],
            "confidence": pa.array(confidences, "float64"),
            "loss": pa.array([1 - sure for sure in confidences], "float64"),
            "scores": pa.array(scores, pa.list_(pa.float32())),
        }
    )
    metadata = {b"graft.labels": json.dumps([*names]).encode()}
    path.parent.mkdir(exist_ok=True)
    pq.write_table(table.replace_schema_metadata(metadata), path)


def evidence_of(rows: Sequence[Row], names: Sequence[str]) -> dict[str, Any]:
    """What evidence.json has of a split."""
    pairs = [(label, predicted) for _, label, predicted, _ in rows]
    counts = []
    for label in names:
        counts.append([pairs.count((label, predicted)) for predicted in names])
    per_class = [
        {"label": name, "precision": 0.5, "recall": 0.25, "f1": 1 / (3 + i), "count": len(rows)}
        for i, name in enumerate(names)
    ]
    return {
        "intervals": {"accuracy": {"low": 0.71, "high": 0.89, "method": "exact (Clopper-Pearson)"}},
        "per_class": per_class,
        "confusion": {"labels": [*names], "counts": counts},
        "top_losses": [0],
    }


@cache
def _plain_run() -> Path:
    """A run of which nothing is special, made once."""
    root = tempfile.mkdtemp(prefix="graft-tests-run-")
    atexit.register(shutil.rmtree, root)
    return finished(Path(root)).path


def run_of(
    root: Path, rows: Sequence[Row], names: Sequence[str], ids: Sequence[str] = (), **changes: Any
) -> RunFolder:
    """A finished run with predictions of test and their evidence."""
    if changes:
        folder = finished(root, **changes)
    else:
        folder = RunFolder(root / "runs" / "bert_sst2" / "1")
        shutil.copytree(_plain_run(), folder.path)
    write_table(folder.predictions / "test.parquet", rows, names, ids)
    add_to(folder.path / "evidence.json", test=evidence_of(rows, names))
    return folder
