"""Several columns of a table -> one column: of lists, of classes, or of joined texts."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pipelines.core.errors import DataError
from pipelines.core.label_messages import SHARES

if TYPE_CHECKING:
    from datasets import Dataset

TEXT_TYPES = ("string", "large_string")
# a column of 0 and 1, or of true and false, may also be read as text
INDICATORS: Mapping[object, bool] = {
    **dict.fromkeys((0, "0", "False", "false", "FALSE"), False),
    **dict.fromkeys((1, "1", "True", "true", "TRUE"), True),
}
BATCH_ROWS = 10_000  # joined at a time


def join_texts(dataset: "Dataset", names: list[str], split: str, role: str) -> "Dataset":
    """Join the texts of several columns by a space; a row that lacks one of them has none.

    Raises:
        DataError: a column holds no texts.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    for name in names:
        kind = getattr(dataset.features[name], "dtype", "lists or fields")
        if kind not in TEXT_TYPES:
            raise DataError(
                f"{split}: column '{name}' holds {kind}; expected texts, as several columns of "
                f"data.columns.{role} are joined"
            )
    chunks = []
    for table in dataset.select_columns(names).with_format("arrow").iter(BATCH_ROWS):
        texts = [table[name].cast("string") for name in names]
        chunks += pc.binary_join_element_wise(*texts, " ").chunks
    return _merged(dataset, names, role, pa.chunked_array(chunks, "string"))


def merge_lists(dataset: "Dataset", names: list[str], split: str, role: str) -> "Dataset":
    """Merge several columns into one column of lists."""
    rows = zip(*(dataset[name][:] for name in names), strict=True)
    return _merged(dataset, names, role, [list(row) for row in rows])


def merge_answers(dataset: "Dataset", names: list[str], split: str, role: str) -> "Dataset":
    """Merge the text of an answer and its first character, or lists of them, as SQuAD does.

    A row without a text has no answer.

    Raises:
        DataError: there are not two columns.
    """
    if len(names) != 2:
        raise DataError(
            f"data.columns.{role}: got {len(names)} columns ({', '.join(names)}); expected two, "
            "the text of the answer and the number of its first character"
        )
    rows = []
    for text, start in zip(*(dataset[name][:] for name in names), strict=True):
        texts = text if isinstance(text, list) else [text] if text else []
        starts = start if isinstance(start, list) else [start] * len(texts)
        rows.append({"text": texts, "answer_start": starts})
    return _merged(dataset, names, role, rows)


def merge_classes(dataset: "Dataset", names: list[str], split: str, role: str) -> "Dataset":
    """Merge one 0/1 column per class into one column: the list of classes of each row.

    Of an empty cell nothing but a gap is known: the row is left for the checks of labels.

    Raises:
        DataError: a cell that is neither 0 nor 1.
    """
    from datasets import ClassLabel, List

    rows: list[list[int | None]] = [[] for _ in range(len(dataset))]
    for i, name in enumerate(names):
        for row, value in enumerate(dataset[name][:]):
            if value in (None, "") or value != value:  # only NaN differs from itself
                rows[row].append(None)
            elif value not in INDICATORS:
                remedy = f"; {SHARES}" * (isinstance(value, float) and 0 < value < 1)
                raise DataError(
                    f"{split}, row {row}: column '{name}' is {value!r}; expected 0 or 1{remedy}"
                )
            elif INDICATORS[value]:
                rows[row].append(i)
    feature = List(ClassLabel(names=names))
    return _merged(dataset, names, role, rows, feature=feature)


def merged_name(role: str) -> str:
    """Name the column of a role until all columns are renamed: one may be called as the role."""
    return f"merged into {role}"


def _merged(
    dataset: "Dataset", names: list[str], role: str, values: Any, **options: Any
) -> "Dataset":
    """Put one column in the place of several; added first, as no column left means no row left."""
    return dataset.add_column(merged_name(role), values, **options).remove_columns(names)


JOINED = ("text", "text_pair")  # roles in which several columns are joined to one text
MERGES = {  # others become lists
    "label": merge_classes,
    "answers": merge_answers,
    **dict.fromkeys(JOINED, join_texts),
}
