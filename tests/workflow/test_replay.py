"""A run that is repeated from its lock: bit for bit, or refused by name."""

import hashlib
import json
import shutil
from importlib.metadata import version
from pathlib import Path

import pytest
import torch
import yaml
from grafting import write_recipe
from recipe_text import multiplied_aliases
from safetensors.torch import load_file, save_file

import pipelines as graft
from pipelines.cli import main
from pipelines.core.errors import RunError
from pipelines.report import repetition
from pipelines.report.lock_differences import contents, environment
from pipelines.report.run_folder import RunFolder
from pipelines.workflow.original import Original
from pipelines.workflow.replay import names_run

QUICK = {"training": {"max_steps": 2}, "simple_model": False}
STAGES = [{"task": {"name": "masked_lm", "block_size": 16}}, {"task": "text_classification"}]
SLOW = pytest.mark.slow
KINDS = {
    "lora": {"strategy": "lora"},
    "probe": {"strategy": "linear_probe"},
    "stages": {"stages": STAGES},
    "models": {"model": ["bert", "distilbert"], "strategy": "linear_probe"},
    "frozen blocks": {"strategy": {"name": "top_layers", "layers": 1}},
    "auto": {"strategy": "auto"},
    "soup": {"averaging": {"soup": {"seed": [1, 2]}}},
}
PATHS = {"forgetting": "news", "out_of_distribution": "odd"}
PARAMETERS = [pytest.param(kind, marks=() if kind == "probe" else SLOW) for kind in KINDS]


@pytest.fixture(scope="module")
def make(checkpoint, text_data, tmp_path_factory):
    """make(**sections): the folder of a finished run."""

    def make(**sections):
        root, models = tmp_path_factory.mktemp("replay"), sections.get("model", ())
        data = sections.pop("data", None)
        if models:
            sections["model"] = [str(checkpoint(name)) for name in models]
        path = write_recipe(root, checkpoint("bert"), text_data, **{**QUICK, **sections})
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
        if "stages" in sections:
            del values["task"]
        values["data"] = data or values["data"]
        path.write_text(yaml.safe_dump(values), encoding="utf-8")
        assert main(["run", str(path)]) == 0
        return RunFolder(root / "runs" / "recipe" / "1")

    return make


@pytest.fixture(scope="module")
def run(make):
    """A run that nothing changes."""
    return make(**KINDS["lora"])


@pytest.fixture
def copy(run, tmp_path):
    """The same run in a folder whose files a test may change."""
    shutil.copytree(run.path, tmp_path / "runs" / "recipe" / "1")
    return RunFolder(tmp_path / "runs" / "recipe" / "1")


@pytest.fixture
def refusal(capsys):
    """refusal(word, …): what `graft run` prints when it refuses them."""

    def refusal(*words):
        assert main(["run", *map(str, words)]) == 2
        return capsys.readouterr().err

    return refusal


def edit(file, change):
    """Change what a JSON file holds, in place."""
    values = json.loads(file.read_text(encoding="utf-8"))
    change(values)
    file.write_text(json.dumps(values), encoding="utf-8")


def sha256(file):
    return hashlib.sha256(file.read_bytes()).hexdigest()


def tensors(run):
    """The files of weights of a model, of all stages."""
    files = {each.relative_to(run.path): each for each in run.path.rglob("*.safetensors")}
    assert files
    return {name: file.read_bytes() for name, file in files.items()}


@pytest.mark.parametrize("kind", PARAMETERS)
def test_a_run_is_repeated_bit_for_bit(make, kind, capsys):
    first = make(**KINDS[kind])
    capsys.readouterr()
    second = graft.run(first.lock).folder if kind == "probe" else None
    if second is None:
        assert main(["run", str(first)]) == 0
        second = RunFolder.newest_in(first.path.parent)
    shown = capsys.readouterr().out
    assert second.path.name == "2"
    assert shown.count("weights equal (") == shown.count("scores equal (") == 1 + (kind == "stages")
    assert "NOT equal" not in shown
    assert tensors(second) == tensors(first)
    lock, before = (json.loads(each.lock.read_text()) for each in (second, first))
    assert lock["repeats"]["run"] == "recipe/1"
    assert lock["repeats"]["date"] == before["date"]
    assert lock["repeats"]["lock_sha256"] == sha256(first.lock)
    # a commit of Graft that is made meanwhile is listed
    assert not [each for each in lock["repeats"]["differs"] if not each.startswith("graft.")]
    assert lock.get("auto") == before.get("auto")
    assert json.loads(second.replay.read_text())["equal"] is True


