"""The metrics, alone and through the Scorer, against scikit-learn and scipy."""

import json
import os
import subprocess
import sys
from pathlib import Path

import evaluate
import numpy as np
import pytest
from hub_server import HubServer
from scipy import stats
from scipy.special import expit as sigmoid
from scipy.special import softmax
from sklearn import metrics as sk

from pipelines.core import registry
from pipelines.core.errors import HubError, ModelError, RecipeError
from pipelines.core.labels import MULTI, REGRESSION, SINGLE, TOKENS, Labels
from pipelines.evaluation import metric_source
from pipelines.evaluation.scorer import Scorer, predict

ROOT = Path(__file__).parents[2]
METRICS = registry.names("metrics")

TWO = Labels(SINGLE, ("negative", "positive"), (0, 1))
FIVE = Labels(SINGLE, tuple("abcde"), tuple("abcde"))
NUMBERED = Labels(SINGLE, ("1", "2", "3"), (1, 2, 3))
MANY = Labels(MULTI, ("joy", "anger", "fear"), ("joy", "anger", "fear"))
STARS = Labels(REGRESSION)
TAGS = Labels(TOKENS, ("O", "B-PER", "I-PER", "B-LOC"), ("O", "B-PER", "I-PER", "B-LOC"))
TEXTS = Labels("speech_recognition", values=("a", "b"))
BILOU_TAGS = Labels(TOKENS, ("O", "U-LOC"), ("O", "U-LOC"))
WORD_CLASSES = Labels(TOKENS, ("NOUN", "VERB", "X"), ("NOUN", "VERB", "X"))
TASK = registry.find("tasks", "text_classification")()
TAGGING = registry.find("tasks", "token_classification")()

DRAW = np.random.default_rng(0)
IDS = DRAW.integers(0, 2, (2, 40))  # predictions, references
FIVE_IDS = DRAW.integers(0, 5, (2, 40))
ROWS = DRAW.integers(0, 2, (2, 40, 3))
NUMBERS = DRAW.normal(size=(2, 40))
# of three entities one is predicted, beside one that is not there: a place, and a person cut short
SENTENCES = (
    [["O", "B-LOC", "O"], ["B-PER", "O", "O", "O", "O"]],
    [["O", "B-LOC", "O"], ["B-PER", "I-PER", "O", "O", "B-LOC"]],
)

ERRORS = {"mse", "mae", "mape", "wer", "cer", "perplexity", "hamming", "log_loss", "brier_score"}
TRANSCRIPTS = (["a b d", "", "x"], ["a b c", "e f", ""])  # one wrong, one missed, one invented
BLOCKS = (np.array([1.0, 2.0]), [[5], [5, 6, 7]])  # nats for each token, and the tokens
# no answer where there is none, half of the better answer, and an answer where there is none
ANSWERED = (["", "The film", "plot"], [[], ["it", "a good film"], []])

# what each metric must give: (predictions, references) -> number, or all its scores by their keys
EXPECTED = {
    "accuracy": (IDS, lambda p, r: (p == r).mean()),
    "balanced_accuracy": (FIVE_IDS, lambda p, r: sk.balanced_accuracy_score(r, p)),
    "cer": (TRANSCRIPTS, lambda p, r: (1 + 3 + 1) / (5 + 3)),
    "cohen_kappa": (FIVE_IDS, lambda p, r: sk.cohen_kappa_score(r, p)),
    "exact_match": (ANSWERED, lambda p, r: 1 / 3),
    "f1": (IDS, lambda p, r: sk.f1_score(r, p)),
    "hamming": (IDS, lambda p, r: (p != r).mean()),
    "jaccard": (IDS, lambda p, r: (p & r).sum() / (p | r).sum()),
    "mae": (NUMBERS, lambda p, r: abs(p - r).mean()),
    "mape": (NUMBERS, lambda p, r: (abs(p - r) / abs(r)).mean()),
    "matthews_correlation": (FIVE_IDS, lambda p, r: sk.matthews_corrcoef(r, p)),
    "mse": (NUMBERS, lambda p, r: ((p - r) ** 2).mean()),
    "pearson": (NUMBERS, lambda p, r: np.corrcoef(p, r)[0, 1]),
    "perplexity": (BLOCKS, lambda p, r: np.exp((1 * 1.0 + 3 * 2.0) / 4)),
    "precision": (IDS, lambda p, r: sk.precision_score(r, p)),
    "r2": (NUMBERS, lambda p, r: 1 - ((p - r) ** 2).sum() / ((r - r.mean()) ** 2).sum()),
    "recall": (IDS, lambda p, r: sk.recall_score(r, p)),
    "seqeval": (
        SENTENCES,
        lambda p, r: {"f1": 2 / 5, "precision": 1 / 2, "recall": 1 / 3, "accuracy": 6 / 8},
    ),
    "squad": (ANSWERED, lambda p, r: {"f1": (1 + 2 / 3 + 0) / 3, "exact_match": 1 / 3}),
    "spearman": (NUMBERS, lambda p, r: stats.spearmanr(p, r).statistic),
    "token_accuracy": (SENTENCES, lambda p, r: 6 / 8),
    "wer": (TRANSCRIPTS, lambda p, r: (1 + 2 + 1) / (3 + 2)),
}


