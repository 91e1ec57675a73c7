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
MANY = Labels(MULTI, ("joy", "anger", "fear"), ("joy", "anger", "fear"))
STARS = Labels(REGRESSION)
TAGS = Labels(TOKENS, ("O", "B-PER", "I-PER", "B-LOC"), ("O", "B-PER", "I-PER", "B-LOC"))
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

ERRORS = {"mse", "mae", "wer", "cer", "perplexity"}
TRANSCRIPTS = (["a b d", "", "x"], ["a b c", "e f", ""])  # one wrong, one missed, one invented
BLOCKS = (np.array([1.0, 2.0]), [[5], [5, 6, 7]])  # nats for each token, and the tokens
# no answer where there is none, half of the better answer, and an answer where there is none
ANSWERED = (["", "The film", "plot"], [[], ["it", "a good film"], []])

# what each metric must give: (predictions, references) -> number, or all its scores by their keys
EXPECTED = {
    "accuracy": (IDS, lambda p, r: (p == r).mean()),
    "cer": (TRANSCRIPTS, lambda p, r: (1 + 3 + 1) / (5 + 3)),
    "f1": (IDS, lambda p, r: sk.f1_score(r, p)),
    "mae": (NUMBERS, lambda p, r: abs(p - r).mean()),
    "matthews_correlation": (FIVE_IDS, lambda p, r: sk.matthews_corrcoef(r, p)),
    "mse": (NUMBERS, lambda p, r: ((p - r) ** 2).mean()),
    "pearson": (NUMBERS, lambda p, r: np.corrcoef(p, r)[0, 1]),
    "perplexity": (BLOCKS, lambda p, r: np.exp((1 * 1.0 + 3 * 2.0) / 4)),
    "precision": (IDS, lambda p, r: sk.precision_score(r, p)),
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


def expected_of(name):
    """((predictions, references), the scores to expect of them)."""
    sides, definition = EXPECTED[name]
    scores = definition(*sides)
    return sides, pytest.approx(scores if isinstance(scores, dict) else {name: scores})


def labels_of(predictions):
    """What there must have been to learn, for predictions like these."""
    if isinstance(predictions, list):
        return TAGS
    return STARS if predictions.dtype == float else FIVE if predictions.max() > 1 else TWO


def scorer_of(entries, labels):
    return Scorer(entries, TAGGING if labels.problem_type == TOKENS else TASK, labels)


def baseline(labels, train, references, scorer):
    """The scores of answering without looking."""
    return scorer(TASK.baseline(train, references, labels), references)


@pytest.fixture(scope="module")
def modules_cache(tmp_path_factory):
    """Where `evaluate.load` copies metric files to, instead of the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("evaluate.config.HF_MODULES_CACHE", tmp_path_factory.mktemp("modules"))
        patch.setattr(sys, "path", [*sys.path])
        yield
    for name in [name for name in sys.modules if name.startswith("evaluate_modules")]:
        del sys.modules[name]


def test_every_metric_has_an_expected_value():
    assert set(METRICS) == set(EXPECTED)


@pytest.mark.parametrize("name", METRICS)
def test_metric_equals_its_definition(name):
    sides, expected = expected_of(name)
    scores = scorer_of((name,), labels_of(sides[0]))(*sides)
    assert scores == expected
    assert {type(score) for score in scores.values()} == {float}


@pytest.mark.parametrize("name", METRICS)
def test_metric_loads_as_an_ordinary_evaluate_metric(name, modules_cache):
    (predictions, references), expected = expected_of(name)
    metric = evaluate.load(str(registry.folder("metrics") / f"{name}.py"))
    assert type(metric).__mro__[1] is evaluate.Metric
    assert metric.description == registry.summary("metrics", name)
    assert metric.compute(predictions=predictions, references=references) == expected


@pytest.mark.parametrize("name", METRICS)
def test_less_is_better_for_errors_only(name):
    labels = STARS if name in {"mse", "mae"} else TWO
    assert scorer_of((name,), labels).greater_is_better is (name not in ERRORS)


def test_scores_that_are_errors_are_known_by_their_keys():
    scorer = scorer_of(("pearson", "mse", "mae"), STARS)
    scores = scorer([1.0, 2.0], [1.0, 3.0])
    assert scorer.lower_is_better(scores) == {"mse", "mae"}


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_spells_out_what_is_read_from_its_file(name):
    sides, _ = expected_of(name)
    declaration = metric_source.read(registry.folder("metrics") / f"{name}.py")
    assert declaration.key == next(iter(scorer_of((name,), labels_of(sides[0]))(*sides)))
    assert declaration.greater_is_better is registry.find("metrics", name).greater_is_better


@pytest.mark.parametrize("name", ["f1", "precision", "recall"])
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
        ({"name": "seqeval", "scheme": "BIO"}, TAGS, "unknown scheme 'BIO'; known: IOB1, IOB2"),
        ("seqeval", WORD_CLASSES, "'seqeval' cannot score token_.*: 'NOUN' is no tag of an entity"),
        ("accuracy", TAGS, "'accuracy' cannot score token_classification"),
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
def test_a_metric_of_the_hub(tmp_path):
    folder = tmp_path / "space"
    folder.mkdir()
    (folder / "spread.py").write_text(FOREIGN)
    code = (
        "from pipelines.evaluation.scorer import Scorer; from pipelines.core.labels import Labels\n"
        "from pipelines.tasks.text_classification import TextClassification\n"
        "scorer = Scorer(('acme/spread',), TextClassification(), Labels('regression'))\n"
        "print(scorer.main, scorer([0.5, 2.0], [0.0, 0.0]))"
    )
    with HubServer(tmp_path / "hub") as hub:
        hub.add_space("acme/spread", folder)
        environment = {**os.environ, **hub.environment, "HF_HOME": str(tmp_path / "home")}
        result = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True
        )
    assert result.stdout == "spread {'spread': 1.5}\n", result.stderr


def test_a_hub_out_of_reach_is_reported_with_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", tmp_path)
    with pytest.raises(HubError, match=r"'acme/spread' cannot be fetched; use one of accuracy, "):
        scorer_of(("acme/spread",), TWO)


def test_entities_by_a_scheme_count_only_where_they_keep_to_it():
    tags = [["O", "I-PER", "O"]], [["O", "I-PER", "O"]]  # no B-: an entity to CoNLL's script
    assert scorer_of(("seqeval",), TAGS)(*tags)["f1"] == 1
    assert scorer_of(({"name": "seqeval", "scheme": "IOB2"},), TAGS)(*tags)["f1"] == 0
    macro = scorer_of(({"name": "seqeval", "average": "macro"},), TAGS)(*SENTENCES)
    assert macro["f1"] == pytest.approx((2 / 3 + 0) / 2)  # places, persons


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
