"""The second run of a recipe finds its encoded examples: nothing is encoded again."""

from dataclasses import replace
from pathlib import Path

import pytest
import tiny
from datasets import Dataset
from grafting import write_recipe
from transformers import PreTrainedTokenizerFast

from pipelines import recipe
from pipelines.workflow import run as pipeline


@pytest.fixture
def tokenized(tmp_path, monkeypatch):
    """tokenized(checkpoint, data, *overrides): how many texts a run gives to the tokenizer."""
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    call, counts = PreTrainedTokenizerFast.__call__, []

    def counting(self, text, *args, **kwargs):
        counts.append(len(text))
        return call(self, text, *args, **kwargs)

    monkeypatch.setattr(PreTrainedTokenizerFast, "__call__", counting)

    def tokenized(checkpoint, data, *overrides):
        counts.clear()
        path = write_recipe(tmp_path / "recipe", checkpoint, data)
        prepared = pipeline.prepare(recipe.load(path, overrides))
        assert len(prepared.encoded["train"]) == len(prepared.targets["train"])
        prepared.checkpoint.processor(["a"], padding=True, truncation=True)  # changes its state
        return sum(counts) - 1

    return tokenized


@pytest.mark.parametrize("suffix", ["csv", "parquet", "jsonl"])
@pytest.mark.slow
def test_the_second_run_does_not_tokenize(tokenized, tmp_path, text_checkpoint, suffix):
    data = tiny.text_data(tmp_path / "data", suffix)
    assert tokenized(text_checkpoint, data) == sum(tiny.NUM_ROWS.values())
    assert tokenized(text_checkpoint, data) == 0
    # what has nothing to do with the encoding
    assert tokenized(text_checkpoint, data, "strategy=lora", "training.learning_rate=1e-3") == 0


def test_draws_are_found_again(tokenized, tmp_path, text_checkpoint):
    data = tiny.text_data(tmp_path / "data")
    draws = ["data.limit.train=40", "data.splits.validation=0.2", "data.splits.test=null"]
    assert tokenized(text_checkpoint, data, *draws) == 40 + 13
    assert tokenized(text_checkpoint, data, *draws) == 0
    assert tokenized(text_checkpoint, data, *draws, "training.seed=1") > 0


@pytest.mark.parametrize("change", ["option", "rows", "tokenizer"])
@pytest.mark.slow
def test_what_changes_the_encoding_is_encoded_again(
    tokenized, tmp_path, text_checkpoint, checkpoint, change
):
    data = tiny.text_data(tmp_path / "data")
    assert tokenized(text_checkpoint, data) > 0
    if change == "rows":
        rows = Dataset.from_csv(str(data / "train.csv"), cache_dir=str(tmp_path / "other"))
        rows.select(range(60)).to_csv(str(data / "train.csv"))
        assert tokenized(text_checkpoint, data) == 60
    elif change == "option":
        assert tokenized(text_checkpoint, data, "task.max_length=4") > sum(tiny.NUM_ROWS.values())
    else:
        assert tokenized(checkpoint("roberta"), data) == sum(tiny.NUM_ROWS.values())


def test_a_change_in_the_code_of_tasks_is_seen(tokenized, tmp_path, text_checkpoint, monkeypatch):
    from pipelines.tasks.encoding import dataset_map as _rows

    data = tiny.text_data(tmp_path / "data")
    assert tokenized(text_checkpoint, data) > 0
    source = tmp_path / "code" / "encoding" / "dataset_map.py"
    source.parent.mkdir(parents=True)
    source.write_text(Path(_rows.__file__).read_text() + "\n")
    monkeypatch.setattr(_rows, "TASKS", source.parent.parent)
    _rows._code.cache_clear()
    assert tokenized(text_checkpoint, data) > 0
    _rows._code.cache_clear()


# Images and sounds


