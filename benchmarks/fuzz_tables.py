"""Tables as people and programs fill them: columns, values, and the commands that read them."""

import json
from random import Random
from typing import Any

from fuzz_fixtures import Case
from fuzz_formats import COMPRESSIONS, SUFFIXES, Rows, damaged, written, zipped

TASKS = (
    *["text_classification"] * 6,
    "causal_lm",
    "masked_lm",
    "multiple_choice",
    "question_answering",
    "token_classification",
)
WORDS = (
    "a",
    "bad film",
    "good",
    "plot, the",
    "fine\nfilm",
    'the "great" one',
    "it\tis",
    "of;it|is",
)
TEXTS = ("", " ", "=1+1", "\x00", "\x1b[2J", "naïve", "日本語 😀", "\ufeffa", "x" * 5000, "\ud800")
TEXTS += ("null", "NA", "1.5", "-", "#", '"', "''", "\\", "\r", "\u2028", "0001", "true")
LABELS: tuple[tuple[Any, ...], ...] = (
    ("no", "yes"),
    (0, 1),
    (0, 1, 2),
    ("0", "1"),
    (0.5, 1.5, 2.25),
    (True, False),
    ("a", "A", "a "),
    ("pos",),
    (["x"], ["x", "y"], []),
    ([0, 1], [1, 1]),
    ({"a": 1}, {"a": 2}),
    (1e308, float("nan"), float("inf")),
    (10**25, -(10**25)),
    ("good\nbad", "=cmd()"),
    ("2024-01-01", "2024-02-30"),
    ("B-x", "O"),
    ("", "yes"),
)
NAMES = ("text", "sentence", "Text ", "review", "", "text", "question", "TEXT", "a.b", "tokens")
TARGETS = ("label", "labels", "Label", "class", "ner_tags", "answers", "choices", "stars", "y")
EXTRA = ("id", "text_pair", "context", "choices", "split", "group", "Unnamed: 0", "label")
OPTIONS = (
    "data.columns.text=text",
    "data.columns.label=label",
    "data.columns={text: a, label: b}",
    "data.separator=;",
    "data.separator=xx",
    "data.encoding=latin-1",
    "data.encoding=utf-16",
    "data.encoding=klingon",
    "data.on_bad_row=skip",
    "data.limit.train=3",
    "data.splits.validation=0.5",
    "data.splits.test=null",
    "data.folds=2",
    "data.group=id",
    "task.max_length=4",
)


def make(random: Random) -> Case:
    """Draw one table or three, and a command that reads them."""
    suffix = random.choice(SUFFIXES)
    splits = ("train",) if random.random() < 0.4 else ("train", "validation", "test")
    task = random.choice(TASKS)
    layout = _layout(random, task)
    files = {}
    for split in splits:
        content = written(random, suffix, _rows(random, layout))
        name = f"data/{split}{suffix}"
        if random.random() < 0.08:
            compression = random.choice(sorted(COMPRESSIONS))
            content, name = COMPRESSIONS[compression](content), name + compression
        elif random.random() < 0.05:
            content, name = zipped(content, f"{split}{suffix}"), f"data/{split}.zip"
        files[name] = damaged(random, content) if random.random() < 0.15 else content
    path = random.choice(("data", *files))
    command = random.choice((*["check"] * 6, "run", "run", "init", "predict", "evaluate"))
    if command in ("check", "run"):
        files["recipe.yaml"] = _recipe(task, path)
        return Case.of(command, "recipe.yaml", *_options(random), files=files)
    if command == "init":
        return Case.of("init", path, "--model", "given/checkpoints/bert", files=files)
    options = [option for option in _options(random) if option.startswith("data.")]
    run = "given/runs/text_classification/1"
    if command == "evaluate":
        return Case.of("evaluate", run, "--data", path, files=files)
    return Case.of("predict", run, path, *options, files=files)


def _options(random: Random) -> list[str]:
    return random.sample(OPTIONS, k=random.choice((0, 0, 0, 1, 1, 2)))


def _recipe(task: str, path: str) -> bytes:
    values = {
        "task": task,
        "model": f"./given/checkpoints/{'gpt2' if task == 'causal_lm' else 'bert'}",
        "data": {"source": "files", "path": f"./{path}"},
        "strategy": "full",
        "training": {"max_steps": 2, "use_cpu": True},
        "printed_lines": False,
    }
    return json.dumps(values).encode()  # which is YAML


def _layout(random: Random, task: str) -> dict[str, Any]:
    """Draw the columns, each with what draws its values, as a task or as nobody would have them."""
    usual: dict[str, dict[str, Any]] = {
        "multiple_choice": {"text": _text, "choices": _list, "label": (0, 1, 2)},
        "question_answering": {"question": _text, "context": _text, "answers": _answer},
        "token_classification": {"tokens": _list, "ner_tags": _tags},
        "causal_lm": {"text": _text},
        "masked_lm": {"text": _text},
    }
    columns = dict(usual.get(task, {}))
    if not columns or random.random() < 0.15:
        name = random.choice((*["label"] * 8, *TARGETS))
        columns = {random.choice((*["text"] * 6, *NAMES)): _text}
        columns[name] = random.choice((*LABELS[:4], *LABELS[:4], *LABELS))
    for name in random.sample(EXTRA, k=random.choice((0, 0, 0, 1, 2))):
        columns.setdefault(name, {"id": _number, "choices": _list}.get(name, _text))
    names = random.sample(sorted(columns), k=len(columns))
    odd = random.choice((0, 0, 0, 0.02, 0.05, 0.5))
    return {"columns": {name: columns[name] for name in names}, "odd": odd}


def _rows(random: Random, layout: dict[str, Any]) -> Rows:
    rows = []
    for number in range(random.choice((0, 1, 3, 12, 12, 24, 24, 40, 40))):
        row: dict[str, Any] = {}
        for name, draw in layout["columns"].items():
            row[name] = random.choice(draw) if isinstance(draw, tuple) else draw(random, number)
            if random.random() < layout["odd"]:
                row[name] = random.choice((*TEXTS, None, 3, [], {}))
        if random.random() < layout["odd"] / 2:
            row.pop(random.choice(sorted(row)))
        rows.append(row)
    return rows


def _text(random: Random, number: int) -> str:
    return f"{random.choice(WORDS)} {random.choice(WORDS)} {number}"


def _number(random: Random, number: int) -> int:
    return number // random.choice((1, 1, 3))


def _list(random: Random, number: int) -> list[str]:
    return random.sample(WORDS[:4], k=3)


def _tags(random: Random, number: int) -> list[Any]:
    return [random.choice(("O", "B-x", "I-x")) for _ in range(3)]


def _answer(random: Random, number: int) -> Any:
    answer = {"text": [str(number)], "answer_start": [random.choice((0, 5, 5, 10**6))]}
    return random.choice((answer, answer, {"text": [], "answer_start": []}, str(number), None))
