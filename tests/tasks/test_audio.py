"""Sound: reading it, what a model can take of it, augmentation, and classification end to end."""

import csv
import io
import json
import pickle
import re
from bisect import bisect_left
from contextlib import redirect_stdout
from functools import cache

import numpy as np
import pytest
import torch
from closeness import close, tolerance
from datasets import Audio as Clips
from datasets import ClassLabel, Dataset, Features
from grafting import fit, graft, prepare, write_recipe
from printed import printed
from tiny_audio import AUDIO_FAMILIES, RATE, tone, wav
from transformers import AutoConfig, AutoFeatureExtractor, AutoModelForAudioClassification

from pipelines.cli import main
from pipelines.core.errors import DataError, RecipeError
from pipelines.core.labels import Labels
from pipelines.evaluation.scorer import Scorer
from pipelines.evaluation.simple_model import SimpleSplit, fit_and_score
from pipelines.models import forward
from pipelines.report.run_folder import RunFolder
from pipelines.tasks.audio_classification import AudioClassification
from pipelines.tasks.augmentations.audio import Audio

STRATEGIES = ("full", "linear_probe", "lora", "scratch")
QUICK = {
    ("wav2vec2", "full"),
    ("hubert", "scratch"),
    ("audio-spectrogram-transformer", "lora"),
    ("whisper", "linear_probe"),
}
# waves and spectrograms; on the other families these two differ from `full` in nothing
SOME_FAMILIES = {"lora": ("wav2vec2", "audio-spectrogram-transformer"), "scratch": ("hubert",)}
COMBINATIONS = [
    pytest.param(family, name, marks=() if (family, name) in QUICK else pytest.mark.slow)
    for name in STRATEGIES
    for family in SOME_FAMILIES.get(name, AUDIO_FAMILIES)
]
TRAINING = {"num_train_epochs": 2, "learning_rate": 3e-3, "warmup_steps": 0}
LABELS = Labels("single_label_classification", ("no", "yes"), (0, 1))


@pytest.fixture(scope="module")
def ran(checkpoint, audio_data, tmp_path_factory):
    """ran(family, strategy): the folder of a run that was made once, and what it said."""

    @cache
    def ran(family: str, strategy: str) -> tuple[RunFolder, str]:
        folder = tmp_path_factory.mktemp("run")
        sections = {"task": "audio", "strategy": strategy, "training": TRAINING}
        recipe = write_recipe(folder, checkpoint(family), audio_data, **sections)
        with redirect_stdout(io.StringIO()) as stdout:
            assert main(["run", str(recipe)]) == 0
        return RunFolder(folder / "runs" / "recipe" / "1"), stdout.getvalue()

    return ran


@pytest.fixture
def extractor(checkpoint):
    """Of a wav2vec2 at 16 kHz."""
    return AutoFeatureExtractor.from_pretrained(checkpoint("wav2vec2"))


def clips(*sounds, labels=None):
    """A split of such files in memory."""
    files = [{"bytes": sound, "path": f"{i}.wav"} for i, sound in enumerate(sounds)]
    rows = {"audio": files, "label": labels or [i % 2 for i in range(len(sounds))]}
    label = {} if labels else {"label": ClassLabel(names=["no", "yes"])}
    dataset = Dataset.from_dict(rows).cast_column("audio", Clips(decode=False))
    return dataset.cast(Features({**dataset.features, **label}))


def encoded(extractor, *sounds, augmentation=None, **fields):
    task = AudioClassification(**fields)
    return task.encode(clips(*sounds), extractor, LABELS, augmentation)


def samples(rows, row=0):
    """What the model gets of a row."""
    return np.asarray(rows[row]["input_values"])


# A run, end to end


