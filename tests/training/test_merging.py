"""Fine-tuned checkpoints of one base, merged into it before training starts."""

import shutil

import pytest
import torch
from grafting import prepare, write_recipe
from transformers import AutoModel

from pipelines import recipe as recipes
from pipelines.cli import main
from pipelines.core.errors import ModelError
from pipelines.report import lock

SIZE = 0.05  # of what "fine-tuning" adds to each weight


@pytest.fixture
def tuned(checkpoint, tmp_path):
    """Make a folder with the base's weights and noise on top, as if it had been fine-tuned."""

    def tuned(seed, family="bert", size=SIZE, keeps=1):
        folder = tmp_path / f"{family}{seed}"
        shutil.copytree(checkpoint(family), folder)
        model, generator = AutoModel.from_pretrained(folder), torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for tensor in model.parameters():
                tensor *= keeps
                tensor += size * torch.randn(tensor.shape, generator=generator)
            for name, tensor in model.named_buffers():
                if name.endswith("running_mean"):
                    tensor += seed
        model.save_pretrained(folder)
        return folder

    return tuned


@pytest.fixture
def merged(checkpoint, text_data, tmp_path):
    """Prepare a recipe that merges folders."""

    def merged(folders, family="bert", data=text_data, strategy="full", task="text", **options):
        averaging = {"merge": {"checkpoints": [str(folder) for folder in folders], **options}}
        sections = {"strategy": strategy, "averaging": averaging, "task": task}
        return prepare(tmp_path, checkpoint(family), data, **sections)

    return merged


def encoder(folder):
    return AutoModel.from_pretrained(folder).state_dict()


def changes(base, folders):
    """Name of a parameter -> (checkpoints, …) what was added to it."""
    start = encoder(base)
    states = [encoder(folder) for folder in folders]
    return {name: torch.stack([s[name] - start[name] for s in states]) for name in start}


def moved(prepared, base):
    """What the merge added to the base."""
    state = prepared.checkpoint.model.base_model.state_dict()
    start = encoder(base)
    return {name: state[name] - tensor for name, tensor in start.items()}


def assert_close(result, expected):
    assert result.keys() == expected.keys()
    for name, tensor in result.items():
        torch.testing.assert_close(tensor, expected[name], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("options", "factor"),
    [({}, 1 / 3), ({"method": "task_arithmetic"}, 0.4), ({"method": "dare", "density": 1}, 0.4)],
)
def test_a_merge_adds_the_changes_up(tuned, merged, checkpoint, capsys, options, factor):
    """By default their mean; with a density of 1 DARE drops none of them."""
    folders = [tuned(seed) for seed in (1, 2, 3)]
    result = moved(merged(folders, **options), checkpoint("bert"))
    added = changes(checkpoint("bert"), folders)
    assert_close(result, {name: factor * each.sum(0) for name, each in added.items()})
    assert "merge: " in capsys.readouterr().out


