"""Whether probabilities are true: temperature, reliability, prediction sets, and whole runs."""

import csv
import json
from ast import literal_eval
from pathlib import Path

import numpy as np
import pytest
import tiny
from closeness import close, tolerance
from datasets import Dataset
from example_run import LOGITS, TWO, evidence, finished
from grafting import graft, prepare, problem, write_recipe
from scipy.special import softmax

from pipelines import recipe as recipes
from pipelines.cli import main
from pipelines.core.errors import RecipeError
from pipelines.core.labels import MULTI, SINGLE
from pipelines.evaluation.calibration import Calibration, conformal, result, temperature
from pipelines.evaluation.calibration.decisions import Decisions
from pipelines.evaluation.calibration.reliability import Reliability
from pipelines.models.forward import sample_batch
from pipelines.report import calibration_text, summary
from pipelines.report.run_folder import RunFolder

PICTURES = True
SLOW = pytest.mark.slow
TRAINING = {"num_train_epochs": 2, "learning_rate": 1e-3, "warmup_steps": 0}


def drawn(num_rows: int, classes: int = 5, factor: float = 1.0, seed: int = 0) -> Decisions:
    """Logits whose softmax is true, times `factor`."""
    random = np.random.default_rng(seed)
    logits = random.normal(0, 2, (num_rows, classes))
    right = (logits + random.gumbel(size=logits.shape)).argmax(axis=1)  # drawn from the softmax
    return Decisions.of(factor * logits, right, SINGLE)


# Temperature


@pytest.mark.numerical
@pytest.mark.parametrize("factor", [0.25, 1.0, 4.0])
def test_the_temperature_is_what_true_logits_were_multiplied_by(factor: float) -> None:
    decisions = drawn(20_000, factor=factor)
    fitted = temperature.fit(decisions)
    assert fitted == pytest.approx(factor, rel=0.03)
    # and the likelihood has its top there: the prior does not count for 20,000 rows
    top = decisions.with_temperature(fitted).nll
    assert top < min(decisions.with_temperature(fitted * step).nll for step in (0.99, 1.01))


@pytest.mark.numerical
def test_several_labels_share_one_temperature() -> None:
    random = np.random.default_rng(0)
    true = random.normal(0, 2, (5_000, 4))
    right = random.random(true.shape) < 1 / (1 + np.exp(-true))
    decisions = Decisions.of(3 * true, right.astype(int), MULTI)
    assert decisions.logits.shape == (20_000, 2)
    assert temperature.fit(decisions) == pytest.approx(3, rel=0.05)


@pytest.mark.numerical
@pytest.mark.parametrize("apart", [0.01, 3.0, 30.0])
def test_without_a_mistake_the_temperature_stays_a_temperature(apart: float) -> None:
    """The likelihood alone has no optimum: it rises until T is 0."""
    logits = np.tile([apart, 0.0], (32, 1))
    fitted = temperature.fit(Decisions.of(logits, [0] * 32, SINGLE))
    assert 0.1 < fitted < 5
    confidence = 1 / (1 + np.exp(-apart / fitted))
    assert (confidence > 0.999) == (apart == 30.0)  # it was sure, and may stay sure


@pytest.mark.numerical
def test_doubt_about_the_temperature_makes_probabilities_of_few_rows_less_sure() -> None:
    """On new rows they are truer, on average over draws, than at the likeliest temperature."""
    steps = np.linspace(-4, 4, 161)
    gains = []
    for seed in range(30):
        few, new = drawn(8, seed=seed), drawn(300, seed=1_000 + seed)
        surprise = [8 * few.with_temperature(np.exp(step)).nll + step**2 / 2 for step in steps]
        likeliest = np.exp(steps[np.argmin(surprise)])
        gains.append(
            new.with_temperature(likeliest).nll - new.with_temperature(temperature.fit(few)).nll
        )
    assert np.mean(gains) > 0.01


def test_one_temperature_is_as_good_as_another_where_logits_are_equal() -> None:
    assert temperature.fit(Decisions.of(np.zeros((9, 3)), [0] * 9, SINGLE)) == pytest.approx(1)