# the same of probabilities: (probabilities, references) -> number, and the labels they are for
TWO_SCORES = (sigmoid(3 * DRAW.normal(size=40) + IDS[1]), IDS[1])
FIVE_SCORES = (softmax(DRAW.normal(size=(40, 5)), axis=1), FIVE_IDS[1])
ROW_SCORES = (sigmoid(DRAW.normal(size=(40, 3))), ROWS[1])
ONE_HOT = np.eye(5)[FIVE_IDS[1]]
OF_SCORES = {
    "average_precision": [
        (TWO, TWO_SCORES, lambda p, r: sk.average_precision_score(r, p)),
        (FIVE, FIVE_SCORES, lambda p, r: sk.average_precision_score(ONE_HOT, p)),
        (MANY, ROW_SCORES, lambda p, r: sk.average_precision_score(r, p)),
    ],
    "brier_score": [
        (TWO, TWO_SCORES, lambda p, r: ((p - r) ** 2).mean()),
        (FIVE, FIVE_SCORES, lambda p, r: ((p - ONE_HOT) ** 2).sum(axis=1).mean()),
        (MANY, ROW_SCORES, lambda p, r: ((p - r) ** 2).mean()),
    ],
    "log_loss": [
        (TWO, TWO_SCORES, lambda p, r: -np.log(np.where(r, p, 1 - p)).mean()),
        (FIVE, FIVE_SCORES, lambda p, r: -np.log(p[np.arange(40), r]).mean()),
        (MANY, ROW_SCORES, lambda p, r: -np.log(np.where(r, p, 1 - p)).mean()),
    ],
    "roc_auc": [
        (TWO, TWO_SCORES, lambda p, r: sk.roc_auc_score(r, p)),
        (FIVE, FIVE_SCORES, lambda p, r: sk.roc_auc_score(r, p, multi_class="ovr")),
        (MANY, ROW_SCORES, lambda p, r: sk.roc_auc_score(r, p)),
    ],
    "top_k_accuracy": [
        (FIVE, FIVE_SCORES, lambda p, r: (np.argsort(-p)[:, :2] == r[:, None]).any(axis=1).mean()),
    ],
}
CASES_OF_SCORES = [(name, *case) for name, cases in OF_SCORES.items() for case in cases]
CONFIG_NAMES = {TWO: "default", FIVE: "multiclass", MANY: "multilabel"}


def score_logits(entry, labels, probabilities, references):
    """The scores of a model whose logits come to these probabilities."""
    logits = np.log(probabilities)
    if labels == MANY:
        logits = logits - np.log1p(-probabilities)
    elif labels == TWO:
        logits = np.stack([np.log1p(-probabilities), logits], axis=1)
    outputs = {"logits": logits}
    return scorer_of((entry,), labels)(labels.predict(logits), references, outputs)


def expected_of(name):
    """((predictions, references), the scores to expect of them)."""
    sides, definition = EXPECTED[name]
    scores = definition(*sides)
    return sides, pytest.approx(scores if isinstance(scores, dict) else {name: scores})


def labels_of(predictions):
    """What there must have been to learn, for predictions like these."""
    if isinstance(predictions, list):
        return TAGS if isinstance(predictions[0], list) else TEXTS
    return STARS if predictions.dtype == float else FIVE if predictions.max() > 1 else TWO


def scorer_of(entries, labels):
    return Scorer(entries, TAGGING if labels.problem_type == TOKENS else TASK, labels)


def baseline(labels, train, references, scorer):
    """The scores of answering without looking."""
    return scorer.baseline(train, references)


@pytest.fixture(scope="module")
def modules_cache(tmp_path_factory):
    """Where `evaluate.load` copies metric files to, instead of the user's cache."""
    _forget_copied_metrics()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("evaluate.config.HF_MODULES_CACHE", tmp_path_factory.mktemp("modules"))
        # a folder of copied metrics that another test has added would be looked into first
        elsewhere = [p for p in sys.path if not (Path(p) / "evaluate_modules").exists()]
        patch.setattr(sys, "path", elsewhere)
        yield
    _forget_copied_metrics()


def _forget_copied_metrics() -> None:
    for name in [name for name in sys.modules if name.startswith("evaluate_modules")]:
        del sys.modules[name]


def test_every_metric_has_an_expected_value():
    assert set(METRICS) == EXPECTED.keys() | OF_SCORES.keys()


