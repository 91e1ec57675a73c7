"""Speech to text by CTC: vocabulary, transcripts, what can be aligned, and runs end to end."""

import csv
import io
import json
import re
from contextlib import redirect_stdout
from functools import cache

import numpy as np
import pytest
import soundfile
import tiny_audio
from closeness import tolerance
from datasets import Audio, Dataset, load_dataset
from grafting import fit, prepare, write_recipe
from printed import printed
from tiny_audio import LETTER_SECONDS, LETTERS, RATE, spoken, wav
from transformers import AutoConfig, AutoModelForCTC, Wav2Vec2CTCTokenizer

from pipelines.cli import main
from pipelines.core.errors import DataError, ModelError
from pipelines.core.labels import Labels
from pipelines.report.run_folder import RunFolder
from pipelines.tasks.speech_recognition import SpeechRecognition

TASK = "speech_recognition"
QUICK = {("wav2vec2", "lora"), ("hubert", "full")}
COMBINATIONS = [
    pytest.param(family, name, marks=() if (family, name) in QUICK else pytest.mark.slow)
    for family in ("wav2vec2", "hubert")
    for name in ("full", "lora", "scratch")
    if (family, name) != ("hubert", "scratch")
]
TRAINING = {"num_train_epochs": 2, "learning_rate": 3e-3, "warmup_steps": 0}
# nothing is left to chance
PLAIN = {
    "apply_spec_augment": False,
    "layerdrop": 0.0,
    "hidden_dropout": 0.0,
    "attention_dropout": 0.0,
    "activation_dropout": 0.0,
    "feat_proj_dropout": 0.0,
    "final_dropout": 0.0,
}


@pytest.fixture(scope="session")
def speech_data(tmp_path_factory):
    """`<split>.parquet`: tones that spell words of a, b, c and d."""
    return tiny_audio.speech_data(tmp_path_factory.mktemp("data") / "speech")


@pytest.fixture(scope="module")
def ran(checkpoint, speech_data, tmp_path_factory):
    """ran(family, strategy): the folder of a run that was made once, and what it said."""

    @cache
    def ran(family: str, strategy: str) -> tuple[RunFolder, str]:
        folder = tmp_path_factory.mktemp("run")
        sections = {"task": TASK, "strategy": strategy, "training": TRAINING}
        recipe = write_recipe(folder, checkpoint(family), speech_data, **sections)
        with redirect_stdout(io.StringIO()) as stdout:
            assert main(["run", str(recipe)]) == 0
        return RunFolder(folder / "runs" / "recipe" / "1"), stdout.getvalue()

    return ran


