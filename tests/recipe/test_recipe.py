"""What a recipe says is what comes out."""

import json
from pathlib import Path

import pytest
import yaml
from recipe_text import BASE, Load

from pipelines import recipe
from pipelines.core.errors import RecipeError
from pipelines.recipe import yaml_reader, yaml_writer
from pipelines.report import lock
from pipelines.report.run_folder import RunFolder


def test_what_is_left_out_has_a_default(load: Load) -> None:
    loaded = load(
        "task: text_classification\nmodel: m\ndata: {source: hub, path: d}\nstrategy: full"
    )
    assert loaded.name == "sst2"
    assert (loaded.model.revision, loaded.seed, loaded.training) == ("main", 42, {})
    assert loaded.early_stopping is not None
    assert loaded.hub.private
    assert not loaded.hub.push


def test_the_strategy_is_auto_where_the_recipe_names_none(load: Load) -> None:
    text = BASE.replace("strategy: {name: lora, r: 4}\n", "")
    assert text != BASE
    assert load(text).strategy == load(text, "strategy=auto").strategy
    strategy = load(text, "strategy.minutes=5").strategy
    assert strategy.model_dump() == {"name": "auto", "minutes": 5, "entrants": None}
    assert load(text, "strategy=lora", "strategy.r=2").strategy.model_dump()["r"] == 2


@pytest.mark.parametrize(
    ("one", "several"),
    [("accuracy", "[accuracy]"), ("{name: f1, average: macro}", "[{name: f1, average: macro}]")],
)
def test_one_metric_needs_no_brackets(load: Load, one: str, several: str) -> None:
    assert load(f"{BASE}metrics: {one}").metrics == load(f"{BASE}metrics: {several}").metrics
    assert load(BASE, f"metrics={one}").metrics == load(BASE, f"metrics={several}").metrics


def test_shorthands_mean_the_long_forms(load: Load) -> None:
    short = "task: text_classification\nmodel: m\nstrategy: lora\n"
    long = "task: {name: text_classification}\nmodel: {checkpoint: m}\nstrategy: {name: lora}\n"
    data = "data: {source: hub, path: d}\n"
    assert load(short + data) == load(long + data)


def test_the_same_recipe_in_json_is_a_recipe_too(load: Load) -> None:
    assert load(json.dumps(yaml.safe_load(BASE))) == load(BASE)


NUMBERS = [("2e-5", 2e-5), ("1E3", 1000.0), ("+1e-2", 0.01), ("1.5e0", 1.5), ("3", 3), (".5", 0.5)]


@pytest.mark.parametrize(("text", "value"), NUMBERS)
def test_what_is_written_is_read_back(text: str, value: float) -> None:
    written = yaml_writer.text_of({"number": value, "text": text})
    assert yaml_reader.parse(written, "").values == {"number": value, "text": text}


@pytest.mark.parametrize(("text", "value"), NUMBERS)
def test_numbers_are_numbers(load: Load, text: str, value: float) -> None:
    assert load(f"{BASE}training: {{adam_epsilon: {text}}}").training == {"adam_epsilon": value}
    assert load(BASE, f"training.adam_epsilon={text}").training == {"adam_epsilon": value}


def test_no_is_a_word_where_a_word_is_meant_and_false_where_a_truth_is(load: Load) -> None:
    loaded = load(f"{BASE}training: {{eval_strategy: no, bf16: no, use_cpu: yes, fp16: false}}")
    assert loaded.training == {"eval_strategy": "no", "bf16": False, "use_cpu": True, "fp16": False}


def test_nothing_said_of_training_is_nothing_set(load: Load) -> None:
    assert load(f"{BASE}training:\n").training == {}


def test_early_stopping_can_be_switched_off_and_on_again(load: Load) -> None:
    off = f"{BASE}early_stopping: null"
    assert load(off).early_stopping is None
    again = load(off, "early_stopping.patience=5").early_stopping
    assert again is not None
    assert again.patience == 5


