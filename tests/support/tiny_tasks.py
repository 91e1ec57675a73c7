"""Data sets for the tasks that are not one label for a text, small enough to train on in a second.

entity_data(folder)       words and their tags: good words and bad ones, in runs
choice_data(folder)       a text and four words, one of which is a good one
question_data(folder)     contexts of bad words with one run of good ones: the answer
"""

from pathlib import Path
from random import Random
from typing import Any

import tiny

TAGS = ("O", "B-negative", "I-negative", "B-positive", "I-positive")
NUM_CHOICES = 4


def entity_data(folder: Path, *, names: bool = True, longest: int = 9) -> Path:
    """Write `<split>.parquet`: tokens, and ner_tags as class ids or, without `names`, as strings.

    Some words are cut into three ("good-film"), and some are nothing at all to a tokenizer; a text
    of more than 30 words is longer than the tiny models take.
    """
    from datasets import ClassLabel, Dataset, List

    folder.mkdir(parents=True, exist_ok=True)
    for split, num_rows in tiny.NUM_ROWS.items():
        rows = [_entities(Random(f"{split} {row}"), longest) for row in range(num_rows)]
        data = Dataset.from_list(rows)
        if names:
            data = data.cast_column("ner_tags", List(ClassLabel(names=list(TAGS))))
        data.to_parquet(folder / f"{split}.parquet")
    return folder


def choice_data(folder: Path, *, columns: bool = False) -> Path:
    """Write `<split>.parquet`: startphrase, label, and choices as a list or in columns of SWAG."""
    from datasets import Dataset

    folder.mkdir(parents=True, exist_ok=True)
    for split, num_rows in tiny.NUM_ROWS.items():
        rows = [_choices(Random(f"{split} {row}")) for row in range(num_rows)]
        if columns:
            for row in rows:
                row |= {f"ending{i}": choice for i, choice in enumerate(row.pop("choices"))}
        Dataset.from_list(rows).to_parquet(folder / f"{split}.parquet")
    return folder


def question_data(folder: Path, *, unanswerable: bool = True, longest: int = 30) -> Path:
    """Write `<split>.parquet` in SQuAD's format; some contexts need three windows of 20 tokens.

    Without a run of good words there is no answer. With one, its first word is accepted, too.
    """
    from datasets import Dataset

    folder.mkdir(parents=True, exist_ok=True)
    for split, num_rows in tiny.NUM_ROWS.items():
        random = Random(split)
        runs = [0, 1, 2, 3] if unanswerable else [1, 2, 3]
        rows = [_question(random, runs[row % len(runs)], longest) for row in range(num_rows)]
        Dataset.from_list(rows).to_parquet(folder / f"{split}.parquet")
    return folder


def _entities(random: Random, longest: int) -> dict[str, Any]:
    words: list[str] = []
    tags: list[str] = []
    for _ in range(random.randint(2, longest)):
        kind = random.choice([None, None, *tiny.CLASSES])
        word = random.choice(tiny.CLASSES[kind] if kind else tiny.FILLERS)
        before = tags[-1] if tags else "O"
        follows = kind and before.endswith(kind)
        tags.append(f"{'I' if follows else 'B'}-{kind}" if kind else "O")
        words.append(random.choice([word, word, f"{word}-film"]) if kind else word)
    if random.random() < 0.2:
        words.append("\u00a0")
        tags.append("O")
    return {"tokens": words, "ner_tags": tags}


def _choices(random: Random) -> dict[str, Any]:
    label = random.randrange(NUM_CHOICES)
    choices = random.choices(tiny.CLASSES["negative"], k=NUM_CHOICES)
    choices[label] = random.choice(tiny.CLASSES["positive"])
    words = random.choices(tiny.FILLERS, k=random.randint(1, 7))
    return {"startphrase": " ".join(words), "choices": choices, "label": label}


def _question(random: Random, num_words: int, longest: int) -> dict[str, Any]:
    others = random.choices(
        (*tiny.FILLERS, *tiny.CLASSES["negative"]), k=random.randint(3, longest)
    )
    run = random.choices(tiny.CLASSES["positive"], k=num_words)
    place = random.randint(0, len(others))
    context = " ".join([*others[:place], *run, *others[place:]])
    start = len(" ".join([*others[:place], ""]))
    texts = [" ".join(run), run[0]] if run else []
    return {
        "question": " ".join(random.choices(tiny.FILLERS, k=random.randint(1, 3))),
        "context": context,
        "answers": {"text": texts, "answer_start": [start] * len(texts)},
    }