@pytest.mark.numerical
@pytest.mark.slow
@pytest.mark.parametrize(("family", "strategy"), COMBINATIONS)
def test_a_run_leaves_a_model_that_predicts_the_same_without_graft(
    ran, audio_data, family, strategy, monkeypatch
):
    run, output = ran(family, strategy)
    results = json.loads(run.metrics.read_text())
    assert results["parity"]["ok"]
    # rounding grows with logits that are divided by less than 1
    temperature = results["calibration"]["temperature"]
    assert results["parity"]["max_difference"] * min(1, temperature) < tolerance()
    rows = list(csv.DictReader((run.predictions / "test.csv").read_text().splitlines()))
    assert [row["label"] for row in rows] == [path.parent.name for path in files(audio_data)]
    # the lines that the run prints last, on files of which the run wrote down what it predicts
    usage = output[output.index("import soundfile") :]
    for row in (0, len(rows) - 1):
        monkeypatch.chdir(files(audio_data)[row].parent)
        (answers,) = printed(usage.replace("clip.wav", files(audio_data)[row].name))
        assert answers[0]["label"] == rows[row]["prediction"]
        assert answers[0]["score"] == pytest.approx(float(rows[row]["probability"]), abs=1e-4)


def files(folder):
    """Of the split test, in the order of the data set."""
    return sorted((folder / "test").rglob("*.wav"))


@pytest.mark.numerical
@pytest.mark.slow
def test_a_probe_tells_tones_apart(ran):
    run, _ = ran("whisper", "linear_probe")
    results = json.loads(run.metrics.read_text())
    assert results["test"]["accuracy"] > 0.9 > results["baseline"]["test"]["accuracy"]


@pytest.mark.slow
def test_lora_trains_the_whole_head(checkpoint, audio_data, tmp_path):
    # peft's own task type would leave the projector as random as it was drawn
    sections = {"task": "audio", "strategy": {"name": "lora", "r": 2}, "training": TRAINING}
    grafted = graft(tmp_path, checkpoint("wav2vec2"), audio_data, **sections)
    assert {"projector.weight", "projector.bias", "classifier.weight"} <= grafted.changed
    assert not any("feature_extractor" in name for name in grafted.changed)


@pytest.mark.numerical
@pytest.mark.slow
@pytest.mark.parametrize("family", ["wav2vec2", "hubert", "whisper"])
def test_a_probe_reads_the_encoder_itself_and_not_a_random_projection_of_it(
    checkpoint, audio_data, tmp_path, family
):
    sections = {"task": "audio", "strategy": "linear_probe", "training": TRAINING}
    grafted = graft(tmp_path, checkpoint(family), audio_data, **sections)
    hidden_size, classes = 32, 3
    assert grafted.fitted.trainable == classes * hidden_size + classes
    # both layers of the plain class hold what was found, and nothing else changed
    moved = {"projector.weight", "classifier.weight", "classifier.bias"}
    assert grafted.changed - {"projector.bias"} == moved
    # nor do units of the projection that the head does not read: a training could go on with them
    for name in ("projector.weight", "projector.bias"):
        drawn, now = grafted.before[name][classes:], grafted.model.state_dict()[name][classes:]
        assert now.equal(drawn)
        assert name == "projector.bias" or now.any(dim=1).all()
    assert not grafted.model.classifier.weight[:, classes:].any()
    batch = grafted.prepared.collate([grafted.prepared.encoded["train"][i] for i in range(8)])
    grafted.model(**batch).loss.backward()
    assert grafted.model.classifier.weight.grad[:, classes:].any(dim=0).all()
    chosen = next(t for t in grafted.fitted.history if grafted.fitted.chosen.items() <= t.items())
    right = grafted.logits().argmax(-1) == np.asarray(grafted.prepared.targets["validation"])
    assert right.mean() == chosen["validation_accuracy"]


