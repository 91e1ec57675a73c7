"""Archives and folders around the data: what is in them is read, and nothing leaves them."""

import io
import tarfile
import zipfile

import pytest
from PIL import Image

from pipelines.core.errors import DataError
from pipelines.data.sources import _archives
from pipelines.data.sources.files import Files

pytestmark = pytest.mark.usefixtures("own_cache")

TABLE = "text,label\n{},1\n"


def pack(file, content):
    """Pack {name: text}, as zip or as tar."""
    file.parent.mkdir(exist_ok=True)
    if file.suffix == ".zip":
        with zipfile.ZipFile(file, "w") as archive:
            for name, text in content.items():
                archive.writestr(name, text)
        return file
    with tarfile.open(file, "w:" + ("gz" if file.suffix.endswith("gz") else "")) as archive:
        for name, text in content.items():
            entry = tarfile.TarInfo(name)
            data = text.encode() if isinstance(text, str) else text
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return file


def load(path, **section):
    source = Files(source="files", path=str(path), **section)
    loaded = source.load()
    assert source.identity()["path"] == path.name
    return loaded


def texts(path):
    return {split: rows["text"][:] for split, rows in load(path).items()}


def png():
    file = io.BytesIO()
    Image.new("L", (4, 4)).save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize("name", ["reviews.zip", "reviews.tar", "reviews.tar.gz", "reviews.TGZ"])
def test_an_archive_of_tables_is_read_and_read_again_when_replaced(tmp_path, name):
    file = pack(tmp_path / name, {"a/b/train.csv": TABLE.format("x"), "a/b/Test.csv": TABLE})
    loaded = load(file)
    assert loaded["train"]["text"][:] == ["x"]
    assert set(loaded) == {"train", "test"}
    assert loaded.notes[0].startswith(f"read from {name}, unpacked into ")
    assert loaded.notes[1].endswith("a/b, the only folder")
    pack(file, {"a/b/train.csv": TABLE.format("y")})
    assert texts(file) == {"train": ["y"]}


def test_a_table_packed_alone_is_train(tmp_path):
    assert texts(pack(tmp_path / "r.csv.zip", {"r.csv": TABLE.format("x")})) == {"train": ["x"]}


def test_a_folder_of_an_archive_for_each_split(tmp_path):
    root = tmp_path / "pets"
    pack(root / "Train.zip", {"train/cat/1.png": png(), "train/dog/1.png": png()})
    pack(root / "test.tar", {"cat/2.png": png(), "__MACOSX/cat/._2.png": ""})
    (root / "README.md").touch()
    loaded = load(root)
    assert {split: rows["label"][:] for split, rows in loaded.items()} == {
        "test": [0],
        "train": [0, 1],
    }


def test_a_folder_of_one_archive_of_texts_by_class(tmp_path):
    pack(tmp_path / "films" / "films.zip", {f"films/{name}/1.txt": name for name in ("bad", "ok")})
    assert load(tmp_path / "films")["train"][:] == {"text": ["bad", "ok"], "label": [0, 1]}


def test_refuses_several_archives_that_are_no_splits(tmp_path):
    for name in ("a.zip", "b.zip"):
        pack(tmp_path / "data" / name, {"train.csv": TABLE})
    with pytest.raises(DataError, match=r"several archives: a.zip, b.zip; call them after their"):
        load(tmp_path / "data")
    (tmp_path / "data" / "train.csv").write_text(TABLE.format("x"))
    assert texts(tmp_path / "data") == {"train": ["x"]}


@pytest.mark.parametrize("name", ["../x.csv", "/x.csv", "a/../../x.csv", "C:\\x.csv", "..\\x.csv"])
@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_refuses_what_leads_out_of_an_archive(tmp_path, name, kind):
    file = pack(tmp_path / f"evil.{kind}", {"train.csv": TABLE, name: TABLE})
    with pytest.raises(DataError, match=r"evil.*leads out of the folder; refused"):
        load(file)


def test_refuses_links_in_an_archive(tmp_path):
    with tarfile.open(tmp_path / "evil.tar", "w") as archive:
        link = tarfile.TarInfo("train.csv")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    with pytest.raises(DataError, match=r"holds 'train.csv', which is a link or a device"):
        load(tmp_path / "evil.tar")


@pytest.mark.parametrize("bound", ["MAX_BYTES", "MAX_ENTRIES"])
def test_refuses_more_than_there_is_room_for(tmp_path, monkeypatch, bound):
    monkeypatch.setattr(_archives, bound, 1)
    file = pack(tmp_path / "bomb.zip", {"a.csv": TABLE, "train.csv": TABLE})
    with pytest.raises(DataError, match=r"bomb.zip: unpacks to more than .*unpack it yourself"):
        load(file)


def test_refuses_a_damaged_archive(tmp_path):
    (tmp_path / "train.zip").write_bytes(b"PK")
    with pytest.raises(DataError, match=r"train.zip: cannot be unpacked: "):
        load(tmp_path)


@pytest.mark.parametrize("name", ["Train", "TRAIN", "training"])
def test_tables_are_splits_in_any_case(tmp_path, name):
    for i, place in enumerate([f"{name}.csv", f"by folder/{name}/1.csv", f"in/{name}.csv"]):
        file = tmp_path / str(i) / place
        file.parent.mkdir(parents=True)
        file.write_text(TABLE.format("x"))
    assert texts(tmp_path / "0") == {"train": ["x"]}
    assert texts(tmp_path / "1" / "by folder") == {"train": ["x"]}
    assert texts(tmp_path / "2") == {"train": ["x"]}
    loaded = load(tmp_path / "0", splits={"train": name})
    assert list(loaded) == [name]
