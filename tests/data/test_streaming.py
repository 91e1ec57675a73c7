"""Train as a stream: as many rows as the steps need, whoever reads them, and again after a stop."""

import gc
import json
import os
import re
import subprocess
from itertools import product
from pathlib import Path

import pytest
from accelerate.data_loader import prepare_data_loader
from datasets import Dataset
from grafting import fit, state, write_recipe
from hub_server import HubServer
from tiny import FILLERS, WORDS
from torch.utils.data import DataLoader

from pipelines import recipe
from pipelines.cli import main
from pipelines.core.errors import DataError, RecipeError
from pipelines.data import streams
from pipelines.workflow import run as pipeline

STEPS = {"max_steps": 4, "per_device_train_batch_size": 4, "eval_steps": 2, "save_steps": 2}
STREAM = ("data.streaming=true", "data.shuffle_buffer=20")
TEXTS = [" ".join(words) for words in product(WORDS, repeat=3)]
FIRST = 100  # rows that stand for all of train


def table(num_rows, start=0):
    """Different texts, and labels that follow from them."""
    texts = TEXTS[start : start + num_rows]
    return {"text": texts, "label": ["yes" if "good" in text else "no" for text in texts]}


@pytest.fixture(autouse=True)
def _few_rows_first(monkeypatch):
    monkeypatch.setattr(streams, "NUM_FIRST_ROWS", FIRST)


@pytest.fixture
def data(tmp_path):
    """A folder with train in two shards and a validation split."""
    rows = Dataset.from_dict(table(160))
    for i in range(2):
        rows.shard(2, i).to_json(tmp_path / f"train-0000{i}-of-00002.jsonl")
    Dataset.from_dict(table(60, start=200)).to_json(tmp_path / "validation.jsonl")
    return tmp_path


@pytest.fixture
def load(tmp_path, text_checkpoint, data):
    """load(*overrides): a recipe that streams `data`."""

    def load(*overrides, **sections):
        path = write_recipe(tmp_path / "r", text_checkpoint, data, training=STEPS, **sections)
        return recipe.load(path, [*STREAM, *overrides])

    return load


def texts(prepared, rows):
    """What encoded rows say."""
    decode = prepared.checkpoint.processor.decode
    return [decode(row["input_ids"], skip_special_tokens=True) for row in rows]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # an open file
@pytest.mark.slow
def test_a_run_reads_no_more_than_it_needs(tmp_path, text_checkpoint, capsys):
    lines = [f"{' '.join(FILLERS[:4])} {word},{label}" for word, label in (("good", 1), ("bad", 0))]
    content = "text,label\n" + "\n".join(lines * 600_000) + "\n"
    (tmp_path / "train.csv").write_bytes(
        content.encode() + b"\x80,\x81"
    )  # whoever gets there fails
    (tmp_path / "validation.csv").write_text("text,label\n" + "\n".join(lines * 10) + "\n")
    path = write_recipe(tmp_path / "r", text_checkpoint, tmp_path, training=STEPS)
    assert main(["run", str(path)]) == 2
    assert (
        "train.csv: its text is neither UTF-8, UTF-16 nor windows-1252" in capsys.readouterr().err
    )

    assert main(["run", str(path), *STREAM]) == 0
    output = capsys.readouterr().out
    assert "its first 100 rows stand for all of it" in output
    assert "full on 16 examples of a stream" in output
    (metrics,) = (tmp_path / "r" / "runs").rglob("metrics.json")
    assert json.loads(metrics.read_text())["examples"] == {"train": 16, "validation": 20}
    (history,) = (tmp_path / "r" / "runs").rglob("history.jsonl")
    steps = re.findall(r'"eval_loss".+"step": (\d+)', history.read_text())
    assert steps == ["2", "4"]
    gc.collect()


@pytest.mark.slow
def test_every_row_flows_by_once_in_an_order_that_the_seed_draws(load):
    prepared, again, other = (pipeline.prepare(load(f"training.seed={seed}")) for seed in (1, 1, 2))
    seen = texts(prepared, prepared.stream)
    assert sorted(seen) == sorted(TEXTS[:160])
    assert seen != TEXTS[:160]
    assert seen == texts(again, again.stream)
    assert seen != texts(other, other.stream)


def test_workers_see_different_rows(load):
    prepared = pipeline.prepare(load())
    loader = DataLoader(prepared.stream, batch_size=None, num_workers=2)
    assert sorted(texts(prepared, loader)) == sorted(TEXTS[:160])


@pytest.mark.parametrize("num_processes", [2, 3])  # as many as shards, and more
def test_processes_see_different_rows(load, num_processes):
    prepared = pipeline.prepare(load())
    dispatch = prepared.recipe.training["accelerator_config"]["dispatch_batches"]
    seen = []
    for process in range(num_processes):
        loader = prepare_data_loader(
            DataLoader(prepared.stream, batch_size=4, collate_fn=list),
            num_processes=num_processes,
            process_index=process,
            put_on_device=False,
            dispatch_batches=dispatch,
        )
        seen += [text for batch in loader for text in texts(prepared, batch)]
    assert set(seen) == set(TEXTS[:160])
    assert len(seen) <= 160 + 4 * num_processes  # the last batches are filled up


