"""`import pipelines as graft`: load, check, run, and what a finished run holds."""

import json
import os
import subprocess
import sys
import warnings
from pathlib import Path

import nbformat
import pandas as pd
import pytest
import transformers
from nbclient import NotebookClient

import pipelines as graft
from pipelines.core.errors import ModelError, RecipeError, RunError

ROOT = Path(__file__).parents[1]
# few rows and one solver: a run of the embedded quickstart takes a second
SHORT = ["data.limit={train: 60, validation: 30, test: 40}", "training.use_cpu=true"]
PAGE = ROOT / "docs" / "python.md"


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> graft.Run:
    """A run of the embedded quickstart."""
    runs = tmp_path_factory.mktemp("runs")
    overrides = [*SHORT, "strategy=linear_probe", f"training.output_dir={runs}"]
    return graft.run(graft.load("quickstart", overrides))


def recipe_on(data: Path, checkpoint: Path, runs: Path, **sections: object) -> graft.Recipe:
    """A recipe for texts of which two steps are trained."""
    values = {
        "task": "text_classification",
        "model": str(checkpoint),
        "data": {"source": "files", "path": data},
        "strategy": "full",
        "training": {"max_steps": 2, "use_cpu": True, "output_dir": runs},
    }
    return graft.Recipe.from_dict({**values, **sections})


@pytest.mark.slow
def test_loading_a_model_shows_no_bars_and_leaves_those_of_the_script(
    finished: graft.Run, capsys, request: pytest.FixtureRequest
) -> None:
    request.addfinalizer(transformers.utils.logging.disable_progress_bar)
    with warnings.catch_warnings(action="ignore"):  # the tests' environment has no bars
        transformers.utils.logging.enable_progress_bar()
    finished.model()
    finished.pipeline()
    assert "Loading weights" not in capsys.readouterr().err
    assert transformers.utils.logging.is_progress_bar_enabled()


@pytest.mark.slow
def test_importing_costs_nothing_before_a_name_is_used() -> None:
    code = """
import sys
import pipelines
assert not {"yaml", "pydantic", "pipelines.recipe"} & {*sys.modules}
assert {*pipelines.__all__} <= {*dir(pipelines)}
pipelines.load("quickstart")
assert not {"torch", "transformers", "datasets", "pandas"} & {*sys.modules}
"""
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, cwd=ROOT)


def test_a_name_that_is_not_offered() -> None:
    with pytest.raises(AttributeError, match="module 'pipelines' has no attribute 'train'"):
        graft.train  # noqa: B018


def test_the_script_of_the_launcher_does_not_hide_the_function() -> None:
    code = "from pipelines import run; assert callable(run); import pipelines.run"
    failed = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert "ImportError: pipelines/run.py is a script; `from pipelines import run`" in failed.stderr


def test_overrides_are_texts_or_a_mapping() -> None:
    texts = graft.load("quickstart", ["strategy=lora", "training.learning_rate=3e-5"])
    mapping = {"strategy": "lora", "training.learning_rate": 3e-5}
    assert graft.load(ROOT / "recipes" / "quickstart.yaml", mapping) == texts
    assert texts.strategy.name == "lora"
    assert texts.training["learning_rate"] == 3e-5


@pytest.mark.parametrize(
    "overrides", [["training.learning_rate=fast"], {"training.learning_rate": "fast"}]
)
def test_an_override_that_is_wrong_is_not_on_the_command_line(overrides: object) -> None:
    with pytest.raises(graft.GraftError) as refused:
        graft.load("quickstart", overrides)
    assert str(refused.value).startswith("overrides: training.learning_rate: 'fast': should be")


