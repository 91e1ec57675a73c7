"""A label for every word: aligned to sub-words, windows and batches, and put back together."""

import csv
import io
import json
from contextlib import redirect_stdout
from functools import cache

import numpy as np
import pytest
import tiny
import tiny_tasks
import torch
from closeness import close, tolerance
from grafting import changed, fit, logits, prepare, state, write_recipe
from printed import last_value
from seqeval.metrics.sequence_labeling import get_entities

from pipelines.cli import main
from pipelines.core.errors import DataError, RecipeError
from pipelines.core.labels import IGNORED
from pipelines.features.candidates import token_extractor
from pipelines.models.anatomy import dissect
from pipelines.report.run_folder import RunFolder

TASK = "token_classification"
FAMILIES = ("bert", "roberta", "distilbert", "gpt2", "deberta-v2", "modernbert")
QUICK = {("bert", "linear_probe"), ("gpt2", "full"), ("roberta", "lora"), ("bert", "scratch")}
COMBINATIONS = [
    pytest.param(family, strategy, marks=() if (family, strategy) in QUICK else pytest.mark.slow)
    for family in FAMILIES
    for strategy in ("full", "linear_probe", "lora", "scratch")
    # without pretrained weights, one family is as good as another
    if strategy != "scratch" or family == "bert"
]
# of module scope: pytest brings together what looks at the same run
by_combination = pytest.mark.parametrize(("family", "strategy"), COMBINATIONS, scope="module")
TRAINING = {"num_train_epochs": 2, "learning_rate": 3e-3, "warmup_steps": 0}
CALM = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
LONG = 45  # words; a tiny model takes 32 tokens


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Texts of up to 45 words: some of them need two windows."""
    return tiny_tasks.entity_data(tmp_path_factory.mktemp("data") / "entities", longest=LONG)


@pytest.fixture(scope="module")
def ran(checkpoint, data, tmp_path_factory):
    """ran(family, strategy): the folder of a run that was made once, and what it said."""

    @cache
    def ran(family, strategy):
        folder = tmp_path_factory.mktemp("run")
        sections = {"task": TASK, "strategy": strategy, "training": TRAINING}
        recipe = write_recipe(folder, checkpoint(family), data, **sections)
        with redirect_stdout(io.StringIO()) as stdout:
            assert main(["run", str(recipe)]) == 0
        return RunFolder(folder / "runs" / "recipe" / "1"), stdout.getvalue()

    return ran


def written(folder, tokens, tags):
    """A data set of one's own: train and validation are the same."""
    from datasets import Dataset

    folder.mkdir(exist_ok=True)
    for split in ("train", "validation"):
        Dataset.from_dict({"tokens": tokens, "tags": tags}).to_parquet(folder / f"{split}.parquet")
    return folder


def rows_of(data, split):
    from datasets import Dataset

    names = np.array(tiny_tasks.TAGS)
    for row in Dataset.from_parquet(str(data / f"{split}.parquet")):
        yield row["tokens"], names[row["ner_tags"]].tolist()


def predicted(run, split):
    with (run.predictions / f"{split}.csv").open(encoding="utf-8") as file:
        return [(row["label"].split(), row["prediction"].split()) for row in csv.DictReader(file)]


# A run, from end to end


@pytest.mark.slow
@by_combination
def test_every_word_of_every_text_has_its_prediction(ran, data, family, strategy):
    run, _ = ran(family, strategy)
    for split in ("validation", "test"):
        predictions, meant = predicted(run, split), list(rows_of(data, split))
        assert [tags for tags, _ in predictions] == [tags for _, tags in meant]
        assert [len(tags) for _, tags in predictions] == [len(words) for words, _ in meant]
        assert {tag for _, tags in predictions for tag in tags} <= set(tiny_tasks.TAGS)


