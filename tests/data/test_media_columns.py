"""Columns of paths, bytes and samples: each is read as images or sounds, or refused by name."""

import io

import numpy as np
import pytest
import soundfile
from datasets import Dataset
from PIL import Image

from pipelines.core.errors import DataError
from pipelines.data.load import load
from pipelines.data.sources.files import Files
from pipelines.tasks.audio.files import read
from pipelines.tasks.audio_classification import AudioClassification
from pipelines.tasks.image.files import ImageFiles
from pipelines.tasks.image_classification import ImageClassification
from pipelines.tasks.speech_recognition import SpeechRecognition

NUM_ROWS = 20
LABELS = ["ab"[row % 2] for row in range(NUM_ROWS)]
SAMPLES = np.sin(np.arange(800) / 9).astype("float32") / 2


@pytest.fixture(autouse=True)
def _own_features(own_cache, tmp_path_factory, monkeypatch):
    monkeypatch.setenv("GRAFT_CACHE", str(tmp_path_factory.mktemp("graft")))


def picture(shade):
    file = io.BytesIO()
    Image.new("RGB", (6, 6), (shade,) * 3).save(file, "PNG")
    return file.getvalue()


def write_pictures(folder):
    """Write <row>.png, as light as the number of the row."""
    folder.mkdir()
    for row in range(NUM_ROWS):
        (folder / f"{row}.png").write_bytes(picture(row))


def load_table(file, task, table, **section):
    if not file.exists():
        Dataset.from_dict(table).to_parquet(file)
    return load(Files(source="files", path=str(file), **section), task, seed=0)


def shades(data):
    """Row of the table -> how light its image is, whatever split it is in."""
    return {
        int(number): ImageFiles(rows.dataset).read([position])[0].getpixel((0, 0))[0]
        for rows in data.splits.values()
        for position, number in enumerate(rows.numbers)
    }


@pytest.mark.parametrize("form", ["relative", "absolute", "bytes", "struct", "struct of paths"])
@pytest.mark.slow
def test_a_column_of_images_in_any_form_is_read(tmp_path, form):
    write_pictures(tmp_path / "photos")
    files = [tmp_path / "photos" / f"{row}.png" for row in range(NUM_ROWS)]
    contents = [file.read_bytes() for file in files]
    column = {
        "relative": [f"photos/{file.name}" for file in files],
        "absolute": [str(file) for file in files],
        "bytes": contents,
        "struct": [{"bytes": content, "path": "x.png"} for content in contents],
        "struct of paths": [{"bytes": None, "path": f"photos/{file.name}"} for file in files],
    }[form]
    columns = {"file_name": column, "label": LABELS}
    data = load_table(tmp_path / "rows.parquet", ImageClassification(), columns)
    assert shades(data) == {row: row for row in range(NUM_ROWS)}
    is_relative = form in ("relative", "struct of paths")
    assert is_relative == any(f"relative to {tmp_path}" in note for note in data.notes)


def test_several_labels_stand_beside_paths(tmp_path):
    write_pictures(tmp_path / "photos")
    columns = {
        "image": [f"photos/{row}.png" for row in range(NUM_ROWS)],
        "dark": [row % 2 for row in range(NUM_ROWS)],
        "blurred": [row % 3 % 2 for row in range(NUM_ROWS)],
    }
    roles = {"label": ["dark", "blurred"]}
    task = ImageClassification()
    data = load_table(tmp_path / "rows.parquet", task, columns, columns=roles)
    assert data.labels.names == ("dark", "blurred")
    assert shades(data)[5] == 5


def test_another_file_of_the_same_name_is_another_data_set(tmp_path):
    write_pictures(tmp_path / "photos")
    columns = {"image": [f"photos/{row}.png" for row in range(NUM_ROWS)], "label": LABELS}
    first, again = (
        load_table(tmp_path / "rows.parquet", ImageClassification(), columns) for _ in range(2)
    )
    assert first.train._fingerprint == again.train._fingerprint
    (tmp_path / "photos" / "0.png").write_bytes(picture(200) + b"\0")
    changed = load_table(tmp_path / "rows.parquet", ImageClassification(), columns)
    assert changed.train._fingerprint != first.train._fingerprint


@pytest.mark.parametrize("scale", [1, 2**15])
def test_arrays_of_samples_are_sounds(tmp_path, scale):
    array = SAMPLES if scale == 1 else (SAMPLES * scale).astype("int16")
    clips = [{"array": array, "sampling_rate": 8000} for _ in range(NUM_ROWS)]
    columns = {"audio": clips, "label": LABELS}
    data = load_table(tmp_path / "rows.parquet", AudioClassification(), columns)
    np.testing.assert_allclose(read(data.train[0]["audio"], 8000), SAMPLES, atol=1e-4)


def test_speech_is_read_from_a_table_of_paths(tmp_path):
    (tmp_path / "wavs").mkdir()
    for row in range(NUM_ROWS):
        soundfile.write(tmp_path / "wavs" / f"{row}.wav", SAMPLES, 8000)
    columns = {"path": [f"wavs/{row}.wav" for row in range(NUM_ROWS)], "text": ["ab"] * NUM_ROWS}
    data = load_table(tmp_path / "rows.parquet", SpeechRecognition(), columns)
    np.testing.assert_allclose(read(data.train[0]["audio"], 8000), SAMPLES, atol=1e-3)


