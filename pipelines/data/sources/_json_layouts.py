"""A whole JSON document -> rows: a list of them, under a key, as columns, or as SQuAD has it."""

from collections.abc import Iterator
from typing import Any

EXPECTED = (
    'expected rows as objects ({"text": …, "label": …}, one a line or in a list), a list of them '
    "under one key, or a list for each column"
)


def document_rows(document: Any) -> tuple[list[Any], str]:
    """Find the rows of a document.

    Returns:
        (rows, what was inferred, for the user; empty where that is plain).

    Raises:
        ValueError: it has none of the known layouts; the message says what it has instead.
    """
    rows, note = (document, "") if isinstance(document, list) else _rows_of_object(document)
    if rows and all(_has_questions(row) for row in rows):
        return list(_questions(rows)), "rows are the questions of SQuAD's paragraphs"
    return rows, note


def _rows_of_object(document: Any) -> tuple[list[Any], str]:
    if not isinstance(document, dict):
        raise ValueError(f"holds {document!r}; {EXPECTED}")
    lists = {name: value for name, value in document.items() if isinstance(value, list)}
    objects = [name for name, rows in lists.items() if _are_objects(rows)]
    if document.keys() == {"columns", "index", "data"} == lists.keys():
        # to_json(orient="split") of pandas
        rows = [dict(zip(document["columns"], row, strict=True)) for row in document["data"]]
        return rows, "rows are those of 'data'"
    if lists and len(lists) == len(document) and len(objects) < len(lists):
        return _transposed(lists), "a list for each column"
    if len(objects) == 1:
        return lists[objects[0]], f"rows are those of '{objects[0]}'"
    if objects:
        raise ValueError(
            f"has rows under several keys ({', '.join(objects)}); put each list into a file of its "
            "own, such as train.json and test.json"
        )
    return _rows_of_objects(document)


def _are_objects(rows: list[Any]) -> bool:
    return all(isinstance(row, dict) for row in rows)


def _rows_of_objects(document: dict[str, Any]) -> tuple[list[Any], str]:
    """Read rows by their numbers, or columns by the numbers of rows: pandas' to_json has both."""
    values = [value for value in document.values() if isinstance(value, dict)]
    if not values or len(values) < len(document):
        return [document], ""  # one row
    if all(name.isdecimal() for name in document):
        return values, "rows by their numbers"
    numbers = values[0].keys()
    if all(value.keys() == numbers for value in values) and all(map(str.isdecimal, numbers)):
        return _transposed({name: [*value.values()] for name, value in document.items()}), (
            "an object for each column"
        )
    names = ", ".join([*document][:5])
    raise ValueError(f"holds an object for each of {names}…; {EXPECTED}")


def _transposed(columns: dict[str, list[Any]]) -> list[dict[str, Any]]:
    lengths = {name: len(values) for name, values in columns.items()}
    if len(set(lengths.values())) > 1:
        counts = ", ".join(f"'{name}' {length:,}" for name, length in lengths.items())
        raise ValueError(f"its columns differ in length: {counts}; {EXPECTED}")
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _has_questions(row: Any) -> bool:
    """Return whether this is an article of SQuAD's official file, or a paragraph of one."""
    paragraphs = row.get("paragraphs", [row]) if isinstance(row, dict) else None
    return isinstance(paragraphs, list) and all(
        isinstance(paragraph, dict) and isinstance(paragraph.get("qas"), list)
        for paragraph in paragraphs
    )


def _questions(articles: list[dict[str, Any]]) -> Iterator[Any]:
    for article in articles:
        for paragraph in article.get("paragraphs", [article]):
            context = paragraph.get("context")
            for question in paragraph["qas"]:
                if not isinstance(question, dict):
                    raise ValueError(f"'qas' holds {question!r}; expected objects with a question")
                fields = {name: question.get(name) for name in ("id", "question", "answers")}
                yield {"title": article.get("title"), "context": context, **fields}
