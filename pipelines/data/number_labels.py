"""Labels in text that are meant as numbers, but for a few: `0.5`, `2.0`, `n/a`."""

import re
from collections import Counter
from collections.abc import Container, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from pipelines.core.errors import DataError
from pipelines.core.labels import REGRESSION, SINGLE
from pipelines.data.bad_rows import RowFilter
from pipelines.data.rows import Rows

if TYPE_CHECKING:
    from datasets import Dataset

MIN_SHARE = 0.9  # of numbers among labels, for the others to be mistakes
GAPS = {"n/a", "na", "#n/a", "nan", "null", "none", "nil", "-", "--", "?", "."}
WHOLE = re.compile(r"0|-?[1-9][0-9]{0,17}")  # "007" is a code
NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")
THOUSANDS = re.compile(r"[+-]?[1-9][0-9]{0,2}(,[0-9]{3})+")
COMMAS = re.compile(rf"[+-]?[0-9]+(,[0-9]+)?|{THOUSANDS.pattern}")
AMOUNT = r"[+-]?[0-9][0-9,]*(\.[0-9]+)?"
WITH_UNIT = re.compile(rf"[+-]?[$€£¥] ?{AMOUNT}|{AMOUNT} ?[%$€£¥]")
NO_AMOUNT = re.compile(r"[^0-9.+-]")
AS_CLASSES = f"for classes set task.problem_type={SINGLE}"


def as_numbers(
    rows_by_split: Mapping[str, Rows], problem_type: str, bad_rows: RowFilter
) -> dict[str, Rows]:
    """Convert labels in text to numbers, where nearly all are; the others are bad rows.

    Whole numbers may be classes: beside them, only words for a gap are mistakes.

    Args:
        problem_type: as in the recipe.

    Raises:
        DataError: a label is no number, or has a comma, or a sign such as % or $.
    """
    if problem_type not in ("auto", REGRESSION):
        return dict(rows_by_split)
    texts = {split: rows for split, rows in rows_by_split.items() if _is_text(rows.dataset)}
    counts: Counter[str] = Counter()
    for rows in texts.values():
        counts.update(label.strip() for label in rows.dataset["label"][:])
    if _share(counts, COMMAS, ",") >= MIN_SHARE:
        raise _with_commas(texts, counts)
    # classes such as 5% and 10% have several examples each
    are_amounts = problem_type == REGRESSION or 2 * len(counts) > counts.total()
    if are_amounts and _share(counts, WITH_UNIT) >= MIN_SHARE:
        raise _with_unit(texts)
    if not _are_meant(counts, problem_type):
        return dict(rows_by_split)
    numbers = {
        split: bad_rows.apply(split, rows, _rows_without_number, "have no number")
        for split, rows in texts.items()
    }
    are_whole = problem_type == "auto" and all(map(_is_whole, numbers.values()))
    dtype = "int64" if are_whole else "float64"
    return {**rows_by_split, **{split: _cast(rows, dtype) for split, rows in numbers.items()}}


def _is_text(dataset: "Dataset") -> bool:
    return getattr(dataset.features["label"], "dtype", "") in ("string", "large_string")


def _are_meant(counts: Counter[str], problem_type: str) -> bool:
    """Return whether labels are meant as numbers, and some are none."""
    others = [label for label in counts if not NUMBER.fullmatch(label)]
    if not others:
        return False
    if problem_type == REGRESSION:
        return len(others) < len(counts)
    if all(label.lower() in GAPS for label in others):
        return max(_share(counts, WHOLE), _share(counts, NUMBER, ".")) >= MIN_SHARE
    return _share(counts, NUMBER) >= MIN_SHARE and any("." in label for label in counts)


def _share(counts: Counter[str], form: re.Pattern[str], character: str = "") -> float:
    """Return the share of labels of this form, if one of them has this character."""
    fitting = [label for label in counts if form.fullmatch(label)]
    if not any(character in label for label in fitting):
        return 0.0
    return sum(counts[label] for label in fitting) / counts.total()


def _rows_without_number(dataset: "Dataset") -> Iterator[tuple[int, str]]:
    for row, label in enumerate(dataset["label"][:]):
        if not NUMBER.fullmatch(label.strip()):
            yield row, f"label {label!r} is no number, as nearly all others are; {AS_CLASSES}"


def _with_commas(texts: Mapping[str, Rows], counts: Counter[str]) -> DataError:
    with_commas = [label for label in counts if "," in label and COMMAS.fullmatch(label)]
    may_be_thousands = all(map(THOUSANDS.fullmatch, with_commas))
    place, label = _first(texts, {*with_commas})
    if may_be_thousands:
        return DataError(
            f"{place}: label {label!r} has a comma: where commas separate thousands, write "
            f"{label.replace(',', '')!r}, where they are decimal, {label.replace(',', '.')!r} "
            f"(pandas.read_csv reads them with thousands=',' or decimal=','), or {AS_CLASSES}"
        )
    return DataError(
        f"{place}: label {label!r} has a decimal comma; write {label.replace(',', '.')!r} "
        f"(pandas.read_csv reads commas with decimal=','), or {AS_CLASSES}"
    )


def _with_unit(texts: Mapping[str, Rows]) -> DataError:
    labels = {label for rows in texts.values() for label in rows.dataset["label"][:]}
    place, label = _first(texts, {v.strip() for v in labels if WITH_UNIT.fullmatch(v.strip())})
    return DataError(
        f"{place}: label {label!r} is a number with a sign; write the number alone, "
        f"{NO_AMOUNT.sub('', label)!r}, or {AS_CLASSES}"
    )


def _first(texts: Mapping[str, Rows], labels: Container[str]) -> tuple[str, str]:
    """Return the place and the text of the first of these labels."""
    for split, rows in texts.items():
        for row, label in enumerate(rows.dataset["label"][:]):
            if label.strip() in labels:
                return rows.location(split, row), label.strip()
    raise AssertionError("no row has one of these labels")


def _is_whole(rows: Rows) -> bool:
    return all(WHOLE.fullmatch(label.strip()) for label in set(rows.dataset["label"][:]))


def _cast(rows: Rows, dtype: str) -> Rows:
    from datasets import Value

    convert = int if dtype == "int64" else float
    numbers = [convert(label) for label in rows.dataset["label"][:]]
    others = rows.dataset.remove_columns("label")
    return replace(rows, dataset=others.add_column("label", numbers, feature=Value(dtype)))
