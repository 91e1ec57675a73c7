"""graft runs: what it lists, whatever lies in the folder, and what it never removes."""

import errno
import json
import sys
from pathlib import Path

import pytest
from example_run import RECIPE, evidence, finished, load_recipe, lock_of

from pipelines.cli import main
from pipelines.report import lock, ownership
from pipelines.report.run_folder import RunFolder


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two finished runs of a recipe, the first one better on validation, the second one on test."""
    finished(tmp_path, validation={"accuracy": 0.9}, test={"accuracy": 0.7}, seconds=90.0)
    finished(tmp_path, validation={"accuracy": 0.8}, test={"accuracy": 0.75}, strategy="full")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "runs" / "bert_sst2"


def unfinished(root: Path) -> RunFolder:
    """A run that was stopped."""
    recipe = load_recipe(root)
    folder = RunFolder.create(root / "runs", recipe.name)
    lock.write(folder, recipe, lock_of(recipe))
    return folder


def graft(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> list[str]:
    """The lines that `graft runs` prints; those of its error where it fails."""
    assert main(["runs", *words]) == code
    out, error = capsys.readouterr()
    return (error if code else out).splitlines()


def names(rows: list[str]) -> list[str]:
    return [row.split()[0] for row in rows[1:]]


@pytest.mark.parametrize(("columns", "num_blocks"), [(200, 1), (80, 2), (40, 5)])
def test_a_table_wider_than_the_terminal_is_printed_in_blocks(
    runs, capsys, monkeypatch, columns, num_blocks
):
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    blocks = "\n".join(graft(capsys)).split("\n\n")
    tables = [block.splitlines() for block in blocks]
    assert len(tables) == num_blocks
    assert {tuple(line.split()[0] for line in table) for table in tables} == {
        ("run", "runs/bert_sst2/1", "runs/bert_sst2/2")
    }
    headers = [name for header, *_ in tables for name in header.split()[1:]]
    assert " ".join(headers) == "task checkpoint strategy metric validation test time state"
    if columns > 60:
        assert all(len(line) <= columns for table in tables for line in table)


def test_runs_are_listed_with_their_scores_and_intervals(runs, capsys):
    bounds = {"test": {"intervals": {"accuracy": {"low": 0.65, "high": 0.74}}}}
    (runs / "1" / "evidence.json").write_text(json.dumps(bounds))
    header, first, second = graft(capsys)
    assert header.split()[:3] == ["run", "task", "checkpoint"]
    assert first.split()[:6] == [
        "runs/bert_sst2/1",
        "text_classification",
        "google-bert/bert-base-uncased",
        "lora",
        "accuracy",
        "0.9000",
    ]
    assert "0.7000 (0.6500 to 0.7400)" in first
    assert first.endswith("done")
    assert "1.5 min" in first
    assert "0.7500" in second


def test_runs_are_sorted_with_the_best_first_and_the_unknown_last(runs, capsys):
    unfinished(runs.parents[1])
    one, two, three = (f"runs/bert_sst2/{number}" for number in (1, 2, 3))
    assert names(graft(capsys, "--sort", "test")) == [two, one, three]
    assert names(graft(capsys, "--sort", "validation", "runs")) == [one, two, three]
    assert names(graft(capsys, "--sort", "time")) == [two, one, three]
    assert names(graft(capsys, "--strategy", "full")) == [two]
    (message,) = graft(capsys, "--sort", "tset", code=2)
    assert "did you mean 'test'?" in message
    (message,) = graft(capsys, "--task", "image_classification", code=2)
    assert message.endswith(
        "no run has it; did you mean 'text_classification'? known: text_classification"
    )


def test_the_best_run_of_each_recipe_is_chosen_by_validation(runs, capsys):
    rows = json.loads("\n".join(graft(capsys, "--best", "--json")))
    assert [(row["path"], row["validation"]) for row in rows] == [("runs/bert_sst2/1", 0.9)]


def test_of_errors_the_least_is_the_best_in_folders_of_older_versions_too(runs, capsys):
    for number, error in ((1, 3.0), (2, 2.0)):
        path = runs / str(number) / "metrics.json"
        metrics = {**json.loads(path.read_text()), "main_metric": "mse"}
        metrics |= {"validation": {"mse": error}}
        del metrics["greater_is_better"]
        path.write_text(json.dumps(metrics))
    assert names(graft(capsys, "--best")) == ["runs/bert_sst2/2"]


def test_a_folder_that_cannot_be_read_is_one_line(runs, capsys, tmp_path):
    unfinished(tmp_path)
    (runs / "1" / "metrics.json").write_text('{"validation": 7, "main_metric": "\\u001b[2J\\n"}')
    (runs / "2" / "metrics.json").write_text('{"validation": {"accuracy": 1')
    (runs / "3" / "recipe.yaml").write_text("task: [")
    (runs / "4").mkdir()
    (runs / "5").symlink_to(tmp_path)
    (runs / "notes").mkdir()
    rows = graft(capsys)
    assert len(rows) == 5  # a header, a run, and a line for each of the other three
    assert "\x1b" not in "".join(rows)
    assert rows[2].startswith("runs/bert_sst2/2: runs/bert_sst2/2/metrics.json: damaged")
    assert rows[3].startswith("runs/bert_sst2/3: runs/bert_sst2/3/recipe.yaml:1: not YAML")
    assert rows[4] == "runs/bert_sst2/4: no run folder: there is no lock.json"


def test_a_root_that_is_not_there_is_refused_and_an_empty_one_says_so(tmp_path, capsys):
    assert graft(capsys, str(tmp_path)) == ["no runs"]
    (message,) = graft(capsys, str(tmp_path / "nowhere"), code=2)
    assert "no such folder" in message
    (message,) = graft(capsys, str(tmp_path), "other", code=2)
    assert "expected one folder" in message


def test_a_run_is_shown_with_every_metric(runs, capsys, tmp_path):
    simple = {"name": "bag of words", "seconds": 1.0, "test": {"accuracy": 0.6}}
    path = runs / "1" / "metrics.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "simple_model": simple}))
    lines = graft(capsys, "show", "runs/bert_sst2/1")
    assert lines[0].startswith("runs/bert_sst2/1: done, begun 20")
    header = next(line for line in lines if line.startswith("metric"))
    assert header.endswith("validation    test  baseline (test)  bag of words (test)")
    assert any(
        line.split() == ["accuracy", "0.9000", "0.7000", "0.5000", "0.6000"] for line in lines
    )
    (row,) = json.loads("\n".join(graft(capsys, "show", "runs/bert_sst2/1", "--json")))
    assert row["state"] == "done"
    lines = graft(capsys, "show", str(unfinished(tmp_path).path))
    assert lines[-1].startswith("to go on: graft run ")
    (message,) = graft(capsys, "show", code=2)
    assert "name a run folder" in message


def test_runs_are_removed_after_a_yes(runs, capsys, monkeypatch):
    (message,) = graft(capsys, "rm", "runs/bert_sst2/1", code=2)
    assert "nobody can be asked here; add --yes" in message
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda _: "")
    assert graft(capsys, "rm", "runs/bert_sst2/1") == ["nothing was removed"]
    monkeypatch.setattr("builtins.input", lambda _: "y")
    assert graft(capsys, "rm", "runs/bert_sst2/1") == ["removed runs/bert_sst2/1"]
    assert graft(capsys, "rm", "--yes", "runs/bert_sst2/2") == ["removed runs/bert_sst2/2"]
    assert [*runs.iterdir()] == []


def test_what_a_link_in_a_run_leads_to_stays(runs, capsys, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "thesis.txt").write_text("years of work")
    (runs / "1" / "link").symlink_to(outside)
    assert graft(capsys, "rm", "--yes", "runs/bert_sst2/1") == ["removed runs/bert_sst2/1"]
    assert (outside / "thesis.txt").is_file()


def test_only_run_folders_are_removed(runs, capsys, tmp_path):
    link, project = runs / "9", tmp_path / "7"
    link.symlink_to(runs / "1")
    project.mkdir()
    (project / "lock.json").write_text("{}")
    (project / "recipe.yaml").write_text(RECIPE)
    refused = {
        "runs/bert_sst2/1/model": "not a run folder; expected one such as",
        "runs/bert_sst2": "not a run folder; expected one such as",
        str(link): "a link leads there",
        str(project): "its lock.json is none of a run",
    }
    for path, reason in refused.items():
        (message,) = graft(capsys, "rm", "--yes", "runs/bert_sst2/2", path, code=2)
        assert reason in message
    assert (runs / "2" / "model").is_dir()  # all or none


def test_a_run_that_is_still_training_stays_and_so_do_all_others(
    runs, capsys, tmp_path, monkeypatch
):
    stopped = unfinished(tmp_path)
    lockf = ownership.fcntl.lockf

    def refuse(*_):
        raise OSError(errno.EAGAIN, "held by another process")

    monkeypatch.setattr(ownership.fcntl, "lockf", refuse)
    (message,) = graft(capsys, "rm", "--yes", "runs/bert_sst2/2", str(stopped), code=2)
    assert "is still training" in message
    assert (runs / "2" / "model").is_dir()
    monkeypatch.setattr(ownership.fcntl, "lockf", lockf)
    assert graft(capsys, "rm", "--yes", str(stopped)) == [f"removed {stopped}"]
    assert not stopped.path.exists()


def test_what_metrics_say_about_the_main_score_is_recorded(tmp_path):
    folder = finished(tmp_path, main_metric="mse", lower_is_better=frozenset({"mse"}))
    assert json.loads(folder.metrics.read_text())["greater_is_better"] is False
    assert evidence().main_metric not in evidence().lower_is_better
