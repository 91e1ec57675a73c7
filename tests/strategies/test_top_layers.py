"""Partial freezing: what is below the boundary never changes, and runs once where that pays."""

import pytest
import tiny
import torch
from grafting import fit, prepare, problem
from grafting import logits as logits_of

from pipelines.core import cache
from pipelines.core.errors import ModelError, RecipeError
from pipelines.models.anatomy import dissect

SLOW = pytest.mark.slow
TEXTS = [pytest.param(f, marks=() if f in ("bert", "gpt2") else SLOW) for f in tiny.TEXT_FAMILIES]
IMAGES = [
    pytest.param(f, marks=() if f in ("resnet", "vit") else SLOW) for f in tiny.IMAGE_FAMILIES
]
STEADY = {"num_train_epochs": 3, "learning_rate": 1e-3, "logging_steps": 1, "max_grad_norm": 0.0}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("GRAFT_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def trained(checkpoint, training_data, tmp_path, capsys):
    """trained(family, frozen_blocks, …) -> (prepared, fitted, what was printed)."""

    def trained(family, cached, layers=1, data=None, speed=None, **sections):
        task = "text" if family in tiny.TEXT_FAMILIES else "image"
        strategy = {"name": "top_layers", "layers": layers}
        switches = {"frozen_blocks": cached, **(speed or {})}
        ready = prepare(
            tmp_path,
            checkpoint(family),
            data or training_data[task],
            **{"task": task, "strategy": strategy, "training": STEADY},
            speed=switches,
            **sections,
        )
        capsys.readouterr()
        fitted = fit(ready, tmp_path / f"checkpoints-{cached}")
        return ready, fitted, capsys.readouterr().out

    return trained


def curve(fitted):
    return [
        [entry[key] for key in ("loss", "grad_norm", "eval_loss") if key in entry]
        for entry in fitted.history
    ]


@pytest.mark.numerical
# inputs of blocks: a mask, positions, relative positions, none; batch normalization; timm's wrapper
@pytest.mark.parametrize(
    "family", ["bert", "gpt2", "deberta-v2", "modernbert", "vit", "swin", "resnet", "timm-resnet"]
)
@pytest.mark.slow
def test_going_around_frozen_blocks_gives_the_same_curve_and_the_same_model(trained, family):
    # what is packed has other shapes, for which dropout draws other numbers
    unpacked = {"packing": "off"}
    slow, by_steps, _ = trained(family, cached="off", speed=unpacked)
    fast, shorter, printed = trained(family, cached="on", speed=unpacked)
    assert "speed: frozen_blocks on: " in printed
    for one, other in zip(curve(by_steps), curve(shorter), strict=True):
        assert other == pytest.approx(one, rel=2e-3, abs=1e-5)
    assert by_steps.chosen == shorter.chosen
    torch.testing.assert_close(
        torch.as_tensor(logits_of(slow, by_steps)),
        torch.as_tensor(logits_of(fast, shorter)),
        rtol=1e-2,
        atol=2e-3,
    )
    assert not any("forward" in vars(module) for module in shorter.output.model.modules())


@pytest.mark.numerical
@pytest.mark.slow
@pytest.mark.parametrize("family", [*TEXTS, *IMAGES])
def test_what_is_frozen_does_not_change_by_a_bit(
    checkpoint, text_data, image_data, tmp_path, family
):
    """With activations kept on disk; without them, test_strategies looks at the same."""
    kind, data = ("text", text_data) if family in tiny.TEXT_FAMILIES else ("image", image_data)
    strategy = {"name": "top_layers", "layers": 1}
    sections = {"task": kind, "strategy": strategy, "training": STEADY}
    sections["speed"] = {"frozen_blocks": "on"}
    ready = prepare(tmp_path, checkpoint(family), data, **sections)
    model = ready.checkpoint.model
    before = {name: value.clone() for name, value in model.state_dict().items()}
    anatomy = dissect(model, ready.checkpoint.newly_initialized)
    after = fit(ready, tmp_path / "checkpoints").output.model.state_dict()
    changed = {name for name in before if not after[name].equal(before[name])}
    assert changed
    assert min(anatomy.depth(name) for name in changed) == len(anatomy.depths) - 2


@pytest.mark.slow
def test_a_second_run_finds_what_the_frozen_blocks_gave(trained):
    trained("bert", cached="on")
    values = {entry.name: entry.num_bytes for entry in cache.entries() if not entry.is_table}
    trained("bert", cached="on")
    assert values
    again = {entry.name: entry.num_bytes for entry in cache.entries() if not entry.is_table}
    assert again == values


@pytest.mark.slow
def test_it_is_decided_by_measuring_and_said(trained, monkeypatch):
    _, _, printed = trained("bert", cached="auto")
    assert "speed: frozen_blocks on: " in printed or "epochs save no more than" in printed
    monkeypatch.setenv("GRAFT_CACHE_GB", "0")
    _, _, printed = trained("bert", cached="auto")
    assert "more than the disk or GRAFT_CACHE_GB allow" in printed


@pytest.mark.slow
def test_what_varies_is_not_kept(trained):
    augmentation = {"augmentation": {"flip": 0.5}}
    _, _, printed = trained("resnet", cached="auto", **augmentation)
    assert "speed: frozen_blocks off: examples vary" in printed
    with pytest.raises(RecipeError, match=r"speed\.frozen_blocks: on: cannot be done: examples v"):
        trained("resnet", cached="on", **augmentation)


def test_there_must_be_blocks_left_to_freeze(trained):
    with pytest.raises(ModelError, match=r"has 2 blocks; strategy\.layers 2 trains all of them"):
        trained("bert", cached="off", layers=2)


@pytest.mark.slow
def test_regression_and_pairs_go_around_as_well(trained, tmp_path):
    for kind in ("number", "pairs"):
        data = problem(tmp_path / kind, kind)
        _, by_steps, _ = trained("bert", cached="off", data=data)
        _, shorter, printed = trained("bert", cached="on", data=data)
        assert "speed: frozen_blocks on: " in printed
        assert shorter.chosen == by_steps.chosen
