"""A recipe from end to end: what a run leaves behind, and that it can be relied on.

Runs without a Hub go through the command's own function. The flagship recipes run unmodified, in
interpreters of their own, against a Hub on loopback that serves tiny checkpoints and data sets
under the real names.
"""

import csv
import io
import json
import os
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import redirect_stdout
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import tiny
from closeness import tolerance
from grafting import PROBLEMS, problem, write_recipe
from hub_server import HubServer
from sklearn import metrics as scikit
from stand_ins import serve

from pipelines import recipe as recipes
from pipelines.cli import main
from pipelines.core import registry
from pipelines.report.run_folder import RunFolder

ROOT = Path(__file__).parents[2]
# auto becomes another one of them: test_auto
STRATEGIES = [name for name in registry.names("strategies") if name != "auto"]
SLOW = pytest.mark.slow
# what labels look like matters to how a model comes about (trained, adapted, solved for, started
# from a solved head), not to which of its weights train
SEVERAL_KINDS = ("full", "lora", "linear_probe", "lp_ft", "gradual_unfreezing")
QUICK = {("single", "lora"), ("several", "linear_probe"), ("number", "full")}
COMBINATIONS = [
    pytest.param(kind, strategy, marks=() if (kind, strategy) in QUICK else SLOW)
    for kind in (*PROBLEMS, "image")
    for strategy in STRATEGIES
    # which weights of an image model train is the business of test_strategies
    if kind == "single" or strategy in SEVERAL_KINDS or (kind, strategy) == ("image", "scratch")
]
# of module scope: pytest brings together what looks at the same run
by_combination = pytest.mark.parametrize(("kind", "strategy"), COMBINATIONS, scope="module")
TRAINING = {"num_train_epochs": 2, "learning_rate": 1e-3, "warmup_steps": 0}
LEFT = {"recipe.yaml", "lock.json", "model", "predictions", "history.jsonl", "metrics.json"}
LEFT |= {"learning_curve.png", "data.json", "evidence.json", "report.html"}
TABLES = ("csv", "parquet")
REFUSED = {  # combinations that do not work, and why
    ("image", "linear_probe", "mean"): "pooling 'mean' cannot be saved as a standard checkpoint",
}


@pytest.fixture(scope="module")
def ran(checkpoint, image_data, tmp_path_factory):
    """ran(kind, strategy): the folder of a run that was made once, and what it said."""

    @cache
    def ran(kind: str, strategy: str) -> tuple[RunFolder, str]:
        folder = tmp_path_factory.mktemp("run")
        recipe = written(folder, kind, strategy)
        with redirect_stdout(io.StringIO()) as printed:
            assert main(["run", str(recipe)]) == 0
        return RunFolder(folder / "runs" / "recipe" / "1"), printed.getvalue()

    def written(folder: Path, kind: str, strategy: str) -> Path:
        if kind == "image":
            data, family, task = image_data, "resnet", "image"
        else:
            data, family, task = problem(folder / "data", kind), "bert", "text"
        fields = {"top_layers": {"layers": 1}, "peft": {"peft_type": "LOHA"}}
        section = {"name": strategy, **fields.get(strategy, {})}
        sections = {"task": task, "strategy": section, "training": TRAINING}
        return write_recipe(folder, checkpoint(family), data, **sections)

    return ran


def metrics(run):
    return json.loads(run.metrics.read_text(encoding="utf-8"))


