"""Intervals of 95 % over rows: what sums give is what the metric gives for the drawn rows."""

import numpy as np
import pytest
from scipy.stats import beta

from pipelines.core import registry
from pipelines.core.labels import LANGUAGE, MULTI, REGRESSION, SINGLE, TOKENS, Labels
from pipelines.evaluation.intervals import RowDraws, ScoredRows, draw, draws, intervals, sums
from pipelines.evaluation.scorer import Scorer, take

RANDOM = np.random.default_rng(0)
ROWS = 60
TWO, FIVE = Labels(SINGLE, ("a", "b")), Labels(SINGLE, tuple("abcde"))
MANY, STARS = Labels(MULTI, ("joy", "anger", "fear")), Labels(REGRESSION)
TAGS = Labels(TOKENS, ("O", "B-PER", "I-PER", "B-LOC"))
WORDS = Labels(TOKENS, ("NOUN", "VERB", "X"))
TEXTS, ANSWERS = Labels("speech_recognition"), Labels("question_answering")
BLOCKS = Labels(LANGUAGE)
OF_CLASSES = ("accuracy", "f1", "precision", "recall", "jaccard", "matthews_correlation", "hamming")
OF_ONE = (*OF_CLASSES, "balanced_accuracy", "cohen_kappa", "log_loss", "brier_score", "f1_macro")
OF_FIVE = (*OF_ONE, "f1_micro", "f1_weighted", "top_k_accuracy", {"name": "f1", "pos_label": "c"})
OF_SEVERAL = (*OF_CLASSES, "f1_macro", "jaccard_weighted", "log_loss", "brier_score")
OF_NUMBERS = ("mae", "mse", "mape", "pearson", "r2")


def tagged(labels: Labels, num_rows: int) -> list[list[str]]:
    lengths = np.random.default_rng(1).integers(1, 6, num_rows)
    return [[labels.names[i] for i in RANDOM.integers(0, len(labels.names), n)] for n in lengths]


def classes(labels: Labels, num_rows: int = ROWS) -> tuple:
    """Logits of a model that is right more often than not: (predictions, references, outputs)."""
    size = (num_rows, labels.num_labels)
    if labels.problem_type == MULTI:
        references = RANDOM.integers(0, 2, size)
        logits = RANDOM.normal(size=size) + references - 0.5
    else:
        references = RANDOM.integers(0, labels.num_labels, num_rows)
        logits = RANDOM.normal(size=size) + 2 * np.eye(labels.num_labels)[references]
    return labels.predict(logits), references, {"logits": logits}


def numbers(num_rows: int = ROWS) -> tuple:
    references = 1e6 + RANDOM.normal(size=num_rows)
    return references + RANDOM.normal(size=num_rows), [*references], {}


def texts() -> tuple:
    rows = ["a b c", "a", "c d", "b b", "e f g h"] * 12
    return [text.replace("b", "x y").replace("d", "") for text in rows], rows, {}


def answers() -> tuple:
    return (
        ["The film", "", "plot", "bad", ""] * 12,
        [["a film"], [], ["it"], ["bad"], ["x"]] * 12,
        {},
    )


CASES = {
    "two classes": ("text_classification", TWO, OF_ONE, classes(TWO)),
    "five classes": ("text_classification", FIVE, OF_FIVE, classes(FIVE)),
    "several labels": ("text_classification", MANY, OF_SEVERAL, classes(MANY)),
    "numbers": ("text_classification", STARS, OF_NUMBERS, numbers()),
    "entities": (
        "token_classification",
        TAGS,
        ("seqeval", {"name": "seqeval", "average": "macro"}),
        (tagged(TAGS, ROWS), tagged(TAGS, ROWS), {}),
    ),
    "words": (
        "token_classification",
        WORDS,
        ("token_accuracy",),
        (tagged(WORDS, ROWS), tagged(WORDS, ROWS), {}),
    ),
    "speech": ("speech_recognition", TEXTS, ("wer", "cer", "exact_match"), texts()),
    "answers": ("question_answering", ANSWERS, ("squad",), answers()),
    "blocks": (
        "causal_lm",
        BLOCKS,
        ("perplexity",),
        (RANDOM.random(ROWS), [[5] * n for n in RANDOM.integers(1, 9, ROWS)], {}),
    ),
}


def scored(case: str) -> tuple[Scorer, ScoredRows, dict[str, float]]:
    task, labels, entries, (predictions, references, outputs) = CASES[case]
    scorer = Scorer(entries, registry.find("tasks", task)(), labels)
    rows = ScoredRows(predictions, references, scorer.probabilities(outputs or None), labels)
    return scorer, rows, scorer(predictions, references, outputs or None)