@pytest.mark.numerical
@by_combination
@pytest.mark.slow
def test_a_run_is_worth_what_it_says(ran, family, strategy):
    run, output = ran(family, strategy)
    metrics = json.loads(run.metrics.read_text(encoding="utf-8"))
    assert metrics["parity"]["ok"]
    assert metrics["parity"]["max_difference"] < tolerance()
    assert metrics["main_metric"] == "f1"
    assert metrics["examples"] == tiny.NUM_ROWS
    for split in ("validation", "test"):
        assert list(metrics[split]) == ["f1", "precision", "recall", "accuracy"]
        assert metrics["baseline"][split]["f1"] == 0  # O is the most frequent tag
        expected = scores(predicted(run, split))
        assert {k: metrics[split][k] for k in expected} == pytest.approx(expected)
    assert "reload parity: ok" in output


def scores(examples):
    """Of entities, distinguished by text, kind and place; and of words."""
    meant, predicted_entities = (
        {(row, *entity) for row, pair in enumerate(examples) for entity in get_entities(pair[side])}
        for side in (0, 1)
    )
    pairs = [pair for row in examples for pair in zip(*row, strict=True)]
    return {
        "recall": len(meant & predicted_entities) / len(meant),
        "f1": 2 * len(meant & predicted_entities) / (len(meant) + len(predicted_entities)),
        "accuracy": np.mean([tag == other for tag, other in pairs]),
    }


@pytest.mark.slow
def test_the_lines_of_the_summary_use_the_model(ran, data, bare_python):
    """In an interpreter that knows no module of ours; with its own way to cut a text into words."""
    run, output = ran("bert", "linear_probe")
    words, tags = next(
        (words, tags)
        for (words, _), (_, tags) in zip(rows_of(data, "test"), predicted(run, "test"), strict=True)
        if len(words) < 15 and not {"-", "\u00a0"} & set("".join(words)) and get_entities(tags)
    )
    program = "\n".join(output.splitlines()[-2:]).replace('"…"', json.dumps(" ".join(words)))
    setup, use = last_value(program)
    # said of all tokenizers but WordPiece
    heuristic = "warnings.filterwarnings('ignore', 'Tokenizer does not support real words')"
    code = (
        f"import json, warnings\n{heuristic}\n{setup}\n"
        f"print(json.dumps([[e['entity_group'], e['start'], e['end']] for e in {use}]))"
    )
    done = bare_python(code)
    assert done.returncode == 0, done.stderr
    ends = np.cumsum([len(word) + 1 for word in words]) - 1
    expected = [[k, int(ends[a] - len(words[a])), int(ends[b])] for k, a, b in get_entities(tags)]
    assert json.loads(done.stdout) == expected


# Order, loss and frozen features


@pytest.mark.numerical
@pytest.mark.parametrize("family", ["bert", pytest.param("gpt2", marks=pytest.mark.slow)])
def test_predictions_are_in_the_order_of_the_data(checkpoint, data, tmp_path, family):
    training = {"max_steps": 2, "train_sampling_strategy": "group_by_length"}
    ready = prepare(tmp_path, checkpoint(family), data, task=TASK, training=training)
    fitted = fit(ready, tmp_path / "checkpoints")
    rows = ready.encoded["validation"]
    assert len(rows) > len(ready.targets["validation"])  # windows
    lengths = [len(row["input_ids"]) for row in rows]
    assert lengths != sorted(lengths, reverse=True)
    for row, together in zip(rows, logits(ready, fitted, batch_size=7), strict=True):
        batch = ready.collate([row])
        with torch.no_grad():
            alone = fitted.output.model.eval()(**batch).logits[0].numpy()
        begins = np.array(row["labels"]) != IGNORED
        close(together, alone[begins])