@pytest.mark.parametrize("name", EXPECTED)
def test_metric_equals_its_definition(name):
    sides, expected = expected_of(name)
    scores = scorer_of((name,), labels_of(sides[0]))(*sides)
    assert scores == expected
    assert {type(score) for score in scores.values()} == {float}


def test_numbers_of_single_precision_are_scored_in_double() -> None:
    predictions, references = np.float32(NUMBERS)
    scores = scorer_of(("mse",), STARS)(predictions, references)
    exact = np.square(predictions.astype(float) - references.astype(float)).mean()
    assert scores["mse"] == pytest.approx(exact, rel=1e-14)


@pytest.mark.parametrize(
    ("name", "labels", "values", "message"),
    [
        ("mse", MANY, ROWS[0], r"expected one number for each example, not \(3,\)"),
        ("accuracy", TEXTS, ["a b", "b"], "invalid literal"),
        ("wer", TAGS, [["O"], ["O"]], r"expected a string, not \['O'\]"),
        ("seqeval", TEXTS, ["a b", "b"], "expected a list, not 'a b'"),
    ],
)
def test_what_a_metric_does_not_take_is_refused(name, labels, values, message) -> None:
    with pytest.raises(RecipeError, match=f"metric '{name}' cannot score .*{message}"):
        scorer_of((name,), labels)(values, values)


@pytest.mark.parametrize("name", EXPECTED)
def test_metric_loads_as_an_ordinary_evaluate_metric(name, modules_cache):
    (predictions, references), expected = expected_of(name)
    metric = evaluate.load(str(registry.folder("metrics") / f"{name}.py"))
    assert type(metric).__mro__[1] is evaluate.Metric
    assert metric.description == registry.summary("metrics", name)
    assert metric.compute(predictions=predictions, references=references) == expected


@pytest.mark.parametrize(("name", "labels", "sides", "definition"), CASES_OF_SCORES)
def test_metric_of_probabilities_equals_its_definition(name, labels, sides, definition):
    assert score_logits(name, labels, *sides) == {name: pytest.approx(definition(*sides))}


@pytest.mark.parametrize(("name", "labels", "sides", "definition"), CASES_OF_SCORES)
def test_metric_of_probabilities_loads_as_an_ordinary_evaluate_metric(
    name, labels, sides, definition, modules_cache
):
    path = str(registry.folder("metrics") / f"{name}.py")
    metric = evaluate.load(path, CONFIG_NAMES[labels])
    assert type(metric).__mro__[1] is evaluate.Metric
    scores = metric.compute(prediction_scores=sides[0], references=sides[1])
    assert scores == {name: pytest.approx(definition(*sides))}


@pytest.mark.parametrize("name", METRICS)
def test_less_is_better_for_errors_only(name):
    labels = STARS if name in {"mse", "mae", "mape", "r2"} else TWO
    assert scorer_of((name,), labels).greater_is_better is (name not in ERRORS)


def test_scores_that_are_errors_are_known_by_their_keys():
    scorer = scorer_of(("pearson", "mse", "mae"), STARS)
    scores = scorer([1.0, 2.0], [1.0, 3.0])
    assert scorer.lower_is_better(scores) == {"mse", "mae"}


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_spells_out_what_is_read_from_its_file(name):
    declaration = metric_source.read(registry.folder("metrics") / f"{name}.py")
    if name in OF_SCORES:
        computed = score_logits(name, FIVE, *FIVE_SCORES)
    else:
        sides, _ = expected_of(name)
        computed = scorer_of((name,), labels_of(sides[0]))(*sides)
    assert declaration.key == next(iter(computed))
    assert declaration.greater_is_better is registry.find("metrics", name).greater_is_better


@pytest.mark.parametrize("name", ["f1", "jaccard", "precision", "recall"])
def test_average_follows_from_the_labels_not_from_the_batch(name):
    function = getattr(sk, f"{name}_score")
    # two classes: binary; five classes: macro, even where the batch holds only two of them
    assert scorer_of((name,), TWO)(*IDS)[name] == function(IDS[1], IDS[0])
    assert scorer_of((name,), FIVE)(*IDS)[name] == function(IDS[1], IDS[0], average="macro")
    # several labels at once: micro
    assert scorer_of((name,), MANY)(*ROWS)[name] == function(ROWS[1], ROWS[0], average="micro")


def test_options_of_a_recipe_reach_the_metric():
    scorer = scorer_of(({"name": "f1", "average": "weighted"},), FIVE)
    expected = sk.f1_score(FIVE_IDS[1], FIVE_IDS[0], average="weighted")
    assert scorer(*FIVE_IDS) == {"f1": pytest.approx(expected)}
    scorer = scorer_of(({"name": "recall", "pos_label": 0},), TWO)
    assert scorer(*IDS)["recall"] == sk.recall_score(IDS[1], IDS[0], pos_label=0)


