"""lp_ft: training starts from a solved head, through the pooling that was chosen for it."""

import numpy as np
import pytest
import torch
from closeness import close
from grafting import changed, fit, job, logits, prepare, problem, state

from pipelines.core import registry
from pipelines.core.errors import RecipeError
from pipelines.features.heads import Linear
from pipelines.models.anatomy import dissect
from pipelines.models.output.reload import reload
from pipelines.strategies.probing.head_scale import with_largest_gradient
from pipelines.training.averaging import soup

STEADY = {"learning_rate": 0.0, "weight_decay": 0.0, "max_steps": 1}
QUICK = {"learning_rate": 1e-3, "num_train_epochs": 2, "logging_steps": 1}
EACH = {"save_strategy": "epoch", "eval_strategy": "epoch", "save_total_limit": None}
MEAN = {"name": "lp_ft", "pooling": "mean"}


@pytest.fixture
def prepared(checkpoint, tmp_path):
    def prepared(strategy=MEAN, kind="single", family="bert", **sections):
        data = problem(tmp_path / kind, kind)
        training = {**QUICK, **sections.pop("training", {})}
        return prepare(
            tmp_path, checkpoint(family), data, strategy=strategy, training=training, **sections
        )

    return prepared


@pytest.mark.numerical
@pytest.mark.parametrize(
    ("kind", "pooling", "separates"), [("single", "mean", True), ("several", "mean_max", False)]
)
@pytest.mark.slow
def test_it_starts_from_the_head_of_a_probe_on_that_pooling(
    prepared, tmp_path, kind, pooling, separates
):
    probed = prepared({"name": "linear_probe", "pooling": pooling}, kind)
    expected = logits(probed, fit(probed, tmp_path / "probe"))
    tuned = prepared({"name": "lp_ft", "pooling": pooling}, kind, training=STEADY)
    fitted = fit(tuned, tmp_path / "checkpoints")
    assert fitted.output.library == "sentence-transformers"
    result = logits(tuned, fitted)
    # halved where there would be nothing left to learn, which leaves the order
    factor = np.abs(result).max() / np.abs(expected).max()
    assert (factor < 0.75) == separates
    close(result, factor * expected)


@pytest.fixture(scope="module")
def trained(checkpoint, tmp_path_factory):
    folder = tmp_path_factory.mktemp("lp_ft")
    data = problem(folder / "data", "single")
    ready = prepare(folder, checkpoint("bert"), data, strategy=MEAN, training={**QUICK, **EACH})
    before = state(ready.checkpoint.model)
    return ready, before, fit(ready, folder / "checkpoints"), folder


def test_the_encoder_learns_and_the_pooler_that_nothing_reads_stays(trained):
    ready, before, fitted, _ = trained
    model = ready.checkpoint.model  # whose encoder was trained
    moved = changed(before, model.state_dict())
    anatomy = dissect(model, ready.checkpoint.newly_initialized)
    unread = (*anatomy.pooling, *anatomy.head)
    expected = {name for name, _ in model.named_parameters() if not name.startswith(unread)}
    assert moved == expected
    assert [decision.name for decision in fitted.speed if decision.on] == ["packing"]
    sizes = [p.numel() for name, p in model.named_parameters() if name in expected]
    assert fitted.trainable == sum(sizes) + sum(
        p.numel() for p in fitted.output.model.head.parameters()
    )


def test_the_best_checkpoint_is_saved_as_a_sentence_transformers_folder(trained, tmp_path):
    ready, _, fitted, _ = trained
    scores = {e["step"]: e["eval_accuracy"] for e in fitted.history if "eval_accuracy" in e}
    assert scores[fitted.chosen["step"]] == max(scores.values())
    expected = logits(ready, fitted)
    assert ready.scorer(expected.argmax(-1), ready.targets["validation"])["accuracy"] == max(
        scores.values()
    )
    fitted.output.save(tmp_path / "model", ready.checkpoint.processor)
    task, labels = ready.recipe.task, ready.data.labels
    predict = reload(tmp_path / "model", fitted.output.library, task, labels)
    close(predict(ready.data.validation)["logits"], expected)


def test_a_resumed_run_ends_in_the_same_weights(trained, prepared, tmp_path):
    _, _, whole, folder = trained
    first = min((folder / "checkpoints").glob("checkpoint-*"), key=lambda p: int(p.name[11:]))
    again = prepared(training=EACH)
    resumed = fit(again, tmp_path / "again", resume_from=first)
    assert not changed(state(whole.output.model), state(resumed.output.model))


def test_a_temperature_divides_its_logits(prepared, tmp_path):
    ready = prepared(training=STEADY)
    fitted = fit(ready, tmp_path / "checkpoints")
    before = logits(ready, fitted)
    batch = ready.collate([ready.encoded["train"][0]])
    del batch["labels"]
    fitted.output.with_temperature(2.0, batch)
    close(logits(ready, fitted), before / 2)