@pytest.mark.slow
def test_a_stopped_run_goes_on_with_the_rows_that_follow(load, tmp_path):
    last = ["training.save_total_limit=9", "training.load_best_model_at_end=false"]
    whole, rest = (pipeline.prepare(load(*last)) for _ in range(2))
    expected = fit(whole, tmp_path / "whole", train=whole.stream)
    half = tmp_path / "whole" / "checkpoint-2"
    resumed = fit(rest, tmp_path / "rest", train=rest.stream, resume_from=half)
    ours, theirs = state(resumed.output.model), state(expected.output.model)
    assert all(tensor.equal(theirs[name]) for name, tensor in ours.items())


def test_a_limit_ends_the_stream(load):
    prepared = pipeline.prepare(load("data.limit.train=70"))
    assert sorted(texts(prepared, prepared.stream)) == sorted(TEXTS[:70])
    assert len(prepared.encoded["train"]) == 70


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["training.max_steps=-1"], "training.max_steps: data.streaming needs it"),
        (["training.eval_strategy=epoch"], "training.eval_strategy: 'epoch': processes reach"),
        (["strategy=linear_probe"], "linear_probe cannot be streamed: its head is solved on"),
        (["task=image_classification"], "image_classification cannot be streamed"),
    ],
)
def test_what_cannot_be_streamed_is_refused_with_the_recipe(load, overrides, message):
    with pytest.raises(RecipeError, match=message):
        load(*overrides)


def test_a_stream_that_cannot_be_read_is_refused(load, data):
    (data / "train-00000-of-00002.jsonl").write_text('{"text"')
    with pytest.raises(DataError, match=r"00000-of-00002\.jsonl, line 1: cannot be read as JSON"):
        pipeline.prepare(load())
    for file in data.glob("train-*"):
        file.unlink()
    (data / "train.parquet").write_text("none")
    with pytest.raises(DataError, match=r"train\.parquet: cannot be read as parquet: "):
        pipeline.prepare(load())


def test_nothing_is_set_aside_from_a_stream(load):
    with pytest.raises(DataError, match=r"name a split: data\.splits\.validation="):
        pipeline.prepare(load("data.splits.validation=0.1"))


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("text", None, "text is None; expected a string"),
        ("label", None, r"no label \(None\)"),
    ],
)
@pytest.mark.slow
def test_bad_rows_further_on_are_met_as_they_come(load, data, column, value, message):
    rows = table(160)
    rows[column][130] = value
    for file in data.glob("train-*"):
        file.unlink()
    Dataset.from_dict(rows).to_json(data / "train.jsonl")
    prepared = pipeline.prepare(load())
    with pytest.raises(DataError, match=f"train, a streamed row: {message}; fix or remove it"):
        list(prepared.stream)
    skipping = pipeline.prepare(load("data.on_bad_row=skip"))
    left = [text for row, text in enumerate(TEXTS[:160]) if row != 130]
    assert sorted(texts(skipping, skipping.stream)) == sorted(left)


def test_a_class_that_comes_too_late_is_an_error_even_where_bad_rows_are_skipped(load, data):
    rows = table(160)
    rows["label"][130] = "perhaps"
    for file in data.glob("train-*"):
        file.unlink()
    Dataset.from_dict(rows).to_json(data / "train.jsonl")
    prepared = pipeline.prepare(load("data.on_bad_row=skip"))
    with pytest.raises(DataError, match="a streamed row: label 'perhaps' does not occur in train"):
        list(prepared.stream)


def test_classes_of_validation_count_where_train_is_sorted(load, data):
    for file in data.glob("train-*"):
        file.unlink()
    rows = sorted(zip(*table(160).values(), strict=True), key=lambda row: row[1])
    sorted_rows = {"text": [text for text, _ in rows], "label": [label for _, label in rows]}
    Dataset.from_dict(sorted_rows).to_json(data / "train.jsonl")
    assert set(sorted_rows["label"][:FIRST]) == {"no"}
    prepared = pipeline.prepare(load())
    assert prepared.data.labels.names == ("no", "yes")
    assert len(texts(prepared, prepared.stream)) == 160
    with pytest.raises(DataError, match=r"the first 100 rows of train.+ no example of 'yes'"):
        pipeline.prepare(load("task.class_weights=balanced"))


STREAM_FROM_HUB = """
from pipelines import data
from pipelines.data.sources.hub import Hub
from pipelines.tasks.text_classification import TextClassification

source = Hub(source="hub", path="owner/texts", streaming=True, limit={"validation": 10})
loaded = data.load(source, TextClassification(), seed=42)
print(len(loaded.train), len(loaded.validation), len(list(loaded.stream)), loaded.labels.names)
print(source.identity()["commit"])
"""


@pytest.mark.slow
def test_a_data_set_of_the_hub_flows_by(python, data, tmp_path):
    with HubServer(tmp_path / "hub") as hub:
        commit = hub.add_dataset("owner/texts", data)
        done = subprocess.run(
            [python.path, "-c", STREAM_FROM_HUB],
            env={**os.environ, **hub.environment, "HF_HOME": str(tmp_path / "home")},
            cwd=Path(__file__).parents[2],
            capture_output=True,
            text=True,
            timeout=120,
        )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["160 10 160 ('no', 'yes')", commit]