@pytest.mark.parametrize("name", ["f1", "jaccard", "precision", "recall"])
@pytest.mark.parametrize(
    ("labels", "sides", "label", "i"),
    [
        (TWO, IDS, "negative", 0),
        (TWO, IDS, 1, 1),
        (FIVE, FIVE_IDS, "d", 3),
        (FIVE, FIVE_IDS, 3, 3),
        (MANY, ROWS, "anger", 1),
        (NUMBERED, FIVE_IDS % 3, 2, 1),  # the class called 2, not the third one
    ],
)
def test_pos_label_scores_that_label_alone(name, labels, sides, label, i):
    is_label = [side[:, i] if side.ndim == 2 else side == i for side in sides]
    expected = getattr(sk, f"{name}_score")(is_label[1], is_label[0])
    scores = scorer_of((name, {"name": name, "pos_label": label}), labels)(*sides)
    assert scores[f"{name}_{labels.names[i]}"] == pytest.approx(expected)
    assert scorer_of(({"name": name, "pos_label": label},), labels)(*sides) == {
        name: pytest.approx(expected)
    }


@pytest.mark.parametrize(
    ("labels", "options", "message"),
    [
        (MANY, {"pos_label": "angre"}, "no label 'angre'; did you mean 'anger'"),
        (FIVE, {"pos_label": 5}, "no label '5'; .*known: a, b, c, d, e, or an id from 0 to 4"),
        (TWO, {"pos_label": True}, "no label 'True'"),
        (FIVE, {"pos_label": "a", "average": "macro"}, "'a' is one label, and average 'macro' is"),
    ],
)
def test_pos_label_is_one_label_of_the_data(labels, options, message):
    with pytest.raises(RecipeError, match=message):
        scorer_of(({"name": "f1", **options},), labels)


def test_pos_label_by_name_and_by_id_is_the_same_entry():
    entries = [{"name": "f1", "pos_label": label} for label in ("positive", 1)]
    with pytest.raises(RecipeError, match="'f1' is listed 2 times"):
        scorer_of(entries, TWO)


def test_multi_label():
    scores = scorer_of(("accuracy", "matthews_correlation"), MANY)(*ROWS)
    assert scores["accuracy"] == (ROWS[0] == ROWS[1]).all(axis=1).mean()
    each = [sk.matthews_corrcoef(ROWS[1][:, i], ROWS[0][:, i]) for i in range(3)]
    assert scores["matthews_correlation"] == pytest.approx(np.mean(each))


@pytest.mark.parametrize(
    ("labels", "sides", "keys"),
    [
        (TWO, IDS, ["accuracy", "f1"]),
        (FIVE, FIVE_IDS, ["accuracy", "f1"]),
        (MANY, ROWS, ["f1", "accuracy"]),
        (STARS, NUMBERS, ["pearson", "spearman", "mse"]),
        (TAGS, SENTENCES, ["f1", "precision", "recall", "accuracy"]),
        (WORD_CLASSES, ([["X", "NOUN"]], [["VERB", "NOUN"]]), ["token_accuracy"]),
    ],
)
def test_defaults_by_problem_type(labels, sides, keys):
    scorer = scorer_of((), labels)
    scores = scorer(*sides)
    assert list(scores) == keys
    assert (scorer.main, scorer.greater_is_better) == (keys[0], True)
    assert json.loads(json.dumps(scores, allow_nan=False)) == scores


def test_references_as_the_labels_encode_them():
    # multi-label targets are rows of floats; predictions are rows of ints
    references = MANY.encode([["joy"], ["fear", "anger"], []], "test")
    predictions = MANY.predict(np.array([[2.0, -1, -1], [-1, 1, 3], [-1, -1, 1]]))
    assert scorer_of((), MANY)(predictions, references)["accuracy"] == pytest.approx(2 / 3)


def test_entries_that_share_a_key_are_distinguished_by_their_options():
    specs = ("f1", {"name": "f1", "average": "macro"}, {"name": "f1", "average": "micro"})
    scorer = scorer_of(specs, TWO)
    scores = scorer(*IDS)
    assert list(scores) == ["f1", "f1_macro", "f1_micro"]
    assert scores["f1_macro"] == sk.f1_score(IDS[1], IDS[0], average="macro")
    assert scores["f1_micro"] == pytest.approx(sk.accuracy_score(*IDS))
    assert scorer.main == "f1"
    assert scorer_of(specs[1:], TWO).main == "f1_macro"


