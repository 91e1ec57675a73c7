"""What trains when: stages, their courses of the rate, and rates that differ by depth."""

import itertools
import math

import pytest
import tiny
from closeness import close
from grafting import changed, fit, prepare, write_recipe

from pipelines.cli import main
from pipelines.core import registry
from pipelines.core.errors import ModelError
from pipelines.models.anatomy import dissect
from pipelines.report.run_folder import RunFolder
from pipelines.training.stages import COURSES, Plan, Stage, one_cycle, slanted_triangular

SLOW = pytest.mark.slow
FAMILIES = [
    pytest.param(family, marks=() if family == "bert" else SLOW)
    for family in (*tiny.TEXT_FAMILIES, *tiny.IMAGE_FAMILIES)
]
EACH_EPOCH = {"save_strategy": "epoch", "save_total_limit": None, "load_best_model_at_end": False}
GENTLE = {"learning_rate": 1e-3, "logging_steps": 1}


@pytest.fixture
def prepared(checkpoint, training_data, tmp_path):
    """prepared(family, strategy, training…): loaded, not trained."""

    def prepared(family, strategy, **training):
        task = "text" if family in tiny.TEXT_FAMILIES else "image"
        return prepare(
            tmp_path,
            checkpoint(family),
            training_data[task],
            task=task,
            strategy=strategy,
            training={**GENTLE, **training},
        )

    return prepared


def checkpoints(result, folder):
    """The tensors of each checkpoint, in order."""
    paths = sorted(folder.glob("checkpoint-*"), key=lambda path: int(path.name.split("-")[1]))
    kind = type(result.checkpoint.model)
    return [dict(kind.from_pretrained(path).state_dict()) for path in paths]


def depths(result):
    """Parameter -> where it stands; buffers are left out."""
    model = result.checkpoint.model
    anatomy = dissect(model, result.checkpoint.newly_initialized)
    return {name: anatomy.depth(name) for name, _ in model.named_parameters()}


# Stages


@pytest.mark.parametrize(
    ("family", "head"),
    [
        *(pytest.param(*family.values, "solved", marks=family.marks) for family in FAMILIES),
        ("bert", "trained"),
        pytest.param("resnet", "trained", marks=SLOW),
    ],
)
@pytest.mark.slow
def test_each_group_waits_for_its_epoch_and_then_moves(prepared, tmp_path, family, head):
    """Every tensor of it, to the last bit: frozen, it is as it was; unfrozen, it learns."""
    groups = 3
    strategy = {"name": "gradual_unfreezing", "groups": groups, "head": head}
    epochs = groups if head == "trained" else groups - 1
    ready = prepared(family, strategy, num_train_epochs=epochs, **EACH_EPOCH)
    assert ready.recipe.strategy.head == head
    where, before = depths(ready), dict(ready.checkpoint.model.state_dict())
    before = {name: tensor.clone() for name, tensor in before.items()}
    fit(ready, tmp_path / "checkpoints")
    head_depth, states = (
        max(where.values()),
        [before, *checkpoints(ready, tmp_path / "checkpoints")],
    )
    assert len(states) == epochs + 1
    moved = []
    for one, other in itertools.pairwise(states):
        differ = changed(one, other)
        moved.append({where[name] for name in differ & where.keys()})
    lowest = [min(depths) for depths in moved]
    assert lowest[0] == (head_depth if head == "trained" else lowest[0])
    if head == "solved":  # the solver moves the head, the first stage what is right below it
        assert 0 < lowest[0] < head_depth
    assert lowest == sorted(lowest, reverse=True)
    assert len({*lowest}) == len(lowest)
    assert lowest[-1] == min(where.values())  # VGG has nothing before its first block
    assert moved[-1] == {*where.values()}