@pytest.mark.parametrize("skip", [False, True])
def test_one_missing_file_is_a_bad_row(tmp_path, skip):
    for row in range(1, NUM_ROWS):
        soundfile.write(tmp_path / f"{row}.wav", SAMPLES, 8000)
    columns = {"path": [f"{row}.wav" for row in range(NUM_ROWS)], "label": LABELS}
    arguments = (tmp_path / "rows.parquet", AudioClassification(), columns)
    if not skip:
        with pytest.raises(
            DataError, match=r"row 0.*0\.wav cannot be read as sound \(no such file"
        ):
            load_table(*arguments)
        return
    (row,) = load_table(*arguments, on_bad_row="skip").left_out
    assert row.row == 0


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (["https://a.b/c.png"] * NUM_ROWS, "'https://a.b/c.png': no such file"),
        (LABELS, "holds 'a': no such file in"),
        ([1.5] * NUM_ROWS, "holds Value('float64'); expected paths, bytes, {bytes, path}"),
    ],
)
def test_refuses_a_column_that_holds_no_images(tmp_path, column, message):
    with pytest.raises(DataError) as refused:
        load_table(
            tmp_path / "rows.parquet", ImageClassification(), {"image": column, "label": LABELS}
        )
    assert message in str(refused.value)
    assert "data.columns.image=" in str(refused.value)


# A folder around a table


def write_table(file, prefix="images/", column="file"):
    lines = [f"{prefix}{row}.png,{label}" for row, label in enumerate(LABELS)]
    file.write_text("\n".join([f"{column},label", *lines]), encoding="utf-8")


@pytest.mark.parametrize(
    ("inner", "table", "prefix"),
    [
        ("", "table.csv", "images/"),
        ("", "labels.tsv", "images/"),
        ("photos", "table.csv", "images/"),  # a wrapping folder
        ("", "labels.csv", ""),  # relative to the images
        ("", "table.jsonl", "images/"),
        ("", "table.parquet", "images/"),
    ],
)
@pytest.mark.slow
def test_a_table_beside_a_folder_of_images_names_them(tmp_path, inner, table, prefix):
    folder = tmp_path / "set" / inner
    folder.mkdir(parents=True)
    write_pictures(folder / "images")
    rows = Dataset.from_dict(
        {"file": [f"{prefix}{row}.png" for row in range(NUM_ROWS)], "label": LABELS}
    )
    if table.endswith("jsonl"):
        rows.to_json(folder / table)
    elif table.endswith("parquet"):
        rows.to_parquet(folder / table)
    else:
        rows.to_csv(folder / table, sep="\t" if table.endswith("tsv") else ",", index=False)
    data = load(Files(source="files", path=str(tmp_path / "set")), ImageClassification(), seed=0)
    assert shades(data) == {row: row for row in range(NUM_ROWS)}
    assert data.labels.names == ("a", "b")


def test_classes_in_folders_win_over_a_table_that_lists_them(tmp_path):
    for label in "ab":
        write_pictures(tmp_path / label)
    write_table(tmp_path / "index.csv", prefix="a/")
    data = load(Files(source="files", path=str(tmp_path)), ImageClassification(), seed=0)
    assert sum(len(rows.dataset) for rows in data.splits.values()) == 2 * NUM_ROWS


def test_paths_that_lead_to_two_folders_are_refused(tmp_path):
    for name in ("x", "y"):
        write_pictures(tmp_path / name)
    write_table(tmp_path / "train.csv", prefix="")
    message = r"train: the image column holds '0\.png': no such file in .*, but in .*x and .*y"
    with pytest.raises(DataError, match=message):
        load(Files(source="files", path=str(tmp_path)), ImageClassification(), seed=0)


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_the_images_that_a_table_names_are_a_part_of_its_identity(tmp_path, form):
    write_pictures(tmp_path / "images")
    if form == "csv":
        write_table(table := tmp_path / "table.csv")
    else:
        paths = [{"bytes": None, "path": f"images/{row}.png"} for row in range(NUM_ROWS)]
        Dataset.from_dict({"image": paths, "label": LABELS}).to_parquet(
            table := tmp_path / "table.parquet"
        )
    sources = [Files(source="files", path=str(path)) for path in (table, tmp_path)]
    before = [source.identity() for source in sources]
    changed = tmp_path / "images" / "3.png"
    changed.write_bytes(picture(99))
    after = [source.identity() for source in sources]
    assert all(one != other for one, other in zip(before, after, strict=True))
    changed.unlink()
    assert all(source.identity() not in (*before, *after) for source in sources)


def test_a_folder_without_images_is_named(tmp_path):
    for label in "ab":
        write_pictures(tmp_path / label)
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "0").write_bytes(picture(3))
    data = load(Files(source="files", path=str(tmp_path)), ImageClassification(), seed=0)
    assert "folder 'c' holds no image (1 without a suffix), so it is no class" in data.notes
