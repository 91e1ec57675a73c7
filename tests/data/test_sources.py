"""Files, the Hub and scikit-learn as sources: what they read, what they refuse, what they say."""

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from datasets import Audio, ClassLabel, Dataset, Image
from PIL import Image as Pixels
from pydantic import ValidationError

from pipelines.core.errors import DataError
from pipelines.data.sources.files import Files
from pipelines.data.sources.sklearn import Sklearn

pytestmark = pytest.mark.usefixtures("own_cache")


def files(path, **section):
    return Files(source="files", path=str(path), **section)


def write(folder, **texts):
    """write(folder, train__csv="…") makes train.csv."""
    for name, text in texts.items():
        (folder / name.replace("__", ".")).write_text(text, encoding="utf-8")


def draw(path, color=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    Pixels.new("L", (4, 4), color).save(path)


def refuse(path, *messages):
    with pytest.raises(DataError) as refused:
        files(path).load()
    for message in messages:
        assert message in str(refused.value)


# Tables


def test_a_file_is_the_train_split(tmp_path):
    write(tmp_path, reviews__csv="text,label\ngood,1\nbad,0\n")
    loaded = files(tmp_path / "reviews.csv").load()
    assert list(loaded) == ["train"]
    assert loaded["train"][1] == {"text": "bad", "label": 0}


def test_a_folder_of_tables_by_split(tmp_path):
    write(
        tmp_path,
        train__csv="text,label\ngood,1\n",
        dev__tsv="text\tlabel\nbad\t0\n",
        test__jsonl='{"text": "fine"}\n',  # another format, and no labels
        README__md="# Reviews",
        dataset_infos__json="{}",
    )
    Dataset.from_dict({"text": ["so-so"]}).to_parquet(tmp_path / "books-2020.parquet")
    loaded = files(tmp_path).load()
    assert {name: split["text"][:] for name, split in loaded.items()} == {
        "train": ["good"],
        "dev": ["bad"],
        "test": ["fine"],
        "books-2020": ["so-so"],
    }


def test_shards_are_one_split(tmp_path):
    for i, text in enumerate("ab"):
        Dataset.from_dict({"text": [text]}).to_parquet(tmp_path / f"train-0000{i}-of-00002.parquet")
    assert files(tmp_path).load()["train"]["text"][:] == ["a", "b"]


def test_words_that_pandas_takes_for_gaps_are_words(tmp_path):
    write(tmp_path, train__csv="text,label\nNA,None\nnull,nan\n,x\n")
    loaded = files(tmp_path).load()["train"]
    assert loaded["text"][:] == ["NA", "null", None]
    assert loaded["label"][:] == ["None", "nan", "x"]


def test_a_quote_in_tab_separated_text_swallows_no_rows(tmp_path):
    write(tmp_path, train__tsv='text\tlabel\n" said he\t0\n" said she\t1\nnobody\t1\n')
    assert files(tmp_path).load()["train"]["text"][:] == ['" said he', '" said she', "nobody"]


def test_a_changed_file_is_read_again(tmp_path):
    write(tmp_path, train__csv="text,label\ngood,1\n")
    files(tmp_path).load()
    write(tmp_path, train__csv="text,label\nwell,1\n")
    assert files(tmp_path).load()["train"]["text"][:] == ["well"]


def test_reading_files_asks_nothing_of_the_network(tmp_path, monkeypatch):
    lookups = []
    monkeypatch.setattr("socket.getaddrinfo", lambda *address, **_: lookups.append(address))
    write(tmp_path, train__csv="text,label\ngood,1\n", dev__jsonl='{"text": "a"}\n')
    files(tmp_path).load()
    assert not lookups


def test_refuses_a_path_that_is_not_there(tmp_path):
    (tmp_path / "reviews").mkdir()
    refuse(tmp_path / "review", "no such file or folder; did you mean", "reviews'?")
    refuse("owner/name", "owner/name: no such file or folder", "for a Hub id use data.source=hub")


def test_refuses_a_folder_with_nothing_usable(tmp_path):
    write(tmp_path, notes__md="")
    (tmp_path / "more").mkdir()
    refuse(tmp_path, "nothing usable in it", "it holds: more/, notes.md")


def test_refuses_a_file_that_is_no_table(tmp_path):
    write(tmp_path, notes__md="")
    refuse(
        tmp_path / "notes.md",
        "notes.md: not a table",
        "known: .parquet, .jsonl, .json, .csv, .tsv, .arrow",
    )


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("train.jsonl", '{"text": "a"}\n{"text"\n', ", line 2: cannot be read as JSON: Expecting"),
        ("train.json", '[{"text": "a"},\n{"text"}]', ", line 2: cannot be read as JSON: Expecting"),
        ("train.parquet", "not parquet", ": cannot be read as parquet: Parquet"),
    ],
)
def test_refuses_a_file_that_cannot_be_read_and_names_it(tmp_path, name, content, reason):
    (tmp_path / name).write_text(content)
    refuse(tmp_path, f"{name}{reason}")


