"""graft search: what it tries, what it refuses, what it never looks at, and how it goes on."""

import io
import json
import os
import re
import signal
import subprocess
from contextlib import redirect_stdout
from pathlib import Path

import pytest
import tiny
import yaml
from grafting import write_recipe

from pipelines import recipe
from pipelines.cli import main
from pipelines.tuning.search import space_reader
from pipelines.workflow import run as pipeline

ROOT = Path(__file__).parents[2]
SLOW = pytest.mark.slow
QUICK = {"num_train_epochs": 1, "warmup_steps": 0}
CALM = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
LIMIT = 20  # of test, so that it has another number of rows than validation
# a metric that records the number of rows that it scores
COUNTING = """
import os
import datasets
import evaluate


class Counting(evaluate.Metric):
    def _info(self):
        kind = datasets.Value("int64")
        features = datasets.Features({"predictions": kind, "references": kind})
        return evaluate.MetricInfo(description="", citation="", features=features)

    def _compute(self, predictions, references):
        with open(os.environ["COUNTED"], "a") as file:
            print(len(references), file=file)
        right = [p == r for p, r in zip(predictions, references)]
        return {"counting": sum(right) / len(right)}
"""


@pytest.fixture
def config(text_checkpoint, text_data, tmp_path):
    """A recipe that trains for a moment."""
    path = write_recipe(tmp_path, text_checkpoint, text_data, training=QUICK)
    return _changed(path, data={"limit": {"test": LIMIT}})


def _changed(path, **sections):
    values = yaml.safe_load(path.read_text())
    for key, section in sections.items():
        values[key] = {**values.get(key, {}), **section} if isinstance(section, dict) else section
    path.write_text(yaml.safe_dump(values))
    return path


def search(config, *arguments):
    """The lines that `graft search` prints."""
    with redirect_stdout(io.StringIO()) as out:
        assert main(["search", str(config), *arguments]) == 0
    return out.getvalue().splitlines()


def trials(lines):
    """The values of each trial, in their order."""
    return [line.partition("  ")[2] for line in lines if re.match(r"trial \d+ of \d+ ", line)]


def items(*spaces):
    return [word for item in spaces for word in ("--space", item)]


@pytest.mark.filterwarnings("ignore:.*is ill-defined")
@pytest.mark.slow
def test_all_points_of_a_small_space_are_tried_on_validation_alone(config, tmp_path, monkeypatch):
    counted, metric = tmp_path / "counted", tmp_path / "counting.py"
    metric.write_text(COUNTING)
    monkeypatch.setenv("COUNTED", str(counted))
    _changed(config, metrics=["accuracy", str(metric)])
    rates = "training.learning_rate=1e-3,1e38"  # the second one leaves nothing finite
    lines = search(config, *items("strategy=full,linear_probe", rates))

    point = "strategy=full  training.learning_rate="
    assert trials(lines) == [f"{point}0.001", f"{point}1e+38", "strategy=linear_probe"]
    assert any("all 3 trials" in line for line in lines)
    assert "training.learning_rate: only for full" in lines
    (failed,) = [line for line in lines if "diverged" in line and line.startswith("2 ")]
    assert lines.index(failed) == lines.index("") + 4  # below the trials that have a score
    counts = {int(number) for number in counted.read_text().split()}
    assert tiny.NUM_ROWS["validation"] in counts
    assert LIMIT not in counts

    folder = tmp_path / "runs" / "recipe_search"
    assert {path.name for path in folder.iterdir()} == {"study.log", "best.yaml"}  # no model
    best = recipe.load(folder / "best.yaml")
    assert best.data == recipe.load(config).data
    assert best.name == "recipe"
    header = (folder / "best.yaml").read_text()
    assert re.match(
        r"# The best of 3 trials .*: accuracy \d\.\d+ on validation \(baseline 0.5", header
    )
    assert "this score is too optimistic" in header
    assert lines[-1] == f"graft run {folder / 'best.yaml'}"


@pytest.mark.slow
def test_the_best_recipe_runs_and_scores_what_it_scored(config, tmp_path):
    search(
        config,
        *items("training.learning_rate=1e-4..1e-1", "strategy=full,lora"),
        "--trials",
        "3",
    )
    folder = tmp_path / "runs" / "recipe_search"
    assert main(["run", str(folder / "best.yaml")]) == 0
    metrics = json.loads((tmp_path / "runs" / "recipe" / "1" / "metrics.json").read_text())
    message = re.search(r"accuracy (\d\.\d+) on validation", (folder / "best.yaml").read_text())
    assert metrics["validation"]["accuracy"] == pytest.approx(float(message[1]), abs=1e-4)
    assert metrics["examples"]["test"] == LIMIT


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*is ill-defined")
@pytest.mark.parametrize(
    "strategy",
    ["layerwise_lr_decay", *(pytest.param(s, marks=SLOW) for s in ("auto", "gradual_unfreezing"))],
)
def test_a_trial_resolves_what_is_left_to_the_strategy_as_a_run_does(config, tmp_path, strategy):
    _changed(config, strategy=strategy)
    search(config, *items("training.weight_decay=0.0,0.1"), "--trials", "2")
    best = tmp_path / "runs" / "recipe_search" / "best.yaml"
    message = re.search(r"accuracy (\d\.\d+) on validation", best.read_text())
    run = pipeline.run(recipe.load(best))
    scores = json.loads(run.metrics.read_text())["validation"]
    assert scores["accuracy"] == pytest.approx(float(message[1]), abs=1e-4)


