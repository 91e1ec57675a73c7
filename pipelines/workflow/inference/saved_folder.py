"""A folder that a run saved in no plain form, moved or pushed -> a model that predicts raw rows.

sentence-transformers   the encoder is in a folder of its own, whose config has the labels
peft                    an adapter, beside a config with the labels
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.core import hub_files, registry
from pipelines.core.errors import ModelError
from pipelines.core.labels import PROBLEM_TYPES, Labels
from pipelines.models import outline
from pipelines.models.output import side_by_side
from pipelines.models.output.reload import LoadedModel, library_of, opening, reload
from pipelines.models.revision import ENCODER, encoder_folder
from pipelines.models.section import Model
from pipelines.workflow.inference.answers import Wanted
from pipelines.workflow.inference.config_labels import labels_of
from pipelines.workflow.inference.predictor import Predictor

if TYPE_CHECKING:
    from pipelines.data.columns import Columns

MODULES, ADAPTER, CONFIG = "modules.json", "adapter_config.json", "config.json"
CONFIGS = (
    CONFIG,
    MODULES,
    ADAPTER,
    side_by_side.FILE,
)  # one of them is in every folder that holds a model
FILES = ("*.json", "*.safetensors", "*.txt", "*.model")
# both are needed, under these names or usual ones
PAIR: "Columns" = {"text": "text", "text_pair": "text_pair"}


def is_one(folder: Path) -> bool:
    """Whether a folder has its encoder in another one, or an adapter beside a config."""
    is_apart = (folder / MODULES).is_file() and encoder_folder(folder) != folder
    return is_apart or all((folder / name).is_file() for name in (ADAPTER, CONFIG))


def download(repo_id: str, revision: str) -> Path | None:
    """Download such a folder from the Hub; None for a repository of another kind.

    Raises:
        HubError: its files arrive damaged.
    """
    from huggingface_hub import snapshot_download

    if not any(_has(repo_id, name, revision) for name in (f"{ENCODER}/{CONFIG}", ADAPTER)):
        return None

    def load(_again: bool) -> str:
        return str(snapshot_download(repo_id, revision=revision, allow_patterns=[*FILES]))

    folder = Path(hub_files.load_whole("model", repo_id, revision, load))
    return folder if is_one(folder) else None


def _has(repo_id: str, name: str, revision: str) -> bool:
    """Whether a repository holds a file, which is downloaded."""
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError

    try:
        hf_hub_download(repo_id, name, revision=revision)
    except EntryNotFoundError:
        return False
    return True


def open_folder(name: str, folder: Path) -> Predictor:
    """Load such a folder.

    Args:
        name: what the user calls it.

    Raises:
        ModelError: it holds no trained head, or a file is missing or damaged.
    """
    with opening(folder):
        return (_adapter if library_of(folder) == "peft" else _sentence_model)(name, folder)


def _sentence_model(name: str, folder: Path) -> Predictor:
    from transformers import AutoConfig

    task, library = registry.find("tasks", "text_classification")(), library_of(folder)
    config: Any = AutoConfig.from_pretrained(folder / ENCODER, trust_remote_code=False)
    # the config of an encoder that nobody trained for labels does not say of which kind they are
    if config.problem_type not in PROBLEM_TYPES:
        raise ModelError(
            f"{name}: an encoder of sentence-transformers without a trained head; train one first: "
            f"model.checkpoint={(folder / ENCODER).as_posix()} starts from it"
        )
    labels = labels_of(config, task, name)
    logits = reload(folder, library, task, labels.unlabeled)
    columns = PAIR if library == "sentence-pairs" else {}
    return Predictor(name, task, labels, columns, logits=logits)


def _adapter(name: str, folder: Path) -> Predictor:
    from transformers import AutoConfig

    config: Any = AutoConfig.from_pretrained(folder, trust_remote_code=False)
    # the checkpoint's own class is in the config, and that of the trained model with the adapter
    adapter = json.loads((folder / ADAPTER).read_text(encoding="utf-8"))
    trained = (adapter.get("auto_mapping") or {}).get("base_model_class")
    config.architectures = [trained] if trained else config.architectures
    task = outline.trained_task(config, Model(checkpoint=name))
    Wanted().check(task, Labels(""))  # before weights are fetched
    labels = labels_of(config, task, name)
    loaded = LoadedModel.of(folder, "peft", task, labels.unlabeled)
    return Predictor(name, task, labels, {}, loaded=loaded)