def test_a_file_without_rows_is_an_empty_split(tmp_path):
    write(tmp_path, train__csv="text,label\n", dev__jsonl="", test__csv="text\ngood\n")
    assert [len(split) for split in files(tmp_path).load().values()] == [0, 1, 0]


def test_refuses_two_versions_of_a_split(tmp_path):
    write(tmp_path, train__csv="a\n1\n", train__tsv="a\n1\n")
    refuse(tmp_path, "split 'train': expected one file; found train.csv, train.tsv")


def test_refuses_missing_shards(tmp_path):
    Dataset.from_dict({"text": ["a"]}).to_parquet(tmp_path / "train-00000-of-00002.parquet")
    refuse(tmp_path, "expected 2 shards; found train-00000-of-00002.parquet")


def test_shards_that_differ_are_read_without_the_columns_that_do(tmp_path):
    shards = [{"text": ["x"], "label": [0], "price": [1]}, {"text": ["y"], "label": [1]}]
    for i, shard in enumerate(shards):
        Dataset.from_dict(shard).to_parquet(tmp_path / f"train-0000{i}-of-00002.parquet")
    loaded = files(tmp_path).load()
    assert loaded["train"][:] == {"text": ["x", "y"], "label": [0, 1]}
    assert "train-00001-of-00002.parquet" in loaded.unreadable["price"]


def test_refuses_shards_that_have_no_column_in_common(tmp_path):
    Dataset.from_dict({"a": ["x"]}).to_parquet(tmp_path / "train-00000-of-00002.parquet")
    Dataset.from_dict({"b": ["x"]}).to_parquet(tmp_path / "train-00001-of-00002.parquet")
    refuse(tmp_path, "train-00001-of-00002.parquet: other columns or types than in train-00000")


# Images and sounds


def test_an_image_folder_with_splits(tmp_path):
    for split, color in {"train": 0, "test": 255}.items():
        for label in ("cat", "dog"):
            draw(tmp_path / split / label / "x.PNG", color)
    draw(tmp_path / "train" / "cat" / ".x.png")  # hidden files are none of ours
    loaded = files(tmp_path).load()
    assert {name: split["label"][:] for name, split in loaded.items()} == {
        "train": [0, 1],
        "test": [0, 1],
    }
    assert loaded["train"].features == {"image": Image(), "label": ClassLabel(names=["cat", "dog"])}
    assert loaded["test"][0]["image"].getpixel((0, 0)) == 255


def test_an_image_folder_without_splits(tmp_path):
    for label in ("cat", "dog"):
        draw(tmp_path / label / "x.png")
    assert list(files(tmp_path).load()) == ["train"]


def test_images_of_a_split_without_class_folders_have_no_label(tmp_path):
    for label in ("cat", "dog"):
        draw(tmp_path / "train" / label / "x.png")
    draw(tmp_path / "test" / "x.png")
    assert files(tmp_path).load()["test"]["label"][:] == [None]


