"""Adaptation of a trained model to unlabeled rows of a target: its statistics, its weights."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from closeness import close
from grafting import changed, fit, job, logits, state, write_recipe
from PIL.Image import fromarray
from scipy.special import softmax
from scipy.stats import entropy
from tiny import SHADES

from pipelines import recipe
from pipelines.core import registry
from pipelines.core.contract import problems
from pipelines.core.errors import ModelError, RecipeError
from pipelines.report import adaptation_text
from pipelines.training import after_training
from pipelines.training.adaptation import Adaptation, AfterTraining
from pipelines.training.adaptation import _statistics as statistics
from pipelines.training.target_batches import TargetBatches
from pipelines.workflow.evaluate import evaluate
from pipelines.workflow.predicting import predict_validation
from pipelines.workflow.prepare import prepare
from pipelines.workflow.prepared import Prepared
from pipelines.workflow.train import check_training, job_of, train

METHODS = tuple(n for n, kind in registry.find_all("adaptations").items() if kind.after_training)
STATISTICS = {"running_mean", "running_var", "num_batches_tracked"}
ONE_STEP = {"max_steps": 1, "eval_strategy": "no", "learning_rate": 1e-3}


def method(name, **values):
    return registry.find("adaptations", name)(**values)


@pytest.fixture(scope="module")
def lighter(tmp_path_factory):
    """Twelve pictures of the same classes, under more light."""
    folder, random = tmp_path_factory.mktemp("lighter"), np.random.default_rng(1)
    for name, shade in SHADES.items():
        (folder / name).mkdir()
        for number in range(4):
            pixels = random.normal(shade + 30, 12, (12, 12, 3)).clip(0, 255).astype("uint8")
            fromarray(pixels).save(folder / name / f"{number}.png")
    return folder


@pytest.fixture
def pictures(checkpoint, image_data, lighter, tmp_path):
    """A network with batch normalization, whose head is solved."""

    def of(adaptation=None) -> Prepared:
        sections = {"strategy": "linear_probe", "simple_model": False, "task": "image"}
        file = write_recipe(tmp_path, checkpoint("resnet"), image_data, **sections)
        return with_target(file, adaptation, path=str(lighter))

    return of


@pytest.fixture
def texts(checkpoint, text_data, tmp_path):
    """A network with layer normalization, trained for a step."""

    def of(adaptation=None) -> Prepared:
        file = write_recipe(tmp_path, checkpoint("bert"), text_data, training=ONE_STEP)
        splits = {"train": "validation.csv"}
        return with_target(file, adaptation, path=str(text_data), splits=splits)

    return of


def with_target(file, adaptation, **target) -> Prepared:
    """Prepare a recipe with rows of another domain."""
    loaded = recipe.load(file)
    data = loaded.data.replace(target={"source": "files", **target})
    section = adaptation and method(adaptation)
    return prepare(loaded.replace(data=data, adaptation=section))


def kinds(names):
    """The last words of names of tensors."""
    return {name.rpartition(".")[2] for name in names}


def test_adabn_takes_statistics_from_the_target_and_changes_no_weight(pictures, tmp_path):
    ready = pictures(adaptation="adabn")
    model, before = ready.checkpoint.model, state(ready.checkpoint.model)
    fitted = train(ready.recipe, job_of(ready, tmp_path))
    differing = changed(before, state(model))
    assert kinds(name for name in differing if "classifier" not in name) <= STATISTICS
    assert {name for name in before if "running_" in name} <= differing
    layer = statistics.batch_norms(model)[0]
    caught = []
    hook = layer.register_forward_pre_hook(lambda _, inputs: caught.append(inputs[0].detach()))
    batch = ready.collate([ready.target[row] for row in range(len(ready.target))])
    model(pixel_values=batch["pixel_values"])
    hook.remove()
    close(layer.running_mean, caught[0].mean((0, 2, 3)))
    close(layer.running_var, caught[0].transpose(0, 1).flatten(1).var(1))
    assert (layer.momentum, model.training) == (0.1, False)
    # what was solved on features of before predicts by those of now, as the saved folder will
    rows = ready.encoded["validation"]
    batch = ready.collate([rows[row] for row in range(len(rows))])
    with torch.no_grad():
        expected = model(pixel_values=batch["pixel_values"]).logits
    close(torch.from_numpy(logits(ready, fitted)), expected)


def test_a_run_shows_what_adaptation_costs_on_the_source_and_saves_it(pictures, tmp_path, capsys):
    from transformers import AutoModelForImageClassification

    ready = pictures(adaptation="adabn")
    plain = logits(ready, fit(ready, tmp_path)).argmax(-1)
    fitted = train(ready.recipe, job_of(ready, tmp_path))
    evidence = evaluate(ready, fitted, predict_validation(ready, fitted), 1.0)
    entry = adaptation_text.entry(evidence)
    assert entry["after"]["validation_accuracy"] == evidence.validation["accuracy"]
    right = np.mean(plain == ready.targets["validation"])
    assert entry["before"]["validation_accuracy"] == pytest.approx(right)
    (line,) = adaptation_text.lines(evidence)
    assert line.startswith(f"adaptation: adabn: accuracy on validation (the source) {right:.4f} ->")
    assert f"`adabn`): accuracy on validation, which is of the source, was {right:.4f} before" in (
        adaptation_text.card_sentence(evidence)
    )
    assert "layers of batch normalization are of 12 rows" in capsys.readouterr().out
    fitted.output.save(tmp_path / "model", ready.checkpoint.processor)
    saved = AutoModelForImageClassification.from_pretrained(tmp_path / "model")
    assert not changed(state(fitted.output.model), state(saved))
    without = replace(evidence, history=[])
    assert not adaptation_text.card_sentence(without)
    assert not [*adaptation_text.lines(without)]


def test_statistics_are_means_over_batches_of_nearly_one_size(pictures, tmp_path, monkeypatch):
    """The last batch of three would count as much as the others, with a single row."""
    ready = pictures()
    model = ready.checkpoint.model
    batches = TargetBatches(ready.target, ready.collate, 0)
    sizes = [len(batch["pixel_values"]) for batch in batches.batches(13, 5, "cpu")]
    assert sorted(sizes) == [4, 4, 5]
    means = []
    for size in (64, 5):
        monkeypatch.setattr(statistics, "BATCH_ROWS", size)
        assert statistics.reestimate(model, batches) == 12
        means.append(statistics.batch_norms(model)[0].running_mean.clone())
    close(*means)


def test_tent_makes_predictions_surer_by_weights_of_normalization_alone(texts, tmp_path):
    ready = texts()
    made = job(ready, tmp_path)
    fitted = fit(ready, tmp_path)
    model, before, spread = fitted.output.model, state(fitted.output.model), []
    for section in (None, method("tent", steps=5, learning_rate=1e-2)):
        if section:
            fitted = after_training.adapt(section, fitted, made)
        outputs = fitted.output.run(made.target, made.collate, made.task.collect)
        spread.append(entropy(softmax(outputs["logits"], axis=1), axis=1).mean())
    assert spread[1] < spread[0]
    differing = changed(before, state(model))
    assert differing
    assert all("LayerNorm" in name for name in differing)
    assert all(parameter.requires_grad for parameter in model.parameters())
    assert not model.training


def test_tent_leaves_batch_normalization_with_statistics_of_the_target(pictures, tmp_path):
    ready = pictures()
    made, model, before = (
        job(ready, tmp_path),
        ready.checkpoint.model,
        state(ready.checkpoint.model),
    )
    after_training.adapt(method("tent", steps=2), fit(ready, tmp_path), made)
    after = state(model)
    differing = kinds(name for name in changed(before, after) if "classifier" not in name)
    assert differing >= {"weight", "bias", "running_mean"}
    assert differing <= {"weight", "bias", *STATISTICS}
    kernels = {name for name in before if before[name].dim() > 1 and "classifier" not in name}
    assert not kernels & changed(before, after)
    method("adabn").adapt(model, TargetBatches(made.target, made.collate, made.arguments.seed))
    assert not changed(after, state(model))


@pytest.mark.parametrize("name", METHODS)
def test_labels_of_the_target_change_nothing(pictures, tmp_path, name):
    ready = pictures()
    made, fitted = job(ready, tmp_path), fit(ready, tmp_path)
    section = method(name, **({"steps": 2} if name == "tent" else {}))
    before, results = state(fitted.output.model), []
    for label in (0, -100):
        fitted.output.model.load_state_dict(before)
        rows = [{**ready.target[row], "labels": label} for row in range(len(ready.target))]
        after_training.adapt(section, fitted, replace(made, target=rows))
        results.append(state(fitted.output.model))
    assert not changed(*results)


def test_predictions_that_tell_less_than_before_are_warned_of(
    pictures, tmp_path, monkeypatch, capsys
):
    def forget(self, model, batches):
        for parameter in model.parameters():
            parameter.data.zero_()
        return "nothing is left"

    monkeypatch.setattr(registry.find("adaptations", "adabn"), "adapt", forget)
    ready = pictures(adaptation="adabn")
    train(ready.recipe, job_of(ready, tmp_path))
    output = capsys.readouterr().out
    assert "adaptation: adabn: nothing is left" in output
    assert "-> 0.000 nats): they are less sure, or fall into fewer classes" in output


# What cannot be adapted


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"data": {}}, "adaptation.name: 'adabn': needs rows of the target domain"),
        ({"task": "masked_lm"}, "masked_lm is none"),
        ({"strategy": "linear_probe"}, "'linear_probe' solves a head beside the encoder"),
        ({"strategy": "contrastive"}, "'contrastive' solves a head beside the encoder"),
        (
            {"strategy": {"name": "lora", "save": "adapter"}},
            "strategy.save: 'adapter': its folder holds no normalization, which adaptation 'adabn'",
        ),
        (
            {"model": ["x", "y"], "strategy": "linear_probe", "task": "image_classification"},
            "adaptation.name: 'adabn': changes one model, and features of several",
        ),
        ({"data": {"folds": 5, "target": True}}, "data.folds: 5: adaptation 'adabn' shows what it"),
        ({"adaptation": {"name": "tent", "weight": 1.0}}, "unknown key 'adaptation.weight'"),
        ({"adaptation": {"name": "tent", "steps": 0}}, "adaptation.steps: 0: should be greater"),
    ],
)
def test_what_it_does_not_go_with_is_refused(values, expected):
    here = {"source": "files", "path": "x"}
    data = {**here, **values.get("data", {"target": True})}
    data |= {"target": here} if data.get("target") else {}
    sections = {"task": "text_classification", "model": "x", "strategy": "full"}
    with pytest.raises(RecipeError) as caught:
        recipe.Recipe.from_dict({**sections, "adaptation": "adabn", **values, "data": data})
    assert expected in str(caught.value)


def test_adabn_is_refused_without_batch_normalization_before_anything_trains(texts):
    with pytest.raises(ModelError) as caught:
        check_training(texts(adaptation="adabn"))
    assert str(caught.value) == (
        "adaptation.name: 'adabn': BertForSequenceClassification has no batch normalization, whose "
        "statistics could be those of the target (its normalization: 5 LayerNorm); use another of "
        f"{', '.join(n for n in registry.names('adaptations') if n != 'adabn')}, or leave "
        "adaptation out"
    )


def test_tent_is_refused_without_weights_of_normalization():
    with pytest.raises(ModelError, match=r"Linear has no normalization .*normalization: none\)"):
        method("tent").check_model(torch.nn.Linear(2, 2))


def test_too_few_rows_and_spread_weights_are_refused(pictures, tmp_path):
    made = job(pictures(), tmp_path)
    for rows, count in ((None, 0), ([made.target[0]], 1)):
        with pytest.raises(RecipeError, match=f"{count} rows of the target; expected 2 or more"):
            after_training.check(method("tent"), replace(made, target=rows))
    made.arguments.deepspeed = "zero.json"
    with pytest.raises(RecipeError, match="train without FSDP and DeepSpeed"):
        after_training.check(method("tent"), made)


def test_a_method_says_when_it_adapts_and_how():
    class Never(Adaptation):
        pass

    class Idle(AfterTraining):
        pass

    assert [*problems(Never, Adaptation)] == [
        "does not set 'after_training', as every Adaptation must"
    ]
    assert [*problems(Idle, Adaptation)] == [
        "does not define check_model(self, model), as every AfterTraining must",
        "does not define adapt(self, model, batches), as every AfterTraining must",
    ]