@pytest.mark.slow
@pytest.mark.parametrize("labels", [[["a"], ["a", "b"], ["b"], []], [0.5, 1.5, 2.5, 3.5]])
def test_several_labels_and_numbers_though_the_head_knows_classes_only(
    checkpoint, tmp_path, labels
):
    sounds = [wav(tone(pitch, 0.3)) for pitch in (300, 600, 1200, 2400)]
    for split in ("train", "validation"):
        (tmp_path / "data").mkdir(exist_ok=True)
        rows = clips(*sounds * 4, labels=labels * 4)
        rows.to_parquet(tmp_path / "data" / f"{split}.parquet")
    sections = {"task": "audio", "training": {**TRAINING, "num_train_epochs": 1}}
    recipe = write_recipe(tmp_path, checkpoint("wav2vec2"), tmp_path / "data", **sections)
    assert main(["check", str(recipe)]) == 0
    assert main(["run", str(recipe)]) == 0


@pytest.mark.numerical
@pytest.mark.slow
def test_clips_of_one_length_share_a_batch(checkpoint, audio_data, tmp_path):
    training = {"train_sampling_strategy": "group_by_length", "num_train_epochs": 1}
    sections = {"task": "audio", "training": training}
    ready = prepare(tmp_path, checkpoint("wav2vec2"), audio_data, **sections)
    rows = ready.encoded["validation"]
    assert len({len(rows[i]["input_values"]) for i in range(len(rows))}) > 1
    # this wav2vec2 was made to read without a mask: padding would change what it answers
    model, task = ready.checkpoint.model, ready.recipe.task
    together = forward.run(model, rows, ready.collate, task.collect)["logits"]
    alone = forward.run(model, rows, ready.collate, task.collect, batch_size=1)["logits"]
    close(together, alone)
    assert fit(ready, tmp_path).history  # batches to train on are of similar lengths, and padded


@pytest.mark.slow
@pytest.mark.parametrize("family", AUDIO_FAMILIES)
def test_clips_that_are_made_equally_long_have_no_lengths(checkpoint, audio_data, tmp_path, family):
    """Batches by the length of what was recorded would be of different sizes for nothing."""
    ready = prepare(tmp_path, checkpoint(family), audio_data, task="audio")
    rows = ready.encoded["train"]
    name = ready.checkpoint.model.main_input_name
    shapes = {rows[i][name].shape for i in range(len(rows))}
    assert (rows.lengths is None) == (len(shapes) == 1)


# Reading


@pytest.mark.numerical
@pytest.mark.parametrize("kind", ["WAV", "FLAC", "OGG", "MP3"])
def test_files_are_read_without_ffmpeg(extractor, kind):
    rows = encoded(extractor, wav(tone(440, 0.5), kind=kind))
    assert rows.samples[0] == pytest.approx(RATE / 2, abs=0.1 * RATE)  # MP3 pads its ends
    heard = np.abs(np.fft.rfft(samples(rows)))
    assert heard.argmax() * RATE / len(samples(rows)) == pytest.approx(440, abs=2)


@pytest.mark.numerical
def test_sound_is_resampled_to_the_rate_of_the_checkpoint(extractor):
    half = encoded(extractor, wav(tone(440, 0.5, rate=8000), rate=8000))
    whole = encoded(extractor, wav(tone(440, 0.5)))
    assert half.samples[0] == len(samples(half)) == whole.samples[0] == RATE // 2
    middle = slice(1000, 7000)
    assert samples(half)[middle] == pytest.approx(samples(whole)[middle], abs=0.01)


@pytest.mark.numerical
def test_several_channels_become_their_mean(extractor):
    left, right = tone(300, 0.3), tone(2000, 0.3)
    stereo = encoded(extractor, wav(np.stack([left, right], axis=1)))
    assert samples(stereo) == pytest.approx(
        samples(encoded(extractor, wav((left + right) / 2))), abs=1e-3
    )


@pytest.mark.parametrize(
    ("sound", "message"),
    [
        (b"RIFF, but then nothing", "1.wav cannot be read as sound"),
        (wav(np.zeros(0)), "1.wav holds no samples"),
        (wav(np.array([0.0, np.nan] * 99), kind="AU"), None),
        (None, "no sound"),
    ],
)
def test_what_cannot_be_read_is_reported_with_its_row(sound, message):
    rows = clips(wav(tone(440, 0.1)), sound)
    if sound is None:
        rows = Dataset.from_dict({"audio": [rows[0]["audio"], None], "label": [0, 1]})
    problems = dict(AudioClassification().corrupt_rows(rows))
    assert list(problems) == ([1] if message else [])
    assert message is None or message in problems[1]


