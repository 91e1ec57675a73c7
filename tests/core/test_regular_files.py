"""What is no file is refused by its name, and never opened: a pipe would be waited for."""

import os
import socket

import pytest

from pipelines import recipe
from pipelines.cli import main
from pipelines.core import recipe_files, regular_files
from pipelines.core.errors import DataError, GraftError, RecipeError
from pipelines.data.sources.files import Files
from pipelines.evaluation import metric_location
from pipelines.models.revision import resolve_commit
from pipelines.models.section import Model
from pipelines.tasks.audio import files as sounds
from pipelines.tasks.image import files as images

KINDS = {
    "pipe": "is a pipe",
    "folder": "is a folder",
    "gone": "is a link to nowhere, which is not there",
    "loop": "is a link that leads back to itself",
    "zero": "is a device",
    "socket": "is a socket",
}


def bind(name):
    """Make a socket."""
    with socket.socket(socket.AF_UNIX) as opened:
        opened.bind(name)


@pytest.fixture
def place(tmp_path, monkeypatch):
    """place(kind, name): make such a thing in the working directory; returns its name."""
    monkeypatch.chdir(tmp_path)

    def place(kind, name):
        make = {
            "pipe": os.mkfifo,
            "folder": os.mkdir,
            "gone": lambda name: os.symlink("nowhere", name),
            "loop": lambda name: os.symlink(name, name),
            "zero": lambda name: os.symlink("/dev/zero", name),
            "socket": bind,
        }
        os.makedirs(os.path.dirname(name) or ".", exist_ok=True)
        make[kind](name)
        return name

    return place


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_has_its_name(place, kind):
    name = place(kind, "it")
    assert regular_files.problem(name) == KINDS[kind]
    assert regular_files.problem(name, or_folder=True) == ("" if kind == "folder" else KINDS[kind])
    assert regular_files.problem(__file__) == regular_files.problem("absent\0") == ""


@pytest.mark.parametrize("kind", ["pipe", "zero"])
def test_a_recipe_is_a_file(place, kind):
    with pytest.raises(RecipeError, match=rf"^it\.yaml: cannot read the recipe \(it {KINDS[kind]}"):
        recipe.load(place(kind, "it.yaml"))


@pytest.mark.parametrize("kind", ["gone", "loop"])
def test_a_link_that_leads_nowhere_is_named_wherever_a_recipe_has_one(place, kind):
    problem = KINDS[kind].replace("to nowhere, which", "to .*nowhere, which")
    place(kind, "it.yaml")
    for load in (recipe_files.resolve, recipe.load):
        with pytest.raises(RecipeError, match=rf"^it\.yaml: {problem}; expected a YAML file"):
            load("it.yaml")
    with open("of.yaml", "w", encoding="utf-8") as file:
        file.write("task: text_classification\nmodel: m\ndata: {source: files, path: ./place}\n")
    place(kind, "place")
    source = recipe.load("of.yaml").data
    with pytest.raises(DataError, match=rf"data\.path: .*({problem}|nowhere: no such file)"):
        source.load()
    with pytest.raises(RecipeError, match=rf"metric '\./m\.py': {problem}; expected a Python file"):
        metric_location.locate("./" + place(kind, "m.py"), "main")
    assert main(["cp", "quickstart", "it.yaml"]) == 2  # nothing is written behind a link


@pytest.mark.parametrize("kind", ["pipe", "gone", "zero", "socket", "folder"])
def test_a_table_is_a_file(place, kind):
    place(kind, "data/train.csv")
    problem = rf"data/train\.csv: {KINDS[kind]}; expected a file"
    for call in ("load", "identity"):
        with pytest.raises(DataError, match=problem):
            getattr(Files(source="files", path="data"), call)()
    if kind != "folder":
        with pytest.raises(DataError, match=rf"data\.path: data/train\.csv: {KINDS[kind]}; "):
            Files(source="files", path="data/train.csv").load()
    splits = {"train": "train.csv"}
    with pytest.raises(DataError, match=rf"data\.splits\.train: .*: {KINDS[kind]}; expected a"):
        Files(source="files", path="data", splits=splits).load()


@pytest.mark.parametrize("kind", ["pipe", "socket"])
def test_a_folder_of_images_holds_files(place, kind):
    name = place(kind, "data/cats/x.png")
    with pytest.raises(DataError, match=f"{name}: {KINDS[kind]}, which no example can be"):
        Files(source="files", path="data").load()


@pytest.mark.parametrize("kind", ["pipe", "folder", "zero"])
def test_an_image_or_a_sound_that_a_row_names_is_a_file(place, kind):
    row = {"path": place(kind, "x.png"), "bytes": None}
    with pytest.raises(DataError, match=rf"x\.png cannot be read as an image \(it {KINDS[kind]}\)"):
        images.header(row)
    assert sounds.problem(row) == f"x.png cannot be read as sound (it {KINDS[kind]})"


def test_files_of_a_checkpoint_are_files(place):
    place("pipe", "model/config.json")
    with pytest.raises(GraftError, match=r"model/config\.json: is a pipe; expected a file of a"):
        resolve_commit(Model(checkpoint="./model"))
