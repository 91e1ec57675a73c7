"""One of several choices: scored alone, compared with one another."""

import csv
import io
import json
from contextlib import redirect_stdout
from functools import cache

import numpy as np
import pytest
import tiny
import tiny_tasks
import torch
from closeness import close, tolerance
from grafting import fit, logits, prepare, write_recipe
from printed import last_value

from pipelines import recipe as recipes
from pipelines.cli import main
from pipelines.core.errors import DataError, ModelError, RecipeError
from pipelines.models.anatomy import dissect
from pipelines.report.run_folder import RunFolder
from pipelines.tasks.multiple_choice import MultipleChoice
from pipelines.workflow import run as pipeline

TASK = "multiple_choice"
FAMILIES = ("bert", "roberta", "distilbert", "deberta-v2", "modernbert")
QUICK = {("bert", "full"), ("roberta", "lora"), ("bert", "scratch")}
COMBINATIONS = [
    pytest.param(family, strategy, marks=() if (family, strategy) in QUICK else pytest.mark.slow)
    for family in FAMILIES
    for strategy in ("full", "lora", "scratch")
    # without pretrained weights, one family is as good as another
    if strategy != "scratch" or family == "bert"
]
TRAINING = {"num_train_epochs": 4, "learning_rate": 3e-3, "warmup_steps": 0}
CALM = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return tiny_tasks.choice_data(tmp_path_factory.mktemp("data") / "choices")


@pytest.fixture(scope="module")
def ran(checkpoint, data, tmp_path_factory):
    """ran(family, strategy): the folder of a run that was made once, and what it said."""

    @cache
    def ran(family, strategy):
        folder = tmp_path_factory.mktemp("run")
        sections = {"task": TASK, "strategy": strategy, "training": TRAINING}
        recipe = write_recipe(folder, checkpoint(family), data, **sections)
        with redirect_stdout(io.StringIO()) as stdout:
            assert main(["run", str(recipe)]) == 0
        return RunFolder(folder / "runs" / "recipe" / "1"), stdout.getvalue()

    return ran


def rows_of(data, split):
    from datasets import Dataset

    return list(Dataset.from_parquet(str(data / f"{split}.parquet")))