def test_paths_are_meant_from_the_folder_of_the_recipe(
    load: Load, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    text = """
task: text_classification
model: ./encoder
data: {source: files, path: ../data/reviews}
strategy: full
metrics: [./mine.py, {name: ./other.py}, accuracy]
"""
    loaded = load(text)
    assert loaded.model.checkpoint == str(tmp_path / "encoder")
    assert loaded.data.model_dump()["path"] == str(tmp_path.parent / "data" / "reviews")
    assert loaded.metrics == (
        str(tmp_path / "mine.py"),
        {"name": str(tmp_path / "other.py")},
        "accuracy",
    )
    # on the command line they are meant from where one stands
    assert load(text, "model=./mine").model.checkpoint == "./mine"


@pytest.mark.parametrize(
    ("data", "path"),
    [
        ("path: reviews", "reviews"),
        ("splits: {train: [a.csv, b.csv]}", ""),
        ("splits: {train: '*.csv', validation: 0.1}", ""),
    ],
)
def test_data_that_are_not_in_the_working_directory_are_read_beside_the_recipe(
    load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys, data: str, path: str
) -> None:
    (tmp_path / "reviews").mkdir()
    (tmp_path / "b.csv").touch()
    text = f"task: text_classification\nmodel: m\ndata: {{source: files, {data}}}\n"
    monkeypatch.chdir(tmp_path / "reviews")
    assert load(text).data.model_dump()["path"] == str(tmp_path / path)
    assert "is not in the working directory, and read from the recipe's" in capsys.readouterr().out
    monkeypatch.chdir(tmp_path)
    assert load(text).data.model_dump()["path"] == (path or ".")
    assert not capsys.readouterr().out


def test_the_resolved_recipe_of_a_run_loads_again_and_is_equal(load: Load, tmp_path: Path) -> None:
    loaded = load(
        f"{BASE}training: {{seed: 7, eval_strategy: no, lr_scheduler_kwargs: {{min_lr: 1e-7}}}}\n"
        "metrics: [{name: f1, average: macro}, accuracy]\n"
        "hub: {repo_id: lab/sst2, push: true}\nearly_stopping: null\n",
        "data.columns={text: sentence, label: [a, b]}",
        "data.splits={train: [a, b], validation: 0.1, test: null}",
    )
    run = RunFolder.create(tmp_path / "runs", loaded.name)
    lock.write(run, loaded, {})
    assert recipe.load(run.recipe) == loaded


def test_keys_that_older_runs_recorded_are_accepted_with_a_note(load: Load, capsys) -> None:
    text = BASE.replace("r: 4}", "r: 4, because: few rows}")
    assert text != BASE
    assert load(text) == load(BASE)
    note = "'strategy.because' is no key any more: the lock records it; remove it"
    assert note in capsys.readouterr().out


def test_a_metric_may_be_a_file_or_a_hub_id(load: Load) -> None:
    pinned = f"{{name: evaluate-metric/rouge, revision: {'0a' * 20}, trust_remote_code: true}}"
    assert len(load(f"{BASE}metrics: [mine.py, {pinned}]").metrics) == 2


@pytest.mark.parametrize("place", ["file", "command line"])
def test_the_old_spelling_of_a_section_is_accepted_with_a_note(
    load: Load, place: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if place == "file":
        loaded = load(f"{BASE}regularisation: {{r_drop: 0.5}}\n")
    else:
        loaded = load(BASE, "regularisation.r_drop=0.5")
    assert loaded.regularization.r_drop == 0.5
    (note,) = capsys.readouterr().out.splitlines()
    assert "'regularisation' is now spelled 'regularization'" in note
    assert ("sst2.yaml:" if place == "file" else "command line") in note


def test_a_mistake_under_the_old_spelling_is_found_on_its_line(load: Load) -> None:
    with pytest.raises(RecipeError, match=r"sst2\.yaml:\d+: unknown key 'regularization\.l2sp'"):
        load(f"{BASE}regularisation: {{l2sp: 0.5}}\n")


def test_both_spellings_of_a_section_are_refused(load: Load) -> None:
    text = f"{BASE}regularisation: {{l2_sp: 0.5}}\nregularization: {{l2_sp: 0.1}}\n"
    with pytest.raises(RecipeError, match="old spelling of 'regularization'"):
        load(text)