@pytest.mark.parametrize(
    ("specs", "message"),
    [
        (("acuracy",), "unknown metric 'acuracy'; did you mean 'accuracy'"),
        (({"average": "macro"},), "unknown metric 'None'"),
        (({"name": "f1", "averge": "macro"},), "unknown option 'averge'; did you mean 'average'"),
        (({"name": "mse", "squared": True},), "unknown option 'squared'; known: none"),
        (({"name": "f1", "num_labels": 3},), "unknown option 'num_labels'"),
        (("f1", "accuracy", "f1"), "'f1' is listed 2 times"),
        (("nowhere/metric.py",), "no such file"),
        (("f1_marco",), "unknown metric 'f1_marco'; did you mean 'f1_macro'"),
        (("accuracy_macro",), "unknown metric 'accuracy_macro'"),
        (("f1_macro", {"name": "f1", "average": "macro"}), "'f1' is listed 2 times"),
        (("r2",), "'r2' cannot score single_label_classification; it is for regression"),
    ],
)
def test_mistakes_are_refused_at_construction(specs, message):
    with pytest.raises(RecipeError, match=message.replace(".", r"\.")):
        scorer_of(specs, TWO)


@pytest.mark.parametrize(
    ("spec", "labels", "message"),
    [
        ({"name": "f1", "average": "marco"}, TWO, "must be a str among"),
        ({"name": "f1", "average": None}, TWO, "gives no number"),
        ({"name": "f1", "average": "binary"}, FIVE, "Target is multiclass"),
        ("pearson", MANY, "'pearson' cannot score multi_label_classification"),
        ("accuracy", STARS, "'accuracy' cannot score regression"),
        ({"name": "seqeval", "scheme": "IOE1"}, TAGS, "unknown scheme 'IOE1'; did you mean 'IOE2'"),
        ({"name": "seqeval", "scheme": "IOBES"}, BILOU_TAGS, "the tags are BILOU, not IOBES"),
        ("seqeval", WORD_CLASSES, "'seqeval' cannot score token_.*: 'NOUN' has no prefix such as"),
        ({"name": "seqeval", "label_names": ["O"]}, TAGS, "unknown option 'label_names'"),
        ("accuracy", TAGS, "'accuracy' cannot score token_classification"),
        ("exact_match", TWO, "'exact_match' cannot score single_.*: it takes texts"),
        ("wer", STARS, "'wer' cannot score regression: it takes texts"),
        ("roc_auc", STARS, "'roc_auc' cannot score regression; it is for single_label_.* and mu"),
        ("top_k_accuracy", MANY, "cannot score multi_label_classification; it is for single_label"),
        ("balanced_accuracy", MANY, "cannot score multi_label_classification; it is for single_l"),
        ("top_k_accuracy", TWO, "k is 2; expected a whole number from 1 to 1"),
        ({"name": "top_k_accuracy", "k": 5}, FIVE, "k is 5; expected a whole number from 1 to 4"),
        ({"name": "roc_auc", "average": "max"}, MANY, "average is 'max'; expected macro, micro"),
    ],
)
def test_what_does_not_fit_is_refused_before_training(spec, labels, message):
    # TrainingArguments need to know the main score
    with pytest.raises(RecipeError, match=message):
        _ = scorer_of((spec,), labels).main


def test_baseline_is_finite_and_quiet():
    # warnings are errors in this suite
    # train is mostly 1, so 1 is the answer to everything
    scorer = scorer_of(("accuracy", "matthews_correlation"), TWO)
    scores = baseline(TWO, [0, 1, 1], [1, 0, 1, 1], scorer)
    assert scores == {"accuracy": 0.75, "matthews_correlation": 0.0}
    # the references hold one class only, the one that is always answered
    assert baseline(TWO, [1, 1], [1, 1], scorer_of(("matthews_correlation",), TWO))
    # a constant orders nothing: 0 rather than nan
    scores = baseline(STARS, [1.0, 2.0, 3.0], [1.0, 3.0], scorer_of((), STARS))
    assert scores == {"pearson": 0.0, "spearman": 0.0, "mse": 1.0}
    # no label is frequent enough to be always given
    scores = baseline(MANY, np.eye(3), [[1.0, 0.0, 0.0]], scorer_of((), MANY))
    assert scores == {"f1": 0.0, "accuracy": 0.0}


def test_diverged_training_is_an_error_with_a_remedy():
    outputs = {"logits": np.array([[float("nan")], [1.0]])}
    with pytest.raises(ModelError, match="outputs for 1 of 2 rows are not finite"):
        predict(TASK, outputs, None, None, STARS)


def test_scoring_writes_no_file_that_processes_could_fight_for(tmp_path, monkeypatch):
    monkeypatch.setattr("evaluate.config.HF_METRICS_CACHE", tmp_path)
    scorer_of(("accuracy", "f1"), TWO)(*IDS)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_scorer_is_made_and_tells_the_main_score_without_heavy_imports():
    code = (
        "import sys; from pipelines.evaluation.scorer import Scorer\n"
        "from pipelines.core.labels import Labels\n"
        "from pipelines.tasks.text_classification import TextClassification\n"
        "labels, task = Labels('regression'), TextClassification()\n"
        "Scorer(({'name': 'f1', 'average': 'macro'},), task, labels)\n"
        "usual = Scorer(('mse', 'spearman'), task, labels)\n"
        "assert (usual.main, usual.greater_is_better) == ('mse', False)\n"
        "print(*{'evaluate', 'torch', 'datasets', 'sklearn', 'scipy'} & set(sys.modules))"
    )
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (result.stdout.strip(), result.stderr) == ("", "")


