"""A soup that was killed or copied in part: it goes on with equal bits, or is refused."""

import json
import re
import shutil
from pathlib import Path

import pytest
from grafting import changed, fit, job, prepare, write_recipe
from safetensors.torch import load_file

from pipelines.cli import main
from pipelines.report.run_folder import RunFolder
from pipelines.training.averaging import soup
from pipelines.training.going_on import NoteIngredient

pytestmark = pytest.mark.slow
TRAINING = {
    **{"learning_rate": 1e-3, "num_train_epochs": 2, "logging_steps": 1},
    **{"save_strategy": "epoch", "eval_strategy": "epoch", "save_total_limit": None},
}
SECTIONS = {
    **{"training": TRAINING, "averaging": {"soup": {"seed": [1, 2]}}},
    **{"simple_model": False, "printed_lines": False},
}


class Killed(BaseException):
    """Ends the program where it is raised, as a signal would."""


@pytest.fixture(scope="module")
def made(checkpoint, text_data, tmp_path_factory):
    """A folder with a recipe, a whole run, and one that was killed when ingredient 0 was done."""
    folder = tmp_path_factory.mktemp("soups")
    recipe = write_recipe(folder, checkpoint("bert"), text_data, **SECTIONS)
    assert main(["run", str(recipe)]) == 0
    ready = prepare(folder, checkpoint("bert"), text_data, **SECTIONS)
    run = RunFolder.create(folder / "runs", "recipe")

    remove = shutil.rmtree

    def kill(path, *args, **options):
        if "checkpoint-" in Path(path).name:
            raise Killed
        remove(path, *args, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shutil, "rmtree", kill)
        with pytest.raises(Killed):
            soup.fit(
                ready.recipe.strategy.train, job(ready, run.checkpoints), soup.Soup(seed=(1, 2))
            )
    run.lock.write_text("{}")
    # the head is drawn by the recipe's seed, the rest of a run by the ingredient's
    second = prepare(folder, checkpoint("bert"), text_data, **SECTIONS)
    arguments = job(second, folder / "second").arguments
    arguments.seed = 2
    fit(second, folder / "second", arguments=arguments, callbacks=(NoteIngredient(1),))
    write_recipe(folder, checkpoint("bert"), text_data, **SECTIONS)
    return folder


@pytest.fixture
def folder(made, tmp_path):
    """A copy of it; the killed run is number 2."""
    shutil.copytree(made / "runs", tmp_path / "runs")
    text = (made / "recipe.yaml").read_text().replace(str(made), str(tmp_path))
    (tmp_path / "recipe.yaml").write_text(text)
    return tmp_path


def resume(folder):
    return main(["run", str(folder / "recipe.yaml"), "training.resume_from_checkpoint=true"])


def weights(folder, number):
    return load_file(folder / "runs/recipe" / str(number) / "model" / "model.safetensors")


def checkpoints(folder):
    return folder / "runs/recipe/2/checkpoints"


def half_done(made, folder):
    """Have the run killed in ingredient 1, after the first checkpoint."""
    for old in checkpoints(folder).glob("checkpoint-*"):
        shutil.rmtree(old)
    first = min((made / "second").glob("checkpoint-*"), key=lambda path: int(path.name[11:]))
    shutil.copytree(first, checkpoints(folder) / first.name)


def left_whole(made, folder):
    """Have it killed before checkpoints of ingredient 0 were removed."""
    assert [*checkpoints(folder).glob("checkpoint-*/files.json")]


def left_in_part(made, folder):
    """Have it killed while a checkpoint of ingredient 0 was removed."""
    for old in checkpoints(folder).glob("checkpoint-*"):
        old.rename(old.with_name(f"removed-{old.name}"))
        (old.with_name(f"removed-{old.name}") / "optimizer.pt").unlink()


@pytest.mark.parametrize("place", [half_done, left_whole, left_in_part])
def test_a_soup_that_was_killed_goes_on_where_it_was(made, folder, place, capsys):
    place(made, folder)
    assert resume(folder) == 0, capsys.readouterr().err
    assert not changed(weights(folder, 1), weights(folder, 2))
    assert not checkpoints(folder).exists()


def flip(file):
    content = bytearray(file.read_bytes())
    content[-9] ^= 1
    file.write_bytes(content)


DAMAGES = {
    "model.safetensors is not what was saved": flip,
    "model.safetensors is missing": lambda file: file.unlink(),
    "files.json is missing or damaged": lambda file: file.with_name("files.json").write_text("["),
    "is gone, and .* is of ingredient 1": lambda file: shutil.rmtree(file.parent),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_was_saved_of_an_ingredient_is_compared(made, folder, damage, capsys):
    half_done(made, folder)
    DAMAGES[damage](checkpoints(folder) / "soup/0/model.safetensors")
    capsys.readouterr()
    assert resume(folder) == 2
    error = capsys.readouterr().err

    assert "soup/0: " in error
    assert "or begin a new run" in error
    assert re.search(damage, error)


def test_between_two_ingredients_it_goes_on_with_the_same_data_only(made, folder, capsys):
    """No checkpoint is there."""
    left_in_part(made, folder)
    run = RunFolder(folder / "runs/recipe/2")
    shutil.copy(folder / "runs/recipe/1/recipe.yaml", run.recipe)
    before = json.loads((folder / "runs/recipe/1/lock.json").read_text())
    before["data"]["sha256"] = before["data"]["files"] = {"train.csv": "another"}
    run.lock.write_text(json.dumps(before))
    capsys.readouterr()
    assert resume(folder) == 2
    output = capsys.readouterr()
    assert "resume: " in output.out
    assert "goes on after the finished runs of its soup" in output.out
    assert "data or checkpoint have changed since the run began" in output.err