def test_the_prior_gives_way_to_evidence() -> None:
    few = drawn(12, factor=10.0)
    many = few.take(np.tile(np.arange(12), 2_000))
    likeliest = temperature.fit(many)
    assert 1 < temperature.fit(few) < 0.99 * likeliest
    assert many.with_temperature(likeliest).nll < many.with_temperature(temperature.fit(few)).nll


# Reliability


@pytest.mark.numerical
def test_the_calibration_error_of_a_worked_example() -> None:
    """Two decisions in (0.6, 0.667], of which one is right; three in (0.867, 0.933], all right.

    Gaps: |1/2 - 0.64| and |1 - 0.9|; (2 x 0.14 + 3 x 0.1) / 5 = 0.116.
    """
    confidence = np.array([0.62, 0.66, 0.88, 0.90, 0.92])
    logits = np.log(np.stack([confidence, 1 - confidence], axis=1))
    reliability = Reliability.of(Decisions.of(logits, [0, 1, 0, 0, 0], SINGLE))
    assert reliability.ece == pytest.approx(0.116)
    assert reliability.counts.tolist() == [0] * 9 + [2, 0, 0, 0, 3, 0]
    assert reliability.accuracy[9] == 0.5
    assert reliability.nll == pytest.approx(-np.log([0.62, 0.34, 0.88, 0.90, 0.92]).mean())


def test_true_probabilities_have_next_to_no_error_and_inflated_ones_have() -> None:
    assert Reliability.of(drawn(20_000)).ece < 0.02
    assert Reliability.of(drawn(20_000, factor=4)).ece > 0.1


def test_a_certainty_of_one_belongs_to_the_last_bin() -> None:
    reliability = Reliability.of(Decisions.of([[1e4, -1e4]], [0], SINGLE))
    assert (reliability.counts[-1], reliability.ece, reliability.nll) == (1, 0, 0)


# Prediction sets


@pytest.mark.numerical
@pytest.mark.parametrize("alpha", [0.1, 0.3])
def test_sets_cover_what_was_promised_over_many_draws(alpha: float) -> None:
    """Of n = 99 rows the coverage is Beta(k, 100 - k) distributed (arXiv 2107.07511, 3.2)."""
    draws, num_rows = 300, 99
    everything = drawn(draws * 2 * num_rows)
    rows = np.arange(len(everything.targets)).reshape(draws, 2, num_rows)
    coverages = [
        conformal.measure(alpha, everything.take(one), everything.take(other), seed=0).coverage
        for one, other in rows
    ]
    # a mean of draws that vary by the threshold, and by the test rows
    spread = np.sqrt(alpha * (1 - alpha) * 2 / num_rows / draws)
    assert np.mean(coverages) == pytest.approx(1 - alpha, abs=4 * spread)


@pytest.mark.numerical
def test_the_threshold_is_the_finite_sample_quantile() -> None:
    """Of nine rows and alpha 0.2, the ceil(10 x 0.8) = 8th largest probability: one is below."""
    right = np.arange(1, 10) / 10
    decisions = Decisions.of(np.log(np.stack([right, 1 - right], axis=1)), [0] * 9, SINGLE)
    assert conformal.fit_threshold(decisions, 0.2) == pytest.approx(0.2, abs=2e-6)
    assert conformal.fit_threshold(decisions, 0.1) == pytest.approx(0.1, abs=2e-6)
    assert conformal.fit_threshold(decisions, 0.09) == 0  # the 10th of nine: all classes
    assert conformal.shortage(9, 0.1) is None
    assert "0.05 needs 19 rows of validation; there are 9" in str(conformal.shortage(9, 0.05))


@pytest.mark.numerical
def test_without_test_each_half_of_validation_is_judged_by_the_other() -> None:
    """Judged by itself, validation would never miss its promise."""
    trials = [conformal.measure(0.1, drawn(40, seed=i), None, seed=0) for i in range(100)]
    assert {sets.measured_on for sets in trials} == {conformal.HALVES}
    itself = [(d.right >= conformal.fit_threshold(d, 0.1)).mean() for d in map(drawn, [40] * 3)]
    assert min(itself) >= 0.9
    assert min(sets.coverage for sets in trials) < 0.9
    assert np.mean([sets.coverage for sets in trials]) == pytest.approx(0.9, abs=0.03)