def test_statistics_and_dropout_rest_while_their_group_waits(prepared, tmp_path):
    strategy = {"name": "gradual_unfreezing", "groups": 3, "head": "trained"}
    ready = prepared("resnet", strategy, num_train_epochs=3, **EACH_EPOCH)
    model = ready.checkpoint.model
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    fit(ready, tmp_path / "checkpoints")
    statistics = {name for name in before if "running" in name}
    assert statistics
    only_head, _, everything = checkpoints(ready, tmp_path / "checkpoints")
    assert not statistics & changed(before, only_head)
    assert statistics <= changed(before, everything)
    assert not any(module._forward_pre_hooks for module in model.modules())


@SLOW
@pytest.mark.parametrize("strategy", ["gradual_unfreezing", "fine_tune"])
def test_a_resumed_run_is_in_the_stage_that_it_was_in(checkpoint, text_data, tmp_path, strategy):
    from safetensors.torch import load_file

    section = {"name": strategy, "head": "trained"}
    training = {**GENTLE, **EACH_EPOCH, "num_train_epochs": 4, "eval_strategy": "epoch"}
    sections = {"strategy": section, "training": training, "early_stopping": None}
    sections["calibration"] = None
    recipe = write_recipe(tmp_path, checkpoint("bert"), text_data, **sections)
    ready = prepare(tmp_path, checkpoint("bert"), text_data, **sections)
    fit(ready, tmp_path / "checkpoints")
    whole = checkpoints(ready, tmp_path / "checkpoints")[-1]
    # a run that was killed after its second epoch
    run = RunFolder.create(tmp_path / "runs", "recipe")
    for path in (tmp_path / "checkpoints").glob("checkpoint-*"):
        if int(path.name.split("-")[1]) <= 8:
            run.checkpoints.mkdir(exist_ok=True)
            path.rename(run.checkpoints / path.name)
    run.lock.write_text("{}")
    assert main(["run", str(recipe), "training.resume_from_checkpoint=true"]) == 0
    assert not changed(whole, load_file(run.model / "model.safetensors"))


def test_early_stopping_does_not_count_before_everything_trains(prepared, tmp_path):
    """With a rate of nothing, no evaluation is better than the one before."""
    strategy = {"name": "gradual_unfreezing", "groups": 4, "head": "trained"}
    ready = prepared("bert", strategy, num_train_epochs=6, learning_rate=0.0)
    early = ready.recipe.early_stopping.replace(patience=1)
    fitted = fit(ready, tmp_path / "checkpoints", early_stopping=early)
    evaluated = [entry["epoch"] for entry in fitted.history if "eval_loss" in entry]
    assert evaluated == [1, 2, 3, 4]


@pytest.mark.parametrize("strategy", ["gradual_unfreezing", "fine_tune"])
def test_where_no_head_can_be_solved_for_it_is_trained(checkpoint, text_data, tmp_path, strategy):
    recipe = write_recipe(
        tmp_path, checkpoint("gpt2"), text_data, task="causal_lm", strategy=strategy
    )
    assert main(["check", str(recipe)]) == 0
    assert main(["check", str(recipe), "strategy.head=solved"]) == 2


# Courses


@pytest.mark.numerical
@pytest.mark.parametrize("schedule", COURSES)
def test_a_course_rises_and_falls_once(schedule):
    values = [COURSES[schedule](i / 1000) for i in range(1001)]
    top = values.index(max(values))
    assert max(values) == pytest.approx(1)
    assert values[: top + 1] == sorted(values[: top + 1])
    assert values[top:] == sorted(values[top:], reverse=True)
    assert min(values) >= 0


@pytest.mark.numerical
def test_courses_are_those_of_their_papers():
    assert one_cycle(0) == pytest.approx(1 / 5)
    assert one_cycle(0.3) == 1
    assert one_cycle(1) == pytest.approx(1e-5)
    # arXiv 1801.06146, equation 3, cut_frac 0.1, ratio 32
    for t, total in ((0, 200), (7, 200), (20, 200), (111, 200), (200, 200)):
        cut = total * 0.1
        p = t / cut if t < cut else 1 - (t - cut) / (cut * (1 / 0.1 - 1))
        assert slanted_triangular(t / total) == pytest.approx((1 + p * 31) / 32)


