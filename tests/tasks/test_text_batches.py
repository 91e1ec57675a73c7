"""Batches of texts: what transformers' own collators give, with no look at single rows."""

import pickle
from random import Random

import numpy as np
import pytest
import tiny
import tiny_tasks
import torch
from datasets import Dataset
from grafting import PROBLEMS, prepare, problem
from torch.utils.data import DataLoader
from transformers import (
    AutoTokenizer,
    DataCollatorForLanguageModeling,
    DataCollatorForMultipleChoice,
    DataCollatorForTokenClassification,
    DataCollatorWithPadding,
)

from pipelines.core.labels import IGNORED
from pipelines.models import forward
from pipelines.tasks.multiple_choice import MultipleChoice
from pipelines.tasks.text_classification import TextClassification

FAMILIES = ("bert", "roberta", "gpt2", "modernbert")  # with token types and without
CHOSEN = [3, 0, 17, 3, 31, 8, 9, 10]


def windows(tokenizer):
    """A collator for question answering; transformers has none for rows of any length."""

    def collate(rows):
        tokens = [{k: v for k, v in row.items() if not k.endswith("positions")} for row in rows]
        batch = tokenizer.pad(tokens, return_tensors="pt")
        for name in ("start_positions", "end_positions"):
            before = [(mask == 0).sum() for mask in batch["attention_mask"]]
            left = tokenizer.padding_side == "left"
            padded = [row[name] + left * n for row, n in zip(rows, before, strict=True)]
            batch[name] = torch.tensor(padded)
        return batch

    return collate


THEIRS = {
    "text_classification": DataCollatorWithPadding,
    "token_classification": DataCollatorForTokenClassification,
    "multiple_choice": DataCollatorForMultipleChoice,
    "question_answering": windows,
    "causal_lm": DataCollatorForTokenClassification,
    "masked_lm": DataCollatorForTokenClassification,
}
CASES = [
    *(("text_classification", kind, family) for kind in PROBLEMS for family in FAMILIES[:3]),
    *(("token_classification", "entities", family) for family in FAMILIES),
    *(("question_answering", "questions", family) for family in ("bert", "roberta")),
    *(("multiple_choice", "choices", family) for family in ("bert", "roberta")),
    ("causal_lm", "single", "gpt2"),
    ("masked_lm", "single", "bert"),
]
FIELDS = {
    "question_answering": {"max_length": 20, "stride": 4},
    "causal_lm": {"block_size": 12},
    "masked_lm": {"line_by_line": True},
}


@pytest.fixture
def prepared(checkpoint, tmp_path):
    """prepared(task, kind, family) -> Prepared, on one of the tiny data sets."""
    makers = {
        "entities": tiny_tasks.entity_data,
        "questions": tiny_tasks.question_data,
        "choices": tiny_tasks.choice_data,
    }

    def of(task, kind, family):
        folder = tmp_path / "data"
        data = makers[kind](folder) if kind in makers else problem(folder, kind)
        section = {"name": task, **FIELDS.get(task, {})}
        return prepare(tmp_path, checkpoint(family), data, task=section)

    return of


def inputs(rows, tokenizer):
    """What a model takes of rows."""
    names = (*tokenizer.model_input_names, "labels", "start_positions", "end_positions")
    return [{name: row[name] for name in names if name in row} for row in rows]


def same(one, other):
    assert set(one) == set(other)
    for name, tensor in one.items():
        assert tensor.dtype == other[name].dtype, name
        assert tensor.equal(other[name]), name
    return True


@pytest.mark.slow
@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize(("task", "kind", "family"), CASES)
def test_a_batch_is_what_transformers_makes_of_the_rows(prepared, task, kind, family, side):
    ready = prepared(task, kind, family)
    tokenizer, rows = ready.checkpoint.processor, ready.encoded["train"]
    tokenizer.padding_side = side
    numbers = [number % len(rows) for number in (*CHOSEN, len(rows) - 1)]
    one_by_one = [rows[number] for number in numbers]
    expected = THEIRS[task](tokenizer)(inputs(one_by_one, tokenizer))
    assert not expected["attention_mask"].all()  # or nothing would be padded
    # as a stream gives them, and as a DataLoader asks for them
    assert same(ready.collate(one_by_one), expected)
    assert same(ready.collate(rows.__getitems__(numbers)), expected)