def test_ties_averages_the_large_changes_of_the_elected_sign(tuned, merged, checkpoint):
    """Worked out again, weight by weight, from the paper's three steps."""
    folders = [tuned(seed) for seed in (1, 2, 3)]
    result = moved(merged(folders, method="ties", density=0.5), checkpoint("bert"))
    added = changes(checkpoint("bert"), folders)
    sizes = torch.cat([each.flatten(1) for each in added.values()], 1).abs()
    limits = sizes.sort(1).values[:, sizes.shape[1] // 2]
    for name, each in added.items():
        limit = limits.reshape(-1, *[1] * (each.ndim - 1))
        trimmed = torch.where(each.abs() >= limit, each, torch.nan)
        wins = trimmed.nansum(0).sign()
        expected = torch.where(trimmed.sign() == wins, trimmed, torch.nan).nanmean(0).nan_to_num()
        # weights at the limit are trimmed or not by a rounding
        assert (result[name] - expected).abs().gt(1e-4).float().mean() < 0.01


def test_dare_keeps_a_share_of_the_changes_scaled_up(tuned, merged, checkpoint):
    folders = [tuned(1), tuned(2)]
    options = {"method": "dare", "density": 0.25, "scale": 1}
    result = moved(merged(folders, **options), checkpoint("bert"))
    again = moved(merged(folders, **options), checkpoint("bert"))
    assert_close(result, again)
    flat = torch.cat([tensor.flatten() for tensor in result.values()])
    untouched = (flat.abs() < 1e-7).float().mean()
    assert abs(untouched - 0.75**2) < 0.02
    assert abs(flat.std() - SIZE * (2 / 0.25) ** 0.5) < 0.01


def test_running_statistics_become_the_mean(tuned, merged, checkpoint, image_data):
    folders = [tuned(seed, "resnet") for seed in (1, 2)]
    prepared = merged(folders, "resnet", image_data, task="image")
    result = moved(prepared, checkpoint("resnet"))
    means = [tensor for name, tensor in result.items() if name.endswith("running_mean")]
    assert means
    for tensor in means:
        torch.testing.assert_close(tensor, torch.full_like(tensor, 1.5))


def test_a_probe_can_be_solved_on_what_was_merged(tuned, merged):
    """It takes no gradient steps, for which the rest of averaging is."""
    prepared = merged([tuned(1), tuned(2)], strategy="linear_probe")
    assert any(note.startswith("merge: mean") for note in prepared.checkpoint.notes)


def test_the_lock_identifies_what_was_merged(tuned, checkpoint, text_data, tmp_path):
    names = [str(tuned(1)), "someone/else"]
    sections = {"averaging": {"merge": {"checkpoints": names}}}
    recipe = recipes.load(write_recipe(tmp_path, checkpoint("bert"), text_data, **sections))
    locked = lock.collect(recipe, commit=None, merged_commits=(None, "c" * 40))
    folder, of_hub = locked["merged"]
    assert "model.safetensors" in folder["files"]
    assert of_hub == {"checkpoint": "someone/else", "revision": "main", "commit": "c" * 40}
    _, pinned = lock.pinned(recipe, locked)["averaging"]["merge"]["checkpoints"]
    assert pinned["revision"] == "c" * 40


def other_architecture(tuned, checkpoint):
    return checkpoint("roberta")


def other_shapes(tuned, checkpoint):
    folder = tuned(7)
    model = AutoModel.from_pretrained(folder)
    model.resize_token_embeddings(40)
    model.save_pretrained(folder)
    return folder


def not_finite(tuned, checkpoint):
    return tuned(8, size=torch.nan)


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        (other_architecture, "Roberta|roberta"),
        (other_shapes, "word_embeddings.weight: 40 x 32 and"),
        (lambda tuned, checkpoint: checkpoint("bert"), "has the same weights"),
        (lambda tuned, checkpoint: tuned(9, keeps=0), "was not fine-tuned from"),
        (not_finite, "not finite"),
        (lambda tuned, checkpoint: "/no/such/folder", "no such folder"),
    ],
)
def test_what_is_not_of_the_base_is_refused(tuned, merged, checkpoint, other, reason):
    folder = other(tuned, checkpoint)
    with pytest.raises(ModelError, match=reason) as caught:
        merged([tuned(1), folder])
    assert "averaging.merge.checkpoints" in str(caught.value)
    assert str(folder) in str(caught.value)


@pytest.mark.parametrize(
    ("merge", "sections", "reason"),
    [
        ({"checkpoints": ["a"]}, {}, "two or more"),
        ({"checkpoints": ["a", "a"]}, {}, "'a' stands there twice"),
        ({"checkpoints": ["a", "b"], "density": 0.5}, {}, "use ties or dare"),
        ({"checkpoints": ["a", "b"]}, {"strategy": "scratch"}, "draws all weights anew"),
        (
            {"checkpoints": ["a", "b"]},
            {"strategy": {"name": "lora", "save": "adapter"}},
            "averaging.merge changes",
        ),
        (
            {"checkpoints": ["a", "b"]},
            {"model": {"checkpoint": "a", "quantization": "4bit"}},
            "few bits cannot be merged",
        ),
        (
            {"checkpoints": ["a", "b"]},
            {"model": {"checkpoint": "a", "trust_remote_code": True, "revision": "0" * 40}},
            "one commit only",
        ),
    ],
)
def test_merges_that_make_no_sense_are_refused(
    checkpoint, text_data, tmp_path, capsys, merge, sections, reason
):
    sections = {"averaging": {"merge": merge}, **sections}
    recipe = write_recipe(tmp_path, checkpoint("bert"), text_data, **sections)
    assert main(["check", str(recipe)]) == 2
    assert reason in capsys.readouterr().err