@pytest.mark.numerical
@pytest.mark.slow
def test_numbers_are_learned_from_the_solved_head_on(prepared, tmp_path):
    """Standardized while training, and in their own unit in what comes out."""
    ready = prepared(kind="number", training=STEADY, metrics=["mse"])
    probed = prepared({"name": "linear_probe", "pooling": "mean"}, "number", metrics=["mse"])
    expected = logits(probed, fit(probed, tmp_path / "probe"))
    close(logits(ready, fit(ready, tmp_path / "checkpoints")), expected)


@pytest.mark.numerical
@pytest.mark.slow
def test_wise_ft_mixes_with_the_solved_head(prepared, tmp_path):
    def weights(**sections):
        ready = prepared(
            training={"eval_strategy": "no", **sections.pop("training", {})}, **sections
        )
        fitted = fit(ready, tmp_path / "checkpoints")
        return state(fitted.output.model), fitted.chosen

    start, _ = weights(training=STEADY)
    end, _ = weights()
    mixed, chosen = weights(averaging={"wise_ft": True})
    expected = {name: torch.lerp(start[name], end[name], chosen["alpha"]) for name in end}
    torch.testing.assert_close(mixed, expected)


@pytest.mark.slow
def test_the_runs_of_a_soup_have_one_start_and_one_pooling(prepared, tmp_path):
    section = soup.Soup(seed=(1, 2))
    ready = prepared("lp_ft", training={"max_steps": 2})
    strategy = ready.recipe.strategy
    fitted = soup.fit(strategy.train, strategy.start(job(ready, tmp_path / "runs")), section)
    assert fitted.output.library == "sentence-transformers"
    key = f"validation_{ready.scorer.main}"
    result = logits(ready, fitted).argmax(-1)
    assert ready.scorer(result, ready.targets["validation"])["accuracy"] == fitted.chosen[key]


def test_folds_of_train_choose_what_the_head_reads(prepared, tmp_path, capsys):
    ready = prepared("lp_ft", training={**STEADY, "eval_strategy": "no"})
    folds = np.arange(len(ready.targets["train"])) % 3
    rows = {"validation": ready.encoded["train"], "validation_targets": ready.targets["train"]}
    fit(ready, tmp_path / "checkpoints", folds=folds, **rows)
    assert "on rows out of fold" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("targets", "labels"), [([0, 1, 2] * 4, np.eye(3)), ([[1, 0], [0, 1]] * 4, None)]
)
def test_the_logits_of_a_head_that_separates_its_classes_shrink(targets, labels):
    targets = np.array(targets)
    rows = targets if labels is None else labels[targets]
    head = Linear(100 * (rows[: rows.shape[1]] - 0.5), np.full(rows.shape[1], 3.0))
    smaller = with_largest_gradient(head, rows, targets)
    factor = smaller.bias[0] / head.bias[0]
    np.testing.assert_allclose(smaller.weight, factor * head.weight)

    def length(scale: float) -> float:
        features = torch.tensor(rows.astype(float), requires_grad=True)
        weight, bias = torch.tensor(scale * head.weight), torch.tensor(scale * head.bias)
        logits = features @ weight.T + bias
        if targets.ndim == 1:
            loss = torch.nn.functional.cross_entropy(logits, torch.tensor(targets), reduction="sum")
        else:
            expected = torch.tensor(targets, dtype=logits.dtype)
            loss = torch.nn.functional.binary_cross_entropy_with_logits(
                logits, expected, reduction="sum"
            )
        (gradient,) = torch.autograd.grad(loss, features)
        return float(gradient.norm(dim=1).mean())

    assert factor < 1 / 8
    assert length(factor) > max(length(2 * factor), length(factor / 2))


def test_weights_that_are_spread_over_processes_stay_in_the_plain_class(prepared, tmp_path):
    strategy = registry.find("strategies", "lp_ft")
    ready = prepared("lp_ft")
    arguments = ready.arguments(tmp_path)
    arguments.fsdp = ["full_shard"]
    spread = job(ready, tmp_path, arguments=arguments)
    model = ready.checkpoint.model
    assert strategy().start(spread).checkpoint.model is model
    with pytest.raises(RecipeError, match=r"strategy\.pooling: 'mean': training\.fsdp spreads"):
        strategy(pooling="mean").check_switches(spread)


def test_a_pooling_of_tokens_is_refused():
    task = registry.find("tasks", "token_classification")()
    strategy = registry.find("strategies", "lp_ft")(pooling="mean")
    assert "reads every token" in strategy.incompatibility(task)
