"""`graft explain`: what an answer rests on, in numbers that add up to it, and as a picture."""

import numpy as np
import pytest
from grafting import write_recipe
from peft import LoraConfig, get_peft_model
from tiny_run import TinyRun

from pipelines.cli import main
from pipelines.core.errors import DataError, RunError
from pipelines.core.labels import SINGLE, Labels
from pipelines.models.library_warnings import suppress_peft_warnings
from pipelines.models.output import adapter_folder
from pipelines.workflow.explain import explain
from pipelines.workflow.finished_run import Run

PICTURES = True


@pytest.fixture
def run(checkpoint, tmp_path):
    """run(family, data, strategy, **sections): a finished run."""

    def run(family, data, strategy="full", **sections):
        training = {"max_steps": 1}
        path = write_recipe(
            tmp_path, checkpoint(family), data, strategy=strategy, training=training, **sections
        )
        assert main(["run", str(path)]) == 0
        return tmp_path / "runs" / "recipe" / "1"

    return run


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["full", {"name": "linear_probe", "pooling": "mean"}])
def test_the_tokens_of_a_text_add_up_to_what_they_change(run, text_data, strategy, capsys):
    folder = run("bert", text_data, strategy)
    assert main(["explain", str(folder), "good and bad", "--label", "positive"]) == 0
    out = capsys.readouterr().out
    assert f"{folder}/explanations/1.png: positive (probability 0." in out
    assert (folder / "explanations" / "1.png").read_bytes().startswith(b"\x89PNG")
    (explained,) = explain(Run(folder), ["good and bad"], None, None)
    assert explained.path.name == "2.png"
    (folder / "rows.csv").write_text("text,n\ngood,1\n,2\n")
    with pytest.raises(DataError, match=r"row 1: .*leave it out"):
        explain(Run(folder), [str(folder / "rows.csv")], None, None)
    assert len(explained.tokens) == len(explained.attribution.values) > 3
    assert explained.attribution.gap < 0.02 * max(np.abs(explained.attribution.values).sum(), 1)
    with pytest.raises(RunError, match="no label 'positiv'; did you mean 'positive'"):
        explain(Run(folder), ["good"], None, "positiv")


def test_the_pixels_of_a_picture(run, image_data):
    folder = run("resnet", image_data, task="image")
    picture = next(image_data.rglob("*.png"))
    (explained,) = explain(Run(folder), [str(picture)], folder / "there", None)
    assert explained.path.read_bytes().startswith(b"\x89PNG")
    assert explained.attribution.values.ndim == 2
    assert str(explained).startswith(f"{folder}/there/1.png: ")


def test_an_adapter_whose_labels_would_steer_the_terminal(tmp_path, text_checkpoint, capsys):
    tiny = TinyRun(tmp_path, text_checkpoint, labels=Labels(SINGLE, ("a\x1b[31m", "b\u202ec")))
    (tiny.folder.model / "model.safetensors").unlink()
    lora = LoraConfig(target_modules=["query"], modules_to_save=["classifier"])
    with suppress_peft_warnings():
        adapted = get_peft_model(tiny.model, lora)
    adapter_folder.write(adapted, tiny.folder.model, None)
    assert main(["explain", str(tiny.folder.path), "good and bad"]) == 0
    answer = capsys.readouterr().out.splitlines()[-1].partition(": ")[2]
    shares = tiny.logits("good and bad").softmax(1)[0]
    name = ("a?[31m", "b?c")[shares.argmax()]
    assert answer.startswith(f"{name} (probability {shares.max():.3f})")