@pytest.fixture
def encoded_with_count(tmp_path, monkeypatch, checkpoint, image_data, audio_data):
    """Prepare a run; return how many examples it processed, and the encoded rows of train."""
    from transformers import ViTImageProcessor, Wav2Vec2FeatureExtractor

    monkeypatch.setenv("GRAFT_CACHE", str(tmp_path / "cache"))
    counts = []
    for kind in (ViTImageProcessor, Wav2Vec2FeatureExtractor):

        def counting(self, examples, *args, call=kind.__call__, **kwargs):
            counts.append(len(examples) if isinstance(examples, list) else 1)
            return call(self, examples, *args, **kwargs)

        monkeypatch.setattr(kind, "__call__", counting)

    def encoded_with_count(modality, *overrides):
        counts.clear()
        family, data = {"image": ("vit", image_data), "audio": ("wav2vec2", audio_data)}[modality]
        path = write_recipe(tmp_path / "recipe", checkpoint(family), data, task=modality)
        prepared = pipeline.prepare(recipe.load(path, overrides))
        rows = prepared.encoded["train"]
        return sum(counts), [rows[i] for i in range(len(rows))]

    return encoded_with_count


def same(rows, others):
    pairs = zip(rows, others, strict=True)
    return all((a[name] == b[name]).all() for a, b in pairs for name in a if name != "labels")


@pytest.mark.parametrize("modality", ["image", "audio"])
@pytest.mark.slow
def test_the_second_run_reads_what_the_first_one_stored(encoded_with_count, modality):
    first, rows = encoded_with_count(modality)
    second, again = encoded_with_count(modality, "training.learning_rate=1e-3")
    assert first > sum(tiny.NUM_ROWS.values()) / 2
    assert second < first / 10  # what a clip's frames look like is found by trying one
    assert same(rows, again)


@pytest.mark.slow
def test_clips_know_what_they_follow_from(tmp_path, checkpoint, audio_data):
    def fingerprint(split="train", other_ids=False, **sections):
        sections = {"task": "audio", **sections}
        path = write_recipe(tmp_path, checkpoint("wav2vec2"), audio_data, **sections)
        ready = pipeline.prepare(recipe.load(path))
        labels = ready.data.labels
        if other_ids:
            labels = replace(labels, values=labels.values[::-1], names=labels.names[::-1])
        given = (ready.data.datasets[split], ready.checkpoint.processor, labels)
        return ready.recipe.task.encode(*given, ready.recipe.augmentation).fingerprint

    first, cut = fingerprint(), {"name": "audio_classification", "max_seconds": 0.2}
    assert first == fingerprint()
    others = fingerprint("validation"), fingerprint(other_ids=True), fingerprint(task=cut)
    assert len({first, *others}) == 4
    assert fingerprint(augmentation={"noise": [10, 20]}) is None  # never twice


@pytest.mark.slow
def test_other_options_are_encoded_anew(encoded_with_count):
    _, rows = encoded_with_count("audio")
    _, cut = encoded_with_count("audio", "task.max_seconds=0.2")
    assert max(map(len, (row["input_values"] for row in cut))) < len(rows[0]["input_values"])


@pytest.mark.slow
def test_a_damaged_file_is_made_anew(encoded_with_count, tmp_path):
    first, rows = encoded_with_count("image")
    for file in (tmp_path / "cache").rglob("*.safetensors"):
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    second, again = encoded_with_count("image")
    assert second > first / 3  # all of them, if not those that tell how large they are
    assert same(rows, again)


@pytest.mark.slow
def test_what_was_not_used_for_long_makes_room(encoded_with_count, tmp_path, monkeypatch):
    encoded_with_count("image")
    first = set((tmp_path / "cache").rglob("*.safetensors"))
    monkeypatch.setenv("GRAFT_CACHE_GB", "0.0005")
    encoded_with_count("audio")
    left = set((tmp_path / "cache").rglob("*.safetensors"))
    assert sum(file.stat().st_size for file in left) <= 500_000
    assert not first <= left


@pytest.mark.slow
def test_where_nothing_can_be_stored_everything_works(encoded_with_count, tmp_path):
    (tmp_path / "cache").write_text("in the way")
    first, rows = encoded_with_count("image")
    assert first > 0
    assert len(rows) > 0