def test_a_file_that_is_not_there(tmp_path):
    rows = Dataset.from_dict({"audio": [{"bytes": None, "path": str(tmp_path / "x.wav")}]})
    (problems,) = AudioClassification().corrupt_rows(rows)
    assert problems[0] == 0
    assert "x.wav cannot be read" in problems[1]


def test_an_unreadable_file_stops_a_run_before_training(checkpoint, audio_data, tmp_path):
    folder = tmp_path / "data"
    for path in sorted((audio_data / "train").rglob("*.wav"))[:6:2]:
        copy = folder / "train" / path.parent.name / path.name
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    (folder / "train" / "low").mkdir(exist_ok=True)
    (folder / "train" / "low" / "broken.wav").write_bytes(b"noise")
    with pytest.raises(DataError, match=r"row \d: .*broken\.wav cannot be read as sound"):
        prepare(tmp_path, checkpoint("wav2vec2"), folder, task="audio")


def test_clips_are_cut_and_padded_as_the_recipe_says(extractor):
    sounds = [wav(tone(440, seconds)) for seconds in (0.1, 0.3, 0.6)]
    rows = encoded(extractor, *sounds, min_seconds=0.2, max_seconds=0.5)
    lengths = [len(samples(rows, i)) for i in range(3)]
    assert lengths == list(rows.lengths) == [0.2 * RATE, 0.3 * RATE, 0.5 * RATE]
    tail = samples(rows)[int(0.15 * RATE) :]
    assert np.ptp(tail) < 1e-5  # silence
    with pytest.raises(ValueError, match=r"min_seconds 2.0 > max_seconds 1.0"):
        AudioClassification(min_seconds=2, max_seconds=1)


# What a model can take