@pytest.mark.slow
def test_a_search_in_pieces_is_the_search_in_one_piece(config):
    spaces = items("training.learning_rate=1e-4..1e-1", "strategy=full,lora", "strategy.r=2..8")
    pieces = trials(search(config, *spaces, "--trials", "2"))
    lines = search(config, *spaces, "--trials", "4")
    assert "2 of them are done" in lines
    pieces += trials(lines)
    assert trials(search(config, *spaces, "--trials", "4")) == []
    whole = trials(search(config, *spaces, "--trials", "4", "name=whole"))
    assert pieces == whole
    assert len(set(whole)) == 4
    assert all(("strategy.r" in trial) == ("strategy=lora" in trial) for trial in whole)


@pytest.mark.slow
def test_trials_that_fall_behind_are_pruned(config):
    rates = "training.learning_rate=2e-3,2.5e-3,3e-3,3.5e-3,4e-3,1e-7"
    lines = search(config, "training.num_train_epochs=6", *items(rates))
    (pruned,) = [line for line in lines if line.startswith("    pruned at ")]
    assert lines.index(pruned) > lines.index("trial 6 of 6  training.learning_rate=1e-07")
    shown = re.match(r"    (pruned at (\d+) %: accuracy 0\.\d+)  ", pruned)
    assert 20 <= int(shown[2]) < 100
    assert any(line.endswith(shown[1]) for line in lines[lines.index("") + 7 :])  # below the others