def rows(run, split):
    with (run.predictions / f"{split}.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def scores(kind, result):
    """What the predictions of a split are worth, computed by other means than the run's own."""
    labels, predictions = ([row[side] for row in result] for side in ("label", "prediction"))
    if kind == "number":
        numbers = [[float(value) for value in side] for side in (labels, predictions)]
        return {
            "mse": scikit.mean_squared_error(*numbers),
            "pearson": np.corrcoef(numbers)[0, 1] if len(set(numbers[1])) > 1 else 0.0,
        }
    if kind == "several":
        classes = sorted(tiny.CLASSES)
        labels, predictions = (
            np.array([[name in row.split("|") for name in classes] for row in side])
            for side in (labels, predictions)
        )
        f1 = scikit.f1_score(labels, predictions, average="micro", zero_division=0)
        return {"f1": f1, "accuracy": scikit.accuracy_score(labels, predictions)}
    return {"accuracy": scikit.accuracy_score(labels, predictions)}


@pytest.mark.numerical
@by_combination
def test_what_a_run_leaves_behind(ran, kind, strategy):
    run, printed = ran(kind, strategy)
    sure = set() if kind == "number" else {"reliability.png"}  # a number has no probability
    # pictures have thumbnails in the report
    present = {path.name for path in run.path.iterdir()} - {"examples"}
    assert present == LEFT | sure
    files = {path.name for path in run.predictions.iterdir()}
    assert files == {f"{split}.{kind}" for split in ("validation", "test") for kind in TABLES}
    result = metrics(run)
    assert result["strategy"] == strategy
    waited = result["training"]["waiting_for_data"]
    assert waited is None if strategy == "linear_probe" else 0 < waited < 1
    assert ("of it waiting for data" in printed) == (waited is not None)
    whole = len(tiny.SHADES) if kind == "image" else 1  # as many images of each shade
    assert result["examples"] == {s: n // whole * whole for s, n in tiny.NUM_ROWS.items()}
    assert result["parity"]["ok"]
    # rounding grows with logits that are divided by less than 1
    temperature = 1 if kind == "number" else result["calibration"]["temperature"]
    assert result["parity"]["max_difference"] * min(1, temperature) < tolerance()
    assert result["main_metric"] in result["validation"]
    assert set(result["validation"]) == set(result["test"])

    lines = printed.splitlines()
    assert re.fullmatch(
        rf"{run}: {strategy} on \d+ examples, 1 x cpu, \d threads, float32", first_of_run(lines)
    )
    assert f"model: {run.model}" in lines
    assert any(line.startswith("reload parity: ok") for line in lines)
    history = [json.loads(line) for line in run.history.read_text().splitlines()]
    chosen = result["training"]["chosen"].items()
    assert any(chosen <= entry.items() for entry in history)
    assert (run.model / "README.md").is_file()


def first_of_run(lines):
    """After the notes about columns and labels."""
    return next(line for line in lines if " x cpu" in line)


@pytest.mark.numerical
@by_combination
def test_predictions_are_worth_what_metrics_say(ran, kind, strategy):
    run, _ = ran(kind, strategy)
    for split in ("validation", "test"):
        result = rows(run, split)
        assert [int(row["row"]) for row in result] == list(range(len(result)))
        for name, score in scores(kind, result).items():
            assert metrics(run)[split][name] == pytest.approx(score, abs=1e-6), (split, name)


@by_combination
@pytest.mark.slow
def test_labels_of_predictions_are_those_of_the_data(ran, image_data, kind, strategy):
    """In the data's own order and spelling."""
    from datasets import Dataset

    run, _ = ran(kind, strategy)
    if kind == "image":
        files = sorted((image_data / "test").rglob("*.png"))
        expected = [file.parent.name for file in files]
    else:
        data = run.path.parents[2] / "data" / "test.parquet"
        labels = Dataset.from_parquet(str(data))["label"][:]
        order = sorted(tiny.CLASSES)
        expected = [
            "|".join(sorted(label, key=order.index)) if kind == "several" else str(label)
            for label in labels
        ]
    assert [row["label"] for row in rows(run, "test")] == expected


@pytest.mark.numerical
@pytest.mark.parametrize("strategy", ["linear_probe", pytest.param("full", marks=SLOW)])
@pytest.mark.slow
def test_test_chooses_nothing(checkpoint, tmp_path, strategy):
    """Turn test round: the model, and what validation says of it, are the same to the bit."""
    from datasets import Dataset
    from safetensors.torch import load_file

    data = problem(tmp_path / "data", "number")
    recipe = write_recipe(tmp_path, checkpoint("bert"), data, strategy=strategy, training=TRAINING)
    assert main(["run", str(recipe)]) == 0
    file = str(data / "test.parquet")
    turned = [{**row, "label": -7 * row["label"]} for row in Dataset.from_parquet(file)]
    Dataset.from_list(turned[:5]).to_parquet(file)
    assert main(["run", str(recipe)]) == 0
    before, after = (RunFolder(tmp_path / "runs" / "recipe" / n) for n in "12")
    assert metrics(before)["validation"] == metrics(after)["validation"]
    assert metrics(before)["test"] != metrics(after)["test"]
    assert metrics(before)["training"]["chosen"] == metrics(after)["training"]["chosen"]
    for weights in before.model.rglob("*.safetensors"):
        same = load_file(after.model / weights.relative_to(before.model))
        assert all(tensor.equal(same[name]) for name, tensor in load_file(weights).items())


@pytest.mark.parametrize(("kind", "strategy", "pooling"), REFUSED)
def test_what_does_not_go_together_is_refused(
    checkpoint, image_data, tmp_path, capsys, kind, strategy, pooling
):
    section = {"name": strategy, "pooling": pooling}
    recipe = write_recipe(tmp_path, checkpoint("resnet"), image_data, task=kind, strategy=section)
    assert main(["run", str(recipe)]) == 2
    assert REFUSED[kind, strategy, pooling] in capsys.readouterr().err


# What the summary prints can be run as it stands

USED = [
    ("single", "lora"),
    ("single", "linear_probe"),
    ("pairs", "full"),
    ("pairs", "linear_probe"),
    ("several", "full"),
    ("several", "linear_probe"),
    ("number", "full"),
    ("number", "linear_probe"),
    ("image", "full"),
    ("image", "linear_probe"),
]
# each program in a namespace of its own; what it prints are values, which stay what they are
RUN_ALL = """
import json, sys
for program in json.load(sys.stdin):
    exec(program, {"print": lambda *values: print(json.dumps(values))})
"""


@pytest.mark.numerical
@pytest.mark.slow
def test_the_lines_of_the_summary_use_the_model(ran, image_data, bare_python, tmp_path):
    """In an interpreter that knows no module of ours; its answers are the run's predictions."""
    programs, expected = [], []
    (tmp_path / "image.jpg").write_bytes(first_image(image_data).read_bytes())
    for kind, strategy in USED:
        run, output = ran(kind, strategy)
        program = output[output.rindex("\nfrom ") + 1 :]
        for column, text in example(run, kind).items():
            program = program.replace(f'"{column}": "…"', f'"{column}": "{text}"', 1)
            program = program.replace('"…"', json.dumps(text), 1)
        assert "…" not in program
        programs.append(program)
        expected.append(rows(run, "validation")[0])
    done = bare_python(RUN_ALL, cwd=tmp_path, text=json.dumps(programs))
    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    for combination, answer, row in zip(USED, answers, expected, strict=True):
        kind, _ = combination
        answered, meant = said_by(answer, kind), meant_by(row, kind)
        assert answered == (pytest.approx(meant, abs=1e-4) if kind == "number" else meant), (
            combination
        )


def first_image(image_data):
    return sorted((image_data / "validation").rglob("*.png"))[0]


def example(run, kind):
    """The first row of validation, by the names that the summary calls its texts by."""
    from datasets import Dataset

    if kind == "image":
        return {}
    data = run.path.parents[2] / "data" / "validation.parquet"
    row = Dataset.from_parquet(str(data))[0]
    if kind == "pairs":
        return {"text": row["sentence1"], "text_pair": row["sentence2"]}
    return {"text": row["text"]}


def said_by(answer, kind):
    """The names of the classes that were printed, or the number."""
    first, *score = answer  # what a pipeline gives, or a label and its score, or scores by label
    if isinstance(first, list):
        entries = first[0] if first and isinstance(first[0], list) else first
    else:
        entries = [first] if isinstance(first, dict) and "score" in first else []
    scores = {entry["label"]: entry["score"] for entry in entries}
    if not entries:
        scores = first if isinstance(first, dict) else {first: (score or answer)[0]}
    if kind == "number":
        (number,) = scores.values()
        return number
    if kind == "several":
        return {name for name, score in scores.items() if score > 0.5}
    best = max(scores, key=lambda name: scores[name])
    assert 1 / len(tiny.SHADES) <= scores[best] <= 1
    return {best}


def meant_by(row, kind):
    prediction = row["prediction"]
    return (
        float(prediction) if kind == "number" else set(prediction.split("|") if prediction else ())
    )


# The flagship, unmodified, against a Hub on loopback (the other recipes: test_shipped_recipes.py)

FLAGSHIP = ROOT / "recipes" / "bert_sst2.yaml"
REPO = "some-lab/bert-sst2"
# huggingface_hub uploads LFS files with an argument that its HTTP library deprecates
WARNINGS = ["-Werror", "-Wignore:Use 'content=:DeprecationWarning"]


@pytest.fixture
def hub(tmp_path) -> Iterator[HubServer]:
    with HubServer(tmp_path / "hub", token="hf_test_of_the_user") as server:
        yield server


def launch(python, path, *overrides, home, **environment):
    """`pipelines/run.py RECIPE …` in a new interpreter that knows no Hub but the given one."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "TRANSFORMERS_"))}
    return subprocess.run(
        [python.path, *WARNINGS, "pipelines/run.py", str(path), *overrides],
        env={**clean, **environment, "HF_HOME": str(home)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=180,
    )


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["linear_probe", "lora"])
def test_a_recipe_of_the_hub_runs_unmodified(strategy, hub, checkpoint, python, tmp_path):
    commits = serve(recipes.load(FLAGSHIP), hub, checkpoint, tmp_path / "data")
    overrides = ["training.max_steps=2", f"training.output_dir={tmp_path / 'runs'}"]
    overrides.append(f"strategy={strategy}")
    if strategy == "lora":
        overrides += ["hub.push=true", f"hub.repo_id={REPO}"]

    done = launch(python, FLAGSHIP, *overrides, home=tmp_path / "home", **hub.environment)

    assert done.returncode == 0, done.stderr
    assert not done.stderr
    run = RunFolder(tmp_path / "runs" / FLAGSHIP.stem / "1")
    lock = json.loads(run.lock.read_text(encoding="utf-8"))
    for section, commit in commits.items():
        assert lock[section]["commit"] == commit
    assert metrics(run)["parity"]["ok"]
    assert hub.token not in "".join([done.stdout, *texts(run.path)])
    if strategy == "lora":
        assert f"pushed to {hub.endpoint}/{REPO}" in done.stdout
        pushed = {"README.md", "config.json", "model.safetensors", "tokenizer.json"}
        assert pushed <= set(hub.files(REPO))
        assert hub.read(REPO, "model.safetensors") == (run.model / "model.safetensors").read_bytes()
        assert not any("adapter" in name or "checkpoint" in name for name in hub.files(REPO))


def texts(folder):
    files = (path for path in folder.rglob("*") if path.suffix in (".json", ".md", ".yaml"))
    return [path.read_text(encoding="utf-8") for path in files]


@pytest.mark.slow
def test_the_quickstart_needs_no_hub(python, tmp_path):
    overrides = ["training.max_steps=2", f"training.output_dir={tmp_path}"]
    nowhere = {"HF_ENDPOINT": "http://127.0.0.1:9"}
    path = ROOT / "recipes" / "quickstart.yaml"
    done = launch(python, path, *overrides, home=tmp_path / "home", **nowhere)
    assert done.returncode == 0, done.stderr
    assert RunFolder(tmp_path / "quickstart" / "1").done


# No Hub to be reached


@pytest.mark.slow
def test_without_a_hub_a_run_ends_at_once_and_says_what_to_do(python, tmp_path):
    began = time.monotonic()
    done = launch(python, FLAGSHIP, home=tmp_path / "home", HF_ENDPOINT="http://127.0.0.1:9")
    assert time.monotonic() - began < 60
    assert done.returncode == 2
    assert not done.stdout
    (message,) = done.stderr.splitlines()
    assert message.startswith("error: 'nyu-mll/glue': the Hub cannot be reached at ")
    for word in ("http://127.0.0.1:9", "HF_ENDPOINT", "data.source=files data.path=FOLDER"):
        assert word in message


@pytest.mark.slow
@pytest.mark.parametrize(
    "environment",
    [{"HF_ENDPOINT": "http://127.0.0.1:9"}, {"HF_HUB_OFFLINE": "1"}],
    ids=["unreachable", "offline"],
)
def test_without_a_hub_a_checkpoint_that_is_not_here_is_named(
    text_data, python, tmp_path, environment
):
    recipe = write_recipe(tmp_path, "google-bert/bert-base-uncased", text_data)
    began = time.monotonic()
    done = launch(python, recipe, home=tmp_path / "home", **environment)
    assert time.monotonic() - began < 60
    assert done.returncode == 2
    (message,) = done.stderr.splitlines()
    assert re.match("error: '?google-bert/bert-base-uncased'?: ", message)
    assert "model.checkpoint=FOLDER" in message
    assert not (tmp_path / "runs").exists()


@pytest.mark.slow
def test_no_pass_takes_larger_batches_than_the_recipe_says(
    tmp_path, text_checkpoint, text_data, monkeypatch
):
    """Of a language model, the logits of a batch alone may fill the memory."""
    from pipelines.models import forward

    sizes, run = [], forward.run

    def noted(*arguments, batch_size=64, **options):
        sizes.append(batch_size)
        return run(*arguments, batch_size=batch_size, **options)

    monkeypatch.setattr(forward, "run", noted)
    training = {"num_train_epochs": 1, "per_device_eval_batch_size": 4}
    recipe = write_recipe(tmp_path, text_checkpoint, text_data, training=training)
    assert main(["run", str(recipe)]) == 0
    assert sizes == [4] * 4  # an evaluation, two predictions, the reloaded model
