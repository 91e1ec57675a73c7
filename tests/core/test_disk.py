"""Writes that fail, as the system and the libraries report them."""

import resource
from contextlib import contextmanager

import pytest
import torch
from safetensors.torch import save_file

from pipelines.core import cache
from pipelines.core.disk import replacing_folder, write_failure
from pipelines.core.errors import RunError
from pipelines.report.writing import writing

TENSORS = {"weight": torch.zeros(100_000)}
WRITERS = {
    "plain": lambda path: path.write_bytes(bytes(400_000)),
    "safetensors": lambda path: save_file(TENSORS, path),
    "torch": lambda path: torch.save(TENSORS, path),
}


@contextmanager
def little_room():
    """Files inside the block end after a few bytes, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("name", WRITERS)
def test_each_library_ends_in_one_message(tmp_path, name):
    with (
        pytest.raises(RunError, match=rf"{name}: cannot be written \(\w.*\)$"),
        little_room(),
        writing(tmp_path / name),
    ):
        WRITERS[name](tmp_path / name)


def test_a_cache_does_without(tmp_path):
    file = tmp_path / "encoded" / "0123456789abcdef.safetensors"
    with little_room():
        assert not cache.save(TENSORS, file)
    assert not [*file.parent.iterdir()]
    with pytest.raises(TypeError):  # no fault of the disk
        cache.save({"weight": torch.zeros(1)}, file, about=1)


def test_other_errors_stay_what_they_are(tmp_path):
    assert write_failure(RuntimeError("mat1 and mat2 shapes cannot be multiplied")) is None
    with pytest.raises(RuntimeError, match="shapes"), writing(tmp_path):
        raise RuntimeError("shapes")


def test_a_folder_becomes_visible_when_it_is_whole(tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "old").touch()
    (tmp_path / "model.partial").mkdir()
    with pytest.raises(FileNotFoundError), replacing_folder(folder) as partial:
        (partial / "nowhere" / "new").touch()
    assert [*tmp_path.iterdir()] == [folder]
    with replacing_folder(folder) as partial:
        partial.mkdir()
        (partial / "new").touch()
        assert (folder / "old").exists()
    assert [path.name for path in folder.iterdir()] == ["new"]


@pytest.mark.parametrize("kind", ["file", "link"])
def test_what_stands_where_a_folder_belongs_is_replaced_and_no_link_is_followed(tmp_path, kind):
    other = tmp_path / "other"
    other.mkdir()
    (other / "kept").touch()
    folder = tmp_path / "model"
    for path in (folder, tmp_path / "model.partial"):
        path.touch() if kind == "file" else path.symlink_to(other)
    with replacing_folder(folder) as partial:
        partial.mkdir()
        (partial / "new").touch()
    assert not folder.is_symlink()
    assert [path.name for path in folder.iterdir()] == ["new"]
    assert [path.name for path in other.iterdir()] == ["kept"]
