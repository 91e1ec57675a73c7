"""The inputs of another source, under the names that train has."""

from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset

from pipelines.core import registry
from pipelines.core.errors import DataError
from pipelines.data import unlabeled
from pipelines.evaluation.section import Evaluation

PAIRS = Dataset.from_dict({"text": ["a"], "text_pair": ["b"], "label": [0]})


def load(like: Dataset, path: Path, task: str = "text", **keys: Any) -> tuple[Dataset, list[str]]:
    """Rows of a file or folder, and what was noted about them."""
    kind = registry.find("tasks", f"{task}_classification")()
    section = Evaluation(out_of_distribution={"path": str(path), **keys}).out_of_distribution
    notes: list[str] = []
    rows = unlabeled.load(section.data, kind, like, section.split, notes.append)
    return rows, notes


def test_a_pair_is_needed_where_train_has_pairs_and_no_other_column_is_read(tmp_path: Path):
    table = tmp_path / "others.csv"
    table.write_text("question,answer,label\nwho,me,7\nwhy,so,8\n", encoding="utf-8")
    rows, notes = load(PAIRS, table)
    assert rows[:] == {"text": ["who", "why"], "text_pair": ["me", "so"]}
    assert notes == ["columns: text is 'question', text_pair is 'answer'"]
    rows, _ = load(PAIRS.remove_columns("text_pair"), table, columns={"text": "answer"})
    assert rows[:] == {"text": ["me", "so"]}
    table.write_text("text,label\nwho,7\n", encoding="utf-8")
    with pytest.raises(DataError, match="text_pair"):
        load(PAIRS, table)


def test_test_is_read_unless_a_split_is_named(image_data: Path):
    like = Dataset.from_dict({"image": [None], "label": [0]})
    rows, _ = load(like, image_data, "image")
    assert rows.column_names == ["image"]
    assert len(rows) == 30
    named, _ = load(like, image_data, "image", split="train")
    assert len(named) > 30
    with pytest.raises(DataError, match="no split 'tset'; did you mean 'test'"):
        load(like, image_data, "image", split="tset")


def test_a_part_of_a_data_set_on_the_hub_is_named_as_in_data():
    section = Evaluation(out_of_distribution={"source": "hub", "path": "a/b", "name": "c"})
    source: Any = section.out_of_distribution.data
    assert (source.source, source.path, source.name) == ("hub", "a/b", "c")