@pytest.mark.numerical
def test_a_plan_knows_its_stage_from_the_progress_of_the_run():
    stages = [Stage((2,), 1.0, one_cycle), Stage((0, 1, 2), 3.0, one_cycle, peak=0.5)]
    plan = Plan(tuple(stages))
    assert plan.at(0) == (0, 0.0)
    assert plan.at(0.125) == (0, 0.5)
    assert plan.at(0.25) == (1, 0.0)
    assert plan.at(1) == (1, 1.0)
    assert plan.lr_factor(0.25 + 0.3 * 0.75) == pytest.approx(0.5)
    for total in (3, 7, 12, 1000):  # a stage begins with a step, however steps are counted
        numbers = [plan.at(step / total)[0] for step in range(total)]
        assert numbers == sorted(numbers)
        assert numbers.count(0) == math.ceil(total / 4 - 1e-6)


@pytest.mark.numerical
def test_the_rate_follows_the_plan(prepared, tmp_path):
    ready = prepared("bert", {"name": "fine_tune", "head": "trained"}, num_train_epochs=3)
    strategy = ready.recipe.strategy
    fitted = fit(ready, tmp_path / "checkpoints")
    rates = [e["learning_rate"] for e in fitted.history if "learning_rate" in e]
    anatomy = dissect(ready.checkpoint.model, ready.checkpoint.newly_initialized)
    plan, total = Plan(strategy.stages(anatomy, 3)), len(rates)
    expected = [1e-3 * plan.lr_factor(step / total) for step in range(total)]
    assert rates == pytest.approx(expected, rel=1e-5, abs=1e-9)


# Rates by depth


@pytest.mark.parametrize("family", FAMILIES)
def test_a_step_is_as_long_as_the_rate_of_its_depth(prepared, tmp_path, family):
    """Of plain gradient descent, against that of one rate for all, from the same weights."""
    plain = {
        "optim": "sgd",
        "max_steps": 1,
        "max_grad_norm": 0.0,
        "weight_decay": 0.0,
        "lr_scheduler_type": "constant",
        "warmup_steps": 0,
        "learning_rate": 0.01,
        "eval_strategy": "no",
    }
    steps = {}
    for strategy in ("full", {"name": "layerwise_lr_decay", "decay": 0.5}):
        ready = prepared(family, strategy, **plain)
        model = ready.checkpoint.model
        before = {n: p.detach().clone() for n, p in model.named_parameters()}
        fit(ready, tmp_path / "checkpoints")
        named = model.named_parameters()
        steps[ready.recipe.strategy.name] = {n: p.detach() - before[n] for n, p in named}
    where = depths(ready)
    for parameter, depth in where.items():
        rate = 0.5 ** (max(where.values()) - depth)
        whole, part = steps["full"][parameter], steps["layerwise_lr_decay"][parameter]
        # differences of float32 weights are exact to their last bit only
        least = 2e-7 * float(before[parameter].abs().max()) + 1e-9
        assert abs(part - rate * whole).max() <= least + 1e-3 * rate * abs(whole).max(), parameter


@pytest.mark.numerical
def test_rates_fall_towards_the_input(prepared):
    ready = prepared("bert", "full")
    anatomy = dissect(
        ready.checkpoint.model, ready.checkpoint.newly_initialized
    )  # embeddings, 2 blocks, head
    where = depths(ready)

    def rates(strategy):
        return {where[name]: strategy.lr_multiplier(name, anatomy) for name in where}

    fine_tune = registry.find("strategies", "fine_tune")(lr_mult=8)
    assert rates(fine_tune) == pytest.approx({3: 1, 2: 1 / 2, 1: 1 / 4, 0: 1 / 8})
    gradual = registry.find("strategies", "gradual_unfreezing")
    assert rates(gradual()) == pytest.approx({3: 1, 2: 2.6**-1, 1: 2.6**-2, 0: 2.6**-3})
    assert rates(gradual(groups=2)) == pytest.approx({3: 1, 2: 1 / 2.6, 1: 1 / 2.6, 0: 1 / 2.6})