def test_an_image_replaced_by_one_of_the_same_size_and_time_changes_the_fingerprint(tmp_path):
    for label in ("cat", "dog"):
        draw(tmp_path / label / "x.png")
    before = files(tmp_path).load()["train"]._fingerprint
    assert files(tmp_path).load()["train"]._fingerprint == before
    image = tmp_path / "cat" / "x.png"
    status, content = image.stat(), bytearray(image.read_bytes())
    content[-20] ^= 1
    image.write_bytes(content)
    os.utime(image, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert files(tmp_path).load()["train"]._fingerprint != before


def test_an_audio_folder_is_left_undecoded(tmp_path):
    for label in ("no", "yes"):
        (tmp_path / label).mkdir()
        (tmp_path / label / "x.wav").write_bytes(b"RIFF")
    train = files(tmp_path).load()["train"]
    assert train.features["audio"] == Audio(decode=False)
    assert train[1]["audio"] == {"bytes": None, "path": str(tmp_path / "yes" / "x.wav")}


@pytest.mark.parametrize("place", ["x.png", "train/x.png"])
def test_refuses_images_in_no_class_folder(tmp_path, place):
    draw(tmp_path / place)
    refuse(tmp_path, "x.png: is in no folder named after its class", "<split>/<class>/x.png")


def test_refuses_images_beside_sounds(tmp_path):
    draw(tmp_path / "cat" / "x.png")
    (tmp_path / "cat" / "x.wav").write_bytes(b"RIFF")
    message = "holds 1 image files and 1 audio files, such as"
    refuse(tmp_path, message, "expected one kind")
    draw(tmp_path / "cat" / "y.png")
    refuse(tmp_path, "holds 2 image files and 1 audio files", str(tmp_path / "cat" / "x.wav"))


def test_class_folders_are_in_natural_order(tmp_path):
    for label in ("10", "9", "cat 11", "cat 2"):
        draw(tmp_path / label / "x.png")
    names = ["9", "10", "cat 2", "cat 11"]
    assert files(tmp_path).load()["train"].features["label"].names == names
    for label in names:
        (tmp_path / label / "x.png").unlink()
        write(tmp_path / label, x__txt="a text")
    assert files(tmp_path).load()["train"].features["label"].names == names


def labels(loaded):
    """labels(…): {split: sorted names of its classes}."""
    names = loaded["train"].features["label"].names
    return {split: sorted(names[i] for i in rows["label"]) for split, rows in loaded.items()}


@pytest.mark.parametrize(
    ("places", "expected", "note"),
    [
        (["cat/1/x", "cat/2/x", "dog/x"], {"train": ["cat", "cat", "dog"]}, "class above them"),
        (["train/cat/1/x", "train/dog/2/x"], {"train": ["cat", "dog"]}, "class above them: 'cat'"),
        (
            ["Train/cat/x", "Train/dog/x", "TEST/cat/x"],
            {"train": ["cat", "dog"], "test": ["cat"]},
            "",
        ),
        (["training/cat/x", "testing/cat/x"], {"train": ["cat"], "test": ["cat"]}, ""),
        (["pets/train/cat/x", "pets/train/dog/x"], {"train": ["cat", "dog"]}, "the only folder"),
        (["a/b/cat/x", "a/b/dog/x"], {"train": ["cat", "dog"]}, "the only folder"),
        (
            ["training_set/training_set/cat/x", "test_set/test_set/cat/x"],
            {"train": ["cat"], "test": ["cat"]},
            "",
        ),
        (["train/train/x", "train/car/x"], {"train": ["car", "train"]}, ""),
        (
            ["cat/train/x", "cat/test/x", "dog/train/x"],
            {"train": ["cat", "dog"], "test": ["cat"]},
            "",
        ),
    ],
)
def test_folders_name_splits_and_classes_in_several_layouts(tmp_path, places, expected, note):
    for place in places:
        draw(tmp_path / f"{place}.png")
    loaded = files(tmp_path).load()
    assert labels(loaded) == expected
    assert note in " ".join(loaded.notes)
    assert bool(loaded.notes) == bool(note)


def test_a_folder_that_the_recipe_names_is_a_split(tmp_path):
    for place in ("learn/cat", "learn/dog", "exam/cat"):
        draw(tmp_path / place / "x.png")
    loaded = files(tmp_path, splits={"train": "learn", "test": "exam"}).load()
    assert {name: len(rows) for name, rows in loaded.items()} == {"learn": 2, "exam": 1}


def test_links_to_files_and_folders_are_followed(tmp_path):
    for label in ("cat", "dog"):
        draw(tmp_path / "elsewhere" / label / "x.png")
    root = tmp_path / "pets"
    (root / "cat").mkdir(parents=True)
    (root / "cat" / "y.png").symlink_to(tmp_path / "elsewhere" / "cat" / "x.png")
    (root / "dog").symlink_to(tmp_path / "elsewhere" / "dog")
    assert labels(files(root).load()) == {"train": ["cat", "dog"]}


@pytest.mark.parametrize(("target", "reason"), [("..", "leads back to"), ("gone", "not there")])
def test_refuses_links_without_an_end(tmp_path, target, reason):
    draw(tmp_path / "cat" / "x.png")
    (tmp_path / "cat" / "link").symlink_to(target)
    refuse(tmp_path, f"{tmp_path / 'cat' / 'link'}: a link", reason)


@pytest.mark.parametrize("name", [b"cat/\xff.png", b"caf\xe9/y.png"])
def test_refuses_names_that_no_table_can_hold(tmp_path, name):
    """Archives of other systems leave them."""
    file = Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name))
    draw(tmp_path / "cat" / "x.png")
    try:
        draw(file)
    except OSError:
        pytest.skip("this file system takes UTF-8 alone")
    shown = name.decode("utf-8", "backslashreplace")
    refuse(tmp_path, f"{tmp_path}/{shown}: its name is not UTF-8")


