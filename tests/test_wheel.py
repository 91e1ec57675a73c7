"""What `pip wheel .` builds works in an environment of its own, from an empty folder."""

import json
import os
import shutil
import site
import subprocess
import sys
import venv
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from warm_python import WarmPython

from pipelines.core import recipe_files
from pipelines.core.version import __version__

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built without a network from a copy of what git would give."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in ("pipelines", "recipes"):
        shutil.copytree(ROOT / name, source / name)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    pip = [sys.executable, "-m", "pip", "--no-input", "--disable-pip-version-check", "wheel"]
    subprocess.run(
        [*pip, ".", "--no-deps", "--no-build-isolation", "-w", target], cwd=source, check=True
    )
    (file,) = target.glob("*.whl")
    return file


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `bin` of a fresh environment with the wheel, and with the packages that it needs.

    Those are this environment's own, after the wheel in `sys.path`: a checkout that is installed
    here as editable is not reached, because .pth files of a folder that a .pth names do not count.
    """
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, symlinks=True, with_pip=False)
    python = folder / "bin" / "python"
    (packages,) = folder.glob("lib/python*/site-packages")
    pip = [sys.executable, "-m", "pip", "--no-input", "--disable-pip-version-check"]
    install = ["install", "--no-deps", "--no-index", wheel]
    subprocess.run([*pip, "--python", python, *install], check=True)
    (packages / "dependencies.pth").write_text("\n".join(site.getsitepackages()) + "\n")
    return folder / "bin"


@pytest.fixture
def start(installed: Path, tmp_path: Path) -> Callable[..., str]:
    """start("graft", …): run what is installed, a program or a path, in an empty folder."""
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}

    def run(program: str | Path, *arguments: str, code: int = 0, **variables: str) -> str:
        done = subprocess.run(
            [installed / program, *arguments],
            cwd=tmp_path,
            env={**environment, **variables},
            capture_output=True,
            text=True,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    return run


def test_a_wheel_holds_the_recipes_and_what_they_need(wheel: Path) -> None:
    assert wheel.name == f"graft_finetune-{__version__}-py3-none-any.whl"
    files = {*zipfile.ZipFile(wheel).namelist()}
    shipped = {
        f"pipelines/recipes/{path.relative_to(ROOT / 'recipes').as_posix()}"
        for path in (ROOT / "recipes").rglob("*")
        if path.is_file()
    }
    assert "pipelines/report/page/templates/page.html" in files
    assert {"pipelines/recipes/schema.json", "pipelines/recipes/quickstart.yaml"} <= shipped
    assert "pipelines/recipes/embedded/letters_resnet/model.safetensors" in shipped
    assert shipped <= files
    outside = {name for name in files if not name.startswith(("pipelines/", "graft_finetune-"))}
    assert not outside
    assert wheel.stat().st_size < 2.5e6


def test_the_first_commands_from_an_empty_folder(
    start: Callable[..., str], installed: Path, tmp_path: Path, python_offline: WarmPython
) -> None:
    assert start("graft", "--version") == f"graft {__version__}\n"
    listed = start("graft", "list")
    for name in recipe_files.shipped():
        assert f"  {name} " in listed
    assert "did you mean 'quickstart'?" in start("graft", "run", "quikstart", code=2)
    copied = start("graft", "cp", "bert_sst2", ".")
    assert "wrote bert_sst2.yaml; to run it: graft run bert_sst2.yaml" in copied
    assert (tmp_path / "bert_sst2.yaml").is_file()
    (tmp_path / "mine").mkdir()
    start("graft", "cp", "quickstart", "mine")

    # one interpreter runs a recipe by its name, and checks a copy from where it lies; the libraries
    # are those of the fresh environment, imported before
    short = ["training.max_steps=2", "data.limit.test=50", "training.use_cpu=true"]
    commands = [["run", "quickstart", *short], ["check", "mine/quickstart.yaml", *short]]
    code = f"""
import pipelines, pipelines.cli
print([pipelines.cli.main(command) for command in {commands}])
print(pipelines.__file__)
"""
    (packages,) = installed.parent.glob("lib/python*/site-packages")
    printed = start(python_offline.path, "-c", code, PYTHONPATH=str(packages))
    ran, _, checked = printed.partition("reload parity: ok")
    assert ran
    assert "model      " in checked
    *_, codes, imported = checked.splitlines()
    assert codes == "[0, 0]"
    assert Path(imported).is_relative_to(installed.parent)
    lock = json.loads((tmp_path / "runs" / "quickstart" / "1" / "lock.json").read_text())
    assert lock["graft"] == {"version": __version__, "commit": None, "modified": None}
