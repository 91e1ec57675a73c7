"""What training has left of a checkpoint: a probe of another task, and how far weights moved."""

import json
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
import tiny
from grafting import fit, prepare, problem, write_recipe

from pipelines import recipe
from pipelines.core.errors import DataError, RecipeError
from pipelines.evaluation.forgetting import compare, probe
from pipelines.models.output.plain import PlainModel
from pipelines.training.fitted import Fitted
from pipelines.workflow import forgetting
from pipelines.workflow import run as pipeline


@pytest.fixture
def news(tmp_path: Path) -> Path:
    """Sixty texts of two topics, which share no word; one without a topic."""
    path, random = tmp_path / "news.csv", Random(0)
    half = len(tiny.FILLERS) // 2
    words = {"sport": tiny.FILLERS[:half], "money": tiny.FILLERS[half:]}
    rows = [(" ".join(random.choices(words[topic], k=5)), topic) for topic in [*words] * 30]
    lines = [f"{text},{topic}" for text, topic in rows]
    path.write_text("\n".join(["text,label", *lines, "no topic,"]) + "\n", encoding="utf-8")
    return path


def measured(folder: Path, checkpoint: Path, data: Path, **sections: Any) -> Any:
    prepared = prepare(folder, checkpoint, data, **sections)
    return forgetting.measure(prepared, fit(prepared, folder))


@pytest.mark.parametrize(
    "strategy",
    ["full", {"name": "lp_ft", "pooling": "mean"}, {"name": "lora", "save": "adapter"}],
    ids=["full", "pooled", "adapter"],
)
def test_what_trains_moves_weights_and_a_probe_says_what_is_left(
    tmp_path: Path, text_checkpoint: Path, text_data: Path, news: Path, strategy: Any
):
    evaluation = {"forgetting": {"path": str(news)}}
    training = {"max_steps": 1, "learning_rate": 1e-2, "eval_strategy": "no", "warmup_steps": 0}
    sections = {"strategy": strategy, "evaluation": evaluation, "training": training}
    result = measured(tmp_path, text_checkpoint, text_data, **sections)
    assert (result.name, result.num_rows, result.num_classes) == ("news.csv", 60, 2)
    assert result.before > result.most_frequent == 0.5
    assert result.low <= result.after - result.before <= result.high
    is_adapter = "save" in strategy
    assert bool(result.distances) is not is_adapter
    assert is_adapter or 0 < result.distances["block 1"] < 1


def test_a_probe_leaves_everything_as_it_was_and_the_run_says_so(
    tmp_path: Path,
    text_checkpoint: Path,
    text_data: Path,
    news: Path,
    capsys: pytest.CaptureFixture[str],
):
    # read from the recipe's folder, where it is
    sections = {"strategy": "linear_probe", "simple_model": False}
    evaluation = {"forgetting": {"path": news.name}}
    path = write_recipe(tmp_path, text_checkpoint, text_data, evaluation=evaluation, **sections)
    folder = pipeline.run(recipe.load(path))
    content = json.loads(folder.metrics.read_text())["forgetting"]
    assert content["before"] == content["after"]
    assert {*content["distances"].values()} == {0.0}
    assert {"before the blocks", "block 1"} <= content["distances"].keys()
    assert folder.forgetting.is_file()
    assert "evaluation.forgetting: 61 of 61 rows" in capsys.readouterr().out


@pytest.mark.parametrize("kind", ["number", "several"])
def test_what_is_probed_has_classes_whatever_is_predicted(
    tmp_path: Path, text_checkpoint: Path, news: Path, kind: str
):
    data, evaluation = problem(tmp_path / kind, kind), {"forgetting": {"path": str(news)}}
    result = measured(
        tmp_path, text_checkpoint, data, strategy="linear_probe", evaluation=evaluation
    )
    assert result.num_classes == 2


@pytest.mark.parametrize("family", ["resnet", "timm-resnet"])
def test_pictures_are_probed_by_the_mean_over_pixels(
    tmp_path: Path, checkpoint: Any, image_data: Path, family: str
):
    evaluation = {"forgetting": {"path": str(image_data), "split": "train"}}
    result = measured(
        tmp_path,
        checkpoint(family),
        image_data,
        task="image",
        strategy="linear_probe",
        evaluation=evaluation,
    )
    assert result.before == result.after
    assert result.num_classes == 3


def test_an_encoder_whose_states_are_not_to_be_seen_is_not_probed(
    tmp_path: Path,
    checkpoint: Any,
    text_data: Path,
    news: Path,
    capsys: pytest.CaptureFixture[str],
):
    from transformers import AutoModelForCausalLM

    output = PlainModel(AutoModelForCausalLM.from_pretrained(checkpoint("gpt2")))
    evaluation = {"forgetting": {"path": str(news)}}
    prepared = prepare(tmp_path, checkpoint("gpt2"), text_data, evaluation=evaluation)
    fitted = Fitted(output, history=[], trainable=0)
    assert forgetting.measure(prepared, fitted) is None
    assert "forgetting: skipped: the states of GPT2LMHeadModel" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("content", "keys", "message"),
    [
        ("text,n\na,1\nb,2\n", {}, r"forgetting: no obvious column of labels .*columns.label=…"),
        ("text,n\na,1\n", {"columns": {"label": "m"}}, r"no column 'm'; did you mean|known: n"),
        ("text,label\na,x\nb,y\n", {}, r"forgetting: 2 rows with 2 different labels"),
    ],
)
def test_rows_that_cannot_be_probed_are_refused_before_training(
    tmp_path: Path,
    text_checkpoint: Path,
    text_data: Path,
    content: str,
    keys: dict[str, Any],
    message: str,
):
    other = tmp_path / "other.csv"
    other.write_text(content, encoding="utf-8")
    evaluation = {"forgetting": {"path": str(other), **keys}}
    with pytest.raises(DataError, match=message):
        prepare(tmp_path, text_checkpoint, text_data, evaluation=evaluation)


def test_what_starts_from_random_weights_has_nothing_to_forget(
    tmp_path: Path, text_checkpoint: Path, text_data: Path
):
    evaluation = {"forgetting": {"path": "news.csv"}}
    path = write_recipe(
        tmp_path, text_checkpoint, text_data, strategy="scratch", evaluation=evaluation
    )
    with pytest.raises(RecipeError, match=r"evaluation.forgetting: strategy 'scratch' draws all"):
        recipe.load(path)


def test_the_same_features_are_compared_on_the_same_folds():
    random = np.random.default_rng(0)
    classes = np.arange(200) % 4
    informed = np.eye(4)[classes] + random.normal(size=(200, 4)) / 2
    noise = random.normal(size=(200, 4))
    same = compare("x", classes, informed, informed, {}, seed=1)
    assert (same.low, same.high) == (0, 0)
    lost = compare("x", classes, informed, noise, {}, seed=1)
    assert lost.before == probe(informed, classes, 1).mean() > 0.8
    assert lost.high < -0.3
    assert lost.json()["change"] == pytest.approx(lost.after - lost.before)
