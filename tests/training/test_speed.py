"""The switches of `speed:`: auto, on and off; what was decided is printed and recorded."""

import json

import pytest
import yaml
from grafting import fit, prepare, write_recipe

from pipelines import recipe
from pipelines.cli import main
from pipelines.core.errors import RecipeError
from pipelines.report.run_folder import RunFolder
from pipelines.training.speed import Speed, SpeedDecision, decide

SWITCHES = [*Speed.model_fields]
STEPS = {"max_steps": 1, "eval_strategy": "no"}
CHECKPOINTED = {**STEPS, "activation_checkpointing": True}


@pytest.fixture
def decisions(checkpoint, text_data, image_data, tmp_path, capsys):
    """decisions(family, …) -> name -> SpeedDecision, and what was printed about them."""

    def decisions(family="bert", **sections):
        data, task = (image_data, "image") if family == "resnet" else (text_data, "text")
        sections = {"training": STEPS, **sections}
        ready = prepare(tmp_path, checkpoint(family), data, task=task, **sections)
        capsys.readouterr()
        fitted = fit(ready, tmp_path / "checkpoints")
        lines = [line for line in capsys.readouterr().out.splitlines() if line[:6] == "speed:"]
        assert lines == [str(decision) for decision in fitted.speed]
        return {decision.name: decision for decision in fitted.speed}

    return decisions


# The section


@pytest.mark.parametrize("text", ["on", "off", "auto"])
def test_yaml_may_say_on_and_off(checkpoint, text_data, tmp_path, text):
    path = write_recipe(tmp_path, checkpoint("bert"), text_data)
    path.write_text(path.read_text() + f"speed:\n  packing: {text}\n")
    loaded = recipe.load(path, [f"speed.length_buckets={text}"])
    assert (loaded.speed.packing, loaded.speed.length_buckets) == (text, text)


def test_truth_values_are_understood_as_on_and_off():
    """What YAML 1.1 makes of the words, as in a recipe that Python read."""
    values = yaml.safe_load("{packing: on, length_buckets: off}")
    assert values == {"packing": True, "length_buckets": False}
    assert Speed(**values) == Speed(packing="on", length_buckets="off")


def test_other_words_are_refused(checkpoint, text_data, tmp_path):
    path = write_recipe(tmp_path, checkpoint("bert"), text_data, speed={"packing": "always"})
    with pytest.raises(RecipeError, match=r"speed\.packing.*'auto', 'on' or 'off'"):
        recipe.load(path)
    path = write_recipe(tmp_path, checkpoint("bert"), text_data, speed={"pakcing": "on"})
    with pytest.raises(RecipeError, match=r"speed\.pakcing.*packing"):
        recipe.load(path)


def test_a_strategy_without_steps_refuses_on_and_takes_off(checkpoint, text_data, tmp_path):
    sections = {"strategy": "linear_probe", "speed": {"packing": "on"}}
    path = write_recipe(tmp_path, checkpoint("bert"), text_data, **sections)
    with pytest.raises(RecipeError, match=r"speed\.packing: strategy 'linear_probe' takes no"):
        recipe.load(path)
    assert recipe.load(path, ["speed.packing=off"])


@pytest.mark.parametrize("command", ["check", "run"])
def test_frozen_blocks_on_needs_a_strategy_that_has_some(
    checkpoint, text_data, tmp_path, capsys, command
):
    path = write_recipe(tmp_path, checkpoint("bert"), text_data)
    assert main([command, str(path), "speed.frozen_blocks=on"]) == 2
    assert "speed.frozen_blocks: 'on': strategy 'full' has no frozen" in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("family", "overrides", "reason"),
    [
        ("resnet", ["speed.packing=on"], "speed.packing: on: cannot be done: packing is for texts"),
        ("modernbert", ["speed.packing=on"], "speed.packing: on: cannot be done: self-test failed"),
        (
            "bert",
            ["speed.packing=on", "speed.length_buckets=on"],
            "speed.length_buckets: on: cannot be done: packed batches have no padding",
        ),
        (
            "gpt2",
            ["strategy={name: top_layers, layers: [0]}", "speed.frozen_blocks=on"],
            "speed.frozen_blocks: on: cannot be done: only top_layers, above frozen blocks",
        ),
    ],
)
@pytest.mark.parametrize("command", ["check", "run"])
@pytest.mark.slow
def test_a_refused_switch_is_found_by_a_check_and_leaves_no_folder(
    checkpoint, text_data, image_data, tmp_path, capsys, command, family, overrides, reason
):
    data, task = (image_data, "image") if family == "resnet" else (text_data, "text")
    path = write_recipe(tmp_path, checkpoint(family), data, task=task)
    assert main([command, str(path), *overrides]) == 2
    assert reason in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("switch", ["auto", "on"])
