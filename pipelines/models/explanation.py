"""What transformers and the Hub's client raise about a checkpoint -> one clear message."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pipelines.core import hub_client, hub_session
from pipelines.core.errors import HubError, ModelError, RequestError
from pipelines.models import trusted_code
from pipelines.models.revision import WITHOUT_HUB

if TYPE_CHECKING:
    from pipelines.models.section import Model
    from pipelines.tasks import Task


@contextmanager
def explained(section: "Model", task: "Task | None") -> Iterator[None]:
    """Turn what transformers and the Hub's client raise into one clear message.

    Requests inside the block are tried again.
    """
    from huggingface_hub.errors import HTTPError
    from safetensors import SafetensorError

    # ImportError: some tokenizers and architectures need a library that is not installed
    # what converts pickles on the Hub asks in the background, and fails there
    os.environ.setdefault("DISABLE_SAFETENSORS_CONVERSION", "1")
    errors = (OSError, ValueError, KeyError, ImportError, SafetensorError, HTTPError, RequestError)
    with hub_session.watched() as failures:
        try:
            yield
        except errors as error:
            cause = failures[-1] if failures else error
            raise _explanation(section, task, cause) from error
        if failures:  # a file that was there was taken for one that is not
            raise _explanation(section, task, failures[-1])


def _explanation(section: "Model", task: "Task | None", error: Exception) -> ModelError | HubError:
    # transformers raises an OSError of its own, whose cause is what the Hub's client raised
    name, purpose = section.checkpoint, f" for {task.name}" if task else ""
    cause = error if isinstance(error, RequestError) else error.__cause__ or error
    if needed := trusted_code.explanation(section, error):
        return ModelError(f"{name}: {needed}")
    message = hub_client.explanation("model", name, section.revision, WITHOUT_HUB, cause)
    if message:
        return HubError(f"{name}: {message}")
    reason = hub_client.first_line(error)
    if "use_safetensors" in reason:  # transformers' advice would switch a guard off
        reason = (
            "no file named model.safetensors in it; its weights may be pickles, which can run code "
            "when they are read: choose a checkpoint with safetensors, or convert it"
        )
    return ModelError(f"{name}: not a checkpoint{purpose}: {reason}")