@pytest.mark.numerical
def test_accumulation_changes_neither_loss_nor_gradient(checkpoint, data, tmp_path):
    """A mean of the means over batches would weigh the words of a short text more."""
    model = {"checkpoint": str(checkpoint("bert")), "config": CALM}

    def first_step(size, accumulated):
        training = {
            "per_device_train_batch_size": size,
            "gradient_accumulation_steps": accumulated,
            "train_sampling_strategy": "random",  # the same examples
            "max_steps": 1,
            "logging_steps": 1,
            "eval_strategy": "no",
        }
        sections = {"task": TASK, "model": model, "training": training}
        ready = prepare(tmp_path, checkpoint("bert"), data, **sections)
        (first, *_) = fit(ready, tmp_path / str(size)).history
        return first["loss"], first["grad_norm"]

    assert first_step(2, 8) == pytest.approx(first_step(16, 1), rel=1e-4)


@pytest.mark.numerical
@pytest.mark.parametrize(
    "family", [pytest.param(f, marks=() if f == "bert" else pytest.mark.slow) for f in FAMILIES]
)
@pytest.mark.slow
def test_a_solved_head_is_the_model_that_comes_out(checkpoint, data, tmp_path, family):
    ready = prepare(tmp_path, checkpoint(family), data, task=TASK, strategy="linear_probe")
    before = state(ready.checkpoint.model)
    fitted = fit(ready, tmp_path / "checkpoints")
    model = fitted.output.model
    output = dissect(model).output
    assert changed(before, model.state_dict()) <= {f"{output}.weight", f"{output}.bias"}

    tap = token_extractor(model, dissect(model))
    features, _ = tap.extract(ready.encoded["validation"], ready.collate)
    layer = model.get_submodule(output)
    for row, read in zip(features["head"], logits(ready, fitted), strict=True):
        solved = row @ layer.weight.detach().numpy().T + layer.bias.detach().numpy()
        close(solved, read)
    # the best of what was tried is worth as much in the model, where it is solved on all of train
    best = next(t for t in fitted.history if fitted.chosen.items() <= t.items())
    collected = fitted.output.run(
        ready.encoded["validation"], ready.collate, ready.recipe.task.collect
    )
    predictions = ready.recipe.task.predict(
        collected, ready.encoded["validation"], ready.checkpoint.processor, ready.data.labels
    )
    score = ready.scorer(predictions, ready.targets["validation"])["f1"]
    assert score == pytest.approx(best["validation_f1"], abs=0.01)
    assert score > 0.3


def test_tokens_have_no_pooling(checkpoint, data, tmp_path):
    strategy = {"name": "linear_probe", "pooling": "mean"}
    with pytest.raises(RecipeError, match="pooling 'mean': token_classification reads every token"):
        prepare(tmp_path, checkpoint("bert"), data, task=TASK, strategy=strategy)


# Words and sub-words


def tokens_and_labels(ready, row, split="train"):
    rows, processor = ready.encoded[split], ready.checkpoint.processor
    tokens = processor.convert_ids_to_tokens(rows[row]["input_ids"])
    return list(zip(tokens, rows[row]["labels"], strict=True))


def test_the_first_sub_word_answers_for_its_word(checkpoint, tmp_path):
    words, tags = [["the", "good-film", "\u00a0", "was"], ["bad"]], [["O", "B-x", "O", "O"], ["O"]]
    ready = prepare(tmp_path, checkpoint("bert"), written(tmp_path / "d", words, tags), task=TASK)
    assert ready.data.labels.names == ("O", "B-x")
    assert tokens_and_labels(ready, 0) == [
        ("[CLS]", IGNORED),
        ("the", 0),
        ("good", 1),
        ("[UNK]", IGNORED),  # the hyphen
        ("film", IGNORED),
        ("[UNK]", 0),  # white space is nothing to the tokenizer, and has an answer
        ("was", 0),
        ("[SEP]", IGNORED),
    ]


