"""Arms over seeds: means, differences paired by seed, and when there is a verdict."""

import numpy as np
import pytest
from scipy.stats import ttest_rel

from pipelines.evaluation.compared import ComparedArm, ComparedRun
from pipelines.evaluation.comparison import Comparison
from pipelines.report import comparison_text

SCRATCH = [0.50, 0.56, 0.52]
LORA = [0.70, 0.74, 0.75]


def run(arm: str, seed: int, score: float | None, **fields) -> ComparedRun:
    facts = {"floors": {"baseline": 0.5}, "examples": {"train": 100, "validation": 40}}
    return ComparedRun(arm=arm, seed=seed, validation=score, **{**facts, **fields})


def compared(scores: dict[str, list[float]], *more: ComparedRun, greater=True) -> Comparison:
    """Arms with a score for each of the seeds 1, 2…; the first is the reference."""
    first, *others = scores
    arms = [ComparedArm(first, first, "owner/name")]
    is_scratch = first == "scratch"
    arms += [ComparedArm(name, name, "owner/name", first, is_scratch) for name in others]
    runs = [run(a, seed, s) for a, of_arm in scores.items() for seed, s in enumerate(of_arm, 1)]
    return Comparison("accuracy", greater, tuple(arms), (*runs, *more), "3 epochs")


def lines(comparison: Comparison) -> list[str]:
    return [*comparison_text.lines(comparison)]


def test_differences_are_paired_by_seed_with_the_interval_of_a_paired_t_test():
    shown = compared({"scratch": SCRATCH, "lora": LORA})
    difference = shown.difference("lora", "scratch", 1.0)
    expected = ttest_rel(LORA, SCRATCH).confidence_interval(0.95)
    assert difference.paired.mean == pytest.approx(np.mean(LORA) - np.mean(SCRATCH))
    assert difference.interval == pytest.approx((expected.low, expected.high))
    assert difference.verdict == "positive"
    assert shown.deviation("lora", 1.0) == pytest.approx(np.std(LORA, ddof=1))
    row = next(row for row in shown.json()["rows"] if row["arm"] == "lora")
    assert row["difference"]["method"] == "Student's t over differences paired by seed"
    assert (row["seeds"], row["difference"]["pairs"]) == (3, 3)


def test_a_seed_that_one_of_both_lacks_makes_no_pair():
    failed = run("lora", 4, None, problem="out of memory")
    shown = compared({"scratch": [*SCRATCH, 0.9], "lora": LORA}, failed)
    assert len(shown.difference("lora", "scratch", 1.0).paired.differences) == 3
    assert "lora, seed 4: out of memory" in lines(shown)
    assert shown.difference("lora", "nothing", 1.0) is None


def test_of_errors_less_is_better():
    shown = compared({"full": [2.0, 2.1, 2.3], "lora": [1.0, 1.2, 1.2]}, greater=False)
    assert shown.difference("lora", "full", 1.0).paired.mean == pytest.approx(1.0)
    assert shown.best(1.0) == "lora"


def test_two_seeds_give_no_verdict_and_say_so():
    shown = compared({"scratch": SCRATCH[:2], "lora": LORA[:2]})
    difference = shown.difference("lora", "scratch", 1.0)
    assert (difference.interval, difference.verdict) == (None, None)
    assert shown.transfer(shown.arms[1], 1.0) is None
    text = lines(shown)
    assert any(line.startswith("no verdict: it takes 3 seeds or more") for line in text)
    assert not any("transfer" in line for line in text)


def test_seeds_that_change_nothing_give_no_interval():
    shown = compared({"mean": [0.5] * 3, "head": [0.75] * 3})
    assert shown.difference("head", "mean", 1.0).interval is None
    assert any("seeds changed nothing there" in line for line in lines(shown))


def test_rows_stand_in_for_seeds_where_there_are_too_few():
    right, wrong = (True,) * 30 + (False,) * 10, (True,) * 20 + (False,) * 20
    runs = (run("a", 1, 0.5, correct=wrong), run("b", 1, 0.75, correct=right))
    arms = (ComparedArm("a", "full", "x"), ComparedArm("b", "lora", "x", "a"))
    shown = Comparison("accuracy", True, arms, runs)
    difference = shown.difference("b", "a", 1.0)
    expected = ttest_rel(np.array(right, float), np.array(wrong, float)).confidence_interval()
    assert difference.interval == pytest.approx((expected.low, expected.high))
    assert difference.verdict is None
    text = lines(shown)
    assert any("paired by row of one seed" in line for line in text)
    assert any(line.startswith("no verdict") and line.endswith("there is 1") for line in text)


def test_pretrained_weights_get_a_verdict_and_what_to_do_next():
    text = lines(compared({"scratch": SCRATCH, "lora": LORA, "full": [0.4, 0.7, 0.5]}))
    assert any(line.startswith("transfer, lora: positive: better by +0.2033") for line in text)
    assert any(line.startswith("transfer, full: ambiguous: better by +0.0067") for line in text)
    assert text.count("next: keep owner/name") == 1
    negative = lines(compared({"scratch": LORA, "full": SCRATCH}))
    assert any(line.startswith("transfer, full: negative: better by -0.2033") for line in negative)


def test_the_table_has_arms_and_floors_and_what_is_not_shown_to_be_worse():
    text = lines(compared({"full": [0.70, 0.75, 0.74], "lora": LORA, "scratch": [0.1, 0.1, 0.1]}))
    table = {line.split()[0]: line.split() for line in text if line[:1].isalpha()}
    assert table["full"][1:4] == ["0.7300", "0.0265", "reference"]
    assert table["lora"][1:3] == ["0.7300", "0.0265"]
    assert table["baseline"] == ["baseline", "0.5000"]
    best = next(line for line in text if line.startswith("best on validation: full"))
    assert best.endswith("; not shown to be better than lora")


def test_a_best_that_is_no_better_than_a_floor_is_a_warning():
    text = lines(compared({"full": [0.5, 0.5, 0.5], "lora": [0.4, 0.5, 0.4]}))
    assert "WARNING: it is no better than baseline (0.5000)" in text


def test_each_share_of_train_has_a_table():
    few = [
        run(arm, seed, 0.4 + seed / 100, fraction=0.1, examples={"train": 10})
        for arm in ("scratch", "lora")
        for seed in (1, 2, 3)
    ]
    text = lines(compared({"scratch": SCRATCH, "lora": LORA}, *few))
    assert text.index("10 % of train, 10 examples") < text.index("100 % of train, 100 examples")