@pytest.fixture(scope="module")
def capitals(checkpoint, tmp_path_factory):
    """A checkpoint that brings a vocabulary of its own: A to D, and a head for it."""
    folder = tmp_path_factory.mktemp("capitals")
    vocabulary = {token: i for i, token in enumerate(("<pad>", "<unk>", "|", "D", "C", "B", "A"))}
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    tokenizer = Wav2Vec2CTCTokenizer(str(folder / "vocab.json"))  # adds <s> and </s>
    assert len(tokenizer) > len(vocabulary)
    config = AutoConfig.from_pretrained(checkpoint("hubert"), vocab_size=len(vocabulary))
    AutoModelForCTC.from_config(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    extractor = checkpoint("hubert") / "preprocessor_config.json"
    (folder / extractor.name).write_text(extractor.read_text())
    return folder


def split(*texts, sounds=None):
    """A split of transcripts, spoken."""
    files = [{"bytes": wav(s), "path": None} for s in sounds or map(spoken, texts)]
    rows = Dataset.from_dict({"audio": files, "text": list(texts)})
    return rows.cast_column("audio", Audio(decode=False))


def saved(folder, *texts):
    """Such splits on disk, train and validation alike."""
    folder.mkdir()
    for part in ("train", "validation"):
        split(*texts).to_parquet(folder / f"{part}.parquet")
    return folder


# A run, end to end


@pytest.mark.numerical
@pytest.mark.slow
@pytest.mark.parametrize(("family", "strategy"), COMBINATIONS)
def test_a_run_leaves_a_model_that_hears_the_same_without_graft(
    ran, speech_data, family, strategy, monkeypatch, tmp_path
):
    run, output = ran(family, strategy)
    results = json.loads(run.metrics.read_text())
    assert results["parity"]["ok"]
    assert results["parity"]["max_difference"] < tolerance()
    assert results["baseline"]["test"] == {"wer": 1.0, "cer": 1.0}
    rows = list(csv.DictReader((run.predictions / "test.csv").read_text().splitlines()))
    test = load_dataset("parquet", data_files=str(speech_data / "test.parquet"), split="train")
    assert [row["label"] for row in rows] == test["text"][:]
    # the lines that the run prints last
    monkeypatch.chdir(tmp_path)
    program = output[output.index("import soundfile") :]
    for row in (0, len(rows) - 1):
        soundfile.write("clip.wav", spoken(rows[row]["label"]), RATE)
        (heard,) = printed(program)
        assert heard["text"] == rows[row]["prediction"]


@pytest.mark.slow
def test_words_are_learned(checkpoint, speech_data, tmp_path):
    training = {"num_train_epochs": 16, "learning_rate": 1e-2, "warmup_steps": 0}
    training["per_device_train_batch_size"] = 8
    training |= {"eval_strategy": "no", "save_strategy": "no", "load_best_model_at_end": False}
    model = {"checkpoint": str(checkpoint("hubert")), "config": PLAIN}
    sections = {"task": TASK, "training": training, "model": model, "early_stopping": None}
    recipe = write_recipe(tmp_path, checkpoint("hubert"), speech_data, **sections)
    assert main(["run", str(recipe)]) == 0
    results = json.loads(RunFolder(tmp_path / "runs" / "recipe" / "1").metrics.read_text())
    # CTC predicts blanks only, which is a rate of 1, until it has found the letters
    assert results["test"]["cer"] < 0.8


def test_a_head_that_is_solved_for_is_refused(checkpoint, speech_data, tmp_path, capsys):
    sections = {"task": TASK, "strategy": "linear_probe"}
    recipe = write_recipe(tmp_path, checkpoint("wav2vec2"), speech_data, **sections)
    assert main(["run", str(recipe)]) == 2
    assert "no linear head that can be solved" in capsys.readouterr().err


# The loss


@pytest.mark.numerical
@pytest.mark.slow
def test_accumulated_batches_train_as_one_does(checkpoint, speech_data, tmp_path):
    def first_step(size: int, accumulated: int) -> dict:
        training = {
            "per_device_train_batch_size": size,
            "gradient_accumulation_steps": accumulated,
            "train_sampling_strategy": "random",  # the same examples
            "max_steps": 1,
            "logging_steps": 1,
            "eval_strategy": "no",
            "max_grad_norm": 1e9,
        }
        model = {"checkpoint": str(checkpoint("hubert")), "config": PLAIN}
        folder = tmp_path / str(size)
        sections = {"task": TASK, "training": training, "model": model}
        ready = prepare(folder, checkpoint("hubert"), speech_data, **sections)
        return fit(ready, folder).history[0]

    whole, parts = first_step(16, 1), first_step(4, 4)
    assert parts["loss"] == pytest.approx(whole["loss"], rel=1e-3)
    assert parts["grad_norm"] == pytest.approx(whole["grad_norm"], rel=1e-2)


@pytest.mark.slow
@pytest.mark.parametrize(("patience", "num_epochs"), [(1, 3)])
def test_early_stopping_waits_for_the_first_character(
    checkpoint, speech_data, tmp_path, patience, num_epochs
):
    # of a model that says nothing yet the error rate stands at the floor while the loss falls
    training = {"num_train_epochs": num_epochs, "learning_rate": 1e-5, "warmup_steps": 0}
    blank = {"checkpoint": str(checkpoint("wav2vec2")), "config": {"layerdrop": 0.0}}
    sections = {"task": TASK, "training": training, "model": blank}
    stopping = {"early_stopping": {"patience": patience}}
    ready = prepare(tmp_path, checkpoint("wav2vec2"), speech_data, **sections, **stopping)
    head = ready.checkpoint.model.lm_head
    head.weight.data.zero_()
    head.bias.data[0] = 5.0  # the blank
    scores = [e["eval_wer"] for e in fit(ready, tmp_path).history if "eval_wer" in e]
    assert scores == [1.0] * num_epochs


# The vocabulary


def test_a_vocabulary_is_built_from_the_characters_of_train(checkpoint, tmp_path):
    data = saved(tmp_path / "data", *["Ab", "b c"] * 4)
    ready = prepare(tmp_path, checkpoint("wav2vec2"), data, task=TASK)
    tokenizer, config = ready.checkpoint.processor.tokenizer, ready.checkpoint.model.config
    assert tokenizer.get_vocab() == {"<pad>": 0, "|": 1, "<unk>": 2, "a": 3, "b": 4, "c": 5}
    assert (config.vocab_size, config.pad_token_id) == (6, 0)
    assert ready.checkpoint.model.lm_head.out_features == 6
    assert ready.encoded["train"][0]["labels"] == [3, 4]
    assert ready.encoded["train"][1]["labels"] == [4, 1, 5]
    assert list(ready.targets["train"][:2]) == ["ab", "b c"]


@pytest.mark.slow
def test_a_checkpoint_keeps_its_own_vocabulary_and_the_head_for_it(capitals, tmp_path):
    data = saved(tmp_path / "data", *["Ab", "b c"] * 4)
    ready = prepare(tmp_path, capitals, data, task=TASK)
    assert ready.checkpoint.newly_initialized == ()
    assert list(ready.targets["train"][:2]) == ["AB", "B C"]  # its letters are capitals
    assert ready.encoded["train"][0]["labels"] == [6, 5]
    fields = {"name": TASK, "vocabulary": "train", "case": "upper"}
    other = prepare(tmp_path, capitals, data, task=fields)
    assert other.checkpoint.newly_initialized == ("lm_head.bias", "lm_head.weight")
    assert other.checkpoint.model.config.vocab_size == 6


def test_a_vocabulary_that_is_not_there(checkpoint, speech_data, tmp_path):
    fields = {"name": TASK, "vocabulary": "checkpoint"}
    with pytest.raises(ModelError, match=r"has no tokenizer; task\.vocabulary=train"):
        prepare(tmp_path, checkpoint("wav2vec2"), speech_data, task=fields)


def test_characters_that_a_vocabulary_cannot_spell(capitals, tmp_path):
    data = saved(tmp_path / "data", *["ab", "b c"] * 4, "née, bé")
    message = r"train, row 8: the vocabulary cannot spell , E N É of the transcript 'NÉE, BÉ'"
    with pytest.raises(DataError, match=message):
        prepare(tmp_path, capitals, data, task=TASK)
    fields = {"name": TASK, "unknown_characters": "unk", "remove_punctuation": True}
    ready = prepare(tmp_path, capitals, data, task=fields)
    assert ready.targets["train"][8] == "NÉE BÉ"  # and is compared so
    assert ready.encoded["train"][8]["labels"] == [1, 1, 1, 2, 5, 1]


@pytest.mark.parametrize("marker", ["<unk>", "<PAD>", "[UNK]"])
@pytest.mark.parametrize("fields", [{}, {"remove_punctuation": True}])
def test_a_special_token_in_a_transcript_is_named(checkpoint, fields, marker):
    rows, task = split("ab", f"b {marker} c"), SpeechRecognition(name=TASK, **fields)
    labels = task.labels(rows)
    assert labels.values == ("a", "b", "c")  # its brackets are no characters to learn
    processor = task.load_processor(checkpoint("wav2vec2"), labels)
    config = AutoConfig.from_pretrained(checkpoint("wav2vec2"))
    ((row, reason),) = task.unsupported_rows(rows, processor, config)
    assert row == 1
    assert reason.startswith(f"the transcript 'b {marker} c' holds ")
    assert marker.lower() in reason.lower()


def test_unknown_characters_may_be_written_as_their_token(checkpoint):
    rows = split("ab", "b <unk> c")
    task = SpeechRecognition(name=TASK, unknown_characters="unk")
    labels = task.labels(rows)
    processor = task.load_processor(checkpoint("wav2vec2"), labels)
    config = AutoConfig.from_pretrained(checkpoint("wav2vec2"))
    assert list(task.unsupported_rows(rows, processor, config)) == []
    assert task.encode(rows, processor, labels)[1]["labels"] == [4, 2, 5]


@pytest.mark.parametrize(
    ("fields", "text", "spelled"),
    [
        ({}, "  A\tb\n", "a b"),
        ({"case": "upper"}, "aß", "ASS"),
        ({"case": "keep"}, "aB", "aB"),
        ({}, "e\N{COMBINING ACUTE ACCENT}", "é"),
        ({}, "Well-known, isn't it?", "well-known, isn't it?"),
        ({"remove_punctuation": True}, "Well-known: isn't “it”? +1", "well known isn't it 1"),
    ],
)
def test_transcripts_are_spelled_alike(checkpoint, fields, text, spelled):
    rows, task = split(text, sounds=[np.ones(RATE)]), SpeechRecognition(**fields)
    labels = task.labels(rows)
    assert set(labels.values) == set(spelled) - {" "}
    processor = task.load_processor(str(checkpoint("wav2vec2")), labels)
    assert task.targets(rows, task.encode(rows, processor, labels), labels) == [spelled]


def test_repeats_and_blanks_are_taken_out(checkpoint):
    task, labels = SpeechRecognition(), Labels(TASK, values=("a", "b"))
    processor = task.load_processor(str(checkpoint("wav2vec2")), labels)
    ids = [[0, 3, 3, 0, 3, 1, 1, 4, 0], [0, 0]]
    collected = {"logits": [np.eye(5)[row] for row in ids]}
    assert task.predict(collected, None, processor, labels) == ["aa b", ""]


# Transcripts and clips that cannot be learned from


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "text is None; expected a transcript"),
        (" ", "the transcript ' ' is empty"),
        ("a|b", r"holds '\|', which stands between words"),
    ],
)
def test_transcripts_without_words_are_reported_with_their_row(text, message):
    rows = split("ab", text, sounds=[np.ones(RATE)] * 2)
    ((row, why),) = SpeechRecognition().corrupt_rows(rows)
    assert row == 1
    assert re.search(message, why)