@pytest.mark.parametrize("family", ["bert", "roberta", "gpt2"])
def test_words_beyond_the_limit_stand_in_further_windows(checkpoint, tmp_path, family):
    long = [tiny.WORDS[i % len(tiny.WORDS)] for i in range(100)]
    endless = ["-".join(["good"] * 60), "bad"]  # a word longer than a window
    words = [["fine"], long, endless]
    tags = [["B-1"], [f"B-{i % 7}" for i in range(100)], ["B-1", "B-2"]]
    ready = prepare(tmp_path, checkpoint(family), written(tmp_path / "d", words, tags), task=TASK)
    rows = ready.encoded["train"]
    assert max(len(ids) for ids in rows["input_ids"]) <= tiny.LENGTH
    assert rows["example"][:] == sorted(rows["example"][:])
    assert all(set(row["labels"]) != {IGNORED} for row in rows)  # nothing to learn, no loss
    # each word has its label once, in order
    names = ready.data.labels.names
    for example, expected in enumerate(tags):
        mine = [row for row in rows if row["example"] == example]
        begun = [names[i] for row in mine for i in row["labels"] if i != IGNORED]
        assert begun == expected
    # a model that is always right is right about every one
    eye = np.eye(len(names))
    collected = {"logits": [eye[[i for i in row["labels"] if i != IGNORED]] for row in rows]}
    task, processor = ready.recipe.task, ready.checkpoint.processor
    assert task.predict(collected, rows, processor, ready.data.labels) == tags


def byte_level(kind, folder):
    """A byte-level BPE that is saved as GPT-2's, as ModernBERT's and as Llama's and Qwen's are."""
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers
    from transformers import GPT2Tokenizer, PreTrainedTokenizerFast

    plain = pre_tokenizers.ByteLevel(add_prefix_space=False)
    split = pre_tokenizers.Split(Regex(r" ?\p{L}+|\s+|[^\s\p{L}]+"), "isolated")
    bare = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, bare]) if kind == "split" else plain
    end = "<|endoftext|>"
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=[end],
    )
    texts = ["it was a good film of Paris", " a good film it was in Paris"]
    tokenizer.train_from_iterator(texts, trainer)
    if kind == "gpt2":
        model = json.loads(tokenizer.to_str())["model"]
        saved = GPT2Tokenizer(vocab=model["vocab"], merges=[tuple(m) for m in model["merges"]])
    else:
        saved = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=end, pad_token=end)
    saved.save_pretrained(folder)


@pytest.mark.parametrize("kind", ["gpt2", "plain", "split"])
def test_byte_level_tokenizers_read_words_as_in_a_text(checkpoint, tmp_path, kind):
    """A word without its space would be the middle of another, and another token."""
    import shutil

    from transformers import AutoTokenizer

    folder = tmp_path / "checkpoint"
    shutil.copytree(checkpoint("gpt2"), folder)
    for file in folder.glob("tokenizer*"):
        file.unlink()
    byte_level(kind, folder)
    words = ["it", "was", "good", "in", "Paris"]
    data = written(tmp_path / "d", [words, ["a"]], [["O", "O", "O", "O", "B-x"], ["O"]])
    model = {"checkpoint": str(folder), "config": {"vocab_size": 400}}
    ready = prepare(tmp_path, folder, data, task=TASK, model=model)

    inside = [("Ġit", 0), ("Ġwas", 0), ("Ġgood", 0), ("Ġin", 0), ("ĠParis", 1)]
    message = tokens_and_labels(ready, 0)
    assert [pair for pair in message if pair[1] != IGNORED] == inside
    # saved and loaded by transformers alone, it reads words and texts as in training
    ready.checkpoint.processor.save_pretrained(tmp_path / "saved")
    loaded = AutoTokenizer.from_pretrained(tmp_path / "saved")
    ids = ready.encoded["train"][0]["input_ids"]
    assert loaded(words, is_split_into_words=True)["input_ids"] == ids
    assert loaded(" ".join(words))["input_ids"] == ids


# What is to be learned


