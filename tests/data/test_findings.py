"""Findings about the data before the first step, and where they are printed and written."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from datasets import Dataset
from grafting import write_recipe
from PIL import Image
from tiny import FILLERS, WORDS

from pipelines import recipe
from pipelines.cli import main
from pipelines.workflow import run as pipeline

CLASSES = ("no", "yes")
PROBE = "strategy=linear_probe"  # which folds of train can validate


def prepare(folder, checkpoint, data, *overrides, task="text"):
    """A recipe with its data and checkpoint loaded."""
    return pipeline.prepare(
        recipe.load(write_recipe(folder, checkpoint, data, task=task), overrides)
    )


def rows(num_rows, start=0, labels=CLASSES):
    """Texts that are all different, with `labels` in turn."""
    numbers = range(start, start + num_rows)
    texts = [
        " ".join(WORDS[(n // len(WORDS) ** i) % len(WORDS)] for i in range(3)) for n in numbers
    ]
    return {"text": texts, "label": [labels[n % len(labels)] for n in numbers]}


@pytest.fixture
def collect(tmp_path, text_checkpoint):
    """collect({split: columns}, *overrides): the findings about texts."""

    def collect(splits, *overrides):
        for name, columns in splits.items():
            Dataset.from_dict(columns).to_parquet(tmp_path / f"{name}.parquet")
        return prepare(tmp_path / "recipes", text_checkpoint, tmp_path, *overrides).findings

    return collect


def three(**changes):
    splits = {"train": rows(40), "validation": rows(20, start=40), "test": rows(10, start=60)}
    return {**splits, **changes}


def test_clean_data_have_no_warning(collect):
    clean = collect(three())
    assert list(clean.warnings()) == []
    assert not any(shared.count for shared in clean.shared.values())
    assert clean.splits["train"].num_examples == 40
    assert clean.splits["train"].classes == {"no": 20, "yes": 20}


@pytest.mark.parametrize("label", CLASSES)
def test_a_validation_text_that_stands_in_train_is_a_leak(collect, label):
    splits = three()
    splits["train"]["text"][7] = splits["validation"]["text"][12]
    splits["train"]["label"][7] = label
    result = collect(splits)
    shared = result.shared["train", "validation"]
    assert (shared.count, shared.rows) == (1, ((7, 12),))
    # the label of an even number is "no"
    assert shared.with_other_label == (label == "yes")
    other = ", 1 with another label" if label == "yes" else ""
    assert list(result.warnings()) == [
        f"1 of 20 validation examples (5 %) also occur in train{other} (row 12 is row 7 there)"
    ]


def test_test_examples_in_validation_are_a_leak_too(collect):
    splits = three()
    splits["test"]["text"][3:5] = splits["validation"]["text"][:2]
    shared = collect(splits).shared
    assert {pair: repeats.count for pair, repeats in shared.items()} == {
        ("train", "validation"): 0,
        ("train", "test"): 0,
        ("validation", "test"): 2,
    }


def test_texts_that_differ_by_case_spaces_and_punctuation_are_a_near_leak(collect):
    splits = three()
    splits["validation"]["text"][12] = splits["train"]["text"][7].upper().replace(" ", ",  ") + "!"
    splits["validation"]["text"][13] = "?!"
    splits["train"]["text"][8] = "!?"  # nothing is left of them that could be compared
    result = collect(splits)
    assert not result.shared["train", "validation"].count
    assert result.near["train", "validation"].rows == ((7, 12),)
    (leak,) = result.findings()[:1]
    assert (leak.severity, leak.split, leak.rows) == ("warning", "validation", (12,))
    assert leak.message == (
        "1 of 20 validation examples (5 %) also occur in train, but for case, spaces or "
        "punctuation (row 12 is row 7 there)"
    )
    assert result.json()["near"][0]["rows"] == ((7, 12),)


def test_a_large_leak_is_an_error_and_stands_first(collect):
    splits = three(test=rows(10, start=40))
    first = collect(splits).findings()[0]
    assert (first.severity, first.split) == ("error", "test")
    assert first.message.startswith("10 of 10 test examples (100 %) also occur in validation")


def test_a_split_of_one_class_is_an_error(collect):
    splits = three(validation=rows(20, start=40, labels=["no"]))
    first = collect(splits).findings()[0]
    assert first.severity == "error"
    assert "all 20 validation examples are 'no'" in first.message


def test_accuracy_among_unequal_classes_is_a_warning_unless_another_metric_chooses(collect):
    splits = three(validation=rows(60, start=40, labels=["no"] * 29 + ["yes"]))
    (warning,) = (line for line in collect(splits).warnings() if "always answering" in line)
    assert warning.startswith("96.7% of validation is 'no'")
    assert not any("always answering" in w for w in collect(splits, "metrics=[f1]").warnings())


def test_few_rows_that_score_are_a_note_and_no_warning(collect):
    result = collect(three())
    notes = [str(each) for each in result.findings() if each.split == "test"]
    assert notes == [
        "note: test has 10 examples: each is 10.0 points of a score, so small differences are "
        "chance"
    ]


def test_folds_of_train_are_looked_at_as_a_validation_split_is(collect):
    many = {"train": rows(60, labels=["no"] * 29 + ["yes"])}
    (warning,) = (w for w in collect(many, PROBE).warnings() if "always answering" in w)
    assert warning.startswith("96.7% of validation by folds of train is 'no'")
    assert "always answering" not in str([*collect(many, PROBE, "metrics=[f1]").warnings()])
    few = [str(each) for each in collect({"train": rows(20)}, PROBE).findings()]
    assert few == [
        "note: validation by folds of train has 20 examples: each is 5.0 points of a score, so "
        "small differences are chance"
    ]


def test_classes_that_one_fold_alone_has_are_named_with_what_they_cost(collect):
    train = rows(40, labels=["no", "yes", "no", "yes", "rare"] + ["no", "yes"] * 18)
    train["label"][4:8] = ["single", "same", "same", "same"]
    train["text"][6:8] = [train["text"][5]] * 2  # equal texts are dealt together
    (warning,) = (w for w in collect({"train": train}, PROBE).warnings() if "in one fold" in w)
    assert warning.startswith("2 of 4 classes have all their examples in one fold: ")
    assert "'single'" in warning
    assert "'same'" in warning
    assert "so 4 of 40 examples count as mistakes whatever is learned" in warning
    # of two texts, each with a label of its own, nothing is measured
    two = {"text": rows(2)["text"] * 20, "label": rows(40)["label"]}
    first = collect({"train": two}, PROBE).findings()[0]
    assert first.severity == "error"
    assert first.message.startswith("2 of 2 classes have all their examples in one fold: ")


def test_classes_that_a_limit_takes_from_train_alone_are_named(collect):
    labels = ["no"] * 18 + ["yes"] * 18 + ["maybe", "rare"]
    splits = {"train": rows(38, 0, labels), "validation": rows(38, 40, labels)}
    assert not [line for line in collect(splits).warnings() if "no example of" in line]
    (warning,) = (
        line for line in collect(splits, "data.limit.train=4").warnings() if "of which" in line
    )
    assert warning == (
        "train has no example of 'maybe', 'rare', of which validation has 2: no model learns what "
        "train does not have; raise data.limit.train, or add examples"
    )


def test_a_column_of_texts_that_nothing_reads_is_a_warning(collect):
    splits = three()
    for columns in splits.values():
        columns["remark"] = ["it was of the plot"] * len(columns["text"])
        columns["code"] = ["a-1"] * len(columns["text"])
    (warning,) = collect(splits, "data.columns.text=text", "data.columns.label=label").warnings()
    assert warning.startswith("column 'remark' holds texts ('it was of the plot') and is not used")


@pytest.mark.parametrize(
    ("labels", "is_odd"),
    [(["1.5", "2.25"], True), (["3", "4"], False), ([f"{n * n}" for n in range(25)], True)],
    ids=["fractions", "ids", "many"],
)
def test_classes_that_look_like_quantities_are_a_warning(collect, labels, is_odd):
    splits = {name: rows(100, start, labels) for name, start in (("train", 0), ("validation", 100))}
    classes = "task.problem_type=single_label_classification"
    lines = [w for w in collect(splits, classes).warnings() if "labels are numbers" in w]
    assert bool(lines) == is_odd


def test_rows_are_those_of_the_splits_as_they_were_loaded(collect):
    splits = three(train=rows(200), validation=rows(40, start=200))
    splits["train"]["text"][3] = None
    splits["train"]["text"][150:160] = splits["validation"]["text"][:10]
    result = collect(splits, "data.on_bad_row=skip", "data.limit.train=180")
    pairs = result.shared["train", "validation"].rows
    assert pairs
    assert all(elsewhere - here == 150 for elsewhere, here in pairs)


def test_repeats_are_counted_and_contradictions_apart(collect):
    splits = three()
    splits["train"]["text"][10:14] = [splits["train"]["text"][0]] * 4  # labels no, yes, no, yes
    result = collect(splits)
    repeats = result.splits["train"].repeats
    # nobody knows which of the five labels is right
    assert (repeats.count, repeats.with_other_label) == (4, 5)
    assert "5 of 40 train examples occur more than once, with different labels" in result.warnings()
    assert repeats.rows == ((0, 10), (0, 11), (0, 12), (0, 13))


def test_pairs_of_texts_are_compared_as_pairs(collect):
    # the same letters, shared out differently, and in the other order
    first, second = ["a b", "a", "a", "of it"], ["it", "b it", "b", "of"]
    pairs = {
        "text": [*first, "a"],
        "text_pair": [*second, "b"],
        "label": ["no", "yes"] * 2 + ["no"],
    }
    repeats = collect(three(train=pairs, validation=pairs, test=pairs)).splits["train"].repeats
    assert repeats.rows == ((2, 4),)


def test_texts_that_are_cut_are_counted_exactly(collect):
    # 32 tokens fit, two of them are special
    texts = [" ".join(FILLERS[:1] * n) for n in (28, 29, 30, 30, 31, 50)]
    splits = three(train={"text": texts, "label": ["no", "yes"] * 3})
    result = collect(splits)
    tokens = result.splits["train"].measures["tokens"]
    assert (tokens.minimum, tokens.maximum, tokens.limit, tokens.truncated) == (30, 52, 32, 2)
    assert (
        "2 of 6 train examples (33 %) have more than 32 tokens: the rest of them is cut off"
        in result.warnings()
    )


@pytest.mark.parametrize(
    "used", ["class_weights=null", "class_weights=balanced", "sampler=balanced"]
)
@pytest.mark.parametrize("labels", [("no", "yes"), (["no"], ["yes"])])
@pytest.mark.slow
def test_unequal_classes_are_a_warning_with_advice(collect, labels, used):
    often, rarely = labels
    splits = three(train=rows(110, labels=[often] * 10 + [rarely]))
    splits |= {split: rows(40, start=200, labels=labels) for split in ("validation", "test")}
    warnings = collect(splits, f"task.{used}").warnings()
    (warning,) = (line for line in warnings if "times" in line)
    assert warning.startswith("train has 10 times as many examples of 'no' (100) as of 'yes' (10)")
    for key in ("class_weights", "sampler"):
        assert (f"task.{key}=balanced" in warning) == (used == "class_weights=null")


def test_images_are_compared_by_their_files_and_measured_by_their_headers(
    tmp_path, image_checkpoint
):
    random = np.random.default_rng(0)
    for split in ("train", "validation"):
        for label in ("dark", "light"):
            (tmp_path / split / label).mkdir(parents=True)
            for i in range(3):
                pixels = random.integers(0, 255, (12, 20 + i, 3)).astype("uint8")
                Image.fromarray(pixels).save(tmp_path / split / label / f"{i}.png")
    copied = (tmp_path / "train" / "dark" / "1.png").read_bytes()
    (tmp_path / "validation" / "light" / "0.png").write_bytes(copied)
    gray = Image.open(tmp_path / "train" / "dark" / "2.png").convert("L")
    gray.save(tmp_path / "train" / "dark" / "2.png")
    result = prepare(tmp_path / "recipes", image_checkpoint, tmp_path, task="image").findings
    shared = result.shared["train", "validation"]
    assert (shared.count, shared.with_other_label, shared.rows) == (1, 1, ((1, 3),))
    measures = result.splits["train"].measures
    assert (measures["pixels wide"].minimum, measures["pixels wide"].maximum) == (20, 22)
    assert measures["modes"] == {"RGB": 5, "L": 1}


@pytest.mark.slow
def test_a_run_tells_and_keeps_what_check_tells_in_full(tmp_path, text_checkpoint, capsys):
    splits = three()
    splits["train"]["text"][7] = splits["validation"]["text"][12]
    for name, columns in splits.items():
        Dataset.from_dict(columns).to_parquet(tmp_path / f"{name}.parquet")
    path = write_recipe(tmp_path / "r", text_checkpoint, tmp_path, training={"max_steps": 1})
    warning = "1 of 20 validation examples (5 %) also occur in train"

    assert main(["check", str(path)]) == 0
    checked = capsys.readouterr().out
    assert f"! warning: {warning}" in checked
    assert re.search(r"train +40 examples +no 20, yes 20\n +tokens: all 5; the model t", checked)

    assert main(["run", str(path)]) == 0
    assert f"data: warning: {warning}" in capsys.readouterr().out
    (path,) = Path(tmp_path / "r" / "runs").rglob("data.json")
    content = json.loads(path.read_text(encoding="utf-8"))
    assert content["shared"][0] | {"rows": None} == {
        "split": "validation",
        "stands_in": "train",
        "count": 1,
        "of": 20,
        "with_other_label": 1,
        "rows": None,
    }
    assert content["splits"]["test"]["measures"]["tokens"]["limit"] == 32
    assert content["left_out"] == []


def test_blank_lines_between_texts_are_no_repeats(tmp_path, text_checkpoint):
    for split, start in (("train", 0), ("validation", 40), ("test", 60)):
        texts = [line for text in rows(10, start)["text"] for line in (text, "", " ")]
        Dataset.from_dict({"text": texts}).to_parquet(tmp_path / f"{split}.parquet")
    prepared = prepare(tmp_path / "recipes", text_checkpoint, tmp_path, task="masked_lm")
    assert not prepared.findings.splits["train"].repeats.count
    assert list(prepared.findings.warnings()) == []
