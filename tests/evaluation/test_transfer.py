"""What a checkpoint is worth: paired differences, their verdict, and what is advised."""

import json

import pytest

from pipelines.evaluation.paired import PairedDifference
from pipelines.evaluation.transfer import ScorePair, Transfer
from pipelines.report import transfer_text


def transfer(pretrained, scratch, *, greater=True, baseline=0.5, strategy="full"):
    scores = enumerate(zip(pretrained, scratch, strict=True), 1)
    pairs = tuple(ScorePair(seed, ours, theirs, baseline) for seed, (ours, theirs) in scores)
    return Transfer("bert", strategy, "accuracy", greater, 200, "90 steps of 32 each", pairs)


def text_of(measured):
    return "\n".join(transfer_text.lines(measured))


def test_the_interval_is_that_of_a_paired_t_test():
    from scipy.stats import ttest_1samp

    difference = PairedDifference((0.02, 0.05, -0.01, 0.04))
    expected = ttest_1samp(difference.differences, 0).confidence_interval(0.95)
    assert difference.interval == pytest.approx(tuple(expected))
    assert difference.verdict == "ambiguous"


def test_as_many_seeds_as_are_needed_would_leave_0_out_of_the_interval():
    difference = PairedDifference((0.02, 0.05, -0.01, 0.04))
    assert difference.seeds_needed == 7
    assert PairedDifference((0.02, -0.02)).seeds_needed is None
    more = (*difference.differences, *difference.differences)
    assert PairedDifference(more).verdict == "positive"


def test_a_checkpoint_that_is_always_better_is_worth_keeping():
    measured = transfer((0.9, 0.88, 0.91), (0.7, 0.71, 0.69))
    text = text_of(measured)
    assert measured.verdict == "positive"
    assert "positive: better by +0.1967 (+0.1342 to +0.2592, 95% over 3 seeds)" in text
    assert "next: keep bert" in text
    rows = [line.split() for line in text.splitlines()]
    assert ["2", "0.8800", "0.7100", "+0.1700"] in rows
    json.dumps(measured.json())


@pytest.mark.parametrize(
    ("strategy", "advised"), [("full", "reinit_top"), ("linear_probe", "let the weights train")]
)
def test_negative_transfer_is_named_with_what_to_do(strategy, advised):
    measured = transfer((0.6, 0.62, 0.61), (0.7, 0.71, 0.7), strategy=strategy)
    text = text_of(measured)
    assert measured.json()["verdict"] == "negative"
    assert "negative transfer" in text
    assert advised in text
    assert "strategy=scratch" in text


def test_of_errors_the_smaller_is_better():
    errors = transfer((1.0, 1.1, 0.9), (2.0, 2.1, 2.0), greater=False, baseline=3.0)
    assert errors.verdict == "positive"
    assert errors.has_learned


def test_what_seeds_do_not_tell_apart_is_ambiguous_and_says_how_many_would():
    assert "about 7 seeds would tell" in text_of(
        transfer((0.72, 0.75, 0.69, 0.74), (0.70, 0.70, 0.70, 0.70))
    )
    assert "too small" in text_of(transfer((0.7, 0.72), (0.72, 0.7)))


def test_two_that_have_learned_nothing_are_no_comparison():
    text = text_of(transfer((0.5, 0.49), (0.48, 0.5)))
    assert "neither is above the baseline (0.5000)" in text