def test_masks_are_drawn_as_transformers_draws_them(prepared):
    ready = prepared("masked_lm", "single", "bert")
    tokenizer, rows = ready.checkpoint.processor, ready.encoded["train"]
    whole = [
        {"input_ids": np.where(np.array(row["labels"]) == IGNORED, row["input_ids"], row["labels"])}
        for row in rows
    ]
    theirs, ours = DataCollatorForLanguageModeling(tokenizer), ready.collate_train
    torch.manual_seed(0)
    expected = theirs(whole)
    torch.manual_seed(0)
    assert same(ours(rows.__getitems__(range(len(rows)))), expected)


# Rows


@pytest.fixture
def many(checkpoint):
    """A tokenizer, and rows that fill more than one chunk of a file."""
    random = Random(0)
    texts = [" ".join(random.choices(tiny.WORDS, k=random.randint(0, 12))) for _ in range(2300)]
    dataset = Dataset.from_dict({"text": texts, "label": [len(text) % 3 for text in texts]})
    tokenizer, task = AutoTokenizer.from_pretrained(checkpoint("bert")), TextClassification()
    return tokenizer, texts, task.encode(dataset, tokenizer, task.labels(dataset))


def test_rows_are_found_in_whichever_chunk_they_are(many):
    tokenizer, texts, rows = many
    numbers = [2299, 999, 1000, 0, 1001, 1999, 2000, 1999]
    expected = tokenizer([texts[i] for i in numbers], padding=True, return_tensors="pt")
    batch = TextClassification().collator(tokenizer)(rows.__getitems__(numbers))
    assert batch.pop("labels").tolist() == [len(texts[i]) % 3 for i in numbers]
    assert same(batch, expected)
    lengths = [len(ids) for ids in tokenizer(texts)["input_ids"]]
    assert forward.lengths(rows).tolist() == rows.lengths.tolist() == lengths
    assert [ids.tolist() for ids in rows.lists("input_ids")] == rows["input_ids"][:]


def test_what_is_on_disk_is_not_copied(prepared):
    rows = prepared("text_classification", "single", "bert").encoded["train"]
    before, [first, *_] = pickle.dumps(rows), rows.lists("input_ids")
    assert not first.flags.writeable  # it is the file's
    assert len(pickle.dumps(rows)) == len(before)  # a worker is told where the file is


def test_choices_may_differ_in_length(checkpoint):
    tokenizer, task = AutoTokenizer.from_pretrained(checkpoint("bert")), MultipleChoice()
    choices = [["good", "bad film plot"], ["a fine plot of it", "it"], ["poor", "great"]]
    columns = {"text": ["the film", "it was", "a"], "choices": choices, "label": [1, 0, 1]}
    (dataset, _) = task.arrange({"train": Dataset.from_dict(columns)}, print)["train"]
    rows = task.encode(dataset, tokenizer, task.labels(dataset))
    assert rows.lengths.tolist() == [8, 10, 5]  # of the longest
    expected = DataCollatorForMultipleChoice(tokenizer)([rows[2], rows[1]])
    assert same(task.collator(tokenizer)(rows.__getitems__([2, 1])), expected)


# one that spawns is enough: it imports everything again
@pytest.mark.parametrize(
    ("start", "num_workers"), [("fork", 2), pytest.param("spawn", 1, marks=pytest.mark.slow)]
)
def test_workers_make_the_same_batches(prepared, start, num_workers):
    ready = prepared("token_classification", "entities", "bert")
    rows = ready.encoded["train"]

    def batches(**options):
        return list(DataLoader(rows, 8, collate_fn=ready.collate_train, **options))

    alone = batches()
    together = batches(num_workers=num_workers, multiprocessing_context=start)
    assert all(same(*pair) for pair in zip(alone, together, strict=True))


@pytest.mark.slow
def test_rows_know_what_they_follow_from(prepared, checkpoint, tmp_path):
    def fingerprint(**fields):
        task = {"name": "text_classification", **fields}
        ready = prepare(tmp_path, checkpoint("bert"), tmp_path / "data", task=task)
        return ready.encoded["train"].fingerprint

    problem(tmp_path / "data", "single")
    first = fingerprint()
    assert first == fingerprint()
    assert len({first, fingerprint(max_length=8), fingerprint(max_length=9)}) == 3