def test_what_cannot_be_read_is_counted_by_suffix(tmp_path):
    for label in ("cat", "dog"):
        draw(tmp_path / label / "x.png")
        draw(tmp_path / label / "y.jfif.tif")
        (tmp_path / label / "x.HEIC").write_bytes(b"")
    (tmp_path / "README.md").touch()
    loaded = files(tmp_path).load()
    assert labels(loaded) == {"train": ["cat", "cat", "dog", "dog"]}
    assert loaded.notes == ("left out, since they cannot be read as image: 2 .heic",)


def test_refuses_a_class_that_would_lose_all_its_files(tmp_path):
    for label in ("cat", "dog"):
        draw(tmp_path / "train" / label / "x.png")
    (tmp_path / "train" / "newt").mkdir()
    (tmp_path / "train" / "newt" / "x.heic").touch()
    refuse(tmp_path, "class 'newt': none of its 1 files can be read as image", "x.heic")


# Metadata


def test_metadata_win_over_folders(tmp_path):
    for name in ("a/1", "a/2", "b/3", "b/4"):
        draw(tmp_path / f"{name}.png", 10)
    write(
        tmp_path, metadata__csv="file_name,label,age\na/1.png,cat,3\na/2.png,dog,4\nb/3.png,cat,5\n"
    )
    loaded = files(tmp_path).load()
    assert list(loaded) == ["train"]
    train = loaded["train"]
    assert train["label"][:] == ["cat", "dog", "cat"]
    assert train["age"][:] == [3, 4, 5]
    assert train.features["image"] == Image()
    assert train[2]["image"].getpixel((0, 0)) == 10
    assert "labels and other columns are those of metadata.csv" in loaded.notes[0]
    assert "1 of 4 files are not in the metadata" in loaded.notes[1]


def test_metadata_stand_in_the_folder_of_each_split(tmp_path):
    for split in ("Train", "test"):
        (tmp_path / split / "clips").mkdir(parents=True)
        (tmp_path / split / "clips" / "x.wav").write_bytes(b"RIFF")
        row = '{"file_name": "clips/x.wav", "transcription": "of ' + split + '"}\n'
        (tmp_path / split / "metadata.jsonl").write_text(row)
    loaded = files(tmp_path).load()
    assert {name: rows["transcription"][:] for name, rows in loaded.items()} == {
        "train": ["of Train"],
        "test": ["of test"],
    }
    assert loaded["train"].features["audio"] == Audio(decode=False)


