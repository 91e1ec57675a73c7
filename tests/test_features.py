"""Features of a frozen encoder, heads solved on them, and what carries both without our code."""

import json

import numpy as np
import pytest
import tiny
import torch
from grafting import fit, graft, job, prepare, problem
from grafting import logits as logits_of

from pipelines import forward
from pipelines.anatomy import dissect
from pipelines.errors import ModelError, RecipeError
from pipelines.features.candidates import extractor
from pipelines.features.pooling import POOLINGS, pool
from pipelines.heads import Linear, Problem, Scaler
from pipelines.heads.logistic_regression import LogisticRegression
from pipelines.heads.ridge import Ridge
from pipelines.labels import MULTI, SINGLE

SLOW = pytest.mark.slow
TEXTS = [pytest.param(f, marks=() if f in ("bert", "gpt2") else SLOW) for f in tiny.TEXT_FAMILIES]
IMAGES = [
    pytest.param(f, marks=() if f in ("resnet", "vit") else SLOW) for f in tiny.IMAGE_FAMILIES
]


# the others count positions from the edge of the batch: to the left of them nothing may stand
RELATIVE = ("roberta", "deberta-v2", "modernbert")
PADDED = [
    *(pytest.param(*f.values, "right", marks=f.marks) for f in TEXTS),
    *(pytest.param(f, "left", marks=() if f == "modernbert" else SLOW) for f in RELATIVE),
]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """Nothing is found that another test computed."""
    monkeypatch.setenv("GRAFT_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def prepared(checkpoint, text_data, image_data, tmp_path):
    """prepared(family, data=…, strategy=…) -> Prepared."""

    def of(family, data=None, **sections):
        is_text = family in tiny.TEXT_FAMILIES
        task = {"task": "text" if is_text else "image", "strategy": "linear_probe"}
        found = data or (text_data if is_text else image_data)
        return prepare(tmp_path, checkpoint(family), found, **{**task, **sections})

    return of


def tap(found, pooling="auto"):
    model = found.checkpoint.model
    anatomy = dissect(model, found.checkpoint.fresh)
    return extractor(model, anatomy, pooling, found.encoded["train"], found.collate)


def whole_batch(found, split="validation"):
    """All rows of a split at once, in their order, padded to the longest."""
    rows = found.encoded[split]
    batch = found.collate([rows[i] for i in range(len(rows))])
    batch.pop("labels")
    return batch


# Poolings


def slow_pool(hidden, mask, pooling):
    """Row by row, over the tokens that count."""
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


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("side", ["right", "left", "both"])
def test_poolings_do_not_see_padding(pooling, side):
    hidden = torch.randn(5, 7, 3, generator=torch.Generator().manual_seed(0))
    mask = torch.zeros(5, 7, dtype=torch.long)
    for row, length in enumerate([1, 3, 7, 4, 2]):
        start = {"right": 0, "left": 7 - length, "both": (7 - length) // 2}[side]
        mask[row, start : start + length] = 1
    expected = slow_pool(hidden, mask, pooling)
    torch.testing.assert_close(pool(hidden, mask, pooling), expected)
    # whatever stands in the padding
    hidden[mask == 0] = 1e6
    torch.testing.assert_close(pool(hidden, mask, pooling), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("family", [*TEXTS, *IMAGES])
def test_head_features_are_what_the_output_layer_reads(prepared, family):
    found = prepared(family)
    model, batch = found.checkpoint.model, whole_batch(found)
    features = tap(found, "head").extract(found.encoded["validation"], found.collate)[0]["head"]
    layer = model.get_submodule(dissect(model, found.checkpoint.fresh).output)
    with torch.no_grad():
        expected = model(**batch).logits
        logits = layer(torch.from_numpy(features))
    torch.testing.assert_close(logits, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("family", "side"), PADDED)
def test_features_in_one_pass_are_those_of_a_plain_forward(prepared, family, side):
    """Sorted by length and in small batches, or all at once with as much padding as there is."""
    found = prepared(family)
    found.checkpoint.processor.padding_side = side
    batch, model = whole_batch(found), found.checkpoint.model.eval()
    read = []
    hook = model.base_model.register_forward_hook(lambda _, __, out: read.append(len(out[0])))
    took = tap(found)
    read.clear()
    features, _ = took.extract(found.encoded["validation"], found.collate, batch_size=5)
    hook.remove()

    assert sum(read) == len(found.encoded["validation"])  # each row once, for all poolings
    with torch.no_grad():
        hidden = model.base_model(**batch).last_hidden_state
    assert set(features) - {"head"}
    for pooling in set(features) - {"head"}:
        expected = slow_pool(hidden, batch["attention_mask"], pooling)
        np.testing.assert_allclose(features[pooling], expected, atol=1e-5)


@pytest.mark.parametrize("family", IMAGES)
def test_images_have_the_features_of_their_head_only(prepared, family):
    found = prepared(family)
    assert tap(found).poolings == ("head",)
    named = {"vit": "cls", "swin": "mean"}.get(family)
    for pooling in POOLINGS:
        if pooling == named:  # what the plain class reads, by another name
            assert tap(found, pooling).poolings == ("head",)
        else:
            with pytest.raises(ModelError, match=f"pooling '{pooling}' cannot be saved"):
                tap(found, pooling)


def test_gpt2_reads_the_last_token(prepared):
    found = prepared("gpt2")
    assert tap(found).poolings == ("head", "mean", "mean_max", "cls")
    assert tap(found, "last").poolings == ("head",)
    assert tap(found).own == "last"


def test_short_texts_at_the_top_do_not_hide_what_the_head_reads(prepared, tmp_path):
    """Of texts of one token all poolings are the same: the probe looks at longer ones too."""
    from datasets import Dataset

    short = [{"text": word, "label": i % 2} for i, word in enumerate(tiny.WORDS[:6])]
    long = [{"text": f"the {word} film was good", "label": i % 2} for i, word in enumerate("ab")]
    for split in ("train", "validation"):
        Dataset.from_list(short + long).to_parquet(tmp_path / "data" / f"{split}.parquet")
    found = prepared("gpt2", data=tmp_path / "data")
    assert tap(found).own == "last"


@pytest.mark.parametrize(("family", "pooling"), [("vit", "cls"), ("gpt2", "last")])
def test_an_alias_of_the_head_is_saved_as_the_plain_class(
    checkpoint, text_data, image_data, tmp_path, family, pooling
):
    data, task = (image_data, "image") if family == "vit" else (text_data, "text")
    section = {"name": "linear_probe", "pooling": pooling}
    found = graft(tmp_path, checkpoint(family), data, task=task, strategy=section)
    assert found.fitted.output.library == "transformers"
    assert found.fitted.chosen["pooling"] == "head"
    kind = {"vit": "ViTForImageClassification", "gpt2": "GPT2ForSequenceClassification"}[family]
    assert json.loads((found.folder / "config.json").read_text())["architectures"] == [kind]


# Heads, against scikit-learn


def features_of(rows=60, dim=5, seed=0):
    random = np.random.default_rng(seed)
    return random.normal(3, random.uniform(0.1, 9, dim), (rows, dim)) + random.normal(0, 50, dim)


def solved(head, features, targets, num_labels, strength, bias=True):
    """The head that is solved on standardised features, folded to read raw ones."""
    scaler = Scaler.of(features, center=bias)
    # a path ends where it should; without a bias these features are far from 0, and in single
    # precision the search ends early on the way
    before = [strength / 100] if bias else []
    problem = Problem(scaler(features), np.asarray(targets), num_labels, bias)
    return scaler.fold([*head.path(problem, [*before, strength])][-1])


def softmax(logits):
    odds = np.exp(logits - logits.max(1, keepdims=True))
    return odds / odds.sum(1, keepdims=True)


class Scikit:
    """The same with scikit-learn's own objects, on standardised features, not folded."""

    def __init__(self, features, targets, strength, bias=True):
        from sklearn.linear_model import LogisticRegression, Ridge

        if np.asarray(targets).dtype == float:
            model = Ridge(alpha=strength, fit_intercept=bias)
        else:
            model = LogisticRegression(C=strength, max_iter=300, fit_intercept=bias)
        self.scaler = Scaler.of(features, center=bias)
        self.model = model.fit(self.scaler(features), targets)

    def __getattr__(self, name):
        """predict, predict_proba, decision_function of raw features."""
        return lambda features: getattr(self.model, name)(self.scaler(features))


def test_features_are_standardised_as_scikit_learn_does():
    from sklearn.preprocessing import StandardScaler

    features = features_of()
    for center in (True, False):
        theirs = StandardScaler(with_mean=center).fit_transform(features)
        np.testing.assert_allclose(Scaler.of(features, center=center)(features), theirs, rtol=1e-4)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("classes", [2, 3, 5])
def test_a_solved_head_says_what_scikit_learn_says(classes, bias):
    features = features_of()
    targets = (features @ np.arange(1, 6) // 7 % classes).astype(int)
    logits = solved(LogisticRegression(), features, targets, classes, 0.3, bias)(features)
    theirs = Scikit(features, targets, 0.3, bias)
    np.testing.assert_allclose(softmax(logits), theirs.predict_proba(features), atol=3e-3)
    assert (logits.argmax(1) == theirs.predict(features)).all()
    if classes == 2:
        decision = theirs.decision_function(features)
        np.testing.assert_allclose(logits[:, 1] - logits[:, 0], decision, atol=3e-3)


def test_several_labels_are_one_sigmoid_each():
    features = features_of()
    targets = np.stack([features[:, i] > features[:, i].mean() for i in range(3)], axis=1) * 1.0
    targets = np.column_stack([targets, np.ones(60), np.zeros(60)])  # always there, and never
    logits = solved(LogisticRegression(), features, targets, 5, 0.3)(features)
    for column in range(3):
        theirs = Scikit(features, targets[:, column] > 0, 0.3).decision_function(features)
        np.testing.assert_allclose(logits[:, column], theirs, atol=3e-3)
    assert (logits[:, 3] > 5).all()
    assert (logits[:, 4] < -5).all()
    # without a bias there is no way to say so: the logit is the one that will be saved
    logits = solved(LogisticRegression(), features, targets, 5, 0.3, bias=False)(features)
    assert not logits[:, 3:].any()


@pytest.mark.parametrize("bias", [True, False])
def test_numbers_are_those_of_ridge_regression(bias):
    features = features_of()
    targets = features @ np.arange(1.0, 6.0) - 7
    ours = solved(Ridge(), features, targets, 1, 10.0, bias)(features)
    theirs = Scikit(features, targets, 10.0, bias)
    np.testing.assert_allclose(ours[:, 0], theirs.predict(features), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("there", [(0, 2), (1, 2, 4)])
def test_a_class_that_train_lacks_is_never_predicted(there, bias):
    features = features_of()
    ranks = (features @ np.arange(1, 6)).argsort().argsort()
    targets = np.asarray(there)[ranks * len(there) // 60]
    logits = solved(LogisticRegression(), features, targets, 5, 0.3, bias)(features)
    theirs = Scikit(features, targets, 0.3, bias)
    assert (logits.argmax(1) == theirs.predict(features)).all()
    if bias:
        ours = softmax(logits)[:, there]
        np.testing.assert_allclose(ours, theirs.predict_proba(features), atol=3e-3)


def test_one_class_alone_is_always_predicted():
    logits = solved(LogisticRegression(), features_of(), np.full(60, 2), 4, 1.0)(
        features_of(seed=1)
    )
    assert (logits.argmax(1) == 2).all()


def test_a_saturated_feature_is_not_blown_up():
    """A tanh at its end differs by rounding, and by another rounding in another batch."""
    features = features_of()
    rounding = np.random.default_rng(1).integers(-1, 2, (60, 2)) * 6e-8
    targets = (features[:, 0] > features[:, 0].mean()).astype(int)
    found = {
        name: solved(LogisticRegression(), np.column_stack([features, -1 + r]), targets, 2, 1.0)
        for name, r in (("trained", rounding[:, 0]), ("other", rounding[:, 1]))
    }
    one, other = (found["trained"](np.column_stack([features, -1 + r])) for r in rounding.T)
    np.testing.assert_allclose(one, other, atol=1e-4)


def test_folding_gives_the_same_logits_on_raw_features():
    features = features_of()
    scaler, head = Scaler.of(features), Linear(np.arange(10.0).reshape(2, 5), np.array([1.0, -1]))
    np.testing.assert_allclose(scaler.fold(head)(features), head(scaler(features)), rtol=1e-4)


# From a recipe


@pytest.mark.parametrize("kind", ["single", "pairs", "several", "number"])
@pytest.mark.parametrize("family", ["bert", pytest.param("gpt2", marks=SLOW)])
def test_the_model_says_what_scikit_learn_says_on_its_features(prepared, tmp_path, family, kind):
    data = problem(tmp_path / "data", kind)
    found = prepared(family, data, strategy={"name": "linear_probe", "pooling": "head"})
    features = tap(found, "head")
    train, validation = (
        features.extract(found.encoded[s], found.collate)[0]["head"].astype(float)
        for s in ("train", "validation")
    )
    fitted = fit(found, tmp_path)
    logits = logits_of(found, fitted)
    bias = family != "gpt2"
    targets = np.asarray(found.targets["train"])
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


@pytest.mark.parametrize("kind", ["single", "pairs", "several", "number"])
@pytest.mark.parametrize("pooling", ["mean", "mean_max", "cls", "last"])
def test_a_sentence_transformers_folder_says_the_same(text_checkpoint, tmp_path, pooling, kind):
    from sentence_transformers import SentenceTransformer

    data = problem(tmp_path / "data", kind)
    section = {"name": "linear_probe", "pooling": pooling}
    found = graft(tmp_path, text_checkpoint, data, strategy=section)
    assert found.fitted.output.library == "sentence-transformers"
    assert found.fitted.chosen["pooling"] == pooling
    rows = found.prepared.data.validation
    texts = rows["text"][:]
    if kind == "pairs":
        texts = [list(pair) for pair in zip(texts, rows["text_pair"], strict=True)]
    loaded = SentenceTransformer(str(found.folder), device="cpu")
    said = loaded.encode(texts, batch_size=5, show_progress_bar=False)
    np.testing.assert_allclose(said, found.logits(), atol=1e-5)


@pytest.mark.parametrize("pooling", ["mean", pytest.param("last", marks=SLOW)])
@pytest.mark.parametrize(("family", "side"), PADDED)
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
    said = folder / "tokenizer_config.json"
    said.write_text(json.dumps({**json.loads(said.read_text()), "padding_side": side}))
    section = {"name": "linear_probe", "pooling": pooling}
    found = graft(tmp_path, folder, text_data, strategy=section)
    loaded = SentenceTransformer(str(found.folder), device="cpu")
    assert loaded.tokenizer.padding_side == side
    texts = found.prepared.data.validation["text"][:]
    said = loaded.encode(texts, batch_size=5, show_progress_bar=False)
    np.testing.assert_allclose(said, found.logits(), atol=1e-5)


def test_validation_alone_chooses(prepared, tmp_path, monkeypatch):
    found = prepared("bert")
    read = []
    steps = forward.steps

    def noted(model, rows, *arguments, **options):
        read.append(rows)
        return steps(model, rows, *arguments, **options)

    monkeypatch.setattr(forward, "steps", noted)
    fitted = fit(found, tmp_path)
    assert [rows is found.encoded[s] for rows, s in zip(read, ("train", "validation"), strict=True)]
    scores = [trial["validation_accuracy"] for trial in fitted.history]
    assert {trial["pooling"] for trial in fitted.history} == {"head", *POOLINGS}
    first = fitted.history[scores.index(max(scores))]  # of equals
    assert fitted.chosen.items() <= first.items()

    # turn validation round, and the worst of before is the best
    targets = [1 - label for label in found.targets["validation"]]
    turned = fit(found, tmp_path, validation_targets=targets)
    least = min(trial["validation_accuracy"] for trial in fitted.history)
    best = next(t for t in turned.history if turned.chosen.items() <= t.items())
    assert best["validation_accuracy"] == max(t["validation_accuracy"] for t in turned.history)
    assert best["validation_accuracy"] >= 1 - least - 0.2
    assert turned.chosen != fitted.chosen


def test_where_less_is_better_the_least_is_chosen(prepared, tmp_path):
    found = prepared("bert", problem(tmp_path / "data", "number"), metrics=["mse"])
    fitted = fit(found, tmp_path)
    scores = [trial["validation_mse"] for trial in fitted.history]
    assert min(scores) < max(scores)
    first = fitted.history[scores.index(min(scores))]
    assert fitted.chosen.items() <= first.items()


@pytest.mark.parametrize(
    ("kind", "head", "solves"),
    [
        ("number", "logistic_regression", f"{SINGLE}, {MULTI}"),
        ("number", "class_prototypes", f"{SINGLE}, {MULTI}"),
    ],
)
def test_a_head_for_something_else_is_refused(prepared, tmp_path, kind, head, solves):
    strategy = {"name": "linear_probe", "head": head}
    found = prepared("bert", problem(tmp_path / "data", kind), strategy=strategy)
    with pytest.raises(RecipeError, match=f"strategy.head: '{head}' solves {solves}; this is a"):
        found.recipe.strategy.fit(job(found, tmp_path))
