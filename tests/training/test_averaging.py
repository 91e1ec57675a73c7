"""Means of weights: along the way, at both ends, of several runs."""

import json

import pytest
import torch
from closeness import close
from grafting import changed, fit, prepare, write_recipe
from safetensors.torch import load_file

from pipelines.cli import main
from pipelines.report.run_folder import RunFolder

STEADY = {"learning_rate": 1e-3, "num_train_epochs": 2, "logging_steps": 1}
EACH = {"save_strategy": "epoch", "eval_strategy": "epoch", "save_total_limit": None}


@pytest.fixture
def prepared(checkpoint, training_data, tmp_path):
    def prepared(strategy="full", **sections):
        training = {**STEADY, **sections.pop("training", {})}
        return prepare(
            tmp_path,
            checkpoint("bert"),
            training_data["text"],
            strategy=strategy,
            training=training,
            **sections,
        )

    return prepared


def tensors(model):
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def weights(folder):
    return load_file(folder / "model.safetensors")


# Along the way


@pytest.mark.numerical
def test_ema_is_the_mean_over_steps(prepared, tmp_path):
    """Worked out again from the weights after each step."""
    training = {**EACH, "save_strategy": "steps", "save_steps": 1, "eval_strategy": "no"}
    training |= {"max_steps": 4, "load_best_model_at_end": False}
    ready = prepared(averaging={"ema": 0.3}, training=training)
    mean = tensors(ready.checkpoint.model)
    fitted = fit(ready, tmp_path / "checkpoints")
    for step in range(1, 5):
        decay = min(0.3, (1 + step) / (10 + step))
        state = weights(tmp_path / f"checkpoints/checkpoint-{step}")
        mean = {name: decay * mean[name] + (1 - decay) * state[name] for name in state}
    for name, tensor in tensors(fitted.output.model).items():
        close(tensor, mean[name])


@pytest.mark.numerical
def test_what_is_evaluated_is_what_comes_out(prepared, tmp_path):
    """Also where an earlier checkpoint is the best one."""
    ready = prepared(averaging={"ema": 0.9}, training={"num_train_epochs": 3})
    fitted = fit(ready, tmp_path / "checkpoints")
    best = next(
        e for e in fitted.history if "eval_loss" in e and fitted.chosen["step"] == e["step"]
    )
    rows, model = ready.encoded["validation"], fitted.output.model.eval()
    with torch.no_grad():
        loss = float(model(**ready.collate([rows[i] for i in range(len(rows))])).loss)
    assert loss == pytest.approx(best["eval_loss"], rel=1e-4)


@pytest.mark.slow
def test_a_resumed_run_has_the_same_mean(checkpoint, text_data, tmp_path):
    training = {**STEADY, **EACH, "load_best_model_at_end": False}
    sections = {"averaging": {"ema": 0.9}, "training": training}
    recipe = write_recipe(tmp_path, checkpoint("bert"), text_data, **sections)
    ready = prepare(tmp_path, checkpoint("bert"), text_data, **sections)
    whole = fit(ready, tmp_path / "checkpoints").output.model
    run = RunFolder.create(tmp_path / "runs", "recipe")
    run.checkpoints.mkdir()
    first = min((tmp_path / "checkpoints").glob("checkpoint-*"), key=lambda p: len(p.name))
    first.rename(run.checkpoints / first.name)
    run.lock.write_text("{}")
    more = ["training.resume_from_checkpoint=true", "calibration=null"]
    assert main(["run", str(recipe), *more]) == 0
    assert not changed(tensors(whole), weights(run.model))


def test_frozen_weights_are_left_alone(prepared, tmp_path):
    ready = prepared({"name": "top_layers", "layers": 1}, averaging={"ema": 0.9})
    before = tensors(ready.checkpoint.model)
    differ = changed(before, fit(ready, tmp_path / "checkpoints").output.model.state_dict())
    assert differ
    assert not any(name.startswith("bert.embeddings") for name in differ)


# At both ends


@pytest.mark.numerical
@pytest.mark.slow
@pytest.mark.parametrize("strategy", [{"name": "lp_ft", "pooling": "head"}, "gradual_unfreezing"])
def test_wise_ft_chooses_between_probe_and_fine_tuned_on_validation(prepared, tmp_path, strategy):
    training = {"load_best_model_at_end": False, "save_strategy": "no"}
    still = {**training, "learning_rate": 0.0, "weight_decay": 0.0}
    start = tensors(fit(prepared(strategy, training=still), tmp_path / "start").output.model)
    end = tensors(fit(prepared(strategy, training=training), tmp_path / "one").output.model)
    ready = prepared(strategy, training=training, averaging={"wise_ft": True})
    fitted = fit(ready, tmp_path / "two")
    tried = [entry for entry in fitted.history if "alpha" in entry]
    key = f"validation_{ready.scorer.main}"
    assert [entry["alpha"] for entry in tried] == [i / 10 for i in range(11)]
    alpha = fitted.chosen["alpha"]
    best = max(entry[key] for entry in tried)
    assert next(entry for entry in tried if entry["alpha"] == alpha)[key] == best
    expected = {name: torch.lerp(start[name], end[name], alpha) for name in end}
    torch.testing.assert_close(tensors(fitted.output.model), expected)
    rows = fitted.output.run(ready.encoded["validation"], ready.collate, ready.recipe.task.collect)
    answers = rows["logits"].argmax(-1)
    assert ready.scorer(answers, ready.targets["validation"])[ready.scorer.main] == best


@pytest.mark.parametrize("strategy", ["full", "lora", "linear_probe"])
def test_wise_ft_needs_a_probe_to_start_from(checkpoint, text_data, tmp_path, capsys, strategy):
    sections = {"strategy": strategy, "averaging": {"wise_ft": True}}
    recipe = write_recipe(tmp_path, checkpoint("bert"), text_data, **sections)
    assert main(["run", str(recipe)]) == 2
    assert "averaging.wise_ft" in capsys.readouterr().err


# Of several runs


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["full", "lora"])
def test_a_soup_is_the_mean_of_runs_that_help_validation(
    checkpoint, text_data, tmp_path, capsys, strategy
):
    section = {"seed": [1, 2], "learning_rate": [1e-3, 3e-4]}
    sections = {"training": STEADY, "strategy": strategy, "averaging": {"soup": section}}
    recipe = write_recipe(tmp_path, checkpoint("bert"), text_data, **sections)
    assert main(["run", str(recipe)]) == 0
    output = capsys.readouterr().out
    assert output.count("\ningredient ") == 4
    run = RunFolder(tmp_path / "runs/recipe/1")
    metrics = json.loads(run.metrics.read_text())
    history = [json.loads(line) for line in run.history.read_text().splitlines()]
    key = f"validation_{metrics['main_metric']}"
    # never worse than its best ingredient on what chose it
    assert metrics["training"]["chosen"][key] >= max(entry[key] for entry in history)
    assert metrics["validation"][metrics["main_metric"]] == metrics["training"]["chosen"][key]
    assert metrics["parity"]["ok"]
    assert not run.checkpoints.exists()


@pytest.mark.parametrize("soup", [{}, {"seed": [1]}, {"rates": [1]}])
def test_a_soup_of_one_is_refused(checkpoint, text_data, tmp_path, capsys, soup):
    sections = {"averaging": {"soup": soup}}
    recipe = write_recipe(tmp_path, checkpoint("bert"), text_data, **sections)
    assert main(["run", str(recipe)]) == 2
    assert "averaging.soup" in capsys.readouterr().err
