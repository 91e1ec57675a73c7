"""The columns of rows to predict -> the inputs of a task, for what a model was trained on."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from pipelines.data import columns
from pipelines.data.columns import Columns
from pipelines.data.usual_columns import names_in

if TYPE_CHECKING:
    from datasets import Dataset

    from pipelines.tasks import Task

NAMES = ("text", "sentence")  # of columns of texts, where a task reads words
OF_WORDS = "sentence"  # the role of a table with a word in each row


def assign(dataset: "Dataset", task: "Task", trained: Columns, explicit: Columns) -> Columns:
    """Assign a column to each input: the recipe's, that of training, a usual name, the only one.

    Raises:
        DataError: there is none for an input.
    """
    usual = {role: names for role, names in task.roles.items() if _is_input(role, task, trained)}
    if "tokens" in usual:
        usual["tokens"] = (*usual["tokens"], *NAMES)
    plain = {role.rstrip("?+"): role for role in usual}
    explicit = {role: column for role, column in explicit.items() if role != task.target}
    trained = in_any_case(dataset, trained)
    available = columns.with_fields(dataset, {**trained, **explicit}).column_names
    same = {role: c for role, c in trained.items() if role in plain and role not in explicit}
    same = {role: c for role, c in same.items() if {*names_in({role: c})} <= {*available}}
    chosen = {**same, **explicit}
    if not chosen and len(available) == len(plain) == 1:
        return dict.fromkeys(plain, available[0])
    roles = dict(_wanted(usual, trained, available))
    targets = {*task.roles.get(task.target or "", ())} - {*names_in(chosen)}
    candidates = [name for name in available if name not in targets]
    layouts = [layout for layout in task.layouts if layout.columns.keys() <= plain.keys()]
    return columns.assign(candidates, roles, chosen, layouts)[0]


def _wanted(
    usual: Mapping[str, tuple[str, ...]], trained: Columns, available: Sequence[str]
) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield each role with the names of its column, that of training before the usual ones."""
    letters = {*map(str.lower, available)}
    for role, names in usual.items():
        known = trained.get(role.rstrip("?+"))
        # it is named where it is missing; of several that differ by capitals none is guessed
        first = (known,) if isinstance(known, str) and known.lower() not in letters else ()
        # where training is known, its inputs are all needed, also the optional ones
        yield role.rstrip("?") if trained else role, tuple(dict.fromkeys((*first, *names)))


def in_any_case(dataset: "Dataset", trained: Columns) -> Columns:
    """Name the columns of training as a table does that differs from it by capitals alone."""
    available = dataset.column_names
    by_letters = Counter(map(str.lower, available))
    spelled = {name.lower(): name for name in available if by_letters[name.lower()] == 1}

    def here(name: str) -> str:
        """Return the name in this table, where there is one."""
        return name if name in available else spelled.get(name.lower(), name)

    return {
        role: here(column) if isinstance(column, str) else [*map(here, column)]
        for role, column in trained.items()
    }


def _is_input(role: str, task: "Task", trained: Columns) -> bool:
    name = role.rstrip("?+")
    return name not in (task.target, OF_WORDS) and (not trained or name in trained)
