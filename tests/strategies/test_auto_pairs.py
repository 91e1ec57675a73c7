"""Of pairs `auto` looks at both texts apart, too; and no training is worse than a probe."""

import json
import re
from random import Random

import pytest
import tiny
import yaml
from datasets import Dataset, concatenate_datasets
from grafting import fit, logits, prepare, problem, write_recipe

from pipelines import recipe
from pipelines.cli import main
from pipelines.report.evidence import SplitPredictions
from pipelines.report.run_folder import RunFolder
from pipelines.strategies.linear_probe import LinearProbe
from pipelines.workflow.prepare import prepare as prepare_recipe
from pipelines.workflow.probe_instead import ProbeInstead
from pipelines.workflow.train import job_of

LONG = {"per_device_train_batch_size": 8, "max_steps": 60}


def texts(random):
    return (" ".join(random.choices(tiny.WORDS, k=5)) for _ in range(2))


def write(folder, share_right, validation=16):
    """Write pairs of equal and of other texts, whose labels are right in so many."""
    folder.mkdir(parents=True)
    for split, num_rows in {"train": 64, "validation": validation, "test": 16}.items():
        random, rows = Random(split), []
        for number in range(num_rows):
            one, two = texts(random)
            is_right = number % 16 < 16 * share_right
            label = "same" if (number % 2 == 0) == is_right else "other"
            rows.append({"sentence1": one, "sentence2": two if number % 2 else one, "label": label})
        Dataset.from_list(rows).to_parquet(folder / f"{split}.parquet")
    return folder


@pytest.fixture(scope="module")
def near(tmp_path_factory):
    return write(tmp_path_factory.mktemp("near") / "data", 1.0)


@pytest.fixture(scope="module")
def far(tmp_path_factory):
    return write(tmp_path_factory.mktemp("far") / "data", 0.75, validation=112)


def shares(reason):
    """The shares of mistakes that are avoided in one sequence, and apart."""
    return [int(share) for share in re.findall(r"(\d+)%", reason)]


def test_pairs_whose_texts_apart_tell_the_class_are_probed(checkpoint, near, tmp_path):
    # however often training would see each class
    often = {"training": {**LONG, "max_steps": 500}}
    prepared = prepare(tmp_path, checkpoint("bert"), near, strategy="auto", **often)
    together, apart = shares(prepared.reason)
    assert prepared.recipe.strategy.name == "linear_probe"
    assert apart > max(together, 90)
    assert "of a pair in one sequence" in prepared.reason


def test_the_probe_finds_the_passes_over_texts_apart(checkpoint, near, tmp_path, monkeypatch):
    monkeypatch.setenv("GRAFT_CACHE", str(tmp_path / "cache"))
    prepared = prepare(tmp_path, checkpoint("bert"), near, strategy="auto", training=LONG)

    def stored():
        return sorted(tmp_path.glob("cache/features/*/*"))

    before = stored()
    assert len(before) == 3  # one sequence, and each text; few rows of validation choose nothing
    LinearProbe().validation_score(job_of(prepared, tmp_path))
    assert stored() == before


@pytest.mark.parametrize("tokens", [None, 8])
def test_other_pairs_train_everything(checkpoint, far, tmp_path, tokens):
    task = {"name": "text_classification", "max_length": tokens}
    prepared = prepare(tmp_path, checkpoint("bert"), far, task=task, strategy="auto", training=LONG)
    assert prepared.recipe.strategy.name == "full"
    # what is cut off cannot be read apart
    assert len(shares(prepared.reason)) == (1 if tokens else 2)


def test_a_training_that_is_worse_than_a_probe_gives_way_to_it(checkpoint, far, tmp_path, capsys):
    # at such a rate a model stays what it was
    training = {**LONG, "learning_rate": 1e-9}
    path = write_recipe(
        tmp_path, checkpoint("bert"), far, strategy="auto", training=training, calibration=None
    )
    assert main(["run", str(path)]) == 0
    printed = capsys.readouterr().out
    run = RunFolder(tmp_path / "runs" / "recipe" / "1")
    metrics, lock = json.loads(run.metrics.read_text()), json.loads(run.lock.read_text())
    assert metrics["strategy"] == lock["auto"]["strategy"] == "linear_probe"
    assert yaml.safe_load(run.recipe.read_text())["strategy"]["name"] == "linear_probe"
    first = re.search(r"auto: full; reason: .*", printed)
    then = re.search(
        r"auto: linear_probe; reason: (accuracy ([\d.]+) on validation, where full, which was "
        r"trained first, has ([\d.]+))",
        printed,
    )
    assert first
    assert first.start() < then.start()
    assert metrics["reason"] == lock["auto"]["reason"] == then[1]
    assert lock["auto"]["compared"] == ["linear_probe", "full"]
    assert "strategy=full" not in printed  # which was worse
    assert float(then[2]) == pytest.approx(metrics["validation"]["accuracy"], abs=1e-4)
    assert float(then[2]) > float(then[3])
    assert f"auto: linear_probe has accuracy {then[2]} on validation, and takes" in printed
    assert not run.checkpoints.exists()


