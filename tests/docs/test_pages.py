"""Every block of README, docs/ and CONTRIBUTING runs as it stands, or says why it cannot.

A page is one session in one folder, a small copy of the project with some data beside it: blocks
of bash and of Python run from top to bottom, and what is captioned with a file's name is written
there. The Hub is a tiny one on loopback. `make TARGET` is only asked whether the target exists.
"""

import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import tiny
import yaml
from hub_server import HubServer
from pages import Block, blocks, outside
from stand_ins import CHECKPOINTS, serve
from warm_python import TRANSFORMERS, WarmPython

from pipelines import recipe as recipes
from pipelines.core.errors import GraftError
from pipelines.recipe import staged

ROOT = Path(__file__).parents[2]
CONTRIBUTING = ROOT / ".github" / "CONTRIBUTING.md"
PAGES = (ROOT / "README.md", CONTRIBUTING, *sorted((ROOT / "docs").rglob("*.md")))
PROJECT = (
    ".ci",
    "pipelines",
    "recipes",
    "Makefile",
    "pyproject.toml",
    "requirements.lock",
    "README.md",
)
SERVED = ("bert_sst2",)  # recipes whose data sets are on the Hub that pages see
RUN = {"bash", "python", "yaml"}
BASE = """
task: text_classification
model: google-bert/bert-base-uncased
data: {source: files, path: ./reviews.csv, columns: {label: sentiment}}
strategy: full
"""


def every_block() -> list[Block]:
    return [block for page in PAGES for block in blocks(page)]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a page's folder begins with: the project, and data under the names that pages use."""
    from datasets import Dataset, concatenate_datasets

    folder = tmp_path_factory.mktemp("project")
    for name in PROJECT:
        source = ROOT / name
        copy = shutil.copytree if source.is_dir() else shutil.copy2
        copy(source, folder / name)
    tiny.text_data(folder / "reviews")
    splits = [Dataset.from_csv(str(path)) for path in sorted((folder / "reviews").glob("*.csv"))]
    # eight times: more than 1,000 rows are not cross-validated, which would train six models
    reviews = concatenate_datasets(splits * 8).rename_columns(
        {"text": "review", "label": "sentiment"}
    )
    reviews.to_csv(str(folder / "reviews.csv"))
    with sqlite3.connect(folder / "reviews.db") as database:
        reviews.to_pandas().to_sql("reviews", database, index=False)
    tiny.image_data(folder / "photos")
    (folder / "base.yaml").write_text(BASE, encoding="utf-8")
    return folder


def test_there_are_pages_with_blocks() -> None:
    assert len(PAGES) >= 12
    assert len([block for block in every_block() if block.language in RUN]) >= 40


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_block_is_of_a_kind_that_is_run_or_says_why_not(page) -> None:
    for block in blocks(page):
        assert block.language in {*RUN, "text"} or block.directive, (
            f"{block}: no test runs this language; write `<!-- not run: REASON -->` above it"
        )
        assert block.directive != "not run" or len(block.argument) > 8, f"{block}: no reason"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_code_stands_in_fences(page) -> None:
    """An indented block would be seen by no test; a fence with words after the language, too."""
    for number, line in outside(page):
        if line.startswith("    options: "):  # of mkdocstrings
            continue
        assert not line.startswith(("    ", "\t", "~~~", "```")), f"{page.name}:{number}: {line}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_lead_to_files_and_headings(page) -> None:
    """Those between pages of the site are checked by `make docs`, too; README is not among them."""
    for _, line in outside(page):
        for link in re.findall(r"\]\(([^)\s]+)\)", line):
            name, _, heading = link.partition("#")
            if "://" in name:
                continue
            target = (page.parent / name).resolve() if name else page
            assert target.is_file(), f"{page.name}: {link}"
            text = target.read_text(encoding="utf-8")
            assert not heading or heading in anchors(text), f"{page.name}: {link}"


def test_files_that_contributing_names_exist() -> None:
    """`workflow/run.py` is meant from pipelines/, `tests/docs/` from the root."""
    written = {block.argument for block in blocks(CONTRIBUTING) if block.directive == "file"}
    for _, line in outside(CONTRIBUTING):
        for name in re.findall(r"`(\.?[a-z_]+/[\w./]*)`", line):
            made = name.startswith(("build/", "runs/", ".venv/", "model/")) or name in written
            assert made or any((root / name).exists() for root in (ROOT, ROOT / "pipelines")), name


def anchors(text: str) -> set[str]:
    """The names under which the headings of a page are linked to."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in headings}


def is_recipe(block: Block) -> bool:
    """Whether the block can be loaded here: CONTRIBUTING's names files that only its run has."""
    is_space = block.argument.endswith("space.yaml")
    return (
        block.language == "yaml"
        and block.page != CONTRIBUTING
        and block.directive in ("", "file")
        and not is_space
    )


RECIPES = [block for block in every_block() if is_recipe(block)]