COMMIT = "0a" * 20
FOREIGN = """
import datasets
import evaluate


class Spread(evaluate.Metric):
    def _info(self):
        kind = datasets.Value("int64" if self.config_name == "ids" else "float64")
        features = datasets.Features({"predictions": kind, "references": kind})
        return evaluate.MetricInfo(description="", citation="", features=features)

    def _compute(self, predictions, references, scale=1):
        return {"spread": scale * (max(predictions) - min(predictions)), "all": predictions}
"""


def test_a_metric_file_of_ones_own(tmp_path, modules_cache):
    path = tmp_path / "spread.py"
    path.write_text(FOREIGN)
    spec = {"name": str(path), "config_name": "ids", "scale": 2, "greater_is_better": False}
    scorer = scorer_of((spec, "accuracy"), FIVE)
    # results that are no numbers are left out
    assert scorer([0, 4], [0, 0]) == {"spread": 8.0, "accuracy": 0.5}
    assert (scorer.main, scorer.greater_is_better) == ("spread", False)
    with pytest.raises(RecipeError, match="unknown option 'scael'; did you mean 'scale'"):
        scorer_of(({"name": str(path), "scael": 2},), FIVE)


@pytest.mark.slow
def test_a_metric_of_the_hub(python, tmp_path):
    folder = tmp_path / "space"
    folder.mkdir()
    (folder / "spread.py").write_text(FOREIGN)
    code = (
        "from pipelines.evaluation.scorer import Scorer; from pipelines.core.labels import Labels\n"
        "from pipelines.tasks.text_classification import TextClassification\n"
        "import sys; commit = sys.argv[1]\n"
        "entry = {'name': 'acme/spread', 'revision': commit, 'trust_remote_code': True}\n"
        "scorer = Scorer((entry,), TextClassification(), Labels('regression'))\n"
        "print(scorer.main, scorer([0.5, 2.0], [0.0, 0.0]))"
    )
    with HubServer(tmp_path / "hub") as hub:
        commit = hub.add_space("acme/spread", folder)
        environment = {**os.environ, **hub.environment, "HF_HOME": str(tmp_path / "home")}
        result = subprocess.run(
            [python.path, "-c", code, commit],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
        )
    assert result.stdout == "spread {'spread': 1.5}\n", result.stderr


def test_a_hub_out_of_reach_is_reported_with_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", tmp_path)
    with pytest.raises(HubError, match=r"'acme/spread' cannot be fetched; use one of accuracy, "):
        scorer_of(({"name": "acme/spread", "revision": COMMIT, "trust_remote_code": True},), TWO)


def test_a_metric_of_the_hub_is_not_fetched_before_its_code_is_trusted(monkeypatch):
    monkeypatch.setattr("huggingface_hub.snapshot_download", None)
    with pytest.raises(RecipeError, match="'acme/spread': it is Python code from the Hub, which w"):
        scorer_of(("acme/spread",), TWO)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("sys.exit(0)", r"cannot score single_.*: it calls sys.exit\(0\)"),
        ("raise OSError('no such\\nfile')", "cannot score single_.*: OSError: no such$"),
        ("assert references is None", "cannot score single_.*: AssertionError$"),
        ("return None", "gives None; expected a dictionary of numbers"),
        ("return [1.0]", r"gives \[1.0\]; expected a dictionary of numbers"),
    ],
)
def test_whatever_a_metric_of_ones_own_does_is_one_message(tmp_path, modules_cache, body, message):
    """Among it what would end the program, and with success."""
    source = FOREIGN.replace("import datasets", "import sys\nimport datasets")
    line = next(line for line in source.splitlines() if "return {" in line)
    path = tmp_path / "odd.py"
    path.write_text(source.replace(line, f"        {body}\n        {line.strip()}"))
    with pytest.raises(RecipeError, match=f"metric '.*odd.py' {message}"):
        _ = scorer_of((str(path),), TWO).main


def test_a_metric_of_ones_own_that_ends_the_program_when_loaded_is_one_message(
    tmp_path, modules_cache
):
    path = tmp_path / "ends.py"
    path.write_text(f"import sys\n{FOREIGN}\nsys.exit(0)\n")
    with pytest.raises(RecipeError, match=r"cannot be loaded: it calls sys.exit\(0\)"):
        _ = scorer_of((str(path),), TWO).main