def test_another_file_is_refused_by_its_name_and_both_hashes(run, text_data, tmp_path, refusal):
    shutil.copytree(text_data, tmp_path / "reviews")
    changed = tmp_path / "reviews" / "train.csv"
    with changed.open("a", encoding="utf-8") as file:
        file.write("one more,negative\n")
    runs_before = len([*run.path.parent.iterdir()])
    problem, *lines = refusal(run, f"data.path={tmp_path}/reviews").splitlines()
    assert problem.startswith(f"error: {run}: what it has read is not what is here; put it back")
    assert f"graft run {run.recipe}" in problem
    before = sha256(text_data / "train.csv")
    assert lines == [f'  lock.data.files.train.csv: "{before}" -> "{sha256(changed)}"']
    assert len([*run.path.parent.iterdir()]) == runs_before


@pytest.fixture(scope="module")
def several(make, text_data, tmp_path_factory):
    """(folder, run): data of a run that reads five sources, and the run."""
    folder = tmp_path_factory.mktemp("sources")
    for name in ("books", "films", "target"):
        shutil.copytree(text_data, folder / name)
    for name in PATHS.values():
        shutil.copy(text_data / "train.csv", folder / f"{name}.csv")
    sources = {each: {"source": "files", "path": str(folder / each)} for each in ("books", "films")}
    target = {"source": "files", "path": str(folder / "target")}
    run = make(
        strategy="linear_probe",
        data={"source": "several", "sources": sources, "target": target},
        evaluation={key: {"path": str(folder / f"{file}.csv")} for key, file in PATHS.items()},
    )
    return folder, run


OTHER_SOURCES = {
    "films/train.csv": "lock.data.sources.films.files.train.csv",
    "target/test.csv": "lock.target.files.test.csv",
    "news.csv": "lock.evaluation.forgetting.files.news.csv",
    "odd.csv": "lock.evaluation.out_of_distribution.files.odd.csv",
}


@pytest.mark.parametrize(("file", "key"), OTHER_SOURCES.items())
def test_every_source_that_a_run_reads_is_compared(several, refusal, file, key):
    folder, run = several
    whole = (folder / file).read_bytes()
    try:
        (folder / file).write_bytes(whole + b"one more,negative\n")
        lines = refusal(run).splitlines()[1:]
        (folder / file).unlink()
        missing = refusal(run)
    finally:
        (folder / file).write_bytes(whole)
    assert [line.partition(": ")[0] for line in lines] == [f"  {key}"]
    if key.startswith("lock.evaluation"):
        assert f"{key.split('.')[2]}.path: " in missing


def test_sources_that_lie_elsewhere_are_the_same(several, tmp_path, capsys):
    folder, run = several
    moved = shutil.copytree(folder, tmp_path / "moved")
    keys = {"data.sources.books.path": "books", "data.target.path": "target"}
    keys |= {f"evaluation.{key}.path": f"{file}.csv" for key, file in PATHS.items()}
    assert main(["run", str(run), *(f"{key}={moved}/{name}" for key, name in keys.items())]) == 0
    assert "replay: weights equal" in capsys.readouterr().out


def test_another_checkpoint_is_refused_by_its_file(run, text_checkpoint, tmp_path, refusal):
    shutil.copytree(text_checkpoint, tmp_path / "bert")
    edit(tmp_path / "bert" / "config.json", lambda config: config.update(note="other"))
    lines = refusal(run, f"model.checkpoint={tmp_path}/bert").splitlines()[1:]
    assert [line.partition(": ")[0] for line in lines] == ["  lock.model.files.config.json"]