def test_no_group_is_in_both_halves() -> None:
    """A hard group and an easy one: the easy one promises what the hard one does not keep."""
    right, groups = np.repeat([0.9, 0.2], 20), np.repeat([3, 7], 20)
    decisions = Decisions.of(np.log(np.stack([right, 1 - right], axis=1)), [0] * 40, SINGLE)
    assert conformal.measure(0.1, decisions, None, seed=0, groups=groups).coverage == 0.5
    assert conformal.measure(0.1, decisions, None, seed=0).coverage > 0.9
    # of a single group, its rows
    one = conformal.measure(0.1, decisions, None, seed=0, groups=np.zeros(40)).coverage
    assert one > 0.9


def test_an_unlikely_answer_has_an_empty_set() -> None:
    sure = Decisions.of(np.tile([9.0, 0.0, 0.0], (50, 1)), [0] * 50, SINGLE)
    unsure = Decisions.of(np.zeros((10, 3)), [0] * 10, SINGLE)
    sets = conformal.measure(0.1, sure, unsure, seed=0)
    assert (sets.coverage, sets.mean_size, sets.empty) == (0, 0, 1)


# What is written down


def result_of(**section):
    """What calibration came to, of LOGITS that were divided by 2."""
    outputs = {"validation": (np.tile(LOGITS, (9, 1)), [0, 1, 1] * 9)}
    return result.measure(Calibration(**section), 2.0, outputs, SINGLE, seed=0)


