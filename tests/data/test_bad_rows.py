"""Rows that nothing can be learned from: refused by default, left out and listed where asked."""

import json
import shutil

import pytest
from datasets import Dataset
from grafting import write_recipe
from tiny import WORDS

from pipelines import recipe
from pipelines.cli import main
from pipelines.core.errors import DataError
from pipelines.workflow import run as pipeline


def prepare(folder, checkpoint, data, *overrides, task="text"):
    """A recipe with its data and checkpoint loaded."""
    return pipeline.prepare(
        recipe.load(write_recipe(folder, checkpoint, data, task=task), overrides)
    )


def table(num_rows, bad=None):
    """`num_rows` rows, each with a text of its own; bad={row: {column: value}}."""
    rows = [
        {"text": f"{WORDS[i % 14]} {WORDS[i // 14]} a", "label": ("no", "yes")[i % 2]}
        for i in range(num_rows)
    ]
    for row, change in (bad or {}).items():
        rows[row] |= change
    return rows


@pytest.fixture
def write(tmp_path):
    """write({split: rows}): the folder that holds them."""

    def write(splits):
        for name, rows in splits.items():
            Dataset.from_list(rows).to_parquet(tmp_path / f"{name}.parquet")
        return tmp_path

    return write


SKIP = "data.on_bad_row=skip"
BAD = {3: {"text": None}, 8: {"label": None}, 9: {"text": None, "label": None}, 20: {"text": None}}


def test_the_first_is_named_and_all_are_counted(write, tmp_path, text_checkpoint):
    data = write({"train": table(30, bad={3: {"text": None}, 20: {"text": None}}), "dev": table(8)})
    with pytest.raises(DataError) as refused:
        prepare(tmp_path / "r", text_checkpoint, data)
    assert str(refused.value) == (
        "train, row 3: text is None; expected a string; 2 of 30 rows cannot be used: fix or remove "
        "them, or leave them out with data.on_bad_row=skip"
    )


def test_skip_leaves_out_exactly_the_bad_rows(write, tmp_path, text_checkpoint):
    good = table(30)
    data = write({"train": table(30, bad=BAD), "dev": table(8, bad={5: {"text": None}})})
    prepared = prepare(tmp_path / "r", text_checkpoint, data, SKIP)
    expected = [row["text"] for i, row in enumerate(good) if i not in BAD]
    assert prepared.data.train["text"][:] == expected
    assert len(prepared.encoded["train"]) == len(prepared.targets["train"]) == 26
    assert len(prepared.data.validation) == 7
    assert [(bad.split, bad.row) for bad in prepared.data.left_out] == [
        ("train", 8),
        ("train", 9),
        ("train", 3),
        ("train", 20),
        ("validation", 5),
    ]


@pytest.mark.slow
def test_left_out_rows_are_printed_and_listed_in_the_run_folder(
    write, tmp_path, text_checkpoint, capsys
):
    bad = {row: {"text": None} for row in range(2, 12)}
    data = write({"train": table(30, bad=bad), "dev": table(8)})
    path = write_recipe(tmp_path / "r", text_checkpoint, data, training={"max_steps": 1})
    assert main(["run", str(path), SKIP]) == 0
    output = capsys.readouterr().out
    assert "train: 10 of 30 rows left out: row 2: text is None; expected a string; row 3" in output
    assert "row 5:" not in output
    (path,) = (tmp_path / "r" / "runs").rglob("data.json")
    listed = json.loads(path.read_text(encoding="utf-8"))["left_out"]
    assert [(bad["split"], bad["row"]) for bad in listed] == [("train", n) for n in range(2, 12)]
    assert {bad["reason"] for bad in listed} == {"text is None; expected a string"}


def test_images_that_cannot_be_decoded_are_left_out(tmp_path, image_checkpoint, image_data):
    copy = shutil.copytree(image_data, tmp_path / "images")
    damaged = min((copy / "train" / "light").glob("*.png"))
    damaged.write_bytes(damaged.read_bytes()[:60])
    with pytest.raises(DataError, match=r"train, row 21: .+png cannot be read as an image"):
        prepare(tmp_path / "r", image_checkpoint, copy, task="image")
    prepared = prepare(tmp_path / "r", image_checkpoint, copy, SKIP, task="image")
    assert len(prepared.data.train) == 62
    assert [bad.row for bad in prepared.data.left_out] == [21]


def test_nothing_is_left_of_a_split_of_bad_rows(write, tmp_path, text_checkpoint):
    empty = table(8, bad={i: {"text": None} for i in range(8)})
    empty[0]["text"] = None
    data = write({"train": table(30), "dev": empty})
    with pytest.raises(DataError, match=r"validation, row 0: .+8 of 8 rows.+: nothing is left"):
        prepare(tmp_path / "r", text_checkpoint, data, SKIP)
