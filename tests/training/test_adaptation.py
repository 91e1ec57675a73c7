"""Adaptation to unlabeled rows of a target: the terms, and what they do to a step."""

import signal
from dataclasses import replace

import numpy as np
import pytest
import torch
import yaml
from grafting import changed, fit, job, prepare, state, write_recipe
from scipy.special import expit, softmax

from pipelines import recipe
from pipelines.core import registry
from pipelines.core.errors import GraftError, Interrupted, RecipeError
from pipelines.core.labels import Labels
from pipelines.models.anatomy import dissect
from pipelines.training.adaptation import Domain
from pipelines.training.adaptation._adversary import reversal, reverse_gradient
from pipelines.training.preconditions import check_adaptation
from pipelines.workflow import run as workflow

METHODS = tuple(
    n for n, kind in registry.find_all("adaptations").items() if not kind.after_training
)
STEADY = {"warmup_steps": 0, "lr_scheduler_type": "constant", "learning_rate": 1e-3}
TOP_LAYER = {"name": "top_layers", "layers": 1}
CALM = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}


def method(name, **values):
    return registry.find("adaptations", name)(**values)


def domains(dim=4, classes=3, rows=6):
    """Features and logits of source and target, as arrays and as what a method takes."""
    random = np.random.default_rng(0)
    arrays = [
        (random.normal(s, 1, (rows, dim)), random.normal(0, 2, (rows, classes))) for s in (0, 1)
    ]
    return arrays, [Domain(*(torch.tensor(a) for a in pair)) for pair in arrays]


# The terms


@pytest.mark.numerical
def test_deep_coral_is_the_distance_of_covariances():
    (source, target), both = domains()
    gap = np.cov(source[0], rowvar=False) - np.cov(target[0], rowvar=False)
    expected = (gap**2).sum() / (4 * 4 * 4)
    assert float(method("deep_coral").loss(*both, None, 0.0)) == pytest.approx(expected)


@pytest.mark.numerical
def test_mmd_is_the_distance_of_means_in_the_space_of_kernels():
    (source, target), both = domains()
    rows = np.concatenate([source[0], target[0]])
    squared = ((rows[:, None] - rows) ** 2).sum(-1)
    scale = squared[~np.eye(12, dtype=bool)].mean()
    kernel = np.mean([np.exp(-squared / (2.0**k * scale)) for k in range(-3, 2)], axis=0)
    pairs = ~np.eye(6, dtype=bool)
    expected = (
        kernel[:6, :6][pairs].mean() + kernel[6:, 6:][pairs].mean() - 2 * kernel[:6, 6:].mean()
    )
    assert float(method("mmd").loss(*both, None, 0.0)) == pytest.approx(expected)


@pytest.mark.numerical
def test_mcc_is_the_confusion_of_classes_in_the_target():
    (_, target), both = domains()
    p = softmax(target[1] / 2.5, axis=1)
    certainty = 1 + np.exp((p * np.log(p)).sum(1))
    confusion = p.T @ np.diag(6 * certainty / certainty.sum()) @ p
    confusion /= confusion.sum(1, keepdims=True)
    expected = (confusion.sum() - np.trace(confusion)) / 3
    assert float(method("mcc").loss(*both, None, 0.0)) == pytest.approx(expected)


@pytest.mark.numerical
@pytest.mark.parametrize(
    ("name", "options"), [("dann", {}), ("cdan", {}), ("cdan", {"entropy_weights": False})]
)
def test_a_discriminator_is_scored_by_its_cross_entropy(name, options):
    arrays, both = domains()
    section = method(name, **options)
    network = section.network(4, 3).double()
    first, _, last = network.layers
    w, b, v, c = (t.detach().numpy() for t in (first.weight, first.bias, last.weight, last.bias))
    losses = []
    for (features, logits), sign in zip(arrays, (1, -1), strict=True):
        p = softmax(logits, axis=1)
        inputs = features
        if name == "cdan":
            inputs = (features[:, :, None] * p[:, None, :]).reshape(6, -1)
        outputs = np.maximum(inputs @ w.T + b, 0) @ v[0] + c
        weights = (
            1 + np.exp((p * np.log(p)).sum(1)) if name == "cdan" and not options else np.ones(6)
        )
        losses.append(np.average(-np.log(expit(sign * outputs)), weights=weights))
    result = section.loss(*both, network, 0.5).detach()
    assert float(result) == pytest.approx(np.mean(losses))


def test_what_is_too_large_for_an_outer_product_is_projected():
    """Random products have the inner products of outer ones, in the mean."""
    torch.manual_seed(0)
    network = method("cdan").network(300, 20)
    features, probabilities = torch.randn(2, 300), torch.rand(2, 20)
    joined = network.join(features, probabilities)
    outer = (features[:, :, None] * probabilities[:, None, :]).flatten(1)
    assert joined.shape == (2, 1024)
    torch.testing.assert_close((joined**2).sum(1), (outer**2).sum(1), rtol=0.3, atol=0)