def test_elsewhere_with_other_packages_what_differs_is_listed(copy, text_data, tmp_path, capsys):
    """Data that were moved are the same; a model that is another one is measured."""
    edit(copy.lock, lambda lock: lock["packages"].update(torch="0.1"))
    edit(copy.metrics, lambda metrics: metrics["test"].update(accuracy=2.0))
    weights = load_file(copy.model / "model.safetensors")
    weights["classifier.bias"][0] += 0.5
    save_file(weights, copy.model / "model.safetensors", {"format": "pt"})
    shutil.copytree(text_data, tmp_path / "moved")
    places = [f"data.path={tmp_path}/moved", f"training.output_dir={tmp_path}/new", "name=again"]
    capsys.readouterr()
    assert main(["run", str(copy.lock), *places]) == 0
    shown = capsys.readouterr().out
    assert f'replay: data.path: "{text_data}" -> "{tmp_path}/moved"' in shown
    now = version("torch")
    assert f'replay: differs: packages.torch: "0.1" -> "{now}"' in shown
    assert "replay: weights NOT equal: largest difference 0.5: classifier.bias\n" in shown
    assert "replay: scores NOT equal: largest difference " in shown
    assert ": test accuracy: 2.0 -> " in shown
    again = RunFolder(tmp_path / "new" / "again" / "1")
    assert json.loads(again.replay.read_text())["equal"] is False
    (differs,) = json.loads(again.lock.read_text())["repeats"]["differs"]
    assert differs.startswith('packages.torch: "0.1"')


@pytest.mark.parametrize(
    ("override", "line"),
    [
        ("training.learning_rate=1", "training.learning_rate: 0.0005 -> 1"),
        ("strategy=full", 'strategy.name: "lora" -> "full"'),
        ("training.seed=7", "training.seed: 42 -> 7"),
        ("calibration=null", "calibration: "),
        ("data.limit.train=3", "data.limit.train: null -> 3"),
    ],
)
def test_overrides_that_make_it_another_run_are_refused(run, override, line, refusal):
    problem, *lines = refusal(run, override).splitlines()
    assert "a run is repeated with the values that it had; only where results go (name, " in problem
    assert problem.endswith(f"to train with other values: graft run {run.recipe} key=value")
    assert len(lines) == 1
    assert lines[0].startswith(f"  {line}")


def test_a_run_that_is_not_finished_is_resumed_or_begun_anew_by_its_lock(copy, refusal):
    copy.metrics.unlink()
    advice = (
        f"this run is not finished; to go on with it: graft run {copy.recipe} "
        f"training.resume_from_checkpoint={copy}; to repeat it from its begin: graft run "
        f"{copy.lock}\n"
    )
    assert refusal(copy).endswith(advice)
    assert refusal(copy.lock, "--resume").endswith(advice)


def test_a_stage_is_not_repeated_alone(copy, refusal):
    (copy.path.parent / "stages.yaml").touch()
    assert "is one stage of a run" in refusal(copy)


@pytest.mark.parametrize(
    ("file", "content", "problem"),
    [
        ("recipe.yaml", "task: other", "is not the recipe that the lock beside it was written wi"),
        ("recipe.yaml", "[", "recipe.yaml:1: not YAML: "),
        ("recipe.yaml", multiplied_aliases(), "recipe.yaml:1: more than 100,000 keys and items"),
        ("recipe.yaml", None, "recipe.yaml: cannot be read (No such file"),
        ("lock.json", "[", "lock.json: damaged: not JSON"),
        ("lock.json", "{}", "lock.json: damaged: no section 'recipe'; name the lock.json of a run"),
    ],
)
def test_what_is_damaged_is_named(copy, file, content, problem, refusal):
    if content is None:
        (copy.path / file).unlink()
    else:
        (copy.path / file).write_text(content, encoding="utf-8")
    assert problem in refusal(copy)


def test_other_commands_say_what_takes_a_lock(run, capsys):
    assert main(["check", str(run.lock)]) == 2
    assert f"`graft run {run.lock}` repeats the run" in capsys.readouterr().err
    assert not names_run(run.model)
    assert not names_run("lock.json")


