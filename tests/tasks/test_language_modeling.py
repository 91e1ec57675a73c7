"""Language modeling: blocks, masks, loss and perplexity, and what becomes of the output layer.

A text goes round a circle of words, so that each token follows from the one before it.
"""

import csv
import io
import json
from contextlib import redirect_stdout
from functools import cache
from itertools import chain
from pathlib import Path
from random import Random

import numpy as np
import pytest
import tiny
import torch
from datasets import Dataset
from grafting import fit, graft, prepare, write_recipe
from printed import printed
from safetensors.torch import load_file

from pipelines.cli import main
from pipelines.core import registry
from pipelines.core.errors import DataError, ModelError, RecipeError
from pipelines.core.labels import IGNORED, LANGUAGE, Labels
from pipelines.report import parity
from pipelines.report.run_folder import RunFolder

SLOW = pytest.mark.slow
MASKED = ("bert", "roberta", "distilbert", "deberta-v2", "modernbert")
FAMILIES = ("gpt2", *MASKED)
BLOCK = 16
NUM_ROWS = {"train": 120, "validation": 300, "test": 40}  # parity reads the first 256
QUICK = {("gpt2", "full"), ("gpt2", "lora"), ("bert", "full"), ("bert", "lora")}
COMBINATIONS = [
    pytest.param(family, strategy, marks=() if (family, strategy) in QUICK else SLOW)
    for strategy, families in {
        "full": FAMILIES,
        "lora": ("gpt2", "bert", "deberta-v2"),  # kinds of linear layers and of output layers
        "scratch": ("gpt2", "bert"),  # the next token, and the masked one
    }.items()
    for family in families
]
# of module scope: pytest brings together what looks at the same run
by_combination = pytest.mark.parametrize(("family", "strategy"), COMBINATIONS, scope="module")
TRAINING = {"num_train_epochs": 8, "learning_rate": 1e-2, "warmup_steps": 0}
CALM = {
    "gpt2": {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0},
    "bert": {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0},
}
LABELS = Labels(LANGUAGE)
by_family = pytest.mark.parametrize(
    "family", [pytest.param(f, marks=() if f in ("gpt2", "bert") else SLOW) for f in FAMILIES]
)


def round_the_circle(random: Random) -> str:
    start, length = random.randrange(len(tiny.WORDS)), random.randint(1, 30)
    return " ".join(tiny.WORDS[(start + i) % len(tiny.WORDS)] for i in range(length))