def test_texts_of_one_length_have_no_padding_to_leave_out(checkpoint, tmp_path, capsys, switch):
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "train.csv").write_text("text,label\n" + "a good film,1\na bad film,0\n" * 16)
    sections = {"training": STEPS, "speed": {"packing": switch}}
    ready = prepare(tmp_path, checkpoint("bert"), folder, **sections)
    packing = fit(ready, tmp_path / "checkpoints").speed[0]
    assert packing.on == (switch == "on")
    assert packing.reason == "" if packing.on else "there is no padding" in packing.reason


# Deciding


def test_obstacles_count_before_costs_and_on_asks_for_no_costs():
    def never():
        raise AssertionError

    def of(switch, obstacle=None, cost=None):
        tests = (lambda: obstacle), (never if cost is None else lambda: cost)
        return decide(Speed(packing=switch), "packing", *tests)

    assert of("off") == SpeedDecision("packing", False, "the recipe says off")
    assert of("auto", obstacle="no blocks") == SpeedDecision("packing", False, "no blocks")
    assert of("auto", cost="too few") == SpeedDecision("packing", False, "too few")
    assert of("on") == SpeedDecision("packing", True)
    with pytest.raises(RecipeError, match=r"speed\.packing: on: cannot be done: no blocks"):
        of("on", obstacle="no blocks")


def test_every_switch_is_decided_printed_and_given_back(decisions):
    result = decisions()
    assert sorted(result) == sorted(SWITCHES)
    assert result["packing"] == SpeedDecision("packing", True)
    assert result["length_buckets"].reason == "packed batches have no padding"
    assert "top_layers" in result["frozen_blocks"].reason


def test_off_is_off(decisions):
    result = decisions(speed=dict.fromkeys(SWITCHES, "off"))
    assert {(d.on, d.reason) for d in result.values()} == {(False, "the recipe says off")}


@pytest.mark.parametrize(
    ("family", "name", "sections", "reason"),
    [
        ("resnet", "packing", {}, "packing is for texts; ResNetForImageClassification reads pixel"),
        ("resnet", "length_buckets", {}, "batch normalization"),
        ("modernbert", "packing", {}, "self-test failed"),
        ("bert", "packing", {"training": CHECKPOINTED}, "gradient checkpointing"),
    ],
)
@pytest.mark.slow
def test_on_where_it_cannot_be_done_is_an_error_and_auto_says_why(
    decisions, family, name, sections, reason
):
    decision = decisions(family, **sections)[name]
    assert not decision.on
    assert reason in decision.reason
    with pytest.raises(RecipeError, match=rf"speed\.{name}: on: cannot be done: .*{reason}"):
        decisions(family, **sections, speed={name: "on"})


def test_on_does_what_would_not_pay(decisions):
    result = decisions(speed={"length_buckets": "on"})
    assert result["length_buckets"].on
    assert result["packing"].reason == "length_buckets is on"


def test_a_failed_self_test_is_no_packing(decisions, monkeypatch):
    from pipelines.training.speed.packed_layout import PackedLayout

    unpack = PackedLayout.unpack
    monkeypatch.setattr(PackedLayout, "unpack", lambda self, packed: unpack(self, packed) + 1)
    result = decisions()["packing"]
    assert not result.on
    assert result.reason.startswith("self-test failed: packed, logits of a batch differ by up to ")


# The record


def test_a_run_records_what_was_decided(checkpoint, text_data, tmp_path):
    sections = {"training": STEPS, "speed": {"length_buckets": "off"}, "calibration": None}
    path = write_recipe(tmp_path, checkpoint("bert"), text_data, **sections)
    assert main(["run", str(path)]) == 0
    metrics = json.loads(RunFolder(tmp_path / "runs/recipe/1").metrics.read_text())
    assert sorted(metrics["speed"]) == sorted(SWITCHES)
    assert metrics["speed"]["packing"] == {"on": True, "reason": ""}
    assert metrics["speed"]["length_buckets"] == {"on": False, "reason": "the recipe says off"}