def predicted(run, split):
    with (run.predictions / f"{split}.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def written(folder, validation=None, **columns):
    from datasets import Dataset

    folder.mkdir()
    for split, rows in {"train": columns, "validation": {**columns, **(validation or {})}}.items():
        Dataset.from_dict(rows).to_parquet(folder / f"{split}.parquet")
    return folder


# A run, from end to end


@pytest.mark.numerical
@pytest.mark.slow
@pytest.mark.parametrize(("family", "strategy"), COMBINATIONS)
def test_what_a_run_leaves_behind(ran, data, family, strategy):
    run, _ = ran(family, strategy)
    metrics = json.loads(run.metrics.read_text(encoding="utf-8"))
    assert metrics["parity"]["ok"]
    assert metrics["parity"]["max_difference"] < tolerance()
    assert metrics["main_metric"] == "accuracy"
    for split in ("validation", "test"):
        predictions, rows = predicted(run, split), rows_of(data, split)
        assert [int(row["label"]) for row in predictions] == [row["label"] for row in rows]
        right = [row["label"] == row["prediction"] for row in predictions]
        assert metrics[split] == {"accuracy": pytest.approx(np.mean(right))}
        # a probability among four is a quarter at least, when it is the largest
        assert all(0.25 <= float(row["probability"]) <= 1 for row in predictions)


@pytest.mark.numerical
@pytest.mark.slow
def test_it_learns_which_choice_is_the_good_one(ran):
    run, _ = ran("bert", "full")
    metrics = json.loads(run.metrics.read_text(encoding="utf-8"))
    assert metrics["test"]["accuracy"] > 0.9 > 2 * metrics["baseline"]["test"]["accuracy"] - 0.1


@pytest.mark.slow
def test_the_lines_of_the_summary_use_the_model(ran, data, bare_python):
    """In an interpreter that knows no module of ours."""
    run, output = ran("bert", "full")
    setup, use = last_value(output[output.rindex("from transformers") :])
    *setup, inputs = setup.splitlines()
    row = rows_of(data, "test")[0]
    (_, rest) = inputs.split("padding=True")
    texts = [row["startphrase"]] * len(row["choices"])
    inputs = f"inputs = tokenizer({texts!r}, {row['choices']!r}, padding=True{rest}"
    code = "\n".join([*setup, inputs, f"print({use}.item())"])
    done = bare_python(code)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == predicted(run, "test")[0]["prediction"]


@pytest.mark.slow
def test_what_the_summary_prints_is_python_as_it_stands(ran):
    _, output = ran("bert", "full")
    compile(output[output.rindex("from transformers") :], "summary", "exec")


# Order, loss, the head


@pytest.mark.numerical
def test_predictions_are_in_the_order_of_the_data(checkpoint, data, tmp_path):
    training = {"max_steps": 2, "train_sampling_strategy": "group_by_length"}
    ready = prepare(tmp_path, checkpoint("bert"), data, task=TASK, training=training)
    fitted = fit(ready, tmp_path / "checkpoints")
    rows = ready.encoded["validation"]
    together = logits(ready, fitted, batch_size=7)
    assert together.shape == (len(rows), tiny_tasks.NUM_CHOICES)
    for row, scores in zip(rows, together, strict=True):
        with torch.no_grad():
            alone = fitted.output.model.eval()(**ready.collate([row])).logits[0].numpy()
        close(scores, alone)


@pytest.mark.numerical
def test_accumulation_changes_neither_loss_nor_gradient(checkpoint, data, tmp_path):
    model = {"checkpoint": str(checkpoint("bert")), "config": CALM}

    def first_step(size, accumulated):
        training = {
            "per_device_train_batch_size": size,
            "gradient_accumulation_steps": accumulated,
            "train_sampling_strategy": "random",  # the same examples
            "max_steps": 1,
            "logging_steps": 1,
            "eval_strategy": "no",
        }
        sections = {"task": TASK, "model": model, "training": training}
        ready = prepare(tmp_path, checkpoint("bert"), data, **sections)
        (first, *_) = fit(ready, tmp_path / str(size)).history
        return first["loss"], first["grad_norm"]

    assert first_step(4, 4) == pytest.approx(first_step(16, 1), rel=1e-4)


@pytest.mark.parametrize(
    "family", [pytest.param(f, marks=() if f == "bert" else pytest.mark.slow) for f in FAMILIES]
)
def test_the_head_has_one_output_whatever_the_number_of_choices(checkpoint, data, tmp_path, family):
    ready = prepare(tmp_path, checkpoint(family), data, task=TASK)
    model = ready.checkpoint.model
    output = model.get_submodule(dissect(model, ready.checkpoint.newly_initialized).output)
    assert output.out_features == model.config.num_labels == 1
    assert ready.data.labels.names == ("0", "1", "2", "3")


# Examples


@pytest.mark.parametrize("columns", [None, ["ending1", "ending0", "ending2", "ending3"]])
def test_choices_in_columns(checkpoint, tmp_path, columns):
    data = tiny_tasks.choice_data(tmp_path / "data", columns=True)
    (row, *_) = rows_of(data, "train")
    overrides = [f"data.columns.choices=[{', '.join(columns)}]"] if columns else []
    recipe = write_recipe(tmp_path, checkpoint("bert"), data, task=TASK)
    ready = pipeline.prepare(recipes.load(recipe, overrides))
    tokenizer, ids = ready.checkpoint.processor, ready.encoded["train"][0]["input_ids"]
    order = columns or [f"ending{i}" for i in range(4)]
    expected = [f"[CLS] {row['startphrase']} [SEP] {row[name]} [SEP]" for name in order]
    assert [tokenizer.decode(choice) for choice in ids] == expected


@pytest.mark.parametrize(
    ("labels", "names", "targets"),
    [
        ([2, 0, 0], ("0", "1", "2"), [2, 0, 0]),  # from 0, also where train lacks one
        ([3, 1, 2], ("1", "2", "3"), [2, 0, 1]),
        (["B", "C", "A"], ("A", "B", "C"), [1, 2, 0]),
        (["0", "2", "2"], ("0", "1", "2"), [0, 2, 2]),
        (["1", "3", "3"], ("1", "2", "3"), [0, 2, 2]),
    ],
)
@pytest.mark.slow
def test_labels_of_any_spelling(checkpoint, tmp_path, labels, names, targets):
    rows = {"question": ["it was"] * 3, "choices": [["good", "bad", "poor"]] * 3, "answer": labels}
    data = written(tmp_path / "d", **rows)
    ready = prepare(tmp_path, checkpoint("bert"), data, task=TASK)
    assert ready.data.labels.names == names
    assert list(ready.targets["train"]) == targets


THREE = [["good", "bad", "poor"], ["bad", "poor", "good"], ["poor", "good", "bad"]]
LETTERS = ["A", "B", "C"]


@pytest.mark.parametrize(
    ("choices", "keys", "names", "places"),
    [
        (THREE, ["good"] * 3, ("0", "1", "2"), [0, 2, 1]),
        (THREE, ["good", " Good", "good "], ("0", "1", "2"), [0, 2, 1]),
        ([["2", "1", "0"]] * 3, ["2", "1", "0"], ("0", "1", "2"), [0, 1, 2]),
        ([["2", "1", "0"]] * 3, [2, 1, 0], ("0", "1", "2"), [2, 1, 0]),
        (THREE, ["a", "b", "a"], ("a", "b", "c"), [0, 1, 0]),
        (THREE, ["(B)", "C.", "B"], ("A", "B", "C"), [1, 2, 1]),
        (THREE, ["A", "2", "3"], ("A", "B", "C"), [0, 1, 2]),
        ([{"text": t, "label": LETTERS} for t in THREE], ["C", "A", "B"], tuple("ABC"), [2, 0, 1]),
        (
            [{"text": t, "label": ["C", "A", "B"]} for t in THREE],
            ["C", "A", "B"],
            ("C", "A", "B"),
            [0, 1, 2],
        ),
        (
            [[{"label": k, "text": t} for k, t in zip("123", row, strict=True)] for row in THREE],
            ["3", "1", "1"],
            ("1", "2", "3"),
            [2, 0, 0],
        ),
        (
            [dict(zip("ABC", t, strict=True)) for t in THREE],
            ["B", "B", "A"],
            tuple("ABC"),
            [1, 1, 0],
        ),
    ],
)
def test_a_key_names_a_choice_of_its_own_row(choices, keys, names, places):
    from datasets import Dataset

    task = MultipleChoice()
    rows = Dataset.from_dict({"text": ["it"] * 3, "choices": choices, "label": keys})
    (train, problems) = task.arrange({"train": rows}, print)["train"]
    assert not problems
    assert task.labels(train).names == names
    assert train["label"][:] == places
    assert train["choices"][:] == (choices if choices[0] == ["2", "1", "0"] else THREE)


def test_a_row_whose_key_names_no_choice_can_be_skipped(checkpoint, tmp_path):
    rows = {"question": ["it was"] * 3, "choices": [["good", "bad"]] * 3, "answer": list("ABE")}
    data = written(tmp_path / "d", **rows)
    recipe = write_recipe(tmp_path, checkpoint("bert"), data, task=TASK)
    ready = pipeline.prepare(recipes.load(recipe, ["data.on_bad_row=skip"]))
    assert list(ready.targets["train"]) == [0, 1]
    assert "train: 1 of 3 rows left out: row 2: label 'E' names no choice" in ready.data.notes[1]


def test_class_names_are_those_of_the_positions(checkpoint, tmp_path):
    from datasets import ClassLabel, Dataset

    rows = {"question": ["it was"] * 2, "choices": [["good", "bad"]] * 2, "answer": [1, 1]}
    data = written(tmp_path / "d", **rows)
    named = Dataset.from_dict(rows).cast_column("answer", ClassLabel(names=["A", "B"]))
    for split in ("train", "validation"):
        named.to_parquet(data / f"{split}.parquet")
    ready = prepare(tmp_path, checkpoint("bert"), data, task=TASK)
    assert ready.data.labels.names == ("A", "B")
    assert list(ready.targets["train"]) == [1, 1]


def test_a_text_longer_than_the_model_takes_is_counted(checkpoint, tmp_path):
    texts = ["it was", " ".join(["film"] * 50)]
    rows = {"text": texts, "choices": [["good", "bad film"]] * 2, "label": [0, 1]}
    ready = prepare(tmp_path, checkpoint("bert"), written(tmp_path / "d", **rows), task=TASK)
    lengths = [[len(ids) for ids in row] for row in ready.encoded["train"]["input_ids"]]
    assert lengths == [[6, 7], [tiny.LENGTH, tiny.LENGTH]]
    spread = ready.findings.splits["train"].measures["tokens"]
    assert (spread.minimum, spread.maximum, spread.truncated) == (7, 55, 1)


PAIR = {"text": ["a", "b"], "choices": [["x", "y"], ["x", "y"]], "label": [0, 1]}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"choices": [["x", "y"], ["x"]]}, "train, row 1: 1 choices; expected 2, as in most rows"),
        ({"choices": [["x"], ["x"]]}, "train, row 0: 1 choices; expected 2"),
        ({"choices": [["x", "y"], ["x", None]]}, "train, row 1: choices is .*expected a list of"),
        ({"choices": ["x", "y"]}, "train, row 0: choices is 'x'; expected a list of strings"),
        ({"text": ["a", None]}, "train, row 1: text is None; expected a string"),
        (
            {"label": [0, 2]},
            r"train, row 1: label 2 names no choice; expected 0, 1, or one of \['x",
        ),
        ({"label": ["x", "z"]}, "train, row 1: label 'z' names no choice"),
        ({"label": ["A", "C"]}, "train, row 1: label 'C' names no choice; expected A, B, or one"),
        ({"label": ["x", "z"], "choices": [["x", "x"]] * 2}, "train, row 0: label 'x' names no"),
        ({"label": [0, None]}, r"train, row 1: no label \(None\)"),
    ],
)
def test_what_cannot_be_learned_is_reported_with_its_row(checkpoint, tmp_path, changes, message):
    data = written(tmp_path / "d", **{**PAIR, **changes})
    with pytest.raises(DataError, match=message):
        prepare(tmp_path, checkpoint("bert"), data, task=TASK)