@pytest.mark.parametrize("block", RECIPES, ids=str)
def test_a_recipe_loads(block, tmp_path) -> None:
    """A part of a recipe is completed by one that classifies reviews."""
    (tmp_path / "base.yaml").write_text(BASE, encoding="utf-8")
    for other in blocks(block.page):
        if other.directive == "file" and other.language == "yaml":
            (tmp_path / other.argument).write_text(other.text, encoding="utf-8")
    values = yaml.safe_load(block.text)
    whole = "extends" in values or {"task", "model", "data", "strategy"} <= values.keys()
    path = tmp_path / "recipe.yaml"
    path.write_text(block.text if whole else f"extends: base.yaml\n{block.text}", encoding="utf-8")
    try:
        staged.load(path)
    except GraftError as error:
        pytest.fail(f"{block}: {error}")


# `make` only says whether the target exists: nothing is installed
COMMANDS = {
    "accelerate": 'exec PYTHON -m accelerate.commands.accelerate_cli "$@"',
    "graft": 'exec PYTHON -m pipelines.cli "$@"',
    "python-session": 'exec PYTHON -c "$SESSION"',
    "make": 'exec /usr/bin/env PATH="${PATH#*:}" make --dry-run "$@"',
}
# a line of JSON with a block's name and text comes in, its traceback or "" goes out
SESSION = """
import json, os, sys, traceback
answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
names = {"__name__": "__main__"}
for line in sys.stdin:
    name, text = json.loads(line)
    failure = ""
    try:
        exec(compile(text, name, "exec"), names)
    except BaseException:
        failure = traceback.format_exc()
    print(json.dumps(failure), file=answers, flush=True)
"""


@pytest.fixture(scope="module")
def environment(
    tmp_path_factory: pytest.TempPathFactory, checkpoint, python: WarmPython
) -> Iterator[dict[str, str]]:
    """The variables of a user whose `graft` starts in a moment and knows no Hub but ours."""
    folder = tmp_path_factory.mktemp("warm")
    commands = folder / "commands"
    commands.mkdir()
    with HubServer(folder / "hub") as hub:
        for name in SERVED:
            serve(recipes.load(ROOT / "recipes" / f"{name}.yaml"), hub, checkpoint, folder / name)
        for name, family in CHECKPOINTS.items():
            if name in pages_text() and ("model", name) not in hub.store.repos:
                hub.add_model(name, checkpoint(family))
        home = {"HF_HOME": str(folder / "home"), "GRAFT_CACHE": str(folder / "cache")}
        path = f"{commands}:{Path(sys.executable).parent}:{os.environ['PATH']}"
        environment = {**os.environ, **hub.environment, **home, "PATH": path, "SESSION": SESSION}
        with WarmPython(TRANSFORMERS, python.path, environment) as warm:
            for name, line in COMMANDS.items():
                text = f"#!/bin/sh\n{line}\n".replace("PYTHON", str(warm.path))
                (commands / name).write_text(text, encoding="utf-8")
                (commands / name).chmod(0o755)
            yield environment


def pages_text() -> str:
    return "".join(block.text for block in every_block())


def session_of(page: Path) -> list[Block]:
    return [block for block in blocks(page) if block.directive != "not run"]


SESSIONS = [page for page in PAGES if {"bash", "python"} & {b.language for b in session_of(page)}]


@pytest.mark.slow
@pytest.mark.parametrize("page", SESSIONS, ids=lambda page: page.stem)
def test_a_page_runs_from_top_to_bottom(page, environment, project, tmp_path) -> None:
    folder = shutil.copytree(project, tmp_path / "page")
    with Session(folder, environment) as session:
        for block in session_of(page):
            if block.directive == "file":
                (folder / block.argument).parent.mkdir(parents=True, exist_ok=True)
                (folder / block.argument).write_text(block.text, encoding="utf-8")
            elif block.directive == "tree":
                names = (line.split()[0] for line in block.text.splitlines())
                missing = [name for name in names if not (folder / block.argument / name).exists()]
                assert not missing, f"{block}: {missing}"
            elif block.language == "bash":
                bash(block, folder, environment)
            elif block.language == "python":
                session.run(block)


def bash(block: Block, folder: Path, environment: dict[str, str]) -> None:
    """Run the lines of a block; the first one that fails ends it."""
    result = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block.text],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert result.returncode == 0, f"{block}:\n{block.text}\n{result.stdout}\n{result.stderr}"


class Session:
    """The Python of a page: its blocks share their names, as the cells of a notebook do."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self._folder, self._environment = folder, environment
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> "Session":
        return self

    def run(self, block: Block) -> None:
        """Execute a block after those before it."""
        if self._process is None:
            self._process = subprocess.Popen(
                ["python-session"],
                cwd=self._folder,
                env=self._environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps([str(block), block.text]) + "\n")
        self._process.stdin.flush()
        failure = json.loads(self._process.stdout.readline())
        assert not failure, f"{block}:\n{block.text}\n{failure}"

    def __exit__(self, *error: object) -> None:
        if self._process is not None:
            self._process.communicate()