@pytest.mark.parametrize("family", AUDIO_FAMILIES)
@pytest.mark.slow
def test_clips_too_short_for_the_model_are_reported_with_a_remedy(checkpoint, family):
    config, extractor = of(checkpoint, family)
    least = shortest(extractor, config)
    assert least > 1 or family == "whisper"  # which pads by itself
    lengths = [RATE // 3, least, *[least - 1] * (least > 1)]
    rows = clips(*(wav(tone(440, 0.4)[:length]) for length in lengths))
    problems = dict(AudioClassification().unsupported_rows(rows, extractor, config))
    assert list(problems) == list(range(2, len(lengths)))
    for why in problems.values():
        assert why.startswith(f"2.wav lasts {(least - 1) / RATE:.3f} s")
        remedy = float(why.partition("task.min_seconds=")[2].split()[0])
        padded = AudioClassification(min_seconds=remedy)
        assert not list(padded.unsupported_rows(rows, extractor, config))


@pytest.mark.parametrize("family", ["wav2vec2", "hubert"])
@pytest.mark.slow
def test_the_least_is_what_training_can_mask(checkpoint, family):
    # their SpecAugment raises on fewer frames than it masks at once
    config, extractor = of(checkpoint, family)
    model = AutoModelForAudioClassification.from_config(config).train()
    least = shortest(extractor, config)
    with torch.no_grad():
        model(torch.randn(1, least))
        with pytest.raises(ValueError, match="mask_length"):
            model(torch.randn(1, least - 1))
    config.mask_time_prob = 0.0
    fewer = shortest(extractor, config)
    assert fewer < least
    with torch.no_grad():
        model(torch.randn(1, fewer))
        with pytest.raises(RuntimeError):
            model(torch.randn(1, fewer - 1))


def of(checkpoint, family):
    folder = checkpoint(family)
    return AutoConfig.from_pretrained(folder), AutoFeatureExtractor.from_pretrained(folder)


def shortest(extractor, config):
    """The fewest samples that are fit."""

    def is_fit(length):
        return not list(
            AudioClassification().unsupported_rows(clips(wav(np.ones(length))), extractor, config)
        )

    return bisect_left(range(RATE), True, lo=1, key=is_fit)


@pytest.mark.parametrize(
    ("family", "heard"),
    [("wav2vec2", None), ("audio-spectrogram-transformer", 0.4), ("whisper", 1.0)],
)
@pytest.mark.slow
def test_what_a_model_does_not_hear_is_measured(checkpoint, family, heard):
    _, extractor = of(checkpoint, family)
    rows = clips(wav(tone(440, 0.5)), wav(tone(440, 2), rate=RATE // 2))
    for cut in (None, 0.3):
        problems = AudioClassification(max_seconds=cut).measures(rows, None, extractor)
        assert problems["seconds"].values.tolist() == [0.5, 4.0]
        assert problems["seconds"].limit == (cut or heard)


# Augmentation

NOTHING = Audio()
ALL = Audio(speed=(0.9, 1.1), shift=0.1, gain=(-6, 6), noise=(10, 30))


def test_without_options_nothing_varies(extractor):
    assert (NOTHING.example(), NOTHING.encoded(), NOTHING.batch(LABELS)) == (None, None, None)
    sound = wav(tone(440, 0.3))
    plain, same = (encoded(extractor, sound, augmentation=a) for a in (None, NOTHING))
    assert (samples(plain) == samples(same)).all()


@pytest.mark.parametrize(
    "options", [{"speed": (0.8, 1.2)}, {"shift": 0.2}, {"noise": (10, 20)}, ALL.model_dump()]
)
def test_an_example_is_another_one_each_time_and_the_same_with_the_same_seed(extractor, options):
    rows = encoded(extractor, wav(tone(440, 0.3)), augmentation=Audio(**options))
    torch.manual_seed(0)
    first, second = samples(rows), samples(rows)
    torch.manual_seed(0)
    again = samples(pickle.loads(pickle.dumps(rows)))  # as a worker gets them
    assert len(first) != len(second) or (first != second).any()
    assert (first == again).all()
    assert first.dtype == np.float32


@pytest.mark.parametrize("workers", [0, 2])
def test_workers_vary_on_their_own(extractor, workers):
    rows = encoded(extractor, *[wav(tone(440, 0.1))] * 8, augmentation=Audio(noise=(10, 10)))
    collate = AudioClassification().collator(extractor, training=True)
    loader = torch.utils.data.DataLoader(rows, 4, collate_fn=collate, num_workers=workers)
    epochs = [torch.cat([batch["input_values"] for batch in loader]) for _ in range(2)]
    assert len(torch.unique(torch.cat(epochs), dim=0)) == 16


@pytest.mark.numerical
def test_each_option_does_what_it_says():
    sound = tone(440, 0.5).astype(np.float32)
    assert len(Audio(speed=(2, 2)).example()(sound)) == len(sound) // 2
    level = np.abs(Audio(gain=(-20, -20)).example()(sound)).max()
    assert level == pytest.approx(np.abs(sound).max() / 10, rel=1e-4)
    noise = Audio(noise=(20, 20)).example()(sound) - sound
    assert np.std(sound) / np.std(noise) == pytest.approx(10, rel=0.05)
    shifts = [Audio(shift=0.5).example()(sound) for _ in range(8)]
    assert {len(shift) for shift in shifts} == {len(sound)}
    assert any(shift[0] == shift[1] == 0 for shift in shifts)
    assert any(shift[-1] == shift[-2] == 0 for shift in shifts)


@pytest.mark.numerical
@pytest.mark.parametrize(("family", "axis"), [("audio-spectrogram-transformer", 0), ("whisper", 1)])
def test_bands_of_a_spectrogram_are_masked(checkpoint, family, axis):
    _, extractor = of(checkpoint, family)
    sound = wav(np.random.default_rng(0).normal(0, 0.1, RATE // 2))
    name = extractor.model_input_names[0]
    plain = encoded(extractor, sound)[0][name]
    for option, along in (("mask_time", axis), ("mask_frequency", 1 - axis)):
        masked = encoded(extractor, sound, augmentation=Audio(**{option: 0.5, "num_masks": 4}))
        is_masked = (masked[0][name] != plain).swapaxes(0, along)
        assert is_masked.any()
        whole = is_masked.all(axis=1)
        assert (is_masked.any(axis=1) == whole).mean() > 0.9  # whole frames, or whole bins
        assert not whole.all()


def test_masks_are_refused_where_the_model_has_its_own(extractor):
    with pytest.raises(RecipeError, match=r"model\.config\.mask_time_prob"):
        encoded(extractor, wav(tone(440, 0.3)), augmentation=Audio(mask_time=0.1))


@pytest.mark.slow
def test_only_train_varies(checkpoint, audio_data, tmp_path):
    sections = {"task": "audio", "augmentation": {"noise": [0, 10]}}
    ready = prepare(tmp_path, checkpoint("wav2vec2"), audio_data, **sections)
    for split, varies in (("train", True), ("validation", False), ("test", False)):
        one, other = (samples(ready.encoded[split]) for _ in range(2))
        assert (one != other).any() == varies


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"speed": [0, 1]}, "expected factors"),
        ({"gain": [6, -6]}, r"expected \[minimum, maximum\]"),
        ({"reverb": 1}, "unknown key 'augmentation.reverb'"),
    ],
)
def test_mistakes_in_an_augmentation_are_reported(
    checkpoint, audio_data, tmp_path, capsys, options, message
):
    recipe = write_recipe(
        tmp_path, checkpoint("wav2vec2"), audio_data, task="audio", augmentation=options
    )
    assert main(["check", str(recipe)]) == 2
    assert re.search(message, capsys.readouterr().err)


def test_silent_clips_are_named(extractor):
    rows = encoded(extractor, wav(tone(440, 0.1)), wav(np.zeros(1600)), wav(tone(880, 0.1)))
    remarks = AudioClassification().remarks(None, rows)
    assert list(remarks) == ["1 of 3 clips are silent (row 1)"]
    assert not list(AudioClassification().remarks(None, encoded(extractor, wav(tone(440, 0.1)))))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"<html>gone</html>", "it is an HTML page"),
        (b"\0\0\0\x20ftypM4A isom", "it is an MPEG-4 file (M4A)"),
        (b"", "the file is empty"),
    ],
)
def test_what_stands_in_place_of_a_sound_is_named_without_its_bytes(content, reason):
    ((_, why),) = AudioClassification().corrupt_rows(clips(content))
    assert "cannot be read as sound" in why
    assert reason in why
    assert "\\x" not in why


