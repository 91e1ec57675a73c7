"""Checkpoints for `ranking.py`: each is pretrained once, in seconds, and kept."""

import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from bare_recipe import BARE, run
from ranking_candidates import PRETRAINED, Pretraining, rows_of
from real_data import of_side
from transfer import MINILM, RESNET

MOBILENET = "mobilenetv2_100-in1k"


def make(shared: Path, name: str, folder: Path) -> Path:
    """Return the folder of a checkpoint; one that is not there is pretrained."""
    path = folder / name.replace(", ", "_").replace(" ", "_")
    if not (path / "config.json").is_file():
        source = PRETRAINED[name]
        start = _start(shared, source.start, folder)
        if not source.path:
            return start
        _train(shared, source, start, path)
    return path


def _start(shared: Path, start: str, folder: Path) -> Path:
    """Return a network that others begin from."""
    if start == "letters":
        return RESNET
    if start == "MiniLM":
        return shared / "checkpoints" / MINILM
    if start == "MobileNet":
        folder.mkdir(parents=True, exist_ok=True)
        return of_side(shared / "checkpoints" / MOBILENET, 96, folder)
    path = folder / start.replace(" ", "_")
    if not path.is_dir():
        _save_random(start, shared / "checkpoints" / MINILM, path)
    return path


def _save_random(start: str, minilm: Path, path: Path) -> None:
    """Save random weights with a processor."""
    import torch
    import transformers as library

    torch.manual_seed(0)
    if start == "small audio":
        sizes = {"max_length": 96, "num_mel_bins": 32}
        config = library.ASTConfig(
            **sizes,
            hidden_size=64,
            num_hidden_layers=3,
            num_attention_heads=4,
            intermediate_size=128,
            patch_size=8,
            frequency_stride=8,
            time_stride=8,
        )
        library.ASTModel(config).save_pretrained(path)
        library.ASTFeatureExtractor(**sizes).save_pretrained(path)
        return
    original = RESNET if start == "random letters" else minilm
    config = library.AutoConfig.from_pretrained(original)
    processor: Any = library.AutoTokenizer
    if start == "random letters":
        processor = library.AutoImageProcessor
    if start == "small text":
        sizes = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
        config.update({**sizes, "intermediate_size": 128})
    library.AutoModel.from_config(config).save_pretrained(path)
    processor.from_pretrained(original).save_pretrained(path)


def _train(shared: Path, source: Pretraining, start: Path, path: Path) -> None:
    """Pretrain on all of the rows and put the model where it is looked for."""
    rows = rows_of(shared / "data" / source.path, source.by_people, source.rows)
    if source.is_shuffled:
        feature = rows.features[source.label]
        dealt = np.random.default_rng(0).permutation(rows[source.label][:]).tolist()
        rows = rows.remove_columns(source.label).add_column(source.label, dealt, feature=feature)
    is_masked = source.strategy == "scratch" and source.start == "small text"
    with tempfile.TemporaryDirectory() as work:
        rows.to_parquet(f"{work}/train.parquet")
        values = {
            **BARE,
            "name": "pretraining",
            "task": source.task,
            "model": str(start),
            "data": {
                "source": "files",
                "path": work,
                "splits": {"validation": 0.1, "test": None},
                "columns": {"text": "text"} if is_masked else {"label": source.label},
            },
            "strategy": source.strategy,
            "training": {**source.training, "output_dir": work, "seed": 0, "eval_strategy": "no"},
            "early_stopping": None,
            **({} if is_masked else {"calibration": None}),
        }
        shutil.move(run(values).model, path)