def test_revisions_are_the_commits_of_the_lock(copy):
    commits = {"model": {"checkpoint": "owner/name", "revision": "main", "commit": "c" * 40}}
    edit(copy.lock, lambda lock: lock.update(commits))
    assert Original(copy).values["model"]["revision"] == "c" * 40
    edit(copy.lock, lambda lock: lock.update(beside=[{"commit": "c"}]))
    with pytest.raises(RunError, match="it does not fit"):
        Original(copy).values  # noqa: B018


def test_revisions_of_other_rows_are_the_commits_of_the_lock(several, tmp_path):
    shutil.copytree(several[1].path, tmp_path / "runs" / "recipe" / "1")
    run = RunFolder(tmp_path / "runs" / "recipe" / "1")
    edit(run.lock, lambda lock: lock["evaluation"]["forgetting"].update(commit="c" * 40))
    evaluation = Original(run).values["evaluation"]
    assert evaluation["forgetting"]["revision"] == "c" * 40
    assert evaluation["out_of_distribution"]["revision"] is None


def test_contents_are_compared_without_names_and_branches():
    files = {"source": "files", "path": "a", "sha256": "1", "files": {"x.csv": "1", "y.csv": "2"}}
    hub = {"checkpoint": "o/n", "revision": "main", "commit": "c", "card": {"license": "mit"}}
    before = {"data": files, "model": hub, "beside": [hub], "seed": 1}
    same = {
        "data": {**files, "path": "b"},
        "model": {"checkpoint": "o/n", "revision": "c", "commit": "c"},
        "beside": [hub],
    }
    assert [*contents(before, same)] == []
    del files["files"]  # as of an older version
    (changed,) = contents(before, {**same, "data": {**same["data"], "sha256": "9"}})
    assert (changed.before, changed.now) == ("1", "9")
    other = {"data": {"source": "letters"}, "model": {**hub, "commit": "d"}, "beside": []}
    keys = [difference.key for difference in contents(before, other)]
    assert keys == [
        *("lock.model.commit", "lock.beside.0"),
        *("lock.data.source", "lock.data.path", "lock.data.sha256"),
    ]


def test_processes_and_processors_are_compared():
    before = {"num_processes": 2, "hardware": {"gpus": {"A": 1}}, "seed": 1}
    now = {"num_processes": 1, "hardware": {"gpus": {}}, "seed": 2}
    shown = [str(difference) for difference in environment(before, now)]
    assert shown == ["num_processes: 2 -> 1", "hardware.gpus.A: 1 -> left out"]


def test_what_cannot_be_compared_is_said(tmp_path):
    before, now = RunFolder(tmp_path / "a" / "1"), RunFolder(tmp_path / "a" / "2")
    now.model.mkdir(parents=True)
    assert [*repetition.compare(before, now).lines] == [
        f"weights not compared: there is no {before.model}",
        f"scores not compared: {before} is not finished",
    ]
    before.model.mkdir(parents=True)
    save_file({"w": torch.zeros(2)}, before.model / "model.safetensors")
    for values, problem in (
        (None, "only one of both has model.safetensors"),
        ({"w": torch.zeros(3)}, "w: [2] of torch.float32 -> [3] of torch.float32"),
        ({"v": torch.zeros(2)}, "only one of both has v"),
        ({"w": torch.tensor([0.0, -0.0])}, "w: other bits"),
    ):
        if values:
            save_file(values, now.model / "model.safetensors")
        assert str(repetition.compare(before, now).weights) == f"weights NOT equal: {problem}"
    (before.model / "model.safetensors").write_bytes(b"cut")
    assert "cannot be read" in str(repetition.compare(before, now).weights)
    for run in (before, now):
        run.metrics.write_text('{"test": {"f1": 1, "note": "x"}}', encoding="utf-8")
    assert str(repetition.compare(before, now).scores) == "scores equal (1 scores)"
    before.metrics.write_text("[", encoding="utf-8")
    assert "scores not compared" in str(repetition.compare(before, now).scores)


def test_the_folder_may_be_the_working_directory(copy, monkeypatch, refusal):
    monkeypatch.chdir(copy.path)
    assert names_run(".")
    assert f"graft run {Path.cwd()}/recipe.yaml key=value" in refusal("lock.json", "strategy=full")
