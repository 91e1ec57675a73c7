"""The cache: which files are its own, and its two environment variables."""

import os
import sys
from pathlib import Path

import pytest
import torch

from pipelines import cli
from pipelines.core import cache, cache_folder
from pipelines.core.errors import RunError
from pipelines.data.sources.files import Files

KEY = "0123456789abcdef"
ROWS = {"rows": torch.zeros(10)}
# what may lie below a folder that somebody names in GRAFT_CACHE
USER_FILES = (
    "models/bert/model.safetensors",
    "models/bert/config.json",
    "notes/todo.txt",
    f"models/{KEY}.safetensors",
    f"models/{KEY}/{KEY}.safetensors",
    "features/my_model/model.safetensors",
    f"features/{KEY}/model.safetensors",
    f"features/{'a' * 16}/{KEY}.safetensors",
    f"features/{'a' * 16}/README.md",
    f"features/{'b' * 16}/{KEY}.safetensors/a.txt",
    "encoded/weights.safetensors",
    f"encoded/{KEY}.txt",
)


@pytest.fixture(autouse=True)
def tables(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Hold tables in a folder of this test's own: other tests read theirs."""
    path = tmp_path_factory.mktemp("tables")
    monkeypatch.setattr(cache_folder, "tables", lambda: path)
    return path


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Use a cache of this test's own, in a folder with other files."""
    monkeypatch.setenv("GRAFT_CACHE", str(tmp_path))
    for name in USER_FILES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("mine")
    return tmp_path


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("kind", cache.KINDS)
def test_what_is_of_the_user_is_neither_listed_nor_removed(kind, folder, capsys) -> None:
    cache.tensors(kind, "f" * 16, lambda: ROWS)
    assert [entry.name for entry in cache.entries()] == [f"{kind}/{'f' * 16}"]
    for name in ("models", KEY[:4], "models/bert", "notes"):
        assert cli.main(["cache", "rm", name]) == 2
        assert f"no entry '{name}'" in capsys.readouterr().err
    assert cli.main(["cache", "rm", "--all"]) == 0
    assert files(folder) == {*USER_FILES}


def test_making_room_spares_what_is_of_the_user(folder, monkeypatch) -> None:
    monkeypatch.setenv("GRAFT_CACHE_GB", "0")
    cache.tensors("encoded", "f" * 16, lambda: ROWS)
    assert files(folder) == {*USER_FILES}


def test_a_link_to_a_folder_elsewhere_is_no_entry(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("GRAFT_CACHE", str(tmp_path / "cache"))
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / f"{KEY}.safetensors").write_text("mine")
    (tmp_path / "cache/features").mkdir(parents=True)
    (tmp_path / "cache/features" / KEY).symlink_to(elsewhere)
    assert cli.main(["cache", "rm", "--all"]) == 0
    assert files(elsewhere) == {f"{KEY}.safetensors"}


def test_what_a_killed_run_left_is_removed(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("GRAFT_CACHE", str(tmp_path))
    for name in (f"encoded/{KEY}.4711", f"features/{KEY}/{KEY * 2}.4711"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text("half")
    assert cli.main(["cache", "rm", "--all"]) == 0
    assert not files(tmp_path)


def test_an_empty_variable_is_the_default(monkeypatch) -> None:
    monkeypatch.delenv("GRAFT_CACHE", raising=False)
    monkeypatch.delenv("GRAFT_CACHE_GB", raising=False)
    default = cache_folder.path(), cache_folder.limit()
    for empty in ("", " "):
        monkeypatch.setenv("GRAFT_CACHE", empty)
        monkeypatch.setenv("GRAFT_CACHE_GB", empty)
        assert (cache_folder.path(), cache_folder.limit()) == default
    assert cache_folder.path() == Path("~/.cache/graft").expanduser()


@pytest.mark.parametrize("value", ["abc", "-1", "nan", "1e", "20 GB"])
def test_a_limit_that_is_none_is_one_message(value, monkeypatch, capsys) -> None:
    monkeypatch.setenv("GRAFT_CACHE_GB", value)
    assert cli.main(["cache", "ls"]) == 2
    message = capsys.readouterr().err
    assert message == (
        f"error: GRAFT_CACHE_GB={value}: expected a number of gigabytes from 0 up, such as 20\n"
    )


def test_a_wrong_limit_is_refused_before_anything_is_loaded(monkeypatch) -> None:
    import pipelines as graft

    monkeypatch.setenv("GRAFT_CACHE_GB", "abc")
    with pytest.raises(RunError, match="GRAFT_CACHE_GB=abc"):
        graft.check("quickstart")


# Tables


@pytest.fixture
def table(tables, tmp_path, monkeypatch) -> Path:
    """Read a table into a cache of this test's own; its folder there."""
    from datasets import Dataset

    monkeypatch.setenv("GRAFT_CACHE", str(tmp_path / "cache"))
    (tables / KEY).mkdir()
    (tables / KEY / "mine.txt").write_text("mine")
    Dataset.from_dict({"text": ["a"], "label": [1]}).to_parquet(tmp_path / "train.parquet")
    Files(source="files", path=str(tmp_path / "train.parquet")).load()
    (entry,) = cache.entries()
    return entry.path


def test_tables_are_listed_and_removed_with_what_follows_from_them(table, capsys) -> None:
    assert cli.main(["cache", "ls"]) == 0
    assert f"tables/{table.name}" in capsys.readouterr().out
    assert cli.main(["cache", "rm", "tables"]) == 0
    assert not table.exists()
    assert files(table.parent) == {f"{KEY}/mine.txt"}


def test_tables_make_room_unless_they_were_used_within_a_week(table, monkeypatch) -> None:
    monkeypatch.setenv("GRAFT_CACHE_GB", "0")
    cache.make_room()
    assert table.exists()
    os.utime(table / "used", (1_000_000_000, 1_000_000_000))
    cache.make_room()
    assert not table.exists()


def test_the_folder_of_tables_is_that_of_datasets(monkeypatch) -> None:
    import datasets

    monkeypatch.undo()
    assert cache_folder.tables() == Path(datasets.config.HF_DATASETS_CACHE) / "graft"
    monkeypatch.delitem(sys.modules, "datasets")
    assert cache_folder.tables() == Path(datasets.config.HF_DATASETS_CACHE) / "graft"
