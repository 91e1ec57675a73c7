"""Tables as people and programs write them: dialects, encodings, layouts, and damage."""

import bz2
import csv
import gzip
import io
import json
import lzma
import zipfile
from collections.abc import Callable
from random import Random
from typing import Any

from fuzz_fixtures import Case

Rows = list[dict[str, Any]]

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
ENCODINGS = ("utf-8", "utf-8", "utf-8-sig", "utf-16", "utf-16-le", "latin-1", "cp1252", "utf-32")
COMPRESSIONS: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
}
SUFFIXES = (".csv", ".csv", ".tsv", ".jsonl", ".json", ".parquet", ".arrow", ".txt", ".conll")
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
        content = _written(random, suffix, _rows(random, layout))
        name = f"data/{split}{suffix}"
        if random.random() < 0.08:
            compression = random.choice(sorted(COMPRESSIONS))
            content, name = COMPRESSIONS[compression](content), name + compression
        elif random.random() < 0.05:
            content, name = _zipped(content, f"{split}{suffix}"), f"data/{split}.zip"
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


def damaged(random: Random, content: bytes) -> bytes:
    """Cut, repeat, insert or change bytes."""
    for _ in range(random.choice((1, 1, 1, 2, 4))):
        start = random.randrange(len(content) + 1)
        length = random.choice((1, 1, 2, 8, 64))
        part = content[start : start + length]
        noise = bytes(random.choice((0, 10, 13, 34, 44, 92, 123, 200, 255)) for _ in range(length))
        content = random.choice(
            (
                content[:start],
                content[:start] + noise + content[start:],
                content[:start] + noise + content[start + length :],
                content[:start] + content[start + length :],
                content[:start] + part * 3 + content[start:],
                content[start:],
            )
        )
    return content


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


def _written(random: Random, suffix: str, rows: Rows) -> bytes:
    """Write rows in the format of a suffix; another format now and then."""
    kind = random.choice(SUFFIXES) if random.random() < 0.05 else suffix
    if kind in (".csv", ".tsv"):
        return _delimited(random, rows, "\t" if kind == ".tsv" else random.choice(",,,,;\t|:"))
    if kind in (".jsonl", ".json"):
        return _json(random, rows, lines=kind == ".jsonl" or random.random() < 0.3)
    if kind in (".parquet", ".arrow"):
        return _columnar(rows, kind)
    lines = [" ".join(str(value) for value in row.values()) for row in rows]
    text = (
        "\n".join(lines) if kind == ".txt" else "\n".join(line.replace(" ", "\n") for line in lines)
    )
    return _encoded(random, text)


def _delimited(random: Random, rows: Rows, separator: str) -> bytes:
    names = list(rows[0]) if rows else ["text", "label"]
    file = io.StringIO(newline="")
    quoting = random.choice((csv.QUOTE_MINIMAL, csv.QUOTE_MINIMAL, csv.QUOTE_ALL))
    end = random.choice(("\n", "\n", "\r\n", "\r"))
    writer = csv.writer(file, delimiter=separator, quoting=quoting, lineterminator=end)
    if random.random() < 0.9:
        writer.writerow(names)
    for row in rows:
        writer.writerow([_cell(row.get(name, "")) for name in names])
    return _encoded(
        random, random.choice(("", "", "", "sep=;\n", "# note\n", "\n")) + file.getvalue()
    )


def _cell(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, list | dict) else value


def _json(random: Random, rows: Rows, *, lines: bool) -> bytes:
    escaped = random.random() < 0.5
    if lines:
        return _encoded(random, "\n".join(json.dumps(row, ensure_ascii=escaped) for row in rows))
    columns = {name: [row.get(name) for row in rows] for name in (rows[0] if rows else ())}
    whole = random.choice((rows, rows, {"data": rows}, columns, {"version": 1, "data": [rows]}))
    return _encoded(random, json.dumps(whole, ensure_ascii=escaped))


def _columnar(rows: Rows, kind: str) -> bytes:
    """Write Parquet or Arrow; what their types cannot hold as text."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        made = pa.Table.from_pylist(rows)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError, UnicodeEncodeError):
        made = pa.Table.from_pylist([{k: ascii(v) for k, v in row.items()} for row in rows])
    file = io.BytesIO()
    if kind == ".parquet":
        pq.write_table(made, file)
        return file.getvalue()
    with pa.ipc.new_stream(file, made.schema) as writer:
        writer.write_table(made)
    return file.getvalue()


def _encoded(random: Random, text: str) -> bytes:
    encoding = random.choice(ENCODINGS) if random.random() < 0.4 else "utf-8"
    # half a character is what cut files hold
    return text.encode(encoding, "surrogatepass" if encoding == "utf-8" else "replace")


def _zipped(content: bytes, name: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(name, content)
    return file.getvalue()
