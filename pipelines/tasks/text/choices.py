"""RowChoices and the key of the right one, in the forms of published data sets -> texts and ids.

choices                                      key
["Oslo", "Rome"]                             0, 1, "1", "A", "(b)" by their order, or "Rome"
{text: ["Oslo", "Rome"], label: ["A", "B"]}  one of the row's own labels (ARC)
[{text: "Oslo", label: "A"}, …]              the same
{A: "Oslo", B: "Rome"}                       the name of a field
"""

import string
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

from pipelines.tasks.text.choice_places import in_order, letter_place, place_by_text

if TYPE_CHECKING:
    from datasets import Dataset

MAX_SHOWN_CHARACTERS = 80  # of a value in a message


class RowChoices(NamedTuple):
    """The choices of a row, and its own labels of them, if it has any."""

    texts: Any
    labels: Sequence[str] = ()

    def problem(self, num_choices: int) -> str | None:
        """Say what is wrong with the texts; None where nothing is."""
        if not isinstance(self.texts, list) or not all(isinstance(t, str) for t in self.texts):
            return f"choices is {_shown(self.texts)}; expected a list of strings"
        if len(self.texts) != num_choices:
            return f"{len(self.texts)} choices; expected {num_choices}, as in most rows"
        return None


def parse(value: Any) -> RowChoices:
    """Parse the choices of a row; what has none of the known forms is returned as it is."""
    if isinstance(value, list) and value and all(isinstance(each, dict) for each in value):
        texts = [each.get("text") for each in value]
        value = {"text": texts, "label": [each.get("label") for each in value]}
    if not isinstance(value, dict):
        return RowChoices(value)
    if isinstance(value.get("text"), list):
        labels = value.get("label")
        return RowChoices(value["text"], [*map(str, labels)] if isinstance(labels, list) else ())
    # Arrow gives every row the fields of all
    present = {name: text for name, text in value.items() if text is not None}
    return RowChoices([*present.values()], [*present])


def usual_number(rows: Iterable[RowChoices]) -> int:
    """Return the number of choices that is the most frequent, 2 at least."""
    lengths = Counter(len(row.texts) for row in rows if isinstance(row.texts, list))
    return max([2, *(length for length, _ in lengths.most_common(1))])


@dataclass(frozen=True)
class ChoiceKeys:
    """How a label column names the right choice.

    Attributes:
        names: of the choices, in their order.
        are_texts: whether a key is the text of a choice, where it may also be its place.
        first: the number of the first choice.
    """

    names: tuple[str, ...]
    are_texts: bool = False
    first: int = 0

    @classmethod
    def of(
        cls, rows: Sequence[RowChoices], labels: Sequence[Any], num_choices: int
    ) -> "ChoiceKeys":
        """Infer from the labels of all rows; those without one do not count."""
        texts = [key(label) for label in labels]
        numbers = {text for text in texts if text.isdecimal()}
        letters = {text for text in texts if letter_place(text) is not None}
        # without a 0, the number of choices itself shows that they count from 1, and so do letters
        first = int("0" not in numbers and (str(num_choices) in numbers or bool(letters)))
        if declared := next((row.labels for row in rows if len(row.labels) == num_choices), ()):
            return cls(tuple(declared), first=first)
        pairs = [(text, row.texts) for text, row in zip(texts, rows, strict=True) if text]
        num_texts = sum(place_by_text(*pair) is not None for pair in pairs)
        num_places = sum(in_order(*pair, first) is not None for pair in pairs)
        # "2" may be a place or the text of a choice, and 2 is rather a place
        if num_texts + any(isinstance(label, str) for label in labels) > max(num_places, 1):
            return cls(tuple(map(str, range(num_choices))), are_texts=True, first=first)
        if letters:
            alphabet = string.ascii_lowercase if min(letters).islower() else string.ascii_uppercase
            return cls(tuple(alphabet[:num_choices]), first=first)
        return cls(tuple(map(str, range(first, first + num_choices))), first=first)

    def place(self, row: RowChoices, label: Any) -> int | None:
        """Return the place of the right choice, from 0; None if the label names none of them."""
        text = key(label)
        if text in row.labels:
            return row.labels.index(text)
        places = [in_order(text, row.texts, self.first), place_by_text(text, row.texts)]
        if self.are_texts:
            places.reverse()
        return next((place for place in places if place is not None), None)

    def mismatch(self, row: RowChoices, label: Any) -> str:
        """Say that a label names none of the choices, and which do."""
        known = ", ".join(row.labels or self.names)
        return f"label {label!r} names no choice; expected {known}, or one of {_shown(row.texts)}"


def key(label: Any) -> str:
    """Return a label as text, empty if it is missing; a gap makes integers floats."""
    if label is None or label != label:
        return ""
    return str(int(label)) if isinstance(label, float) and label.is_integer() else str(label)


def arrange(
    splits: "Mapping[str, Dataset]", note: Callable[[str], None]
) -> "dict[str, tuple[Dataset, Mapping[int, str]]]":
    """Make choices lists of texts, and labels the place of the right one.

    Returns:
        split -> (its rows, position -> what is wrong with a row).
    """
    rows = {split: [*map(parse, data["choices"][:])] for split, data in splits.items()}
    num_choices = usual_number(rows["train"])
    labels = chain.from_iterable(data["label"][:] for data in splits.values())
    keys = ChoiceKeys.of([*chain.from_iterable(rows.values())], [*labels], num_choices)
    if keys.are_texts:
        note("label: the text of the right choice, looked up among those of its row")
    return {
        split: _arranged(data, rows[split], keys, num_choices) for split, data in splits.items()
    }


def texts_of(dataset: "Dataset", num_choices: int) -> "tuple[Dataset, dict[int, str]]":
    """Make choices lists of texts, where no label says which is right.

    Returns:
        (the rows, position -> what is wrong with a row).
    """
    from datasets import List, Value

    rows = [*map(parse, dataset["choices"][:])]
    problems = {i: wrong for i, row in enumerate(rows) if (wrong := row.problem(num_choices))}
    texts = [[] if i in problems else row.texts for i, row in enumerate(rows)]
    others = dataset.remove_columns(["choices"])
    return others.add_column("choices", texts, feature=List(Value("string"))), problems


def _arranged(
    dataset: "Dataset", rows: list[RowChoices], keys: ChoiceKeys, num_choices: int
) -> "tuple[Dataset, dict[int, str]]":
    from datasets import ClassLabel, List, Value

    labels: list[Any] = dataset["label"][:]
    feature = dataset.features["label"]
    problems = {i: wrong for i, row in enumerate(rows) if (wrong := row.problem(num_choices))}
    if not hasattr(feature, "names"):
        feature = ClassLabel(names=list(keys.names))
        for i, row in enumerate(rows):
            place = None if i in problems else keys.place(row, labels[i])
            if place is None and key(labels[i]):
                problems.setdefault(i, keys.mismatch(row, labels[i]))
            labels[i] = place
    texts = [[] if i in problems else row.texts for i, row in enumerate(rows)]
    others = dataset.remove_columns(["choices", "label"])
    arranged = others.add_column("choices", texts, feature=List(Value("string")))
    return arranged.add_column("label", labels, feature=feature), problems


def _shown(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= MAX_SHOWN_CHARACTERS else f"{shown[:MAX_SHOWN_CHARACTERS]}…"
