"""Features are computed once; later runs, heads and seeds load them from disk."""

import json
import shutil
from contextlib import contextmanager

import numpy as np
import pytest
import tiny
import torch
from closeness import close
from grafting import fit, prepare, write_recipe
from transformers import PreTrainedModel

from pipelines import cli, recipe
from pipelines.core import cache, cache_folder, registry
from pipelines.features import chunks, fingerprints
from pipelines.features.candidates import pooled_extractor
from pipelines.models import forward
from pipelines.models.anatomy import dissect
from pipelines.workflow import run as pipeline

SLOW = pytest.mark.slow
TEXTS = [
    pytest.param(f, marks=() if f in ("bert", "roberta") else SLOW) for f in tiny.TEXT_FAMILIES
]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Use a cache of this test's own."""
    monkeypatch.setenv("GRAFT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(cache_folder, "tables", lambda: tmp_path / "tables")
    return tmp_path / "cache"


@contextmanager
def rows_through_the_model():
    """Yield a list that collects how many rows each pass of an encoder has."""
    seen = []

    def note(module, _, outputs):
        if isinstance(module, PreTrainedModel) and hasattr(outputs, "last_hidden_state"):
            seen.append(len(outputs.last_hidden_state))

    hook = torch.nn.modules.module.register_module_forward_hook(note)
    try:
        yield seen
    finally:
        hook.remove()


SAMPLE_ROWS = 4  # of the batch on which an extractor is found, in each run


def computed(prepared, tmp_path, **changes):
    """Fit; returns the result and how many rows went through the encoder for it."""
    with rows_through_the_model() as seen:
        fitted = fit(prepared, tmp_path, **changes)
    return fitted, sum(n for n in seen if n > SAMPLE_ROWS)


NUM_ROWS = tiny.NUM_ROWS["train"] + tiny.NUM_ROWS["validation"]


@pytest.mark.parametrize("family", TEXTS)
@pytest.mark.slow
def test_another_run_another_seed_and_another_head_compute_nothing(
    checkpoint, text_data, tmp_path, family
):
    def probed(**training):
        ready = prepare(
            tmp_path, checkpoint(family), text_data, strategy="linear_probe", training=training
        )
        return computed(ready, tmp_path)

    first, rows = probed(per_device_eval_batch_size=8)
    assert rows == NUM_ROWS
    again, rows = probed()
    assert rows == 0
    assert again.chosen == first.chosen
    # RoBERTa's head has a second layer, which every seed draws anew
    _, rows = probed(seed=7)
    assert rows == 0


@pytest.mark.parametrize("strategy", ["lp_ft", "gradual_unfreezing"])
@pytest.mark.slow
def test_a_frozen_stage_loads_what_auto_or_a_probe_computed(
    checkpoint, text_data, tmp_path, folder, strategy
):
    steps = {"num_train_epochs": 1, "save_strategy": "no", "eval_strategy": "no"}

    def prepared(name):
        # `auto` looks at features where it may train for as long as it takes
        sections = {"training": {"num_train_epochs": None}}
        if name == strategy:
            sections = {"training": steps, "early_stopping": None}
        return prepare(tmp_path, checkpoint("bert"), text_data, strategy=name, **sections)

    def stored():
        return sorted(path.name for path in (folder / "features").iterdir())

    prepared("auto")
    assert len(stored()) == 1  # of train
    fit(prepared("linear_probe"), tmp_path)
    by_probe = stored()
    assert len(by_probe) == 2
    fit(prepared(strategy), tmp_path)
    assert stored() == by_probe


@pytest.mark.numerical
@pytest.mark.parametrize("family", TEXTS)
def test_stored_features_are_those_of_the_model(checkpoint, text_data, tmp_path, family):
    ready = prepare(tmp_path, checkpoint(family), text_data, strategy="linear_probe")
    model, rows = ready.checkpoint.model.eval(), ready.encoded["validation"]
    anatomy = dissect(model, ready.checkpoint.newly_initialized)
    for _ in ("computed", "loaded"):
        extractor = pooled_extractor(
            model, anatomy, "auto", rows, ready.collate, ready.checkpoint.newly_initialized
        )
        features, labels = extractor.extract(rows, ready.collate)
        outputs = forward.run(model, rows, ready.collate, ready.recipe.task.collect)
        with torch.no_grad():
            logits = model.get_submodule(anatomy.output)(torch.from_numpy(features["head"]))
        close(logits, outputs["logits"])
        assert labels.tolist() == [rows[row]["labels"] for row in range(len(rows))]


@pytest.mark.parametrize("change", ["weights", "rows", "precision"])
def test_what_changes_features_computes_them_again(checkpoint, text_data, tmp_path, change):
    ready = prepare(tmp_path, checkpoint("bert"), text_data, strategy="linear_probe")
    model, rows = ready.checkpoint.model, ready.encoded["validation"]
    anatomy = dissect(model, ready.checkpoint.newly_initialized)
    extractor = pooled_extractor(model, anatomy, "auto", rows, ready.collate)
    before = extractor.extract(rows, ready.collate)[0]["mean"]
    options = {}
    if change == "weights":
        with torch.no_grad():
            next(model.parameters()).mul_(1.1)
    elif change == "rows":
        rows = ready.encoded["test"]
    else:
        options["bf16"] = True
    with rows_through_the_model() as seen:
        after = extractor.extract(rows, ready.collate, **options)[0]["mean"]
    assert sum(seen) == len(rows)
    assert before.shape != after.shape or np.abs(before - after).max() > 1e-4


def test_a_killed_pass_continues_where_it_was(checkpoint, text_data, tmp_path, monkeypatch):
    monkeypatch.setattr(chunks, "MAX_PENDING_BYTES", 1)  # each batch is written when it is done
    sections = {"strategy": "linear_probe", "training": {"per_device_eval_batch_size": 1}}
    ready = prepare(tmp_path, checkpoint("bert"), text_data, **sections)
    whole, _ = computed(ready, tmp_path)
    for entry in cache.entries():
        entry.remove()

    collate, batches = ready.collate, []

    def killed(rows):
        batch = collate(rows)
        if len(batch["labels"]) > SAMPLE_ROWS:
            batches.append(len(batch["labels"]))
        if len(batches) > 2:
            raise KeyboardInterrupt
        return batch

    with pytest.raises(KeyboardInterrupt):
        fit(ready, tmp_path, collate=killed)
    again, rows = computed(ready, tmp_path)
    assert 0 < rows <= NUM_ROWS - batches[0]
    assert again.chosen == whole.chosen
    assert again.history == whole.history


@pytest.mark.slow
@pytest.mark.parametrize("damage", ["cut", "gone", "unwritable"])
def test_a_cache_that_fails_costs_time_only(
    checkpoint, text_data, tmp_path, monkeypatch, folder, damage
):
    ready = prepare(tmp_path, checkpoint("bert"), text_data, strategy="linear_probe")
    if damage == "unwritable":
        monkeypatch.setenv("GRAFT_CACHE", "/dev/null/cache")
    first, _ = computed(ready, tmp_path)
    for file in folder.glob("features/*/*"):
        file.write_bytes(file.read_bytes()[:100]) if damage == "cut" else file.unlink()
    again, rows = computed(ready, tmp_path)
    assert rows == NUM_ROWS
    assert again.history == first.history


@pytest.mark.slow
def test_predictions_follow_from_features_and_parity_holds(checkpoint, text_data, tmp_path):
    path = write_recipe(tmp_path, checkpoint("bert"), text_data, strategy="linear_probe")
    loaded = recipe.load(path)
    splits = []
    for _ in range(2):
        with rows_through_the_model() as seen:
            run = pipeline.run(loaded)
        content = json.loads(run.metrics.read_text())
        assert content["parity"]["ok"]
        splits.append(
            (sum(n for n in seen if n > SAMPLE_ROWS), content["validation"], content["test"])
        )
    (first, *scores), (second, *others) = splits
    assert scores == others
    # the model that parity reloads computes its examples again
    assert first - second == sum(tiny.NUM_ROWS.values())


def test_the_least_used_goes_first_and_what_is_in_use_stays(tmp_path, monkeypatch):
    import os

    rows = {"rows": torch.zeros(1000)}
    for age, key in enumerate(("a" * 16, "b" * 16, "c" * 16)):
        cache.tensors("encoded", key, lambda: rows)
        os.utime(tmp_path / f"cache/encoded/{key}.safetensors", (1e9 - age, 1e9 - age))
    monkeypatch.setenv("GRAFT_CACHE_GB", str(9e-6))
    stored = chunks.Chunks("d" * 16, 1000)
    stored.add(range(1000), {"mean": torch.zeros(1000, 3)})
    stored.complete()
    # too large, and in use
    assert [entry.name for entry in cache.entries()] == ["features/dddddddddddddddd"]
    assert stored.column("mean").shape == (1000, 3)


def test_rows_of_any_length_come_back_in_order():
    random = np.random.default_rng(0)
    rows = [torch.from_numpy(random.normal(size=(n, 2))).float() for n in (3, 0, 5, 1)]
    computed = chunks.Chunks("key", 4, about="four rows")
    computed.add([2, 0], {"head": [rows[2], rows[0]]})
    assert computed.missing.tolist() == [1, 3]
    computed.add([3, 1], {"head": [rows[3], rows[1]]})
    computed.complete()
    for stored in (computed, chunks.Chunks("key", 4)):
        for row, entry in zip(rows, stored.column("head"), strict=True):
            np.testing.assert_array_equal(entry, row.numpy())


def test_the_cache_is_listed_and_removed(capsys):
    for key in ("ab12" * 4, "cd34" * 4):
        stored = chunks.Chunks(key, 1, about=f"features of {key}")
        stored.add([0], {"mean": torch.zeros(1, 3)})
        stored.complete()
    cache.tensors("encoded", "ef56" * 4, lambda: {"rows": torch.zeros(10)})

    def output(*arguments):
        code = cli.main(["cache", *arguments])
        captured = capsys.readouterr()
        return code, captured.out + captured.err

    code, listing = output("ls")
    assert code == 0
    assert "features of ab12" in listing
    assert "encoded/ef56" in listing
    assert output("rm", "zz99")[0] == 2
    assert "known: encoded, encoded/ef56ef56ef56ef56, features" in output("rm", "feature")[1]
    assert output("rm")[0] == 2
    assert "removed 1" in output("rm", "ab12")[1]
    assert "removed 1" in output("rm", "features")[1]
    assert [entry.name for entry in cache.entries()] == ["encoded/ef56ef56ef56ef56"]
    assert output("rm", "--all")[0] == 0
    assert not cache.entries()


def test_keys_follow_from_the_code_that_computes_features(tmp_path, monkeypatch):
    room = tmp_path / "features"
    shutil.copytree(registry.ROOT / "features", room)
    shutil.copytree(registry.ROOT / "models", tmp_path / "models")
    monkeypatch.setattr(registry, "ROOT", tmp_path)
    monkeypatch.setattr(fingerprints, "__file__", str(room / "fingerprints.py"))
    keys = {fingerprints.of("weights")}
    for file in (room / "pooling.py", room / "extractor.py", tmp_path / "models" / "forward.py"):
        file.write_text(file.read_text() + "\n# edited\n")
        keys.add(fingerprints.of("weights"))
    assert len(keys) == 4
    (room / "pooling.py").unlink()  # moved elsewhere, where edits would go unnoticed
    with pytest.raises(AssertionError, match=r"pooling\.py"):
        fingerprints.of("weights")