def test_entities_by_a_scheme_count_only_where_they_keep_to_it():
    tags = [["O", "I-PER", "O"]], [["O", "I-PER", "O"]]  # no B-: an entity to CoNLL's script
    assert scorer_of(("seqeval",), TAGS)(*tags)["f1"] == 1
    assert scorer_of(({"name": "seqeval", "scheme": "IOB2"},), TAGS)(*tags)["f1"] == 0
    macro = scorer_of(({"name": "seqeval", "average": "macro"},), TAGS)(*SENTENCES)
    assert macro["f1"] == pytest.approx((2 / 3 + 0) / 2)  # places, persons


# a person of two words and two places; of them the person, and one place of both words
SCHEMES = {
    "BIO": ("B-PER I-PER O B-LOC B-LOC", "B-PER I-PER O B-LOC I-LOC"),
    "IOB1": ("I-PER I-PER O I-LOC B-LOC", "I-PER I-PER O I-LOC I-LOC"),
    "IOE2": ("I-PER E-PER O E-LOC E-LOC", "I-PER E-PER O I-LOC E-LOC"),
    "IOBES": ("B-PER E-PER O S-LOC S-LOC", "B-PER E-PER O B-LOC E-LOC"),
    "BILOU": ("B-PER L-PER O U-LOC U-LOC", "B-PER L-PER O B-LOC L-LOC"),
    "BMEWO": ("B-PER E-PER O W-LOC W-LOC", "B-PER E-PER O B-LOC E-LOC"),
}
SPELLINGS = [str, str.lower, lambda tags: tags.replace("-", "_"), lambda tags: swapped(tags)]


def swapped(tags):
    """PER-B for B-PER."""
    return " ".join("-".join(reversed(tag.split("-"))) for tag in tags.split())


def tag_scores(references, predictions, **options):
    """The scores of texts whose tags are written with blanks between them."""
    texts = references.split(), predictions.split()
    names = tuple(sorted({*texts[0], *texts[1]}))
    entry = {"name": "seqeval", **options}
    return scorer_of((entry,), Labels(TOKENS, names, names))([texts[1]], [texts[0]])


@pytest.mark.parametrize("spell", SPELLINGS)
@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("is_strict", [False, True])
def test_entities_are_scored_in_every_scheme_and_spelling(scheme, spell, is_strict):
    expected, predicted = map(spell, SCHEMES[scheme])
    options = {"scheme": scheme} if is_strict else {}
    scores = tag_scores(expected, predicted, **options)
    assert (scores["precision"], scores["recall"]) == (1 / 2, 1 / 3)
    assert scores["f1"] == pytest.approx(2 / 5)
    assert set(tag_scores(expected, expected, **options).values()) == {1}


@pytest.mark.parametrize(
    ("expected", "predicted", "scores"),
    [
        ("b-per I-PER O", "B-PER i-per O", 1),  # names that differ by case are one kind
        ("B M E S", "B E S S", 2 / 5),  # no kinds: words of Chinese, say
        ("B M M E S", "B M E S S", 2 / 5),
        ("B-a-b I-a-b", "B-a-b I-a-c", 0),  # kinds with hyphens
        ("B-PER L-PER O", "B-PER O O", 0),  # an entity that does not end as it should
    ],
)
def test_tags_of_odd_forms(expected, predicted, scores):
    assert tag_scores(expected, predicted)["f1"] == pytest.approx(scores)


def test_no_entity_predicted_or_none_to_find_is_finite_and_quiet():
    nothing, something = [["O", "O"]], [["B-PER", "O"]]
    for sides in ((nothing, something), (something, nothing), (nothing, nothing)):
        scores = scorer_of((), TAGS)(*sides)
        assert (scores["f1"], scores["precision"], scores["recall"]) == (0, 0, 0)


def test_a_key_that_a_metric_misses_is_named_as_such(tmp_path):
    file = tmp_path / "lookup.py"
    file.write_text(
        "import datasets\nimport evaluate\n\n\nclass Lookup(evaluate.Metric):\n"
        "    def _info(self):\n"
        "        features = datasets.Features(\n"
        "            predictions=datasets.Value('int64'), references=datasets.Value('int64')\n"
        "        )\n"
        "        return evaluate.MetricInfo(\n"
        "            description='', citation='', inputs_description='', features=features\n"
        "        )\n\n"
        "    def _compute(self, predictions, references):\n"
        "        return {'lookup': {}['x']}\n"
    )
    with pytest.raises(RecipeError, match=r"cannot score .*: KeyError: 'x'"):
        _ = scorer_of((str(file),), TWO).main


def test_an_average_in_one_word_is_the_option_and_names_the_score():
    scorer = scorer_of(("f1_macro", "recall_weighted", {"name": "f1", "average": "micro"}), FIVE)
    options = {"f1_macro": "macro", "f1_micro": "micro"}
    expected = {k: sk.f1_score(*FIVE_IDS[::-1], average=v) for k, v in options.items()}
    expected["recall_weighted"] = sk.recall_score(*FIVE_IDS[::-1], average="weighted")
    assert scorer(*FIVE_IDS) == pytest.approx(expected)
    assert (scorer.main, [*scorer.directions]) == ("f1_macro", [*scorer(*FIVE_IDS)])