@pytest.mark.slow
def test_an_interrupted_search_goes_on_with_the_same_trial(config, python_offline, tmp_path):
    spaces = items("training.learning_rate=1e-4..1e-1")
    command = [str(config), *spaces, "--trials", "2", "training.num_train_epochs=16"]
    command += ["early_stopping=null"]
    with subprocess.Popen(
        [python_offline.path, "-u", "-m", "pipelines.cli", "search", *command],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        seen = []
        for line in running.stdout:
            seen.append(line.rstrip())
            if len(trials(seen)) == 2 and " %: accuracy" in line:
                running.send_signal(signal.SIGINT)
                break
        rest, error = running.communicate(timeout=120)
    assert running.returncode == 130, rest + error
    assert re.fullmatch(r"stopped by SIGINT at step \d+; to go on, run the same .* again\n", error)
    folder = tmp_path / "runs" / "recipe_search"
    assert {path.name for path in folder.iterdir()} == {"study.log"}
    lines = search(*command)
    assert "1 of them are done" in lines
    assert trials(lines) == trials(seen)[1:]


def scores(lines):
    """What the trials came to, in their order."""
    return [float(m[1]) for line in lines if (m := re.match(r"    log_loss ([\d.]+) ", line))]


@pytest.mark.numerical
@pytest.mark.slow
def test_processes_that_train_together_try_the_same(
    text_checkpoint, text_data, python_offline, tmp_path
):
    """And all of them go on from the best checkpoint, where the last one is another."""
    training = {**QUICK, "num_train_epochs": 3, "lr_scheduler_type": "constant"}
    model = {"checkpoint": str(text_checkpoint), "config": CALM}
    sections = {"model": model, "training": training, "metrics": ["log_loss"]}
    config = write_recipe(tmp_path, text_checkpoint, text_data, **sections)
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    spaces = items("training.learning_rate=0.02,0.05")
    command = ["-m", "pipelines.cli", "search", str(config), *spaces, "--trials", "2"]
    half = ("training.ddp_backend=gloo", "training.per_device_train_batch_size=8")
    done = subprocess.run(
        [python_offline.path, *launch, *command, *half],
        env={**os.environ, "PYTHON_EXEC": str(python_offline.path)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert len(trials(lines)) == 2
    folder = tmp_path / "runs" / "recipe_search"
    assert {path.name for path in folder.iterdir()} == {"best.yaml", "study.log"}
    alone = search(config, *spaces, "--trials", "2", "name=alone")
    assert scores(lines) == pytest.approx(scores(alone), abs=2e-3)


def test_a_checkpoint_that_is_none_is_refused_before_the_first_trial(
    config, text_checkpoint, tmp_path, capsys
):
    space = f"model={text_checkpoint},{tmp_path}/missing"
    assert main(["search", str(config), "--space", space]) == 2
    shown = capsys.readouterr()
    assert shown.err.endswith(
        "/missing: no such folder; expected a Hub id or a folder with config.json\n"
    )
    assert "trial 1" not in shown.out


def test_a_study_of_another_search_is_refused(config, capsys):
    study = [*items("training.learning_rate=1e-4..1e-1"), "--timeout", "-1"]
    lines = search(config, *study)
    assert any("no new trial" in line for line in lines)
    assert lines[-1] == "no trial was completed: there is no best one"
    assert main(["search", str(config), *study, "data.limit.train=32"]) == 2
    message = capsys.readouterr().err
    assert "holds the trials of another search (recipe.data.limit.train: None is now 32)" in message


SPACE = """\
strategy: [full, lora]
training:
  learning_rate: {full: 1e-5..1e-4, lora: {low: 1e-4, high: 1e-2, log: false}}
  num_train_epochs: 1..3
strategy.target_modules: [auto, [query, value]]
"""


def test_a_space_as_a_file_says_the_same_and_more(tmp_path):
    path = tmp_path / "space.yaml"
    path.write_text(SPACE)
    space = space_reader.load([str(path)])
    values = {d.name: str(d.values) for d in space.dimensions}
    assert values == {
        "strategy": "full,lora",
        "training.learning_rate (full)": "1e-05..0.0001 (log scale)",
        "training.learning_rate (lora)": "0.0001..0.01",
        "training.num_train_epochs": "1..3",
        "strategy.target_modules": 'auto,["query", "value"]',
    }
    assert len(space.active("full")) == 3
    assert len(space.active("lora")) == 4
    places = {d.name: d.place for d in space.dimensions}
    assert places["training.num_train_epochs"] == f"{path}:4"


BAD = """\
strategy: [full, lroa]
training:
  learning_rate: {low: 1e-5, hihg: 1e-3}
  weight_decay: -0.1..0.1
training.num_train_epochs: 3..1
"""


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ("training.learnin_rate=1e-5..1e-3", "'training.learnin_rate'; did you mean 'learning_"),
        ("strategy=full,lroa", "unknown strategy 'lroa'; did you mean 'lora'?"),
        ("strategy.r=2..8", "unknown key 'strategy.r'; known: head_lr_ratio, name"),
        ("training.learning_rate=1e-3", "0.001: expected several values (a,b or low..high)"),
        ("training.learning_rate=a..b", "low 'a': expected a number; high 'b': expected a number"),
        ("training.num_train_epochs=-3..2", "training.num_train_epochs: -3: should be greater"),
        ("data.path=./a,./b", "data.path: decides how trials are scored"),
        ("metrics=f1,accuracy", "metrics: decides how trials are scored"),
        ("training.seed=1..5", "training.seed: decides how trials are scored"),
        ("task.max_length=8,x", "task.max_length: 'x': should be a valid integer"),
        ("nowhere.yaml", "--space nowhere.yaml: neither key=values nor a readable file"),
    ],
)
def test_a_space_that_does_not_fit_is_refused_before_any_trial(
    item, message, config, capsys, tmp_path
):
    assert main(["search", str(config), "--space", item]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


def test_all_mistakes_are_reported_at_once_each_with_its_place(config, capsys, tmp_path):
    path = tmp_path / "space.yaml"
    path.write_text(BAD)
    spaces = items(str(path), "strategy.q=1,2", "training.bf16=true,false")
    assert main(["search", str(config), *spaces, "training.bf16=true"]) == 2
    message = capsys.readouterr().err.removeprefix("error: ")
    for line in (
        f"{path}:1: unknown strategy 'lroa'; did you mean 'lora'?",
        f"{path}:3: training.learning_rate: missing key 'high'; unknown key 'hihg'; did you mean",
        f"{path}:4: training.weight_decay: -0.1: should be greater than or equal to 0",
        f"{path}:5: training.num_train_epochs: 3..1: the first number should be the smaller one",
        "command line: unknown key 'strategy.q'; known: head_lr_ratio, name",
        "command line: training.bf16: set both in the space and as an override",
    ):
        assert line in message
    assert len(message.splitlines()) == 6


def test_where_nothing_trains_no_training_argument_is_searched(config, capsys):
    spaces = items("training.learning_rate=1e-5..1e-3")
    assert main(["search", str(config), "strategy=linear_probe", *spaces]) == 2
    message = capsys.readouterr().err
    assert "training.learning_rate: no effect with linear_probe: its head is" in message