def test_a_linear_model_tells_tones_apart_by_their_bands(extractor):
    sounds = [wav(tone(440 + 1000 * (row % 2) + row, 0.2 + row / 50)) for row in range(8)]
    dataset, rows = clips(*sounds), encoded(extractor, *sounds)
    task, whole = AudioClassification(), SimpleSplit(dataset, rows, [row % 2 for row in range(8)])
    scorer = Scorer((), task, LABELS)
    result = fit_and_score(task.simple_features(), {"train": whole, "test": whole}, scorer)
    assert result.name == "mean log-mel"
    assert result.scores["test"]["accuracy"] == 1.0


def test_bands_are_those_of_the_clip_before_augmentation_and_of_any_length(extractor):
    sounds = wav(tone(440, 0.5)), wav(np.zeros(40)), wav(tone(440, 12.0))
    dataset, bands = clips(*sounds), AudioClassification().simple_features()
    plain, noisy = (
        bands.read(dataset, encoded(extractor, *sounds, augmentation=noise), range(3))
        for noise in (None, Audio(noise=(10, 10)))
    )
    np.testing.assert_array_equal(plain, noisy)
    assert plain.shape == (3, 80)
    assert np.isfinite(plain).all()
    np.testing.assert_allclose(plain[0, :40], plain[2, :40], atol=1)