@pytest.mark.slow
def test_the_run_folder_tells_before_and_after(tmp_path: Path) -> None:
    run = finished(tmp_path, calibration=result_of(conformal=0.2), test=None)
    calibration = json.loads(run.metrics.read_text(), parse_constant=pytest.fail)["calibration"]
    assert calibration["temperature"] == 2.0
    assert calibration["validation"]["before"] != calibration["validation"]["after"]
    assert calibration["conformal"]["measured_on"] == "validation, in halves"
    assert run.reliability.read_bytes().startswith(b"\x89PNG")
    with (run.predictions / "validation.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    least = calibration["conformal"]["threshold"]
    assert [row["set"] for row in rows] == [
        "|".join(name for name, p in zip(TWO.names, odds, strict=True) if p >= least)
        for odds in softmax(LOGITS.astype(float), axis=1)
    ]


@pytest.mark.slow
def test_a_temperature_that_makes_test_worse_is_warned_of(tmp_path: Path) -> None:
    logits = drawn(500).logits
    right, wrong = logits.argmax(axis=1), logits.argmin(axis=1)
    # validation is all right, and of test a third is wrong
    test = np.where(np.arange(500) % 3, right, wrong)
    outputs = {"validation": (logits / 0.2, right), "test": (logits / 0.2, test)}
    sharper = result.measure(Calibration(), 0.2, outputs, SINGLE, seed=0)
    run = finished(tmp_path, calibration=sharper)
    warning = "WARNING: the temperature makes the probabilities of test worse (NLL "
    assert warning in summary.summarize(run, evidence(calibration=sharper))
    assert f"**{warning}" in run.card.read_text(encoding="utf-8")
    better = result.measure(Calibration(), 5.0, outputs, SINGLE, seed=0)
    assert warning not in summary.summarize(run, evidence(calibration=better))


@pytest.mark.parametrize("num_rows", [40, 400])
@pytest.mark.parametrize("factor", [1.0, 4.0])
def test_the_text_is_true_of_a_temperature_of_few_rows(num_rows: int, factor: float) -> None:
    """Up to 300 decisions it is not the one that fits validation best, and may fit it worse."""
    split = drawn(num_rows, factor=factor)
    outputs = {"validation": (split.logits / 4, split.targets)}
    measured = result.measure(Calibration(), 4.0, outputs, SINGLE, seed=0)
    lines = "\n".join(calibration_text.lines(measured))
    card = " ".join(calibration_text.card_section(evidence(calibration=measured), "x").split())
    assert "minimizes" not in card
    assert ("Of 40 decisions there, many temperatures fit" in card) == (num_rows == 40)
    assert ("at which the labels of validation are likeliest" in card) == (num_rows == 400)
    is_worse = num_rows == 40 and factor == 1
    before, after = (each["validation"] for each in (measured.before, measured.after))
    nll = f"NLL {before.nll:.4f} -> {after.nll:.4f}, which may be right: few rows leave doubt"
    assert (nll in lines, nll in card) == (is_worse, is_worse)
    assert ("on validation itself" in lines) == is_worse


@pytest.mark.slow
def test_card_and_summary_say_on_what_it_was_measured(tmp_path: Path) -> None:
    run = finished(tmp_path, calibration=result_of(conformal=0.2), test=None)
    card = run.card.read_text()
    for words in (
        "divided by a temperature of 2,",
        "There is no test split: the numbers are those of the split that fitted it",
        "of validation, in halves covered (0.8 requested)",
        "top_k=2, truncation=True)",
        "classify([",
    ):
        assert words in card
    text = summary.summarize(run, evidence(calibration=result_of()))
    assert "calibration: temperature 2; on validation, where it was fitted: ECE " in text
    assert "calibration" not in summary.summarize(run, evidence())


# The weights

FAMILIES = [
    "bert",
    "distilbert",
    "gpt2",
    "roberta",
    "modernbert",
    "vit",
    "resnet",
    "swin",
    "wav2vec2",
]
FAMILIES += ["timm-vgg", "timm-mobilenetv2", "whisper"]


@pytest.mark.numerical
@pytest.mark.parametrize(
    "family", [pytest.param(f, marks=() if f in ("gpt2", "vit") else SLOW) for f in FAMILIES]
)
@pytest.mark.slow
def test_the_temperature_is_in_the_weights_and_changes_no_prediction(
    family, checkpoint, text_data, image_data, audio_data, tmp_path
) -> None:
    kinds = {"wav2vec2": "audio", "whisper": "audio"}
    task = kinds.get(family, "text" if family in tiny.TEXT_FAMILIES else "image")
    data = {"text": text_data, "image": image_data, "audio": audio_data}[task]
    made = graft(tmp_path, checkpoint(family), data, task=task, training={"max_steps": 1})
    before, rows = made.logits(), made.prepared.encoded["validation"]

    output = made.fitted.output.with_temperature(3.0, sample_batch(rows, made.prepared.collate))

    assert output is not None
    after = output.run(rows, made.prepared.collate, made.prepared.recipe.task.collect)["logits"]
    close(after, before / 3)
    assert (after.argmax(axis=1) == before.argmax(axis=1)).all()


def one_more(_, __, outputs):
    outputs.logits = outputs.logits + 1
    return outputs


@pytest.mark.parametrize("why", ["another classifier", "shared weights"])
@pytest.mark.slow
def test_a_layer_without_the_last_word_is_left_alone(why, checkpoint, image_data, tmp_path) -> None:
    import torch

    made = graft(tmp_path, checkpoint("vit"), image_data, task="image", training={"max_steps": 1})
    model, before = made.model, made.logits()
    if why == "shared weights":
        model.again = torch.nn.Linear(1, 1)
        model.again.weight = model.classifier.weight
    else:  # as in DeiT, where two of them are averaged
        model.register_forward_hook(one_more)
        before = before + 1
    batch = sample_batch(made.prepared.encoded["validation"], made.prepared.collate)
    assert made.fitted.output.with_temperature(3.0, batch) is None
    np.testing.assert_array_equal(made.logits(), before)


# Whole runs


def ran(folder: Path, checkpoint: Path, data: Path, **sections) -> RunFolder:
    training = {**TRAINING, **sections.pop("training", {})}
    recipe = write_recipe(folder, checkpoint, data, training=training, **sections)
    assert main(["run", str(recipe)]) == 0
    return sorted((RunFolder(p) for p in (folder / "runs" / "recipe").iterdir()), key=str)[-1]


def metrics(run: RunFolder) -> dict:
    return json.loads(run.metrics.read_text(encoding="utf-8"))


def rows(run: RunFolder, split: str = "test") -> list[dict]:
    with (run.predictions / f"{split}.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


RUNS = {  # (task, family, strategy) -> the library that loads what comes out
    ("text", "bert", "full"): "transformers",
    ("image", "resnet", "linear_probe"): "transformers",
    ("text", "bert", "mean"): "sentence-transformers",
    ("text", "gpt2", "lora"): "transformers",
    ("audio", "wav2vec2", "linear_probe"): "transformers",
}


@pytest.mark.numerical
@pytest.mark.parametrize(
    ("task", "family", "strategy"),
    [pytest.param(*kind, marks=() if kind == ("text", "bert", "mean") else SLOW) for kind in RUNS],
)
@pytest.mark.slow
def test_a_run_is_calibrated_and_reloads(
    task, family, strategy, checkpoint, text_data, image_data, audio_data, tmp_path
) -> None:
    data = {"text": text_data, "image": image_data, "audio": audio_data}[task]
    solved = {"name": "linear_probe", "pooling": "mean"} if strategy == "mean" else strategy
    sections = {"task": task, "strategy": solved, "calibration": {"conformal": 0.2}}
    run = ran(tmp_path, checkpoint(family), data, **sections)
    written = metrics(run)
    calibration = written["calibration"]
    assert written["parity"]["ok"]
    assert written["parity"]["max_difference"] < tolerance(scale=10)  # solved heads are steep
    assert calibration["temperature"] != 1
    after, before = calibration["validation"]["after"], calibration["validation"]["before"]
    assert after["nll"] <= before["nll"] + 1e-3  # the prior may cost a little
    assert calibration["conformal"]["measured_on"] == "test"
    held = [row["label"] in row["set"].split("|") for row in rows(run)]
    assert np.mean(held) == pytest.approx(calibration["conformal"]["coverage"])
    is_sentences = (run.model / "modules.json").is_file()
    assert is_sentences == (RUNS[task, family, strategy] == "sentence-transformers")


@pytest.mark.numerical
@SLOW
@pytest.mark.parametrize("strategy", ["full", "linear_probe"])
def test_a_calibrated_model_is_the_trained_one_with_softer_logits(
    strategy, checkpoint, image_data, tmp_path
) -> None:
    """`calibration: null` leaves everything as training did; argmax is the same."""
    import torch
    from transformers import AutoModelForImageClassification

    sections = {"task": "image", "strategy": strategy}
    plain = ran(tmp_path, checkpoint("vit"), image_data, calibration=None, **sections)
    soft = ran(tmp_path, checkpoint("vit"), image_data, **sections)
    assert metrics(plain)["calibration"] is None
    assert not plain.reliability.exists()
    load = AutoModelForImageClassification.from_pretrained
    pixels = torch.randn(4, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        before, after = (load(run.model)(pixels).logits for run in (plain, soft))
    factor = metrics(soft)["calibration"]["temperature"]
    close(after, before / factor)
    assert [row["prediction"] for row in rows(soft)] == [row["prediction"] for row in rows(plain)]
    assert metrics(soft)["test"] == metrics(plain)["test"]


@SLOW
def test_measured_and_not_mended(checkpoint, tmp_path, capsys) -> None:
    data = problem(tmp_path / "data", "several")
    run = ran(tmp_path, checkpoint("bert"), data, calibration={"temperature": False})
    calibration = metrics(run)["calibration"]
    assert calibration["temperature"] is None
    assert calibration["test"]["after"] is None
    assert f"ECE {calibration['test']['before']['ece']:.4f}" in capsys.readouterr().out


@SLOW
@pytest.mark.parametrize("strategy", ["full", "linear_probe"])
def test_the_lines_of_the_card_give_the_sets(strategy, checkpoint, bare_python, tmp_path) -> None:
    data = problem(tmp_path / "data", "pairs")
    solved = "full" if strategy == "full" else {"name": "linear_probe", "pooling": "mean"}
    sections = {"strategy": solved, "calibration": {"conformal": 0.3}}
    run = ran(tmp_path, checkpoint("bert"), data, **sections)
    from datasets import Dataset

    row = next(i for i, row in enumerate(rows(run)) if row["set"])
    first = Dataset.from_parquet(str(data / "test.parquet"))[row]
    program = run.card.read_text(encoding="utf-8").split("```python\n")[1].split("```")[0]
    for text in (first["sentence1"], first["sentence2"]):
        program = program.replace('…"', f'{text}"', 1)
    done = bare_python(program.replace('"model"', json.dumps(str(run.model))))
    assert done.returncode == 0, done.stderr
    names = sorted(literal_eval(done.stdout))
    assert names == sorted(rows(run)[row]["set"].split("|"))


# Where there is nothing to calibrate


@pytest.mark.parametrize("task", ["token_classification", "multiple_choice", "causal_lm"])
def test_elsewhere_it_is_off_and_refused_by_name(task, tmp_path) -> None:
    place = tmp_path, Path("gpt2"), Path("data")
    assert recipes.load(write_recipe(*place, task=task)).calibration is None
    with pytest.raises(RecipeError, match=f"calibration: {task} does not choose one of several"):
        recipes.load(write_recipe(*place, task=task, calibration={"temperature": True}))


@pytest.mark.parametrize(
    ("kind", "section", "reason"),
    [
        ("number", {"temperature": True}, "calibration: a regression has no probabilities"),
        ("several", {"conformal": 0.1}, "calibration.conformal: 0.1: prediction sets need one"),
    ],
)
def test_labels_without_it_are_refused_before_training(
    kind, section, reason, text_checkpoint, tmp_path, capsys
) -> None:
    data = problem(tmp_path / "data", kind)
    recipe = write_recipe(tmp_path, text_checkpoint, data, calibration=section)
    assert main(["run", str(recipe)]) == 2
    assert reason in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("alpha", [0, 1, 90])
def test_alpha_is_a_share(alpha, tmp_path) -> None:
    section = {"conformal": alpha}
    with pytest.raises(RecipeError, match=f"calibration.conformal: {alpha}: should be"):
        recipes.load(write_recipe(tmp_path, Path("x"), Path("y"), calibration=section))


@SLOW
def test_a_number_is_not_calibrated_and_its_recipe_can_be_run_again(checkpoint, tmp_path) -> None:
    """What a run writes down as its recipe does not ask for what there was not."""
    data = problem(tmp_path / "data", "number")
    run = ran(tmp_path, checkpoint("bert"), data)
    assert metrics(run)["calibration"] is None
    assert "calibration: null" in run.recipe.read_text()
    assert main(["run", str(run.recipe)]) == 0


def test_too_few_rows_for_alpha_are_a_warning_before_training(
    text_checkpoint, text_data, tmp_path, capsys
) -> None:
    section = {"conformal": 0.01}
    recipe = write_recipe(tmp_path, text_checkpoint, text_data, calibration=section)
    assert main(["check", str(recipe)]) == 0
    warning = "0.01 needs 99 rows of validation; there are 32: every set will hold all classes"
    assert warning in capsys.readouterr().out
    text = summary.summarize(RunFolder(tmp_path), evidence(calibration=result_of(**section)))
    assert (
        "2.00 classes per set, 0.0% empty; too few rows of validation: every set holds all" in text
    )


@pytest.mark.parametrize(
    ("rows", "classes", "validation", "needed"),
    [(8, 2, 0, 0), (7, 2, 0, 8), (12, 6, 0, 0), (11, 6, 0, 12), (40, 2, 19, 20), (40, 2, 20, 0)],
)
def test_a_temperature_needs_more_rows_of_a_split_than_out_of_fold(
    text_checkpoint, tmp_path, capsys, rows, classes, validation, needed
) -> None:
    folder = tmp_path / "few"
    folder.mkdir()
    for split, number in (("train", rows), ("validation", validation)):
        texts = [f"film {row}" for row in range(number)]
        labels = [f"class {row % classes}" for row in range(number)]
        if number:
            Dataset.from_dict({"text": texts, "label": labels}).to_csv(folder / f"{split}.csv")
    prepared = prepare(tmp_path, text_checkpoint, folder, strategy="linear_probe")
    assert (prepared.recipe.calibration is None) == bool(needed)
    assert (f"a temperature needs {needed}: " in capsys.readouterr().out) == bool(needed)