@pytest.mark.parametrize(
    ("tags", "names", "metric"),
    [
        ([["I-x", "O"], ["B-x", "O"]], ("O", "B-x", "I-x"), "f1"),
        ([["VERB", "ADJ"], ["NOUN", "VERB"]], ("ADJ", "NOUN", "VERB"), "token_accuracy"),
        ([[2, 0], [0, 10]], ("0", "2", "10"), "token_accuracy"),
    ],
)
def test_tags_of_any_spelling(checkpoint, tmp_path, tags, names, metric):
    data = written(tmp_path / "d", [["good", "film"], ["bad", "plot"]], tags)
    ready = prepare(tmp_path, checkpoint("bert"), data, task=TASK)
    assert ready.data.labels.names == names
    assert ready.checkpoint.model.config.id2label == dict(enumerate(names))
    assert ready.checkpoint.model.config.problem_type is None
    assert ready.targets["train"] == [[str(tag) for tag in row] for row in tags]
    assert ready.scorer.main == metric


def test_names_come_from_the_column(checkpoint, data, tmp_path):
    ready = prepare(tmp_path, checkpoint("bert"), data, task=TASK)
    assert ready.data.labels.names == tiny_tasks.TAGS


GOOD = [["a", "film"], ["good"]], [["O", "B-x"], ["O"]]


@pytest.mark.parametrize(
    ("tokens", "tags", "message"),
    [
        ([["a"], ["b"]], [["O", "B-x"], ["O"]], "train, row 0: 1 words, but 2 tags"),
        ([["a", "b"], []], [["O", "B-x"], []], "train, row 1: tokens is empty"),
        ([["a"], ["b", None]], [["O"], ["O", "B-x"]], "train, row 1: word 1 is None; expected a"),
        (["a film", "good"], [["O", "B-x"], ["O"]], "train, row 0: tokens is 'a film'; expected a"),
        ([["a"], ["b"]], [["O"], None], r"train, row 1: no label \(None\)"),
        ([["a"], ["b"]], [["O"], [None]], r"train, row 1: no label at place 0 of \[None\]"),
        ([["a"], ["b"]], ["O", "B-x"], "'label' holds 'O'; expected a list of tags"),
        ([["a"], ["b"]], [["O"], ["O"]], "column 'label' holds 'O' only; need two classes"),
    ],
)
def test_what_cannot_be_learned_is_reported_with_its_row(
    checkpoint, tmp_path, tokens, tags, message
):
    data = written(tmp_path / "d", tokens, tags)
    with pytest.raises(DataError, match=message):
        prepare(tmp_path, checkpoint("bert"), data, task=TASK)


def test_a_word_whose_tag_is_minus_100_is_neither_learned_nor_scored(checkpoint, tmp_path):
    tags = [[0, -100, 1], [-100, 1, 0], [1, 0, -100]]
    data = written(tmp_path / "d", [["a", "good", "film"]] * 3, tags)
    ready = prepare(tmp_path, checkpoint("bert"), data, task=TASK)
    assert ready.data.labels.names == ("0", "1")
    assert ready.targets["train"] == [["0", "1"], ["1", "0"], ["1", "0"]]
    rows = ready.encoded["train"]
    learned = [[i for i in row["labels"] if i != IGNORED] for row in rows]
    assert learned == [[0, 1], [1, 0], [1, 0]]
    batch = ready.collate([rows[i] for i in range(3)])
    outputs = ready.recipe.task.collect(ready.checkpoint.model(**batch), batch)
    logits = {"logits": [tensor.detach().numpy() for tensor in outputs["logits"]]}
    labels, processor = ready.data.labels, ready.checkpoint.processor
    predictions = ready.recipe.task.predict(logits, rows, processor, labels)
    assert list(map(len, predictions)) == [2, 2, 2]


def test_a_tag_that_train_does_not_have_is_reported(checkpoint, tmp_path):
    from datasets import Dataset

    data = written(tmp_path / "d", *GOOD)
    other = {"tokens": [["a"], ["b", "c"]], "tags": [["O"], ["O", "B-y"]]}
    Dataset.from_dict(other).to_parquet(data / "validation.parquet")
    message = "validation, row 1, word 1: label 'B-y' does not occur in train; did you mean 'B-x'"
    with pytest.raises(DataError, match=message):
        prepare(tmp_path, checkpoint("bert"), data, task=TASK)
