"""`graft cp`: a copy that runs from where it lies, and the names of recipes on the command line."""

from pathlib import Path

import pytest

from pipelines import cli, recipe
from pipelines.core.errors import RecipeError
from pipelines.core.version import __version__

ROOT = Path(__file__).parents[2]
RECIPES = ROOT / "recipes"


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        cli.main(["--version"])
    assert stop.value.code == 0
    assert capsys.readouterr().out == f"graft {__version__}\n"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory."""
    folder = tmp_path / "empty"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def test_a_copy_means_the_same_and_keeps_its_comments(here: Path, capsys) -> None:
    assert cli.main(["cp", "quickstart"]) == 0
    assert (
        capsys.readouterr().out == "wrote quickstart.yaml; to run it: graft run quickstart.yaml\n"
    )
    assert recipe.load("quickstart.yaml") == recipe.load(RECIPES / "quickstart.yaml")
    copy = (here / "quickstart.yaml").read_text().splitlines()
    original = (RECIPES / "quickstart.yaml").read_text().splitlines()
    changed = [line for line, before in zip(copy, original, strict=True) if line != before]
    assert changed == [
        f"# yaml-language-server: $schema={RECIPES / 'schema.json'}",
        f"model: {RECIPES / 'embedded' / 'letters_resnet'}",
    ]


def test_every_relative_path_in_a_copy_is_right(here: Path, tmp_path: Path) -> None:
    """`extends`, values in lists and flow mappings, quotes, and a folder with a space."""
    folder = tmp_path / "some recipes"
    folder.mkdir()
    (folder / "base.yaml").write_text(
        "task: text_classification\nmodel: ./bert\n"
        "data: {source: files, path: '../reviews', columns: {text: ./not a path}}\nstrategy: full\n"
    )
    source = folder / "mine.yaml"
    source.write_text(
        "# $schema=./schema.json, of the recipe mine\nextends: base.yaml  # the other one\n"
        'metrics: ["./metric.py", accuracy]\n'
    )
    assert cli.main(["cp", str(source), "copy.yaml"]) == 0
    text = (here / "copy.yaml").read_text()
    assert f"extends: '{folder / 'base.yaml'}'  # the other one" in text
    assert f"metrics: ['{folder / 'metric.py'}', accuracy]" in text
    copied = recipe.load("copy.yaml", ["name=mine"])
    assert copied == recipe.load(source)
    assert copied.model.checkpoint == str(folder / "bert")


def test_a_file_is_not_overwritten_by_chance(here: Path, capsys) -> None:
    (here / "quickstart.yaml").write_text("mine")
    assert cli.main(["cp", "quickstart", "."]) == 2
    assert (
        "error: quickstart.yaml: exists already; --force overwrites it" in capsys.readouterr().err
    )
    assert (here / "quickstart.yaml").read_text() == "mine"
    assert cli.main(["cp", "quickstart", ".", "--force"]) == 0  # the shipped one, not this
    assert recipe.load("quickstart.yaml") == recipe.load(RECIPES / "quickstart.yaml")
    assert cli.main(["cp", "quickstart.yaml", ".", "--force"]) == 2
    assert "quickstart.yaml: is the recipe itself; name another TARGET" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["quikstart"], "quikstart: no such file, and no recipe of that name; did you mean 'quick"),
        (
            ["quickstart", "nowhere/x.yaml"],
            "nowhere/x.yaml: there is no folder nowhere; create it (mkdir -p nowhere), or copy to "
            "nowhere/, which creates it",
        ),
        (["quickstart", "x" * 300], f"{'x' * 300}: cannot be written (File name too long)"),
        (["x" * 300], f"{'x' * 80}…: no such file, and no recipe of that name; "),
        (["broken.yaml"], "broken.yaml:2: not YAML: "),
    ],
)
def test_what_cannot_be_copied(arguments, expected, here: Path, capsys) -> None:
    (here / "broken.yaml").write_text("metrics: [f1\n")
    assert cli.main(["cp", *arguments]) == 2
    assert capsys.readouterr().err.startswith(f"error: {expected}")


@pytest.mark.parametrize(
    "command",
    [
        ["run"],
        ["check"],
        ["lr-find"],
        ["search", "--space", "training.learning_rate=1e-5..1e-3"],
        ["cp"],
    ],
)
def test_a_wrong_name_is_answered_by_the_nearest(command, here: Path, capsys) -> None:
    assert cli.main([*command, "quikstart"]) == 2
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    assert (
        "quikstart: no such file, and no recipe of that name; did you mean 'quickstart'?" in message
    )


@pytest.mark.parametrize("name", ["quickstart", "quickstart.yaml"])
@pytest.mark.parametrize("command", ["run", "check", "lr-find"])
def test_a_recipe_is_found_by_its_name(command, name, here: Path, capsys) -> None:
    """What is wrong with an override is told of the recipe that was found."""
    assert cli.main([command, name, "strategy=lorra"]) == 2
    assert "command line: unknown strategy 'lorra'; did you mean 'lora'" in capsys.readouterr().err


def test_a_target_that_ends_in_a_slash_is_a_folder(here: Path) -> None:
    assert cli.main(["cp", "quickstart", "mine/new/"]) == 0
    assert (here / "mine" / "new" / "quickstart.yaml").is_file()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("quickstart/", "quickstart/: no such file, and no recipe of that name; did you mean 'q"),
        ("", "'' names no recipe; expected a YAML file, or a name that `graft list` prints"),
        ("x" * 300, f"{'x' * 80}…: no such file, and no recipe of that name; "),
        (f"mine/{'x' * 300}", f"mine/{'x' * 300}: cannot read the recipe (File name too long)"),
        ("empty", "empty: is a folder; expected a YAML file such as x.yaml, or a name that "),
        ("mine", "mine: is a folder; expected a YAML file such as mine/a.yaml or mine/b.yaml\n"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("command", ["run", "cp"])
def test_what_is_no_recipe_is_one_message(command, name, message, here: Path, capsys) -> None:
    for file in ("mine/a.yaml", "mine/b.yaml", "empty/x.txt"):
        (here / file).parent.mkdir(parents=True, exist_ok=True)
        (here / file).touch()
    assert cli.main([command, name]) == 2
    printed = capsys.readouterr().err
    assert printed.startswith(f"error: {message}")
    assert printed.count("\n") == 1
    with pytest.raises(RecipeError):
        recipe.load(name)


def test_a_run_folder_is_no_recipe_and_its_recipe_is_named(here: Path, capsys) -> None:
    run = here / "runs" / "x" / "1"
    run.mkdir(parents=True)
    for name in ("recipe.yaml", "lock.json"):
        (run / name).touch()
    where = "error: runs/x/1: is the folder of a run; its recipe is runs/x/1/recipe.yaml; "
    assert cli.main(["cp", "runs/x/1/"]) == 2
    assert capsys.readouterr().err == (
        f"{where}to resume the run, add training.resume_from_checkpoint=runs/x/1\n"
    ).replace("runs/x/1: is", "runs/x/1/: is")
    (run / "metrics.json").touch()
    assert cli.main(["check", "runs/x/1"]) == 2
    assert capsys.readouterr().err == f"{where}`graft run runs/x/1` repeats the run\n"
