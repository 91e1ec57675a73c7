"""Build what training starts with, on a stand-in weight: what fails there is refused before it."""

import copy
import importlib.util
from typing import TYPE_CHECKING, Any

from pipelines.core.errors import RecipeError, suggest
from pipelines.core.hub_client import first_line

if TYPE_CHECKING:
    from transformers import TrainingArguments

    from pipelines.training.job import Job

# what the libraries raise for a value, an option or a package that is not there
REFUSALS = (ImportError, KeyError, NotImplementedError, RuntimeError, TypeError, ValueError)
# `report_to` -> the package to install, where the two differ
PACKAGES = {"azure_ml": "azureml-mlflow", "comet_ml": "comet-ml", "flyte": "flytekit"}
# … -> the name in the function of transformers that looks for it
AVAILABLE = {"azure_ml": "azureml", "comet_ml": "comet", "flyte": "flytekit"}


def rehearse(job: "Job") -> None:
    """Build the optimizer, the schedule and the reports of a run; nothing is trained or written.

    Raises:
        RecipeError: one of them is refused; names the key of `training:` and the value.
    """
    arguments = job.arguments
    _check_batches(job)
    if arguments.use_liger_kernel and not _is_installed("liger_kernel"):
        raise RecipeError(
            "training.use_liger_kernel: true: needs a package that is not installed: "
            "pip install liger-kernel"
        )
    if arguments.gradient_checkpointing and not _can_checkpoint(job.checkpoint.model):
        raise RecipeError(
            f"training.gradient_checkpointing: true: {type(job.checkpoint.model).__name__} cannot "
            "compute activations again; leave it out"
        )
    if arguments.torch_compile:
        _check_compiler(str(arguments.torch_compile_backend), arguments.torch_compile_mode)
    _build_schedule(arguments, _build_optimizer(job))
    for name in arguments.report_to or ():
        _check_report(name)


def _check_batches(job: "Job") -> None:
    """Refuse to drop the only batch of an epoch; a stream has no length to compare."""
    arguments = job.arguments
    size = arguments.train_batch_size * arguments.world_size
    if arguments.dataloader_drop_last and hasattr(job.train, "__len__") and len(job.train) < size:
        raise RecipeError(
            f"training.dataloader_drop_last: true: train has {len(job.train):,} rows, fewer than "
            f"one batch of {size:,}, so nothing would be trained on; leave it out, or make "
            "training.per_device_train_batch_size smaller"
        )


def _can_checkpoint(model: Any) -> bool:
    return bool(getattr(model, "supports_gradient_checkpointing", True))


def _check_compiler(backend: str, mode: str | None) -> None:
    """Refuse a compiler that accelerate or torch does not have; nothing is compiled yet."""
    import torch
    from accelerate.utils import DynamoBackend

    known = [member.value.lower() for member in DynamoBackend if member != DynamoBackend.NO]
    if backend.lower() not in known:
        raise RecipeError(
            f"training.torch_compile_backend: '{backend}': unknown; {suggest(backend, known)}"
        )
    try:
        torch.compile(torch.nn.Identity(), backend=backend.lower(), mode=mode)
    except REFUSALS as error:
        key, value = ("mode", mode) if mode else ("backend", backend)
        raise RecipeError(
            f"training.torch_compile_{key}: '{value}': {first_line(error)}"
        ) from error


def _build_optimizer(job: "Job") -> Any:
    """Build the optimizer; those that take the whole model apart are built when training starts."""
    import torch
    from transformers import Trainer

    arguments = job.arguments
    name = str(getattr(arguments.optim, "value", arguments.optim))
    key = "optim_args" if arguments.optim_args else "optim"
    weight = torch.nn.Parameter(torch.zeros(1, device=arguments.device))
    stand_in = torch.optim.SGD([weight], lr=arguments.learning_rate)
    try:
        kind, options = Trainer.get_optimizer_cls_and_kwargs(arguments, job.checkpoint.model)
        if arguments.optim_args and options == _without_arguments(job):
            raise RecipeError(
                f"training.optim_args: '{arguments.optim_args}' has no effect on optim '{name}'; "
                "it has fields of its own in `training:`; leave optim_args out"
            )
        if {"params", "model", "optimizer_dict"} & set(options) or not isinstance(kind, type):
            return stand_in
        if not issubclass(kind, torch.optim.Optimizer):
            return stand_in
        return kind([weight], **options)
    except ImportError as error:
        raise RecipeError(f"training.optim: '{name}': {first_line(error)}") from error
    except REFUSALS as error:
        shown = f"'{arguments.optim_args}' of {name}" if key == "optim_args" else f"'{name}'"
        raise RecipeError(f"training.{key}: {shown}: {first_line(error)}") from error


def _without_arguments(job: "Job") -> dict[str, Any]:
    """Return the optimizer's options as they are without `optim_args`."""
    from transformers import Trainer

    arguments = copy.copy(job.arguments)
    arguments.optim_args = None
    options: dict[str, Any] = Trainer.get_optimizer_cls_and_kwargs(arguments, job.checkpoint.model)[
        1
    ]
    return options


def _build_schedule(arguments: "TrainingArguments", optimizer: Any) -> None:
    """Build the schedule of learning rates; how many steps there are changes nothing here."""
    from transformers import get_scheduler

    name = str(getattr(arguments.lr_scheduler_type, "value", arguments.lr_scheduler_type))
    options: Any = arguments.lr_scheduler_kwargs
    num_steps = 100
    try:
        get_scheduler(
            name,
            optimizer=optimizer,
            num_warmup_steps=num_steps // 10,
            num_training_steps=num_steps,
            scheduler_specific_kwargs=dict(options) if options else None,
        )
    except REFUSALS as error:
        reason = first_line(error)
        raise RecipeError(
            f"training.lr_scheduler_kwargs: {options or 'not set'}: lr_scheduler_type '{name}' "
            f"refuses it: {reason}"
        ) from error


def _check_report(name: str) -> None:
    """Refuse a report to something unknown, or whose package is not installed."""
    from transformers import integrations

    key = f"training.report_to: '{name}'"
    try:
        (callback,) = integrations.get_reporting_integration_callbacks([name])
    except ValueError as error:
        known = str(error).partition("only ")[2].removesuffix(" are supported.").split(", ")
        raise RecipeError(f"{key}: unknown; {suggest(name, known)}") from error
    package = PACKAGES.get(name, name)
    remedy = f"(pip install {package}, or report_to=none)"
    is_available = getattr(integrations, f"is_{AVAILABLE.get(name, name)}_available", None)
    if is_available and not is_available():
        raise RecipeError(f"{key}: its package is not installed {remedy}")
    try:
        callback()
    except REFUSALS as error:
        raise RecipeError(f"{key}: its package refuses: {first_line(error)} {remedy}") from error


def _is_installed(package: str) -> bool:
    return importlib.util.find_spec(package) is not None