def test_refuses_metadata_that_name_no_files(tmp_path):
    draw(tmp_path / "x.png")
    write(tmp_path, metadata__csv="image,label\nx.png,cat\n")
    refuse(tmp_path, "metadata.csv: no column 'file_name'", "columns: image, label")


def test_another_label_in_the_metadata_is_another_identity(tmp_path):
    draw(tmp_path / "x.png")
    write(tmp_path, metadata__csv="file_name,label\nx.png,cat\n")
    before = files(tmp_path).identity()
    write(tmp_path, metadata__csv="file_name,label\nx.png,dog\n")
    assert files(tmp_path).identity() != before


# Identity


def test_the_same_bytes_have_the_same_identity_wherever_they_lie(tmp_path):
    here, elsewhere = tmp_path / "a" / "reviews", tmp_path / "b" / "reviews"
    here.mkdir(parents=True)
    write(here, train__csv="text,label\ngood,1\n", notes__md="not read")
    shutil.copytree(here, elsewhere)
    write(elsewhere, notes__md="changed")
    assert files(here).identity() == files(elsewhere).identity()
    write(elsewhere, train__csv="text,label\nwell,1\n")
    assert files(here).identity() != files(elsewhere).identity()
    assert files(elsewhere).identity()["path"] == "reviews"


def test_a_renamed_class_is_another_identity(tmp_path):
    draw(tmp_path / "cat" / "x.png")
    before = files(tmp_path).identity()
    (tmp_path / "cat").rename(tmp_path / "dog")
    assert files(tmp_path).identity() != before


# scikit-learn


def test_digits_are_gray_images():
    source = Sklearn(source="sklearn", path="digits")
    train = source.load()["train"]
    assert len(train) == 1797
    assert train.features["label"].names == list("0123456789")
    assert train[0]["image"].mode == "L"
    assert train[0]["image"].size == (8, 8)
    assert max(train[0]["image"].getextrema()) == 239  # 15 of 16
    assert source.identity()["path"] == "digits"


def test_refuses_what_scikit_learn_has_no_images_of():
    with pytest.raises(ValidationError, match=re.escape("did you mean 'digits'? known: digits")):
        Sklearn(source="sklearn", path="digit")


# The Hub, out of reach

ASK = """
from pipelines.core.errors import GraftError
from pipelines.data.sources.hub import Hub
try:
    Hub(source="hub", path={path!r}).load()
except GraftError as error:
    print(type(error).__name__, error)
"""


def ask(path, cwd, **environment):
    """The error of loading `path` from the Hub in an interpreter of its own, and the seconds."""
    here = str(Path(__file__).parents[2])
    hub = {"HF_HOME": str(cwd), "HF_ENDPOINT": "http://127.0.0.1:9", "HF_HUB_OFFLINE": "0"}
    begin = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", ASK.format(path=path)],
        env={**os.environ, "PYTHONPATH": here, **hub, **environment},
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, time.monotonic() - begin


@pytest.mark.slow
def test_a_hub_out_of_reach_is_reported_within_seconds(tmp_path):
    message, seconds = ask("owner/name", tmp_path)
    assert message.startswith(
        "HubError 'owner/name': the Hub cannot be reached at http://127.0.0.1:9 "
    )
    assert "HF_ENDPOINT" in message
    assert "data.source=files data.path=FOLDER" in message
    assert seconds < 10


@pytest.mark.slow
def test_offline_without_a_copy(tmp_path):
    message, _ = ask("owner/name", tmp_path, HF_HUB_OFFLINE="1")
    assert message.startswith("HubError 'owner/name': not in the local cache, and HF_HUB_OFFLINE")


@pytest.mark.slow
def test_refuses_a_path_that_is_no_hub_id(tmp_path):
    message, _ = ask("not/a/hub id", tmp_path)
    assert message.startswith("HubError 'not/a/hub id': not a Hub id (OWNER/NAME)")


@pytest.mark.slow
def test_refuses_a_hub_id_that_a_folder_here_would_hide(tmp_path):
    (tmp_path / "reviews").mkdir()
    message, _ = ask("reviews", tmp_path)
    assert message.startswith("DataError data.path: 'reviews' is a file or folder here")