@pytest.mark.parametrize(("lead", "line"), [(0.03, "full 0.5000: chance may make"), (-0.1, "")])
def test_a_training_stays_where_it_leads_or_is_behind_by_chance(
    checkpoint, far, tmp_path, capsys, lead, line
):
    path = write_recipe(
        tmp_path, checkpoint("bert"), far, strategy="auto", training=LONG, calibration=None
    )
    prepared = prepare_recipe(plan := recipe.load(path), test=False)
    targets = prepared.targets["validation"]
    half = [target if row % 2 else 1 - target for row, target in enumerate(targets)]
    capsys.readouterr()
    probe = ProbeInstead(plan.replace(strategy=LinearProbe()), score=0.5 + lead)
    assert probe.after(prepared, SplitPredictions({}, half, targets)) is None
    printed = capsys.readouterr().out
    assert line in printed if line else not printed


@pytest.mark.slow
def test_a_resumed_training_gives_way_to_a_probe(checkpoint, far, tmp_path):
    steps = {**LONG, "learning_rate": 1e-9, "eval_strategy": "steps", "eval_steps": 20}
    more = {"training": {**steps, "save_steps": 20}, "calibration": None}
    ready = prepare(tmp_path, checkpoint("bert"), far, strategy="full", **more)
    run = RunFolder.create(tmp_path / "runs", "recipe")
    fit(ready, run.checkpoints)
    run.lock.write_text(json.dumps({"auto": {"strategy": "full", "reason": "of pairs"}}))
    run.recipe.write_text(yaml.safe_dump(ready.recipe.model_dump(mode="json")))
    path = write_recipe(tmp_path, checkpoint("bert"), far, strategy="auto", **more)
    assert main(["run", str(path), "training.resume_from_checkpoint=true"]) == 0
    assert json.loads(run.metrics.read_text())["strategy"] == "linear_probe"
    assert "full, which was trained first" in json.loads(run.lock.read_text())["auto"]["reason"]


@pytest.mark.parametrize(
    ("values", "overrides"),
    [
        ({"strategy": "full"}, []),  # the user's choice
        ({"strategy": "auto", "regularization": {"l2_sp": 0.1}}, []),  # of steps only
        ({"strategy": "auto"}, ["data.limit.validation=60"]),  # too few to choose by
    ],
)
def test_what_is_not_compared_with_a_probe(checkpoint, far, tmp_path, values, overrides):
    path = write_recipe(tmp_path, checkpoint("bert"), far, training=LONG, **values)
    plan = recipe.load(path, overrides)
    assert ProbeInstead.of(plan, prepare_recipe(plan, test=False)) is None


def test_a_probe_leaves_the_model_as_it_is(checkpoint, far, tmp_path):
    plan = recipe.load(
        write_recipe(tmp_path, checkpoint("bert"), far, strategy="auto", training=LONG)
    )
    prepared = prepare_recipe(plan, test=False)
    model = prepared.checkpoint.model
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    probe = ProbeInstead.of(plan, prepared)
    assert 0.5 < probe.score < 1
    assert all(tensor.equal(before[name]) for name, tensor in model.state_dict().items())


@pytest.mark.parametrize("kind", ["several", "number"])
def test_the_score_of_a_probe_is_that_of_its_run(checkpoint, tmp_path, kind):
    data = problem(tmp_path / "data", kind)
    rows = Dataset.from_parquet(str(data / "validation.parquet"))
    concatenate_datasets([rows] * 4).to_parquet(data / "validation.parquet")
    options = {"training": {**LONG, "learning_rate": 1e-9}, "calibration": None}
    path = write_recipe(tmp_path, checkpoint("bert"), data, strategy="auto", **options)
    plan = recipe.load(path)
    prepared = prepare_recipe(plan)
    assert prepared.recipe.strategy.name == "lp_ft"
    probe = ProbeInstead.of(plan, prepared)
    alone = prepare_recipe(recipe.load(path, ["strategy=linear_probe"]))
    fitted = fit(alone, tmp_path / "alone")
    score = job_of(alone, tmp_path).main_score({"logits": logits(alone, fitted)})
    assert probe.score == pytest.approx(score, abs=1e-4)
