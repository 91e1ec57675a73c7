"""Features of a frozen encoder, heads solved on them, and what carries both without our code."""

import json

import numpy as np
import pytest
import tiny
import torch
from closeness import close
from grafting import fit, graft, job, prepare, problem
from grafting import logits as logits_of
from references import Scikit, softmax

from pipelines.core.errors import ModelError, RecipeError
from pipelines.core.labels import MULTI, SINGLE
from pipelines.features.candidates import pooled_extractor
from pipelines.features.pooling import POOLINGS, pool
from pipelines.models import forward
from pipelines.models.anatomy import dissect

SLOW = pytest.mark.slow
TEXTS = [pytest.param(f, marks=() if f in ("bert", "gpt2") else SLOW) for f in tiny.TEXT_FAMILIES]
IMAGES = [
    pytest.param(f, marks=() if f in ("resnet", "vit") else SLOW) for f in tiny.IMAGE_FAMILIES
]


# positions of the others count from the edge of the batch: their padding has to stand on the right
RELATIVE = ("roberta", "deberta-v2", "modernbert")
PADDED = [
    *(pytest.param(*f.values, "right", marks=f.marks) for f in TEXTS),
    *(pytest.param(f, "left", marks=() if f == "modernbert" else SLOW) for f in RELATIVE),
]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """Use a cache of this test's own."""
    monkeypatch.setenv("GRAFT_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def prepared(checkpoint, text_data, image_data, tmp_path):
    """Return prepared(family, data=…, strategy=…) -> Prepared."""

    def of(family, data=None, **sections):
        is_text = family in tiny.TEXT_FAMILIES
        task = {"task": "text" if is_text else "image", "strategy": "linear_probe"}
        result = data or (text_data if is_text else image_data)
        return prepare(tmp_path, checkpoint(family), result, **{**task, **sections})

    return of


def extractor(result, pooling="auto"):
    model = result.checkpoint.model
    anatomy = dissect(model, result.checkpoint.newly_initialized)
    return pooled_extractor(model, anatomy, pooling, result.encoded["train"], result.collate)


def whole_batch(result, split="validation"):
    """Collate all rows of a split, in their order, padded to the longest."""
    rows = result.encoded[split]
    batch = result.collate([rows[i] for i in range(len(rows))])
    batch.pop("labels")
    return batch


# Poolings


def slow_pool(hidden, mask, pooling):
    """Pool row by row, over the tokens that count."""
    rows = []
    for states, counts in zip(hidden, mask, strict=True):
        tokens = [state for state, counted in zip(states, counts, strict=True) if counted]
        mean, largest = sum(tokens) / len(tokens), torch.stack(tokens).max(0).values
        rows.append(
            {
                "mean": mean,
                "mean_max": torch.cat([mean, largest]),
                "cls": tokens[0],
                "last": tokens[-1],
            }[pooling]
        )
    return torch.stack(rows)


@pytest.mark.numerical
@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("side", ["right", "left", "both"])
def test_poolings_do_not_see_padding(pooling, side):
    hidden = torch.randn(5, 7, 3, generator=torch.Generator().manual_seed(0))
    mask = torch.zeros(5, 7, dtype=torch.long)
    for row, length in enumerate([1, 3, 7, 4, 2]):
        start = {"right": 0, "left": 7 - length, "both": (7 - length) // 2}[side]
        mask[row, start : start + length] = 1
    expected = slow_pool(hidden, mask, pooling)
    close(pool(hidden, mask, pooling), expected)
    # whatever stands in the padding
    hidden[mask == 0] = 1e6
    close(pool(hidden, mask, pooling), expected)


@pytest.mark.numerical
@pytest.mark.parametrize("family", [*TEXTS, *IMAGES])
@pytest.mark.slow
def test_head_features_are_what_the_output_layer_reads(prepared, family):
    ready = prepared(family)
    model, batch = ready.checkpoint.model, whole_batch(ready)
    features, _ = extractor(ready, "head").extract(ready.encoded["validation"], ready.collate)
    layer = model.get_submodule(dissect(model, ready.checkpoint.newly_initialized).output)
    with torch.no_grad():
        expected = model(**batch).logits
        logits = layer(torch.from_numpy(features["head"]))
    close(logits, expected)


@pytest.mark.numerical
@pytest.mark.parametrize(("family", "side"), PADDED)
def test_features_in_one_pass_are_those_of_a_plain_forward(prepared, family, side):
    """Sorted in small batches they equal one batch with all the padding there is."""
    ready = prepared(family)
    ready.checkpoint.processor.padding_side = side
    batch, model = whole_batch(ready), ready.checkpoint.model.eval()
    sizes = []
    hook = model.base_model.register_forward_hook(lambda _, __, out: sizes.append(len(out[0])))
    candidates = extractor(ready)
    sizes.clear()
    features, _ = candidates.extract(ready.encoded["validation"], ready.collate, batch_size=5)
    hook.remove()

    assert sum(sizes) == len(ready.encoded["validation"])  # each row once, for all poolings
    with torch.no_grad():
        hidden = model.base_model(**batch).last_hidden_state
    assert set(features) - {"head"}
    for pooling in set(features) - {"head"}:
        expected = slow_pool(hidden, batch["attention_mask"], pooling)
        close(features[pooling], expected)


@pytest.mark.parametrize("family", IMAGES)
@pytest.mark.slow
def test_images_have_the_features_of_their_head_only(prepared, family):
    ready = prepared(family)
    assert extractor(ready).poolings == ("head",)
    named = {"vit": "cls", "swin": "mean"}.get(family)
    for pooling in POOLINGS:
        if pooling == named:  # what the plain class reads, by another name
            assert extractor(ready, pooling).poolings == ("head",)
        else:
            with pytest.raises(ModelError, match=f"pooling '{pooling}' cannot be saved"):
                extractor(ready, pooling)


def test_gpt2_reads_the_last_token(prepared):
    ready = prepared("gpt2")
    assert extractor(ready).poolings == ("head", "mean", "mean_max", "cls")
    assert extractor(ready, "last").poolings == ("head",)
    assert extractor(ready).head_pooling == "last"


def test_short_texts_at_the_top_do_not_hide_what_the_head_reads(prepared, tmp_path):
    """For texts of one token all poolings are equal: the sample batch has longer ones, too."""
    from datasets import Dataset

    short = [{"text": word, "label": i % 2} for i, word in enumerate(tiny.WORDS[:6])]
    long = [{"text": f"the {word} film was good", "label": i % 2} for i, word in enumerate("ab")]
    for split in ("train", "validation"):
        Dataset.from_list(short + long).to_parquet(tmp_path / "data" / f"{split}.parquet")
    ready = prepared("gpt2", data=tmp_path / "data")
    assert extractor(ready).head_pooling == "last"


@pytest.mark.parametrize(("family", "pooling"), [("vit", "cls"), ("gpt2", "last")])
@pytest.mark.slow
def test_an_alias_of_the_head_is_saved_as_the_plain_class(
    checkpoint, text_data, image_data, tmp_path, family, pooling
):
    data, task = (image_data, "image") if family == "vit" else (text_data, "text")
    section = {"name": "linear_probe", "pooling": pooling}
    trained = graft(tmp_path, checkpoint(family), data, task=task, strategy=section)
    assert trained.fitted.output.library == "transformers"
    assert trained.fitted.chosen["pooling"] == "head"
    kind = {"vit": "ViTForImageClassification", "gpt2": "GPT2ForSequenceClassification"}[family]
    assert json.loads((trained.folder / "config.json").read_text())["architectures"] == [kind]


# From a recipe


@pytest.mark.numerical
@pytest.mark.parametrize("kind", ["single", "pairs", "several", "number"])
@pytest.mark.parametrize("family", ["bert", pytest.param("gpt2", marks=SLOW)])
@pytest.mark.slow
def test_the_model_predicts_as_scikit_learn_on_its_features(prepared, tmp_path, family, kind):
    data = problem(tmp_path / "data", kind)
    ready = prepared(family, data, strategy={"name": "linear_probe", "pooling": "head"})
    features = extractor(ready, "head")
    train, validation = (
        features.extract(ready.encoded[s], ready.collate)[0]["head"].astype(float)
        for s in ("train", "validation")
    )
    fitted = fit(ready, tmp_path)
    logits = logits_of(ready, fitted)
    bias = family != "gpt2"
    targets = np.asarray(ready.targets["train"])
    if kind == "number":
        theirs = Scikit(train, targets, fitted.chosen["alpha"], bias).predict(validation)[:, None]
    elif kind == "several":
        columns = [Scikit(train, column > 0, fitted.chosen["C"], bias) for column in targets.T]
        theirs = np.stack([model.decision_function(validation) for model in columns], axis=1)
    else:
        model = Scikit(train, targets, fitted.chosen["C"], bias)
        logits, theirs = softmax(logits), model.predict_proba(validation)
    # the solver stops at its own tolerance, and a run gives it the rows in another order
    np.testing.assert_allclose(logits, theirs, atol=1e-2)


@pytest.mark.numerical
@pytest.mark.slow
@pytest.mark.parametrize("kind", ["single", "pairs", "several", "number"])
@pytest.mark.parametrize("pooling", ["mean", "mean_max", "cls", "last"])
def test_a_sentence_transformers_folder_gives_equal_logits(
    text_checkpoint, tmp_path, pooling, kind
):
    from sentence_transformers import SentenceTransformer

    data = problem(tmp_path / "data", kind)
    section = {"name": "linear_probe", "pooling": pooling, "pairs": "together"}
    trained = graft(tmp_path, text_checkpoint, data, strategy=section)
    assert trained.fitted.output.library == "sentence-transformers"
    assert trained.fitted.chosen["pooling"] == pooling
    rows = trained.prepared.data.validation
    texts = rows["text"][:]
    if kind == "pairs":
        texts = [list(pair) for pair in zip(texts, rows["text_pair"], strict=True)]
    loaded = SentenceTransformer(str(trained.folder), device="cpu")
    logits = loaded.encode(texts, batch_size=5, show_progress_bar=False)
    close(logits, trained.logits())


@pytest.mark.numerical
@pytest.mark.parametrize("pooling", ["mean", pytest.param("last", marks=SLOW)])
@pytest.mark.parametrize(("family", "side"), PADDED)
@pytest.mark.slow
def test_a_sentence_transformers_folder_pads_as_it_was_solved(
    checkpoint, text_data, tmp_path, family, pooling, side
):
    from sentence_transformers import SentenceTransformer

    if (family, pooling) == ("gpt2", "last"):  # its head's own
        pooling = "mean_max"
    folder = tmp_path / family
    folder.mkdir()
    for file in checkpoint(family).iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    config = folder / "tokenizer_config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "padding_side": side}))
    section = {"name": "linear_probe", "pooling": pooling}
    trained = graft(tmp_path, folder, text_data, strategy=section)
    loaded = SentenceTransformer(str(trained.folder), device="cpu")
    assert loaded.tokenizer.padding_side == side
    texts = trained.prepared.data.validation["text"][:]
    logits = loaded.encode(texts, batch_size=5, show_progress_bar=False)
    close(logits, trained.logits())


def test_validation_alone_chooses(prepared, tmp_path, monkeypatch):
    ready = prepared("bert")
    passes = []
    iter_batches = forward.iter_batches

    def recorded(model, rows, *arguments, **options):
        passes.append(rows)
        return iter_batches(model, rows, *arguments, **options)

    monkeypatch.setattr(forward, "iter_batches", recorded)
    fitted = fit(ready, tmp_path)
    splits = ("train", "validation")
    assert all(rows is ready.encoded[s] for rows, s in zip(passes, splits, strict=True))
    scores = [trial["validation_accuracy"] for trial in fitted.history]
    assert {trial["pooling"] for trial in fitted.history} == {"head", *POOLINGS}
    first = fitted.history[scores.index(max(scores))]  # the first of equals
    assert fitted.chosen.items() <= first.items()

    # with validation's labels swapped, the worst head is the best
    targets = [1 - label for label in ready.targets["validation"]]
    turned = fit(ready, tmp_path, validation_targets=targets)
    least = min(trial["validation_accuracy"] for trial in fitted.history)
    best = next(t for t in turned.history if turned.chosen.items() <= t.items())
    assert best["validation_accuracy"] == max(t["validation_accuracy"] for t in turned.history)
    assert best["validation_accuracy"] >= 1 - least - 0.2
    assert turned.chosen != fitted.chosen


@pytest.mark.slow
def test_where_less_is_better_the_least_is_chosen(prepared, tmp_path):
    ready = prepared("bert", problem(tmp_path / "data", "number"), metrics=["mse"])
    fitted = fit(ready, tmp_path)
    scores = [trial["validation_mse"] for trial in fitted.history]
    assert min(scores) < max(scores)
    first = fitted.history[scores.index(min(scores))]
    assert fitted.chosen.items() <= first.items()


@pytest.mark.parametrize(
    ("kind", "head", "solvable"),
    [
        ("number", "logistic_regression", f"{SINGLE}, {MULTI}"),
        ("number", "class_prototypes", f"{SINGLE}, {MULTI}"),
    ],
)
def test_a_head_for_something_else_is_refused(prepared, tmp_path, kind, head, solvable):
    strategy = {"name": "linear_probe", "head": head}
    ready = prepared("bert", problem(tmp_path / "data", kind), strategy=strategy)
    with pytest.raises(RecipeError, match=f"strategy.head: '{head}' solves {solvable}; this is"):
        ready.recipe.strategy.fit(job(ready, tmp_path))
