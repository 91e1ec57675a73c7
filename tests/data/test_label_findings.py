"""Odd classes are warned of before training: several spellings of one, and single examples."""

import json

import pytest
from grafting import prepare


@pytest.fixture
def warnings(tmp_path, text_checkpoint):
    """warnings(labels of train) -> what a run would print; validation has the first and last."""

    def warnings(labels):
        folder = tmp_path / "data"
        folder.mkdir()
        for split, column in (("train", labels), ("validation", [labels[0], labels[-1]])):
            lines = [f'good film {i} of {split},"{label}"' for i, label in enumerate(column)]
            (folder / f"{split}.csv").write_text("\n".join(["text,label", *lines]))
        ready = prepare(tmp_path, text_checkpoint, folder)
        return " | ".join(ready.findings.warnings())

    return warnings


def test_spellings_that_differ_by_case_or_space_are_a_warning(warnings):
    shown = warnings(["pos", "pos ", "POS", "neg", "n eg", "n  eg"] * 3)
    assert "'POS' (3) and 'pos' (3) and 'pos ' (3); 'n  eg' (3) and 'n eg' (3)" in shown
    assert "each spelling is a class of its own" in shown


def test_other_names_are_no_spellings_of_each_other(warnings):
    assert "differ only" not in warnings(["pos", "posh", "p.os", "neg"] * 3)


def test_classes_with_one_example_are_a_warning(warnings):
    shown = warnings(["a", "b"] * 3 + ["only", "a"])
    assert "1 of 3 classes have one example in train: 'only'" in shown


@pytest.mark.parametrize("separator", [",", "|", "; "])
def test_several_labels_in_a_cell_are_a_warning(warnings, separator):
    shown = warnings(["joy", f"joy{separator}fear", "fear", "good,bad"] * 3)
    assert f"1 of 4 classes are made of others: 'joy{separator}fear' of 'joy' and 'fear'" in shown
    assert "data.columns.label=[fear, joy]" in shown


def test_tags_of_words_are_looked_at_as_classes_are(tmp_path, text_checkpoint):
    rows = [{"tokens": ["good", "film"], "tags": [tag, "O"]} for tag in ("B-x", "b-x", "B-x", "s")]
    for split in ("train", "validation"):
        (tmp_path / f"{split}.jsonl").write_text("\n".join(map(json.dumps, rows)))
    ready = prepare(tmp_path, text_checkpoint, tmp_path, task="token_classification")
    shown = " | ".join(ready.findings.warnings())
    assert "labels of train differ only by case or white space: 'B-x' (2) and 'b-x' (1)" in shown
    assert "2 of 4 classes have one example in train: 'b-x', 's'" in shown
    assert "times as many examples" not in shown  # words outside are always many more