@pytest.mark.parametrize("average", ["macro", "micro", "weighted"])
@pytest.mark.parametrize("name", ["roc_auc", "average_precision"])
def test_averages_of_scores_are_those_of_scikit_learn(name, average):
    function = getattr(sk, f"{name}_score")
    for labels, (scores, references) in ((FIVE, FIVE_SCORES), (MANY, ROW_SCORES)):
        rows = ONE_HOT if labels == FIVE else references
        expected = {f"{name}_{average}": pytest.approx(function(rows, scores, average=average))}
        assert score_logits(f"{name}_{average}", labels, scores, references) == expected


def test_a_class_that_no_example_has_is_left_out_of_a_mean():
    # warnings are errors in this suite; classes 3 and 4 are absent, and may be predicted
    references = np.array([0, 1, 2, 0, 1, 2])
    scores = softmax(np.random.default_rng(1).normal(size=(6, 5)), axis=1)
    rows = np.eye(5)[references]
    present = rows[:, :3], scores[:, :3]
    expected = {
        "roc_auc": sk.roc_auc_score(*present),
        "average_precision": sk.average_precision_score(*present),
        "log_loss": -np.log(scores[np.arange(6), references]).mean(),
        "brier_score": ((scores - rows) ** 2).sum(axis=1).mean(),
        "balanced_accuracy": (scores.argmax(axis=1) == references).mean(),  # two of each class
    }
    for name, value in expected.items():
        assert score_logits(name, FIVE, scores, references) == {name: pytest.approx(value)}


def test_one_class_alone_has_a_defined_score():
    scores, ones = np.array([0.7, 0.2, 0.9]), np.ones(3, int)
    defined = {"roc_auc": 0.5, "average_precision": 1.0, "balanced_accuracy": 2 / 3}
    for name, value in defined.items():
        assert score_logits(name, TWO, scores, ones) == {name: pytest.approx(value)}
    assert score_logits("average_precision", TWO, scores, 1 - ones) == {"average_precision": 0}
    assert scorer_of(("cohen_kappa",), TWO)(ones, ones) == {"cohen_kappa": 0}
    assert scorer_of(("r2",), STARS)([1.5], [2.0]) == {"r2": 0}
    # the label that every example has cannot be ordered
    rows = np.array([[1, 0, 1], [1, 1, 0]])
    scores = np.array([[0.4, 0.2, 0.9], [0.5, 0.8, 0.1]])
    assert score_logits("roc_auc", MANY, scores, rows) == {"roc_auc": 1.0}


def test_distances_of_cohens_kappa_count_classes_that_no_example_has():
    sides = np.array([0, 4, 1]), np.array([0, 4, 0])
    expected = sk.cohen_kappa_score(*sides, labels=np.arange(5), weights="linear")
    scorer = scorer_of(({"name": "cohen_kappa", "weights": "linear"},), FIVE)
    assert scorer(*sides) == {"cohen_kappa": pytest.approx(expected)}
    assert expected != pytest.approx(sk.cohen_kappa_score(*sides, weights="linear"))


def test_the_baseline_of_probabilities_is_the_shares_of_train():
    scorer = scorer_of(("log_loss", "roc_auc", "brier_score"), TWO)
    scores = baseline(TWO, [1, 1, 1, 0], [1, 0], scorer)
    expected = -(np.log(0.75) + np.log(0.25)) / 2
    assert scores == pytest.approx({"log_loss": expected, "roc_auc": 0.5, "brier_score": 0.3125})
    rows = baseline(MANY, [[1, 0, 0], [0, 1, 1]], ROWS[1], scorer_of(("log_loss",), MANY))
    assert rows["log_loss"] == pytest.approx(np.log(2))


CONFIDENT = """
import datasets
import evaluate


class Confident(evaluate.Metric):
    def _info(self):
        features = datasets.Features(
            predictions=datasets.Value("int64"),
            prediction_scores=datasets.Value("float64"),
            references=datasets.Value("int64"),
        )
        return evaluate.MetricInfo(description="", citation="", features=features)

    def _compute(self, predictions, prediction_scores, references):
        rows = zip(predictions, prediction_scores, references)
        return {"confident": sum(score for p, score, r in rows if p == r)}
"""


def test_a_metric_of_ones_own_gets_predictions_and_scores(tmp_path, modules_cache):
    path = tmp_path / "confident.py"
    path.write_text(CONFIDENT)
    outputs = {"logits": np.log([[0.1, 0.9], [0.6, 0.4]])}
    scorer = scorer_of((str(path),), TWO)
    assert scorer([1, 0], [1, 1], outputs) == {"confident": pytest.approx(0.9)}
    assert scorer.main_score([1, 0], [1, 1], outputs) == pytest.approx(0.9)