def circles(num_rows: int, seed: str = "circles") -> list[str]:
    """Texts with blank ones between them."""
    random = Random(seed)
    return [
        ("", "  \n")[row // 5 % 2] if row % 5 == 4 else round_the_circle(random)
        for row in range(num_rows)
    ]


@pytest.fixture(scope="module")
def texts(tmp_path_factory) -> Path:
    """`<split>.parquet` with a column `text` and nothing else."""
    folder = tmp_path_factory.mktemp("data") / "circles"
    folder.mkdir()
    for split, num_rows in NUM_ROWS.items():
        rows = Dataset.from_dict({"text": circles(num_rows, split)})
        rows.to_parquet(folder / f"{split}.parquet")
    return folder


def task_of(family, **fields):
    name = "causal_lm" if family == "gpt2" else "masked_lm"
    return {"name": name, "block_size": BLOCK, **fields}


@pytest.fixture(scope="module")
def ran(checkpoint, texts, tmp_path_factory):
    """ran(family, strategy): the folder of a run that was made once, and what it said."""

    @cache
    def ran(family: str, strategy: str) -> tuple[RunFolder, str]:
        sections = {"task": task_of(family), "strategy": strategy, "training": TRAINING}
        folder = tmp_path_factory.mktemp("run")
        recipe = write_recipe(folder, checkpoint(family), texts, **sections)
        with redirect_stdout(io.StringIO()) as stdout:
            assert main(["run", str(recipe)]) == 0
        return RunFolder(folder / "runs" / "recipe" / "1"), stdout.getvalue()

    return ran


@pytest.fixture(scope="module")
def made(checkpoint):
    """made(family, **fields): a task and the processor of a tiny checkpoint."""

    def made(family: str, **fields):
        fields = task_of(family, **fields)
        task = registry.find("tasks", fields["name"])(**fields)
        return task, task.load_processor(str(checkpoint(family)), LABELS)

    return made


def encoded(task, processor, texts):
    return task.encode(Dataset.from_dict({"text": texts}), processor, LABELS)


def plain(folder, family):
    """The saved model by its plain class."""
    from transformers import AutoModelForCausalLM, AutoModelForMaskedLM

    auto = AutoModelForCausalLM if family == "gpt2" else AutoModelForMaskedLM
    return auto.from_pretrained(folder).eval()


def whole(row):
    """The ids of a block, without masks."""
    pairs = zip(row["input_ids"], row["labels"], strict=True)
    return [i if label == IGNORED else label for i, label in pairs]


def padded(rows, name, value):
    length = max(len(row[name]) for row in rows)
    return [[*row[name], *[value] * (length - len(row[name]))] for row in rows]


# A run


@pytest.mark.numerical
@pytest.mark.slow
@by_combination
def test_perplexity_is_what_plain_transformers_finds(ran, family, strategy):
    """By the model's own loss, block by block."""
    from transformers import AutoTokenizer

    run, _ = ran(family, strategy)
    metrics = json.loads(run.metrics.read_text())
    assert metrics["parity"]["ok"]
    assert metrics["main_metric"] == "perplexity"
    model, tokenizer = plain(run.model, family), AutoTokenizer.from_pretrained(run.model)
    nll, tokens = [], []
    for row in blocks_of_test(family, tokenizer):
        batch = {name: torch.tensor([row[name]]) for name in ("input_ids", "labels")}
        with torch.no_grad():
            nll.append(float(model(**batch).loss))
        tokens.append(sum(label != IGNORED for label in row["labels"]))
    expected = np.exp(np.average(nll, weights=tokens))
    assert metrics["test"]["perplexity"] == pytest.approx(expected, rel=1e-4)
    assert metrics["examples"]["test"] == len(nll)

    with (run.predictions / "test.csv").open(encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    assert list(table[0]) == ["row", "tokens", "nll"]
    assert [int(row["tokens"]) for row in table] == tokens
    np.testing.assert_allclose([float(row["nll"]) for row in table], nll, atol=1e-4)


def blocks_of_test(family, tokenizer):
    """Of the texts that the run saw; a causal model's are cut here, by other means."""
    texts = circles(NUM_ROWS["test"], "test")
    if family != "gpt2":
        return encoded(registry.find("tasks", "masked_lm")(block_size=BLOCK), tokenizer, texts)
    texts = [text for text in texts if text.strip()]
    ids = [i for text in texts for i in (*tokenizer(text)["input_ids"], tokenizer.eos_token_id)]
    cut = [ids[i : i + BLOCK] for i in range(0, len(ids), BLOCK)]
    return [{"input_ids": block, "labels": [IGNORED, *block[1:]]} for block in cut]


@pytest.mark.slow
@by_family
def test_a_circle_of_words_is_learned(ran, family):
    """Better than by how frequent a word is, which tells nothing here."""
    metrics = json.loads(ran(family, "full")[0].metrics.read_text())
    baseline = metrics["baseline"]["validation"]["perplexity"]
    assert len(tiny.WORDS) - 1 < baseline < len(tiny.WORDS) + 3
    assert metrics["validation"]["perplexity"] < (0.5 if family == "gpt2" else 1) * baseline


@pytest.mark.slow
@by_combination
def test_the_output_layer_stays_tied(ran, family, strategy):
    run, _ = ran(family, strategy)
    model = plain(run.model, family)
    embedding = model.get_input_embeddings().weight
    assert model.get_output_embeddings().weight is embedding
    saved = load_file(run.model / "model.safetensors")
    assert sum(tensor.shape == embedding.shape for tensor in saved.values()) == 1


@pytest.mark.parametrize("family", ["gpt2", "bert"])
@pytest.mark.slow
def test_the_lines_of_the_summary_use_the_model(ran, family):
    _, output = ran(family, "full")
    start = output.index("from transformers import pipeline")
    program = output[start:].replace("…", "film").strip()
    if family == "gpt2":
        program = program.removesuffix("))") + ", max_new_tokens=8))"  # it has 32 positions
    (answer,) = printed(program)
    if family == "gpt2":
        assert answer[0]["generated_text"].startswith("film")
    else:
        assert {guess["token_str"] for guess in answer} <= {*tiny.WORDS, *tiny.BERT_TOKENS.values()}


def test_parity_does_not_compare_a_block_that_was_cut_short():
    """Three texts fill a block here; of the first four, another one is begun."""
    texts = Dataset.from_dict({"text": [str(i) for i in range(30)]})

    def predict(rows):
        numbers = [int(text) for text in rows["text"]]
        return {"nll": np.array([sum(numbers[i : i + 3]) for i in range(0, len(numbers), 3)])}

    trained = predict(texts)
    assert parity.compare(predict, texts, trained, num_examples=4).ok
    # of the first two, none is whole: more are read
    assert parity.compare(predict, texts, trained, num_examples=2).examples > 3
    drifted = {"nll": trained["nll"] + 0.1}
    assert not parity.compare(predict, texts, drifted, num_examples=2).ok


# Blocks


@by_family
def test_blocks_hold_the_texts_in_order_and_without_loss(made, family):
    task, tokenizer = made(family)
    texts = circles(200)
    rows = encoded(task, tokenizer, texts)
    first, last = (
        ([], []) if family == "gpt2" else ([tokenizer.cls_token_id], [tokenizer.sep_token_id])
    )
    blocks = [whole(row) for row in rows]
    assert {len(block) for block in blocks[:-1]} == {BLOCK}
    assert len(blocks[-1]) <= BLOCK
    for block in blocks:
        assert block[: len(first)] == first
        assert block[len(block) - len(last) :] == last
    inner = [block[len(first) : len(block) - len(last)] for block in blocks]
    end = tokenizer.eos_token_id if family == "gpt2" else tokenizer.sep_token_id
    expected = [
        id
        for text in texts
        if text.strip()
        for id in (*tokenizer(text, add_special_tokens=False)["input_ids"], end)
    ]
    assert [*chain.from_iterable(inner)] == expected


def test_more_texts_than_are_joined_at_a_time(made):
    """Nothing of a text is dropped where a thousand end, as it is in transformers' run_clm."""
    task, tokenizer = made("gpt2")
    texts = circles(2300)
    expected = []
    for start in range(0, len(texts), 1000):
        nonblank = [text for text in texts[start : start + 1000] if text.strip()]
        ids = [
            i for text in nonblank for i in (*tokenizer(text)["input_ids"], tokenizer.eos_token_id)
        ]
        cut = [ids[i : i + BLOCK] for i in range(0, len(ids), BLOCK)]
        # an end token with nothing before it cannot be asked for
        expected += [block for block in cut if block != [tokenizer.eos_token_id]]
    assert [whole(row) for row in encoded(task, tokenizer, texts)] == expected


def test_line_by_line_no_block_holds_two_texts(made):
    task, tokenizer = made("bert", line_by_line=True)
    texts = ["film of bad plot", "", "it was", " ".join(["great", "good"] * 20)]
    blocks = [tokenizer.decode(whole(row)[1:-1]) for row in encoded(task, tokenizer, texts)]
    assert blocks[:2] == ["film of bad plot", "it was"]
    # a longer text goes on in the next block instead of being cut off
    assert " ".join(blocks[2:]) == texts[3]
    assert [len(block.split()) for block in blocks[2:]] == [14, 14, 12]


def test_the_block_size_is_that_of_the_model_unless_the_recipe_says_less(made):
    texts = ["film " * 100]
    for block_size, expected in ((None, tiny.LENGTH), (8, 8)):
        task, tokenizer = made("gpt2", block_size=block_size)
        assert len(encoded(task, tokenizer, texts)[0]["input_ids"]) == expected


# Masks


@pytest.fixture(scope="module")
def many(made):
    """A task, its tokenizer and four thousand tokens in blocks of different lengths."""
    task, tokenizer = made("bert", line_by_line=True)
    return task, tokenizer, encoded(task, tokenizer, circles(350))


def test_masks_of_evaluation_depend_on_the_block_alone(many):
    """Not on the order, nor on what else is there."""
    task, tokenizer, rows = many
    texts = circles(350)
    backwards = encoded(task, tokenizer, texts[::-1])
    assert sorted(backwards["input_ids"]) == sorted(rows["input_ids"])
    first = encoded(task, tokenizer, texts[:3])
    assert first["input_ids"][:] == rows["input_ids"][:][: len(first)]
    collate = task.collator(tokenizer)
    for size in (1, 4, 16):
        start = 32
        batches = [
            collate([rows[j] for j in range(i, i + size)]) for i in range(start, start + 16, size)
        ]
        ids = [row for batch in batches for row in batch["input_ids"].tolist()]
        expected = [rows[i]["input_ids"] for i in range(start, start + 16)]
        assert [row[: len(ids)] for row, ids in zip(ids, expected, strict=True)] == expected


def test_evaluation_masks_as_training_does(many):
    """15 % of the tokens; of these 80 % masked, 10 % another one, 10 % as they were."""
    _, tokenizer, rows = many
    shares = dict.fromkeys(("predicted", "masked", "same"), 0)
    num_tokens = 0
    for row in rows:
        assert any(label != IGNORED for label in row["labels"])
        for shown, label in zip(row["input_ids"], row["labels"], strict=True):
            num_tokens += label != IGNORED or shown not in tokenizer.all_special_ids
            if label == IGNORED:
                continue
            assert label not in tokenizer.all_special_ids
            shares["predicted"] += 1
            shares["masked"] += shown == tokenizer.mask_token_id
            shares["same"] += shown == label
    assert 0.13 < shares["predicted"] / num_tokens < 0.2  # at least one in a short text, too
    assert 0.74 < shares["masked"] / shares["predicted"] < 0.86
    assert 0.05 < shares["same"] / shares["predicted"] < 0.17


@pytest.mark.numerical
def test_masks_of_training_are_drawn_anew(many):
    task, tokenizer, rows = many
    chosen = [rows[i] for i in range(200)]
    collate = task.collator(tokenizer, training=True)
    once, again = collate(chosen), collate(chosen)
    assert not once["labels"].equal(again["labels"])
    original = padded([{"ids": whole(row)} for row in chosen], "ids", tokenizer.pad_token_id)
    for batch in (once, again):
        predicted = batch["labels"] != IGNORED
        assert batch["labels"][predicted].equal(torch.tensor(original)[predicted])
        assert batch["input_ids"][~predicted].equal(torch.tensor(original)[~predicted])
        # what evaluation masks is put back first: masks do not add up
        assert 0.1 < predicted.sum() / batch["attention_mask"].sum() < 0.16


def test_a_batch_in_which_nothing_is_masked_teaches_nothing(many):
    """Transformers' own loss is nan there, and so is the model after it."""
    task, *_ = many
    logits = torch.zeros(2, 3, 5, requires_grad=True)
    nothing = torch.full((2, 3), IGNORED)
    loss = task.loss([], LABELS)({"logits": logits}, nothing, torch.tensor(0))
    loss.backward()
    assert loss.item() == 0
    assert not logits.grad.any()


# Labels, loss and floor


def test_an_end_of_text_is_predicted_though_padding_looks_the_same(made):
    task, tokenizer = made("gpt2")
    assert tokenizer.pad_token_id == tokenizer.eos_token_id == 0
    rows = [{"input_ids": [5, 0, 7, 0], "labels": [IGNORED, 0, 7, 0]}]
    rows += [{"input_ids": [6, 0], "labels": [IGNORED, 0]}]
    for training in (False, True):
        batch = task.collator(tokenizer, training=training)(rows)
        assert batch["labels"].tolist() == [[IGNORED, 0, 7, 0], [IGNORED, 0, IGNORED, IGNORED]]
        assert batch["attention_mask"].tolist() == [[1, 1, 1, 1], [1, 1, 0, 0]]


@pytest.mark.numerical
@pytest.mark.parametrize("family", ["gpt2", "bert"])
@pytest.mark.parametrize("even", [True, False], ids=["full blocks", "a short one"])
@pytest.mark.slow
def test_accumulation_changes_neither_loss_nor_gradient(checkpoint, tmp_path, family, even):
    """A token weighs the same in whatever batch it stands."""
    room = BLOCK if family == "gpt2" else BLOCK - 2
    num_words = 16 * room - 1 if even else 15 * room + 2  # and an end token: sixteen blocks
    texts = [" ".join(tiny.WORDS[i % 5] for i in range(num_words))]
    (tmp_path / "data").mkdir()
    for split in NUM_ROWS:
        Dataset.from_dict({"text": texts}).to_parquet(tmp_path / "data" / f"{split}.parquet")

    def first_step(size, accumulated):
        sizes = {
            "per_device_train_batch_size": size,
            "gradient_accumulation_steps": accumulated,
            "train_sampling_strategy": "random",  # the same examples
            "max_steps": 1,
            "logging_steps": 1,
        }
        folder = tmp_path / str(size)
        model = {"checkpoint": str(checkpoint(family)), "config": CALM[family]}
        sections = {"task": task_of(family), "model": model, "training": sizes}
        ready = prepare(folder, checkpoint(family), tmp_path / "data", **sections)
        assert len(ready.encoded["train"]) == 16
        # the same masks, however the rows are put together
        fitted = fit(ready, folder / "checkpoints", collate_train=ready.collate)
        logged = fitted.history[0]
        return logged["loss"], logged["grad_norm"]

    assert first_step(4, 4) == pytest.approx(first_step(16, 1), rel=1e-4)


@pytest.mark.numerical
def test_the_floor_is_a_unigram_model_of_train(made):
    task, tokenizer = made("gpt2")
    targets = {
        split: task.targets(None, encoded(task, tokenizer, circles(n, split)), LABELS)
        for split, n in (("train", 50), ("test", 9))
    }
    baseline = task.baseline(targets["train"], targets["test"], LABELS)
    seen = [int(i) for ids in targets["train"] for i in ids]
    size = max(int(i) for part in targets.values() for ids in part for i in ids) + 1
    for nll, ids in zip(baseline, targets["test"], strict=True):
        odds = [(seen.count(int(i)) + 1) / (len(seen) + size) for i in ids]
        assert nll == pytest.approx(-np.mean(np.log(odds)))
    # a token that train does not have is unlikely, and not impossible
    unseen = task.baseline([np.array([1, 2])], [np.array([3])], LABELS)
    assert unseen == pytest.approx(np.log(2 + 4))


def test_a_hopeless_model_has_a_finite_perplexity():
    perplexity = registry.find("metrics", "perplexity")()
    assert np.isfinite(perplexity.compute(predictions=[1e6], references=[[1]])["perplexity"])


@pytest.mark.numerical
def test_a_causal_model_never_sees_what_it_predicts(checkpoint, texts, tmp_path):
    """BERT as a decoder: without a word in its config it would look at the next token."""
    task = task_of("bert", name="causal_lm")
    model = prepare(tmp_path, checkpoint("bert"), texts, task=task).checkpoint.model.eval()
    ids = torch.tensor([[2, 6, 7, 8, 9], [2, 6, 7, 8, 10]])
    with torch.no_grad():
        one, other = model(ids).logits
    torch.testing.assert_close(one[:-1], other[:-1])


# The output layer


@pytest.fixture(scope="module")
def with_head(checkpoint, tmp_path_factory):
    """with_head(family): a checkpoint that brings its output layer along."""
    from transformers import AutoTokenizer

    def with_head(family: str) -> Path:
        folder = tmp_path_factory.mktemp("with_head")
        torch.manual_seed(0)
        plain(checkpoint(family), family).save_pretrained(folder)
        AutoTokenizer.from_pretrained(checkpoint(family)).save_pretrained(folder)
        return folder

    return with_head


def lora(folder, checkpoint, texts, family, **sections):
    training = {"max_steps": 2, "learning_rate": 1e-2, "warmup_steps": 0, "save_strategy": "no"}
    strategy = {"name": "lora", "r": 2}
    sections = {"strategy": strategy, "training": training, **sections}
    return graft(folder, checkpoint, texts, task=task_of(family), **sections)


@by_family
@pytest.mark.slow
def test_lora_leaves_an_output_layer_alone_that_was_pretrained(with_head, texts, tmp_path, family):
    ready = lora(tmp_path, with_head(family), texts, family)
    assert ready.prepared.checkpoint.newly_initialized == ()
    encoder = ready.model.base_model_prefix
    assert ready.changed
    assert all(name.startswith(f"{encoder}.") for name in ready.changed)
    assert not any("embeddings" in name or "wte" in name for name in ready.changed)


@by_family
@pytest.mark.slow
def test_lora_trains_what_is_new_of_an_output_layer_and_not_what_is_tied(
    checkpoint, texts, tmp_path, family
):
    ready = lora(tmp_path, checkpoint(family), texts, family)
    output = ready.model.get_output_embeddings()
    assert output.weight is ready.model.get_input_embeddings().weight
    names = {id(p): name for name, p in ready.model.named_parameters(remove_duplicate=False)}
    (tied,) = [n for n, p in ready.model.named_parameters() if p is output.weight]
    assert tied not in ready.changed
    assert names[id(output.weight)] not in ready.changed
    # a vector that leans on the tied matrix cannot train without a copy of it
    newly_initialized = {
        name
        for name in ready.prepared.checkpoint.newly_initialized
        if ready.before[name].dim() == 2
    }
    assert newly_initialized <= ready.changed
    assert bool(newly_initialized) is (family != "gpt2")


def test_lora_trains_a_new_output_layer_that_is_not_tied(checkpoint, texts, tmp_path):
    model = {"checkpoint": str(checkpoint("gpt2")), "config": {"tie_word_embeddings": False}}
    ready = lora(tmp_path, checkpoint("gpt2"), texts, "gpt2", model=model)
    assert ready.prepared.checkpoint.newly_initialized == ("lm_head.weight",)
    assert "lm_head.weight" in ready.changed
    assert "transformer.wte.weight" not in ready.changed


@pytest.mark.numerical
@SLOW
@pytest.mark.parametrize("strategy", ["full", "lora"])
@pytest.mark.parametrize("family", MASKED)
def test_an_adapted_encoder_is_fine_tuned_next(ran, text_data, tmp_path, family, strategy):
    """Every weight arrives; new is the classifier, and BERT's pooler, which no masked LM has."""
    run, _ = ran(family, strategy)
    ready = prepare(tmp_path, run.model, text_data).checkpoint
    encoder = ready.model.base_model_prefix
    new = [name for name in ready.newly_initialized if name.startswith(f"{encoder}.")]
    assert all(name.startswith(f"{encoder}.pooler.") for name in new)
    saved = load_file(run.model / "model.safetensors")
    first = {n: t for n, t in ready.model.state_dict().items() if n not in ready.newly_initialized}
    arrived = {name for name in first if name.startswith(f"{encoder}.")}
    assert arrived == {name for name in saved if name.startswith(f"{encoder}.")}
    assert all(first[name].equal(saved[name]) for name in arrived)


# Mistakes


@pytest.mark.parametrize(
    ("family", "fields", "texts", "error", "message"),
    [
        (
            "gpt2",
            {"block_size": 33},
            ["film"],
            RecipeError,
            "task.block_size: 33; expected 2 to 32",
        ),
        ("bert", {"block_size": 3}, ["film"], RecipeError, "task.block_size: 3; expected 4 to 32"),
        ("gpt2", {"name": "masked_lm"}, ["film"], ModelError, "has no AutoModelForMaskedLM"),
        ("gpt2", {}, ["", " \n"], DataError, "2 texts hold no token to predict; the first is ''"),
        ("bert", {}, ["zebra", "zoo"], DataError, "2 texts hold no token to predict"),
        ("gpt2", {}, ["film", None], DataError, "train, row 1: text is None; expected a string"),
    ],
)
def test_mistakes_are_reported_before_training(
    checkpoint, tmp_path, family, fields, texts, error, message
):
    for split in NUM_ROWS:
        (tmp_path / "data").mkdir(exist_ok=True)
        Dataset.from_dict({"text": texts}).to_parquet(tmp_path / "data" / f"{split}.parquet")
    with pytest.raises(error, match=message):
        prepare(tmp_path, checkpoint(family), tmp_path / "data", task=task_of(family, **fields))


@pytest.mark.parametrize("name", ["causal_lm", "masked_lm"])
def test_a_linear_probe_is_refused_by_name(text_checkpoint, texts, tmp_path, capsys, name):
    sections = {"task": name, "strategy": "linear_probe"}
    assert main(["run", str(write_recipe(tmp_path, text_checkpoint, texts, **sections))]) == 2
    assert f"'linear_probe': {name} has no linear head" in capsys.readouterr().err


def test_length_has_one_name(text_checkpoint, texts, tmp_path):
    with pytest.raises(RecipeError, match="max_length"):
        prepare(tmp_path, text_checkpoint, texts, task={"name": "causal_lm", "max_length": 8})