def test_a_dictionary_is_a_recipe(tmp_path: Path) -> None:
    """The same shorthands, defaults and checks as in YAML; only the file's name is missing."""
    path = tmp_path / "recipe.yaml"
    path.write_text(
        "task: text_classification\nmodel: google-bert/bert-base-uncased\n"
        "data: {source: files, path: reviews, splits: {test: 0.5}, columns: {label: '1'}}\n"
        "strategy: {name: lora, target_modules: [query, value]}\ntraining: {learning_rate: 2e-5}\n"
    )
    values = {
        "task": "text_classification",
        "model": "google-bert/bert-base-uncased",
        "data": {
            "source": "files",
            "path": Path("reviews"),
            "splits": {"test": 0.5},
            "columns": {"label": "1"},
        },
        "strategy": {"name": "lora", "target_modules": ("query", "value")},
        "training": {"learning_rate": 2e-5},
    }
    recipe = graft.Recipe.from_dict(values)
    assert recipe == graft.load(path)
    assert graft.Recipe.from_dict(recipe.model_dump(mode="json")) == recipe
    assert values["data"]["path"] == Path("reviews")  # the dictionary stays as it was


def test_paths_in_a_dictionary_are_meant_from_the_working_directory(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    recipe = recipe_on(Path("reviews"), Path("bert"), tmp_path, model="./bert")
    assert recipe.model.checkpoint == str(tmp_path / "bert")


def test_everything_that_is_wrong_with_a_dictionary_is_told_at_once() -> None:
    wrong = {
        "task": "text_clasification",
        "model": "x",
        "strategy": {"name": "lora", "lora_alpa": 8},
        "metrics": ["acuracy"],
    }
    with pytest.raises(RecipeError) as refused:
        graft.Recipe.from_dict(wrong)
    lines = str(refused.value).splitlines()
    assert len(lines) == 4
    assert all(line.startswith("Recipe.from_dict: ") for line in lines)
    text = "\n".join(lines)
    assert "unknown task 'text_clasification'; did you mean 'text_classification'?" in text
    assert "unknown key 'strategy.lora_alpa'; did you mean 'lora_alpha'?" in text
    assert "missing key 'data'" in text
    assert "unknown metric 'acuracy'; did you mean 'accuracy'?" in text


def test_what_is_no_dictionary_is_no_recipe() -> None:
    with pytest.raises(RecipeError, match=r"Recipe\.from_dict: a recipe is a mapping of keys"):
        graft.Recipe.from_dict([("task", "text_classification")])  # type: ignore[arg-type]


def test_a_dictionary_that_contains_itself_is_no_recipe() -> None:
    circle: dict[str, object] = {"task": "text_classification"}
    circle["model"] = circle
    with pytest.raises(RecipeError, match=r"Recipe\.from_dict: a value contains itself"):
        graft.Recipe.from_dict(circle)
    with pytest.raises(RecipeError, match="overrides: a value contains itself"):
        graft.load("quickstart", {"model": circle})


def test_a_recipe_may_be_given_in_any_form(tmp_path: Path) -> None:
    values = {"task": "text_classification", "model": "x", "data": "hub", "strategy": "full"}
    values["data"] = {"source": "files", "path": "reviews"}
    recipe = graft.Recipe.from_dict(values)
    assert graft.load(values) == graft.load(recipe) == recipe
    for form in (values, recipe):
        assert graft.load(form, "strategy=lora").strategy.name == "lora"
    # what the recipe leaves out follows from the new values
    assert "calibration" not in graft.load(recipe, "strategy=lora").model_fields_set


@pytest.mark.parametrize(
    ("recipe", "overrides", "message"),
    [
        (None, None, "None: a recipe is a YAML file, the name of a shipped recipe, a mapping"),
        (3, None, "3: a recipe is a YAML file"),
        ("quickstart", 5, "overrides: 5: expected key=value as text"),
        ("quickstart", [("strategy", "lora")], r"overrides: \('strategy', 'lora'\): expected key"),
        ("quickstart", {3: "lora"}, "overrides: 3: expected a key as text"),
        ("quickstart", {"": 1}, "overrides: '': expected a key as text"),
        ("quickstart", {"strategy.": 1}, "overrides: 'strategy.': expected a key as text"),
    ],
)
def test_what_is_no_recipe_and_no_override(recipe, overrides, message) -> None:
    with pytest.raises(RecipeError, match=message):
        graft.load(recipe, overrides)


def test_a_run_holds_metrics_predictions_and_paths(finished: graft.Run) -> None:
    metrics = finished.metrics
    assert metrics["strategy"] == "linear_probe"
    assert metrics["test"]["accuracy"] > metrics["baseline"]["test"]["accuracy"]
    assert [*finished.predictions] == ["validation", "test"]
    table = finished.predictions["test"]
    assert isinstance(table, pd.DataFrame)
    assert [*table.columns] == ["row", "label", "prediction", "probability"]
    assert len(table) == 40
    # classes are texts, also where they look like numbers
    assert {*map(type, table.prediction)} == {str}
    assert (table.label == table.prediction).mean() == pytest.approx(metrics["test"]["accuracy"])
    assert table.probability.between(0, 1).all()
    assert finished.path.is_absolute()
    assert finished.folder.card.is_file()
    assert finished.recipe.strategy.name == "linear_probe"


@pytest.mark.slow
def test_the_resolved_recipe_repeats_the_run(text_data, text_checkpoint, tmp_path) -> None:
    """The recipe names no splits; those that were found stand in the recipe of the run."""
    first = graft.run(recipe_on(text_data, text_checkpoint, tmp_path))
    splits = first.recipe.data.splits
    assert (splits.train, splits.validation, splits.test) == ("train", "validation", "test")
    again = graft.run(first.recipe)
    assert again.recipe == first.recipe
    for split in ("validation", "test"):
        assert again.metrics[split] == first.metrics[split]
        assert again.predictions[split].equals(first.predictions[split])
    assert "test: test" in first.folder.card.read_text(encoding="utf-8")


def test_a_dumped_recipe_finds_the_same_splits(tmp_path: Path) -> None:
    recipe = recipe_on(tmp_path, tmp_path, tmp_path)
    again = graft.Recipe.from_dict(recipe.model_dump(mode="json"))
    assert "test" not in again.data.splits.model_fields_set
    without_test = recipe.replace(data=recipe.data.replace(splits={"test": None}))
    assert without_test.model_dump(mode="json")["data"]["splits"]["test"] is None


def test_a_finished_run_is_opened_again(finished: graft.Run) -> None:
    assert graft.Run.open(finished.path) == finished
    assert graft.Run.open(finished.folder.model) == finished


def test_what_is_no_finished_run_is_not_opened(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="not in a run folder; expected one such as runs/"):
        graft.Run.open(tmp_path)
    (tmp_path / "lock.json").write_text("{}")
    with pytest.raises(RunError, match=r"not finished: there is no metrics\.json"):
        graft.Run.open(tmp_path)


@pytest.mark.parametrize("path", [None, 3, ["runs/x/1"]])
def test_what_is_no_path_is_no_run(path: object) -> None:
    with pytest.raises(RunError, match="expected the path of a run folder, such as runs/"):
        graft.Run.open(path)  # type: ignore[arg-type]


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff\xfe", b"[" * 100_000])
def test_damaged_metrics_are_told(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "lock.json").write_text("{}")
    (tmp_path / "metrics.json").write_bytes(content)
    with pytest.raises(RunError, match=r"metrics\.json: damaged"):
        graft.Run.open(tmp_path).metrics  # noqa: B018


def test_the_model_of_a_run_is_an_ordinary_one(finished: graft.Run) -> None:
    """The pipeline and the table of predictions say the same of an image."""
    from PIL import Image
    from transformers import ResNetForImageClassification

    assert isinstance(finished.model(), ResNetForImageClassification)
    predict = finished.pipeline(top_k=1)
    (best,) = predict(Image.new("RGB", (32, 32)))
    assert best["label"] in {*finished.predictions["test"].label}


@pytest.mark.slow
def test_two_runs_in_a_process(finished, text_data, text_checkpoint, tmp_path, capsys) -> None:
    """Another task, another strategy, after one that was trained before."""
    run = graft.run(recipe_on(text_data, text_checkpoint, tmp_path))
    again = graft.run(recipe_on(text_data, text_checkpoint, tmp_path))
    assert (run.path.name, again.path.name) == ("1", "2")
    assert run.path.parent.name == "recipe"
    assert run.metrics["validation"] == again.metrics["validation"]
    assert "step 2/2" in capsys.readouterr().out  # lines, where nothing can redraw a bar


@pytest.mark.slow
def test_a_run_of_an_adapter(text_data, text_checkpoint, tmp_path) -> None:
    from peft import PeftModel

    strategy = {"name": "lora", "save": "adapter"}
    run = graft.run(recipe_on(text_data, text_checkpoint, tmp_path, strategy=strategy))
    assert isinstance(run.model(), PeftModel)
    table = run.predictions["test"]
    texts = pd.read_csv(text_data / "test.csv").text
    predicted = [best["label"] for best in run.pipeline()(texts.to_list(), truncation=True)]
    assert predicted == table.prediction.to_list()


@pytest.mark.slow
def test_a_run_whose_head_needs_sentence_transformers(text_data, text_checkpoint, tmp_path) -> None:
    from sentence_transformers import SentenceTransformer

    strategy = {"name": "linear_probe", "pooling": "mean", "head": "ridge"}
    run = graft.run(recipe_on(text_data, text_checkpoint, tmp_path, strategy=strategy))
    assert isinstance(run.model(), SentenceTransformer)
    with pytest.raises(ModelError, match=r"no pipeline for a sentence-transformers model; use run"):
        run.pipeline()


def test_numbers_are_predicted_as_numbers(text_checkpoint, tmp_path) -> None:
    data = tmp_path / "scores"
    data.mkdir()
    for split, count in (("train", 16), ("validation", 8)):
        rows = [f"a good film {i},{i / 2}" for i in range(count)]
        (data / f"{split}.csv").write_text("\n".join(["text,label", *rows]) + "\n")
    run = graft.run(recipe_on(data, text_checkpoint, tmp_path))
    table = run.predictions["validation"]
    assert [*table.columns] == ["row", "label", "prediction"]
    assert table.label.to_list() == [i / 2 for i in range(8)]
    assert table.prediction.dtype == float


def test_check_reports_and_writes_nothing(text_data, text_checkpoint, tmp_path) -> None:
    report = graft.check(recipe_on(text_data, text_checkpoint, tmp_path))
    assert "strategy   full: trains" in report
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize("start", [graft.run, graft.check])
def test_a_mistake_is_one_error(start, tmp_path, text_checkpoint) -> None:
    with pytest.raises(graft.GraftError, match="nowhere: no such file or folder"):
        start(recipe_on(tmp_path / "nowhere", text_checkpoint, tmp_path))
    with pytest.raises(graft.GraftError, match="did you mean 'quickstart'"):
        start("quikstart")


@pytest.mark.slow
def test_the_documented_session_in_a_notebook(python, tmp_path, monkeypatch) -> None:
    """The first lines of docs/python.md in a real kernel, a cell each, with progress bars."""
    for name in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    kernel = tmp_path / "JUPYTER_DATA_DIR" / "kernels" / "warm" / "kernel.json"
    kernel.parent.mkdir(parents=True)
    start = [str(python.path), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    kernel.write_text(json.dumps({"argv": start, "display_name": "", "language": "python"}))
    session = PAGE.read_text(encoding="utf-8").partition("```python\n")[2].partition("```")[0]
    lines = [line for line in session.splitlines() if line]
    assert 8 <= len(lines) <= 10
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(line) for line in lines])
    client = NotebookClient(
        notebook, timeout=300, kernel_name="warm", resources={"metadata": {"path": tmp_path}}
    )
    client.execute()  # raises if a cell does

    outputs = {cell.source: cell.outputs for cell in notebook.cells}
    training = next(shown for line, shown in outputs.items() if "graft.run(" in line)
    pages = [output.data["text/html"] for output in training if "data" in output]
    assert any("<progress value=" in page for page in pages)  # the Trainer's own bar
    bars, lines = (printed(training, name) for name in ("stderr", "stdout"))
    assert "predicting test: 100%" in bars
    assert "reload parity: ok" in lines
    assert "step " not in lines  # what a log file gets instead of bars
    (table,) = (shown for line, shown in outputs.items() if "predictions" in line)
    assert "probability" in printed(table, "stdout")
    assert (tmp_path / "runs" / "quickstart" / "1" / "metrics.json").is_file()


def printed(outputs: list[nbformat.NotebookNode], stream: str) -> str:
    """What a cell wrote to stdout or stderr."""
    return "".join(output.text for output in outputs if output.get("name") == stream)