@pytest.mark.parametrize("case", CASES)
def test_scores_of_draws_are_those_of_the_drawn_rows(case: str, monkeypatch) -> None:
    """Every metric of this project that is resampled by sums, with and without groups."""
    monkeypatch.setattr(draws, "NUM_DRAWS", 4)
    monkeypatch.setattr(draws, "DRAWS_AT_A_TIME", 2)
    predictions, references, outputs = CASES[case][3]
    scorer, rows, scores = scored(case)
    for groups in (None, np.arange(ROWS) // 3):
        drawn = RowDraws(ROWS, groups, seed=3)
        result = draw(scorer, rows, scores, drawn)
        assert not result.reasons, result.reasons
        assert result.values.keys() == scores.keys()
        for number, positions in enumerate(drawn.rows(4)):
            assert len({*positions}) < len(positions)
            part = {name: take(column, positions) for name, column in outputs.items()}
            pair = take(predictions, positions), take(references, positions)
            expected = scorer(*pair, part or None)
            got = {key: values[number] for key, values in result.values.items()}
            assert got == pytest.approx(expected, rel=1e-6, abs=1e-9)


def test_the_metrics_of_this_project_are_resampled_but_for_those_of_ranks() -> None:
    covered = {
        entry for _, _, entries, _ in CASES.values() for entry in entries if isinstance(entry, str)
    }
    assert sums.FORMS.keys() == covered & {*registry.names("metrics")}
    ranked = {"spearman", "roc_auc", "average_precision"}
    assert {*registry.names("metrics")} - sums.FORMS.keys() == ranked


def test_metrics_of_ranks_are_computed_for_each_draw(monkeypatch) -> None:
    monkeypatch.setattr(draws, "NUM_DRAWS", 40)
    monkeypatch.setattr(draws, "DRAWS_AT_A_TIME", 20)
    predictions, references, outputs = classes(TWO)
    task = registry.find("tasks", "text_classification")()
    scorer = Scorer(("roc_auc", "average_precision"), task, TWO)
    rows = ScoredRows(predictions, references, scorer.probabilities(outputs), TWO)
    scores = scorer(predictions, references, outputs)
    result = draw(scorer, rows, scores, RowDraws(ROWS, seed=1))
    first = next(RowDraws(ROWS, seed=1).rows(1))
    part = {"logits": outputs["logits"][first]}
    expected = scorer(predictions[first], references[first], part)
    assert {key: values[0] for key, values in result.values.items()} == pytest.approx(expected)
    bounds = intervals(scorer, result, rows)
    assert all(bounds[key].low < scores[key] < bounds[key].high for key in scores)
    assert bounds["roc_auc"].method == "bootstrap, 40 draws"


def test_what_takes_too_long_for_each_draw_has_no_interval_and_says_why() -> None:
    labels = Labels(SINGLE, tuple(map(str, range(77))))
    predictions, references, outputs = classes(labels, 400)
    task = registry.find("tasks", "text_classification")()
    scorer = Scorer(("accuracy", "roc_auc"), task, labels)
    rows = ScoredRows(predictions, references, scorer.probabilities(outputs), labels)
    scores = scorer(predictions, references, outputs)
    result = draw(scorer, rows, scores, RowDraws(400))
    assert [*result.values] == ["accuracy"]
    assert result.reasons == {"roc_auc": "roc_auc: takes too long to compute for each of 200 draws"}


def test_accuracy_has_the_exact_interval_unless_rows_belong_together() -> None:
    predictions = np.array([1] * 45 + [0] * 15)
    task = registry.find("tasks", "text_classification")()
    scorer = Scorer(("accuracy",), task, TWO)
    rows = ScoredRows(predictions, [1] * ROWS, None, TWO)
    exact = intervals(scorer, draw(scorer, rows, {"accuracy": 0.75}, RowDraws(ROWS)), rows)
    assert exact["accuracy"].method == "exact (Clopper-Pearson)"
    assert exact["accuracy"].low == pytest.approx(beta.ppf(0.025, 45, 16))
    assert exact["accuracy"].high == pytest.approx(beta.ppf(0.975, 46, 15))
    # of 12 groups whose five rows are all right or all wrong, each is one answer
    grouped = RowDraws(ROWS, np.arange(ROWS) // 5)
    wide = intervals(scorer, draw(scorer, rows, {"accuracy": 0.75}, grouped), rows)["accuracy"]
    assert wide.method == "bootstrap, 1000 draws of groups"
    assert wide.high - wide.low > 1.5 * (exact["accuracy"].high - exact["accuracy"].low)
    few = draw(scorer, rows, {"accuracy": 0.75}, RowDraws(ROWS, np.arange(ROWS) // 20))
    assert few.reasons == {"accuracy": "3 groups, and to draw them anew takes at least 10"}
    assert not intervals(scorer, few, rows)


def test_blocks_of_rows_vary_as_much_as_their_rows(monkeypatch) -> None:
    """The interval of a mean is 1.96 standard errors wide on each side, however rows are drawn."""
    predictions, references, _ = numbers(3000)
    scorer = Scorer(("mae",), registry.find("tasks", "text_classification")(), STARS)
    rows = ScoredRows(predictions, references, None, STARS)
    errors = abs(predictions - references)
    expected = 2 * 1.96 * errors.std() / np.sqrt(len(errors))
    for limit in (500, 10_000):
        monkeypatch.setattr(draws, "MAX_UNITS", limit)
        drawn = RowDraws(len(rows))
        assert drawn.num_units == min(limit, len(rows))
        interval = intervals(scorer, draw(scorer, rows, {"mae": errors.mean()}, drawn), rows)["mae"]
        assert interval.high - interval.low == pytest.approx(expected, rel=0.15)
        assert interval.low < errors.mean() < interval.high


def test_a_difference_on_the_same_rows_is_surer_than_its_two_scores() -> None:
    predictions, references, _ = classes(TWO, 400)
    better = np.where(np.arange(400) % 40 == 0, references, predictions)
    scorer = Scorer(("f1",), registry.find("tasks", "text_classification")(), TWO)
    drawn, scores = [], []
    for each in (better, predictions):
        scores.append(scorer(each, references))
        rows = ScoredRows(each, references, None, TWO)
        drawn.append(draw(scorer, rows, scores[-1], RowDraws(400)))
    paired = drawn[0].difference(drawn[1], "f1")
    alone = drawn[1].values["f1"].std()
    assert paired.low <= scores[0]["f1"] - scores[1]["f1"] <= paired.high
    assert paired.high - paired.low < 2 * alone
    assert drawn[0].difference(drawn[1], "accuracy") is None