@pytest.mark.parametrize(("progress", "strength"), [(0, 0), (0.1, 0.462), (0.5, 0.987), (1, 1)])
def test_the_reversed_gradient_grows_with_the_progress_of_training(progress, strength):
    assert reversal(progress) == pytest.approx(strength, abs=5e-4)


def test_a_reversed_gradient_has_the_other_sign_and_the_same_values():
    tensor = torch.randn(3, requires_grad=True)
    result = reverse_gradient(tensor, 0.5)
    assert result.equal(tensor)
    (2 * result).sum().backward()
    torch.testing.assert_close(tensor.grad, torch.full((3,), -1.0))


@pytest.mark.parametrize("name", METHODS)
def test_a_batch_of_one_row_has_a_finite_term(name):
    """As the last of an epoch may be."""
    _, both = domains(rows=1)
    features = [domain.features.requires_grad_() for domain in both]
    section = method(name)
    network = section.network(4, 3)
    term = section.loss(*both, network and network.double(), 0.5)
    term = term + sum(f.sum() for f in features)
    term.backward()
    assert term.isfinite()
    assert all(f.grad.isfinite().all() for f in features)


# Steps


@pytest.fixture
def prepared(checkpoint, text_data, tmp_path):
    def of(family="bert", data=text_data, **sections):
        model = {"checkpoint": str(checkpoint(family)), "config": sections.pop("config", {})}
        return prepare(tmp_path, checkpoint(family), data, **{"model": model, **sections})

    return of


def adapted(result, folder, name, **changes):
    """What comes of training; rows of the target are those of validation."""
    section = method(name) if name else None
    return fit(
        result, folder, **{"adaptation": section, "target": result.encoded["validation"], **changes}
    )


def test_every_method_changes_what_the_encoder_learns(prepared, tmp_path):
    training = {**STEADY, "max_steps": 2, "logging_steps": 1, "eval_strategy": "no"}
    ready = prepared(config=CALM, training=training)
    before, weights = state(ready.checkpoint.model), {}
    for name in (None, *METHODS):
        ready.checkpoint.model.load_state_dict(before)
        fitted = adapted(ready, tmp_path / str(name), name)
        weights[name] = state(fitted.output.model)
        # a discriminator trains beside the model, and is no part of it
        assert weights[name].keys() == before.keys()
        assert any("embeddings" in key for key in changed(weights[None], weights[name])) == bool(
            name
        )


def test_labels_of_the_target_are_never_read(prepared, tmp_path):
    training = {**STEADY, "max_steps": 1, "eval_strategy": "no"}
    ready = prepared(config=CALM, training=training)
    before, rows, results = state(ready.checkpoint.model), ready.encoded["validation"], []
    for label in (0, -100):
        ready.checkpoint.model.load_state_dict(before)
        target = [{**rows[row], "labels": label} for row in range(len(rows))]
        results.append(state(adapted(ready, tmp_path, "mcc", target=target).output.model))
    assert not changed(*results)


def test_the_history_has_what_is_known_of_the_target_without_labels(prepared, tmp_path, capsys):
    ready = prepared(training={**STEADY, "num_train_epochs": 1}, strategy=TOP_LAYER)
    fitted = adapted(ready, tmp_path, "deep_coral")
    (information,) = (e["eval_target_information"] for e in fitted.history if "eval_loss" in e)
    assert 0 <= information <= np.log(2)
    assert fitted.chosen == {"step": 4}
    output = capsys.readouterr().out
    assert "speed: frozen_blocks off: adaptation computes rows of the target, too" in output


@pytest.mark.parametrize("family", ["roberta", "gpt2"])
def test_features_are_caught_inside_of_adapters(prepared, tmp_path, family):
    """RoBERTa's output layer stands in a copy that peft trains; GPT-2's reads every token."""
    training = {**STEADY, "max_steps": 1, "eval_strategy": "no"}
    ready = prepared(family, strategy="lora", training=training)
    fitted = adapted(ready, tmp_path, "dann")
    assert fitted.history


def test_batch_normalization_sees_source_and_target_as_one_batch(checkpoint, tmp_path, image_data):
    """In two passes its running statistics would be those of neither."""
    training = {**STEADY, "max_steps": 1, "eval_strategy": "no"}
    ready = prepare(tmp_path, checkpoint("resnet"), image_data, task="image", training=training)
    before = state(ready.checkpoint.model)
    after = state(adapted(ready, tmp_path, "mmd").output.model)
    passes = {int(after[name] - before[name]) for name in before if "num_batches" in name}
    assert passes == {1}


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, "adaptation.name: 'mcc': needs rows of the target domain"),
        ({"strategy": "linear_probe"}, "'linear_probe' takes no gradient steps, so no term can be"),
        ({"strategy": "contrastive"}, "'contrastive' has its own loss, so no term can be added"),
        ({"task": "masked_lm"}, "masked_lm is none"),
        ({"training": {"torch_compile": True}}, "training.torch_compile: adaptation reads what is"),
        ({"adaptation": "dan"}, "unknown adaptation 'dan'; did you mean 'dann'?"),
        ({"adaptation": {"name": "mcc", "weight": 0}}, "adaptation.weight"),
        ({"adaptation": {"name": "mcc", "temprature": 1}}, "did you mean 'temperature'?"),
    ],
)
def test_what_adaptation_does_not_go_with_is_refused(values, expected):
    recipes = {"task": "text_classification", "model": "x", "strategy": "full", "adaptation": "mcc"}
    data = {"source": "files", "path": "x"}
    with pytest.raises(RecipeError, match="adaptation") as caught:
        recipe.Recipe.from_dict({**recipes, "data": data, **values})
    assert expected in str(caught.value)


