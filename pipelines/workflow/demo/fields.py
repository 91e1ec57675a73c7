"""What a model reads -> the inputs of the page."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from pipelines.tasks import Task
    from pipelines.workflow.inference.predictor import Predictor

OF_WORDS = "sentence"  # the role of a table with a word in each row
CHOICES = "choices"
TITLES = {"text_pair": "second text", "tokens": "text"}
LONG = ("text", "text_pair", "context", "tokens")  # roles of texts of several lines


Kind = Literal["text", "image", "audio"]
MEDIA: dict[str, Kind] = {"image": "image", "audio": "audio"}  # by role


@dataclass(frozen=True)
class Field:
    """An input of the page.

    Attributes:
        role: of the task; a choice has a number, too: "choices 1".
        kind: what is given: a text, or a file.
    """

    role: str
    kind: Kind = "text"

    @property
    def title(self) -> str:
        """What stands above it."""
        return TITLES.get(self.role, self.role)

    @property
    def is_long(self) -> bool:
        """Whether a text may have several lines."""
        return self.role in LONG


def of(predictor: "Predictor") -> list[Field]:
    """List the inputs of a model, those of pairs only where it was trained on pairs."""
    fields = []
    for role in _roles(predictor.task, predictor):
        if role == CHOICES:
            count = predictor.labels.num_labels
            fields += [Field(f"{CHOICES} {number}") for number in range(1, count + 1)]
        else:
            fields.append(Field(role, MEDIA.get(role, "text")))
    return fields


def _roles(task: "Task", predictor: "Predictor") -> list[str]:
    """Return the inputs that the model reads, in the order of the task."""
    inputs = {role.rstrip("?+"): role.endswith("?") for role in task.roles}
    unread, known = (task.target, OF_WORDS), predictor.columns
    return [
        role
        for role, is_optional in inputs.items()
        if role not in unread and (role in known if known else not is_optional)
    ]
