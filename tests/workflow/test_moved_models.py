"""A model that a run saved, moved elsewhere or pushed: `graft predict` answers as the run does."""

import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from datasets import Dataset
from hub_server import HubServer
from peft import LoraConfig, get_peft_model
from safetensors.numpy import save_file
from tiny_run import TinyRun
from warm_python import WarmPython

import pipelines as graft
from pipelines.core.errors import DataError, ModelError
from pipelines.core.labels import MULTI, SINGLE, Labels
from pipelines.models.library_warnings import suppress_peft_warnings
from pipelines.models.output import adapter_folder, sentence, sentence_pair
from pipelines.models.output.head_layers import Linear

ROWS = {"text": ["a great film", "bad"], "text_pair": ["fine", "bad"]}
LABELS = Labels(SINGLE, ("no", "yes"))
DIM = 32  # of the encoder


@pytest.fixture
def run(tmp_path: Path, text_checkpoint: Path) -> TinyRun:
    return TinyRun(tmp_path / "run", text_checkpoint, labels=LABELS)


def saved_sentence_model(run: TinyRun, folder: Path, *, pairs: bool) -> None:
    """Save the encoder of a run as sentence-transformers does, with a head for texts or pairs."""
    run.model.config.problem_type = SINGLE
    size = 4 * DIM + 1 if pairs else DIM
    weight = np.random.default_rng(0).normal(size=(2, size)).astype("float32")
    head = Linear(weight, np.zeros(2, "float32"))
    modules = sentence.poolings(run.model.config, "mean", "last", DIM)
    layers = () if pairs else head.layers
    sentence.write(run.model.base_model, modules, layers, folder, run.processor)
    if pairs:
        save_file({"weight": weight, "bias": head.bias}, folder / sentence_pair.FILE)


def test_several_labels_are_those_above_their_own_thresholds(tmp_path, text_checkpoint) -> None:
    run = TinyRun(tmp_path / "run", text_checkpoint, labels=Labels(MULTI, ("good", "bad")))
    run.model.config.label_thresholds = {"bad": 1e-9, "good": 1 - 1e-9}
    run.save()
    elsewhere = run.folder.model.rename(tmp_path / "elsewhere")
    assert [*map(list, graft.predict(elsewhere, ROWS["text"]).prediction)] == [["bad"], ["bad"]]


@pytest.mark.parametrize("pairs", [False, True])
def test_a_sentence_encoder_answers_by_its_head(tmp_path: Path, run: TinyRun, pairs: bool) -> None:
    """Its encoder is in a folder of its own, whose config has the labels."""
    folder = tmp_path / "elsewhere"
    saved_sentence_model(run, folder, pairs=pairs)
    rows = ROWS if pairs else {"text": ROWS["text"]}
    library: Any = sentence_pair if pairs else sentence
    ids = library.reload(folder)(Dataset.from_dict(rows))["logits"].argmax(1)
    assert [*graft.predict(folder, rows).prediction] == [LABELS.names[i] for i in ids]
    if pairs:
        with pytest.raises(DataError, match="no column is obviously the text_pair"):
            graft.predict(folder, {"text": ["bad"]})
    config = folder / "0_Transformer" / "config.json"
    config.write_text(config.read_text().replace(f'"{SINGLE}"', "null"))
    with pytest.raises(ModelError, match=r"without a trained head; .* model\.checkpoint="):
        graft.predict(folder, rows)


def test_an_adapter_answers_on_its_checkpoint(tmp_path: Path, run: TinyRun) -> None:
    with suppress_peft_warnings():
        options: dict[str, Any] = {"modules_to_save": ["classifier"], "init_lora_weights": False}
        model = get_peft_model(run.model, LoraConfig(target_modules=["query"], **options))
    adapter_folder.write(model, tmp_path / "elsewhere", None)
    run.processor.save_pretrained(tmp_path / "elsewhere")
    run.model = model.eval()
    expected = run.logits(*ROWS["text"]).softmax(1).max(1).values
    table = graft.predict(tmp_path / "elsewhere", ROWS["text"])
    assert np.allclose(table.probability, expected, atol=1e-5)


@pytest.mark.slow
def test_a_sentence_encoder_of_the_hub(tmp_path: Path, run: TinyRun, python: WarmPython) -> None:
    saved_sentence_model(run, tmp_path / "model", pairs=False)
    expected = graft.predict(tmp_path / "model", ROWS["text"])
    call = f"graft.predict('lab/probe', {ROWS['text']})"
    code = f"import pipelines as graft; print(*{call}.prediction)"
    with HubServer(tmp_path / "hub") as hub:
        hub.add_model("lab/probe", tmp_path / "model")
        environment = {**os.environ, **hub.environment, "HF_HOME": str(tmp_path / "home")}
        predicted = subprocess.run(
            [python.path, "-c", code], env=environment, capture_output=True, text=True, check=False
        )
    assert predicted.stdout.split() == [*expected.prediction], predicted.stderr