@pytest.mark.numerical
@pytest.mark.parametrize(("family", "expected"), [("bert", 0.95), ("vit", 0.75)])
def test_decay_follows_modality_and_depth(prepared, family, expected):
    """The rate of the first block is that of a base model's, however many blocks there are."""
    strategy = prepared(family, "layerwise_lr_decay").recipe.strategy
    assert strategy.decay == pytest.approx(expected**6, abs=1e-4)  # two blocks, not twelve


# Chosen blocks


@pytest.mark.parametrize("family", FAMILIES)
def test_only_the_blocks_that_are_named_change(prepared, tmp_path, family):
    ready = prepared(family, {"name": "top_layers", "layers": [0]}, num_train_epochs=2)
    model, where = ready.checkpoint.model, depths(ready)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    fit(ready, tmp_path / "checkpoints")
    differ = changed(before, model.state_dict())
    assert {where[name] for name in differ & where.keys()} == {1, max(where.values())}
    anatomy = dissect(model, ready.checkpoint.newly_initialized)
    assert {anatomy.depth(name) for name in differ} <= {1, max(where.values())}  # statistics, too


@pytest.mark.parametrize("layers", [[2], [0, 7], 2])
def test_blocks_that_are_not_there_are_refused(prepared, tmp_path, layers):
    ready = prepared("bert", {"name": "top_layers", "layers": layers})
    with pytest.raises(ModelError, match=r"BertForSequenceClassification has 2 blocks"):
        fit(ready, tmp_path / "checkpoints")


# Other starts


@pytest.mark.numerical
@pytest.mark.parametrize("family", FAMILIES)
def test_lp_ft_starts_from_the_head_that_a_probe_finds(prepared, tmp_path, family):
    steady = {"learning_rate": 0.0, "num_train_epochs": 1, "weight_decay": 0.0}
    probed = prepared(family, {"name": "linear_probe", "pooling": "head"})
    fit(probed, tmp_path / "probe")
    tuned = prepared(family, {"name": "lp_ft", "pooling": "head"}, **steady)
    fit(tuned, tmp_path / "checkpoints")
    one, other = (dict(result.checkpoint.model.named_parameters()) for result in (probed, tuned))
    output = dissect(tuned.checkpoint.model, tuned.checkpoint.newly_initialized).output
    for name, parameter in one.items():
        if name.startswith(f"{output}."):
            # smaller logits of the same order, which leave a gradient
            factor = other[name].norm() / parameter.norm()
            assert factor <= 1
            close(other[name] / factor, parameter)
        else:
            assert other[name].equal(parameter), name


@pytest.mark.parametrize("family", FAMILIES)
def test_reinit_top_draws_the_last_block_and_nothing_else(prepared, family):
    ready = prepared(family, "reinit_top")
    model, where = ready.checkpoint.model, depths(ready)
    anatomy = dissect(model, ready.checkpoint.newly_initialized)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    ready.recipe.strategy.apply(model, anatomy)
    differ = changed(before, model.state_dict())
    last = max(where.values())
    matrices = {n for n in where if where[n] == last - 1 and before[n].ndim > 1}
    matrices = {name for name in matrices if before[name].std() > 0}  # Swin's tables start at zero
    assert matrices <= differ
    assert {anatomy.depth(name) for name in differ} <= {last - 1, last}
    assert not differ & set(ready.checkpoint.newly_initialized)


@SLOW
@pytest.mark.parametrize(
    ("family", "strategy", "why"),
    [
        ("timm-vgg", "freeze_embeddings", "has no weights before its first block"),
        ("modernbert", "bitfit", "has no biases; use lora, or ln_tuning"),
        ("bert", {"name": "reinit_top", "layers": 2}, "leaves nothing pretrained: use scratch"),
    ],
)
def test_what_a_model_lacks_is_told(prepared, tmp_path, family, strategy, why):
    with pytest.raises(ModelError, match=why):
        fit(prepared(family, strategy), tmp_path / "checkpoints")