@pytest.mark.parametrize(
    ("validation", "message"),
    [
        ({"label": [1, 2]}, "validation, row 1: label 2 names no choice; expected 0, 1"),
        ({"choices": [["x", "y", "z"]] * 2}, "validation, row 0: 3 choices; expected 2"),
    ],
)
def test_validation_asks_for_no_more_than_train_has(checkpoint, tmp_path, validation, message):
    data = written(tmp_path / "d", validation, **PAIR)
    with pytest.raises(DataError, match=message):
        prepare(tmp_path, checkpoint("bert"), data, task=TASK)


def test_what_does_not_go_together_is_refused(checkpoint, data, tmp_path):
    with pytest.raises(RecipeError, match="multiple_choice has no linear head"):
        prepare(tmp_path, checkpoint("bert"), data, task=TASK, strategy="linear_probe")
    with pytest.raises(ModelError, match="a 'gpt2' checkpoint has no AutoModelForMultipleChoice"):
        prepare(tmp_path, checkpoint("gpt2"), data, task=TASK)
    recipe = write_recipe(tmp_path, checkpoint("bert"), data, task=TASK)
    loaded = recipes.load(recipe, ["data.columns.question=[startphrase, label]"])
    message = "columns.question: got several columns; only `choices` and `label` and `text` may be"
    with pytest.raises(DataError, match=message):
        pipeline.prepare(loaded)