def test_a_recipe_with_a_target_gives_its_rows_to_training(checkpoint, text_data, tmp_path, capsys):
    here = {"source": "files", "path": str(text_data)}
    data = {**here, "target": {**here, "splits": {"train": "validation.csv"}}}
    file = write_recipe(tmp_path, checkpoint("bert"), text_data, adaptation="cdan")
    values = {**yaml.safe_load(file.read_text()), "data": data}
    ready = workflow.prepare(recipe.Recipe.from_dict(values))
    output = capsys.readouterr().out
    assert "at least 600 are needed to adapt" in output
    assert "checkpoint: the last one counts" in output
    assert not ready.arguments(tmp_path).load_best_model_at_end
    made = job(ready, tmp_path)
    assert made.adaptation.name == "cdan"
    assert len(made.target) == 32
    assert {row["labels"] for row in made.target} == {-100}


@pytest.mark.parametrize(
    "sections",
    [{"training": {"load_best_model_at_end": True}}, {"early_stopping": {"patience": 2}}],
)
def test_a_recipe_that_chooses_a_checkpoint_by_the_source_is_followed(
    checkpoint, text_data, tmp_path, sections
):
    here = {"source": "files", "path": str(text_data)}
    data = {**here, "target": {**here, "splits": {"train": "validation.csv"}}}
    values = {"task": "text_classification", "model": str(checkpoint("bert")), "data": data}
    chosen = {"strategy": "full", "adaptation": "mmd", **sections}
    ready = workflow.prepare(recipe.Recipe.from_dict({**values, **chosen}))
    assert ready.arguments(tmp_path).load_best_model_at_end
    assert bool(ready.recipe.early_stopping) == ("early_stopping" in sections)


def test_several_labels_for_an_example_are_refused():
    with pytest.raises(RecipeError, match="expected one class for each example; this is a multi"):
        method("mcc").check(Labels("multi_label_classification", ("a", "b")))


def test_a_job_without_rows_of_a_target_is_refused(prepared, tmp_path):
    ready = prepared(training={"max_steps": 1})
    with pytest.raises(GraftError, match=r"no rows of the target; name some in data\.target"):
        adapted(ready, tmp_path, "mcc", target=None)


def test_models_that_give_nothing_to_compare_are_refused(prepared, tmp_path):
    ready = prepared(training={"max_steps": 1})
    made = job(ready, tmp_path, adaptation=method("mcc"), target=ready.encoded["validation"])
    anatomy = dissect(ready.checkpoint.model)
    with pytest.raises(GraftError, match="has no linear layer whose input could be compared"):
        check_adaptation(made, replace(anatomy, output=None))
    made.arguments.deepspeed = "zero.json"
    with pytest.raises(GraftError, match="train without FSDP and DeepSpeed"):
        check_adaptation(made, anatomy)


@pytest.mark.numerical
@pytest.mark.slow
@pytest.mark.parametrize(
    ("strategy", "name"), [("full", "cdan"), ("lora", "dann"), (TOP_LAYER, "mmd")]
)
def test_a_resumed_run_ends_in_the_same_weights(prepared, tmp_path, monkeypatch, strategy, name):
    training = {"num_train_epochs": 3, **STEADY, "logging_steps": 1, "seed": 7}
    sections = {"strategy": strategy, "training": training}
    whole = adapted(prepared(**sections), tmp_path / "whole", name)
    folder = tmp_path / "stopped"

    from transformers import Trainer

    step, taken = Trainer.training_step, []

    def taking(self, *args, **options):
        taken.append(1)
        if len(taken) == 6:
            signal.raise_signal(signal.SIGTERM)
        return step(self, *args, **options)

    monkeypatch.setattr(Trainer, "training_step", taking)
    with pytest.raises(Interrupted):
        adapted(prepared(**sections), folder, name)
    resumed = adapted(prepared(**sections), folder, name, resume_from=folder / "checkpoint-6")
    assert not changed(state(whole.output.model), state(resumed.output.model))
    losses = [[e["loss"] for e in f.history if "loss" in e] for f in (whole, resumed)]
    assert losses[0] == pytest.approx(losses[1])
