"""A run folder, a folder that others made, or a Hub id -> a model that predicts raw rows."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.core.errors import ModelError, RunError
from pipelines.core.labels import Labels
from pipelines.models import image_inputs, outline, short_names
from pipelines.models.library_warnings import silence_transformers
from pipelines.models.load import explained
from pipelines.models.output.reload import LoadedModel
from pipelines.models.revision import resolve_commit
from pipelines.models.section import Model
from pipelines.report.run_folder import RunFolder
from pipelines.workflow.inference import saved_folder
from pipelines.workflow.inference.answers import Wanted
from pipelines.workflow.inference.config_labels import labels_of
from pipelines.workflow.inference.predictor import Predictor, of_run

if TYPE_CHECKING:
    from pipelines.tasks import Task

HUB_ID = re.compile(r"[\w.-]+(/[\w.-]+)?")
ENSEMBLE = "ensemble.json"
MAX_TENSORS_SHOWN = 2


def open_model(name: str | Path) -> Predictor:
    """Load the model of a run folder, of another folder, or of a Hub id.

    Raises:
        RunError: neither, or a run that is not finished, or whose files are missing or damaged.
        ModelError: no checkpoint, or one without a trained head.
        HubError: the Hub cannot be reached or refuses.
    """
    try:
        folder = RunFolder.of(name)
    except RunError:
        is_elsewhere = not Path(name).exists() and not HUB_ID.fullmatch(str(name))
        if is_elsewhere or RunFolder.newest_in(name):
            raise
        _check_folder(Path(name))
        return of_checkpoint(str(name))
    return of_run(folder)


def _check_folder(path: Path) -> None:
    """Refuse a folder of anything else, such as that of all runs.

    Raises:
        ModelError: says what it lacks.
    """
    if (path / ENSEMBLE).is_file():
        raise ModelError(
            f"{path}: an ensemble of several models; README.md in it says how to use it"
        )
    if path.is_dir() and not any((path / name).is_file() for name in saved_folder.CONFIGS):
        raise ModelError(
            f"{path}: neither a run such as runs/bert_sst2/1 (there is no lock.json), nor a "
            "checkpoint (no config.json)"
        )


def of_checkpoint(name: str) -> Predictor:
    """Load a checkpoint that was trained elsewhere, for the task that its head is made for.

    Raises:
        ModelError: no checkpoint, or one without a trained head.
        HubError: the Hub cannot be reached or refuses.
    """
    short_names.check(name)
    section = Model(checkpoint=name)
    if saved_folder.is_one(Path(name)):
        return saved_folder.open_folder(name, Path(name))
    with explained(section, None), silence_transformers():
        revision = resolve_commit(section) or section.revision
        if not Path(name).is_dir() and (folder := saved_folder.download(name, revision)):
            return saved_folder.open_folder(name, folder)
        config = outline.config_of(section, revision)
        task = outline.trained_task(config, section)
    Wanted().check(task, Labels(""))
    labels = labels_of(config, task, name)
    with explained(section, task), silence_transformers():
        loaded = _load(section, config, revision, task, labels)
    return Predictor(name, task, labels, {}, loaded=loaded)


def _load(section: Model, config: Any, revision: str, task: "Task", labels: Labels) -> LoadedModel:
    """Load weights and processor.

    Raises:
        ModelError: weights of the head are missing, so that it would answer at random.
    """
    import torch
    import transformers

    options = {"revision": revision, "trust_remote_code": section.trust_remote_code}
    model, report = getattr(transformers, task.auto_class).from_pretrained(
        section.checkpoint,
        **options,
        config=config,
        use_safetensors=True,
        dtype=torch.float32,
        output_loading_info=True,
    )
    if missing := sorted([*report["missing_keys"], *report["mismatched_keys"]]):
        shown = ", ".join(map(str, missing[:MAX_TENSORS_SHOWN]))
        raise ModelError(f"{section.checkpoint}: has no trained {task.name} head: lacks {shown}")
    processor, _ = image_inputs.load_processor(task, section, labels, config, options)
    task.configure(model.config, processor, labels)
    return LoadedModel(model, processor, task, labels.unlabeled)
