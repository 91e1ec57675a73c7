"""Upload of a finished run to the Hub: model, processor and card; a Space that shows it."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from http import HTTPStatus
from shlex import join
from typing import Any

from pipelines.core import hub_session, xet_storage
from pipelines.core.console import shows_bars
from pipelines.core.errors import HubError, RequestError, RunError
from pipelines.core.hub_client import first_line
from pipelines.core.hub_faults import LOGIN
from pipelines.core.redaction import holds_secret
from pipelines.core.startup import without_bars
from pipelines.models.output import adapter_folder
from pipelines.models.output.reload import library_of
from pipelines.report import model_address
from pipelines.report.run_folder import RunFolder

IGNORED_FILES = ["training_args.bin", "checkpoint-*"]  # pickles, which hold local paths


def check(repo_id: str) -> None:
    """Check before training that a push afterwards can succeed.

    Raises:
        HubError: invalid repository name, no token, a read-only token, or no connection.
    """
    from huggingface_hub import HfApi

    check_name(repo_id)
    try:
        with hub_session.watched():
            user = HfApi().whoami()
    except Exception as error:
        raise HubError(
            f"cannot push to {repo_id}: {_reason(error)}; hub.push=false trains without pushing"
        ) from None
    # a fine-grained token has another role; whether it may write shows only at the push
    if user.get("auth", {}).get("accessToken", {}).get("role") == "read":
        raise HubError(
            f"cannot push to {repo_id}: the token may only read; create one with write access"
        )


def push(folder: RunFolder, repo_id: str, *, private: bool = True) -> str:
    """Upload the model folder and return the address of the repository.

    Args:
        private: the visibility of a repository that is created; an existing one keeps its own.

    Raises:
        RunError: the run has not finished, has lost its card, its adapter is for a local checkpoint
            folder, or it has several models.
        ModelError: the run has lost its model.
        HubError: the push failed; the run is unchanged. The message has the command to repeat it.
    """
    from huggingface_hub import HfApi

    _check_model(folder)
    check_name(repo_id)
    with _uploading(folder, repo_id, ["graft", "push", str(folder), repo_id]):
        api = HfApi()
        url = api.create_repo(repo_id, private=private, exist_ok=True)
        # before the upload: the card that arrives must load the model from where it is
        model_address.set_in_card(folder.card, repo_id)
        upload = partial(
            api.upload_folder,
            repo_id=repo_id,
            folder_path=folder.model,
            commit_message=f"Model and card of run {folder.path.name}",
            ignore_patterns=IGNORED_FILES,
        )
        xet_storage.avoiding(repo_id, upload)
    return str(url)


def _check_model(folder: RunFolder) -> None:
    """Refuse a run of which nobody could load a model from the Hub."""
    if not folder.done:
        raise RunError(f"{folder}: this run has not finished; there is no model to push yet")
    library = library_of(folder.model)
    if not folder.card.is_file():
        raise RunError(f"{folder.card}: missing; a model is pushed with its card")
    if checkpoint := adapter_folder.folder_below(folder.model):
        raise RunError(
            f"{folder}: an adapter for the local folder {checkpoint}, which is not on the Hub; "
            "train with strategy.save=merged, or on a checkpoint of the Hub"
        )
    if library == "side-by-side":
        raise RunError(
            f"{folder}: several models side by side, which no class loads from the Hub; push a run "
            "of one checkpoint"
        )


def push_space(
    folder: RunFolder, space_id: str, model_id: str, files: Mapping[str, str], *, private: bool
) -> str:
    """Upload the files of a Space that shows a pushed model; return its address.

    Args:
        files: name -> content.
        private: the visibility of a Space that is created; an existing one keeps its own.

    Raises:
        HubError: the push failed; the message has the command to repeat it.
    """
    from huggingface_hub import CommitOperationAdd, HfApi

    command = ["graft", "push", str(folder), model_id, "--space", space_id]
    with _uploading(folder, space_id, command):
        api = HfApi()
        options: dict[str, Any] = {"repo_type": "space", "private": private, "exist_ok": True}
        url = api.create_repo(space_id, space_sdk="gradio", **options)
        additions = [CommitOperationAdd(name, text.encode()) for name, text in files.items()]
        api.create_commit(
            space_id, additions, commit_message=f"Demo of {model_id}", repo_type="space"
        )
    return str(url)


@contextmanager
def _uploading(folder: RunFolder, repo_id: str, command: Sequence[str]) -> Iterator[None]:
    """Turn what goes wrong into one message with the command that repeats the push."""
    # a log is no place for bars
    with nullcontext() if shows_bars() else without_bars(), hub_session.watched() as failures:
        try:
            yield
        except Exception as error:  # whatever it is, the run is kept
            raise HubError(
                f"push to {repo_id} failed: {_reason(failures[-1] if failures else error)}\n"
                f"the run is complete and kept in {folder}\n"
                f"to push again: {join(command)}"
            ) from None


def check_name(repo_id: str) -> None:
    """Refuse what is no name of a repository.

    Raises:
        HubError: says what is wrong with it.
    """
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id

    if holds_secret(repo_id):
        raise HubError(f"{repo_id} cannot name a repository: it holds a token; {LOGIN}")
    try:
        validate_repo_id(repo_id)
    except HFValidationError as error:
        raise HubError(f"'{repo_id}' cannot name a repository: {error}") from None
    # the validator accepts a bare name, which belongs to no owner
    if "/" not in repo_id:
        raise HubError(f"'{repo_id}' cannot name a repository; expected owner/name")


def _reason(error: Exception) -> str:
    """Describe what went wrong in one line."""
    from huggingface_hub import constants, errors

    if isinstance(error, RequestError):
        return str(error)
    if isinstance(error, errors.LocalTokenNotFoundError):
        return f"there is no token; {LOGIN}"
    # an upload's error is one of no kind, whose cause says what happened (huggingface_hub 2.4)
    while isinstance(error.__cause__, Exception) and not hasattr(error, "response"):
        error = error.__cause__
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status == HTTPStatus.UNAUTHORIZED:  # the text differs by version
        return f"{constants.ENDPOINT} does not accept the token; {LOGIN}"
    if status is not None:
        message = getattr(error, "server_message", None) or "no reason given"
        return f"{constants.ENDPOINT} answers {status}: {message}"
    reason = first_line(error) or type(error).__name__
    if isinstance(error, errors.OfflineModeIsEnabled):
        reason = f"{constants.ENDPOINT} cannot be reached ({reason})"
    return reason