def test_punctuation_alone_is_empty_where_it_is_dropped():
    rows = split("?!", sounds=[np.ones(RATE)])
    assert not list(SpeechRecognition().corrupt_rows(rows))
    assert list(SpeechRecognition(remove_punctuation=True).corrupt_rows(rows))


@pytest.mark.parametrize("family", ["wav2vec2", "hubert"])
def test_a_transcript_needs_a_frame_for_each_character_and_one_between_twins(checkpoint, family):
    config = AutoConfig.from_pretrained(checkpoint(family))
    model = AutoModelForCTC.from_config(config)
    samples = 20 * 80 + 400
    frames = int(model._get_feat_extract_output_lengths(samples))
    texts = ("ab" * frames)[:frames], ("ab" * frames)[: frames + 1], "aab" * (frames // 3)
    rows = split(*texts, sounds=[np.ones(samples)] * 3)
    task = SpeechRecognition()
    labels = task.labels(rows)
    processor = task.load_processor(str(checkpoint(family)), labels)
    problems = dict(task.unsupported_rows(rows, processor, config))
    assert list(problems) == [1, 2]
    assert f"sound are {frames} frames; CTC needs {frames + 1}" in problems[1]


def test_clips_are_refused_rather_than_cut(checkpoint):
    seconds = LETTER_SECONDS * 10
    rows = split("a", "ab" * 10)
    task = SpeechRecognition(max_seconds=seconds)
    labels = task.labels(rows)
    processor = task.load_processor(str(checkpoint("wav2vec2")), labels)
    config = AutoConfig.from_pretrained(checkpoint("wav2vec2"))
    ((row, why),) = task.unsupported_rows(rows, processor, config)
    assert row == 1
    assert f"longer than task.max_seconds={seconds}" in why
    assert task.encode(rows, processor, labels).lengths[1] == len(spoken("ab" * 10))


def test_labels_are_padded_with_what_the_loss_ignores(checkpoint):
    task, rows = SpeechRecognition(), split("a", "bcd")
    labels = Labels(TASK, values=tuple(LETTERS))
    processor = task.load_processor(str(checkpoint("hubert")), labels)
    encoded = task.encode(rows, processor, labels)
    batch = task.collator(processor)([encoded[0], encoded[1]])
    assert batch["labels"].tolist() == [[3, -100, -100], [4, 5, 6]]
    assert batch["attention_mask"].sum(1).tolist() == list(encoded.lengths)


def test_frames_are_counted_as_a_fast_conformer_makes_them() -> None:
    """It makes one frame of several of the extractor's: an alignment needs those that are left."""
    import torch
    from transformers import ParakeetFeatureExtractor

    from pipelines.tasks.audio.frames import num_frames

    window = {"n_fft": 256, "win_length": 200, "hop_length": 80}
    try:
        extractor = ParakeetFeatureExtractor(feature_size=16, sampling_rate=8000, **window)
    except ImportError as error:  # of older releases of transformers
        pytest.skip(str(error))
    encoder = {
        "hidden_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 16,
        "num_mel_bins": 16,
        "subsampling_factor": 4,
        "subsampling_conv_channels": 8,
    }
    sizes = {"vocab_size": 8, "pad_token_id": 0, "encoder_config": encoder}
    config = AutoConfig.for_model("parakeet_ctc", **sizes)
    model = AutoModelForCTC.from_config(config).eval()
    for length in (800, 1234, 4000, 8001):
        samples = np.random.default_rng(0).normal(size=length).astype(np.float32)
        inputs = extractor(samples, sampling_rate=8000, return_tensors="pt")
        with torch.no_grad():
            num_actual = model(**inputs).logits.shape[1]
        assert num_frames(extractor, config, length) == num_actual
