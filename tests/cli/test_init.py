"""`graft init`: a recipe from data alone, which loads, says what was chosen, and trains."""

import io
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from datasets import Dataset, Features
from PIL import Image

from pipelines import cli, recipe
from pipelines.core.errors import ModelError
from pipelines.data.media_columns import KINDS, columns_of
from pipelines.data.table_sketch import is_english
from pipelines.models import short_names, shortlist

SPAM = ("win a prize now", "claim the free cash", "free prize for you", "call now and win")
HAM = ("see you at home", "the meeting is at ten", "dinner is ready", "are you there")


def png() -> bytes:
    """Encode a small picture."""
    file = io.BytesIO()
    Image.new("L", (8, 8)).save(file, "PNG")
    return file.getvalue()


def wav() -> bytes:
    """Encode a short sound."""
    file = io.BytesIO()
    soundfile.write(file, np.zeros(100), 8_000, format="WAV")
    return file.getvalue()


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with `messages.csv`, whose columns have names of their own."""
    rows = [f"{i},{text},spam" for i, text in enumerate(SPAM * 5)]
    rows += [f"{i},{text},ham" for i, text in enumerate(HAM * 5)]
    (tmp_path / "messages.csv").write_text("\n".join(["id,message,category", *rows]) + "\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_table_becomes_a_recipe_with_its_columns_and_reasons(here: Path, capsys) -> None:
    assert cli.main(["init", "messages.csv"]) == 0
    drawn = recipe.load("messages.yaml")
    assert drawn.task.name == "text_classification"
    assert drawn.data.model_dump()["path"] == str(here / "messages.csv")
    assert drawn.data.columns == {"text": "message", "label": "category"}
    assert drawn.strategy.name == "auto"
    text = (here / "messages.yaml").read_text()
    assert "  # not used: id\n" in text
    assert "2 classes: ham, spam" in text
    assert f"model: {drawn.model.checkpoint}  # 23 M weights" in text
    assert "examples: train 40\n" in text  # of which a run sets nothing aside
    printed = capsys.readouterr().out
    assert "no validation split: 5 folds of train choose" in printed
    assert "to run it: graft run messages.yaml" in printed


def test_a_column_that_is_likely_to_group_rows_is_offered(here: Path) -> None:
    rows = [f"p{i // 4},{text},{'ab'[i % 2]}" for i, text in enumerate((*SPAM, *HAM) * 3)]
    (here / "notes.csv").write_text("\n".join(["patient_id,text,label", *rows]) + "\n")
    assert cli.main(["init", "notes.csv"]) == 0
    assert "  # group: patient_id  # keeps its rows on one side" in Path("notes.yaml").read_text()
    assert cli.main(["init", "notes.csv", "data.group=patient_id", "-o", "grouped.yaml"]) == 0
    text = Path("grouped.yaml").read_text()
    assert '  group: "patient_id"\n' in text
    assert "not used" not in text
    assert recipe.load("grouped.yaml").data.group == "patient_id"


@pytest.mark.slow
def test_the_recipe_trains(here: Path, text_checkpoint: Path) -> None:
    assert cli.main(["init", "messages.csv", "--model", str(text_checkpoint), "-o", "a.yml"]) == 0
    assert cli.main(["run", "a.yml", "training.max_steps=2"]) == 0
    assert (here / "runs" / "a" / "1" / "model" / "config.json").is_file()


def test_a_file_that_exists_is_not_overwritten(here: Path, capsys) -> None:
    (here / "messages.yaml").write_text("mine")
    assert cli.main(["init", "messages.csv"]) == 2
    assert "messages.yaml: exists already" in capsys.readouterr().err
    assert (here / "messages.yaml").read_text() == "mine"


def test_pictures_in_class_folders_become_a_recipe(image_data: Path, here: Path) -> None:
    assert cli.main(["init", str(image_data), "-o", "shades.yaml"]) == 0
    drawn = recipe.load("shades.yaml")
    assert drawn.task.name == "image_classification"
    assert drawn.data.columns == {"image": "image", "label": "label"}


@pytest.mark.parametrize(
    ("rows", "task", "columns"),
    [
        (
            {"tokens": ["Ann", "sings"], "ner_tags": ["B-PER", "O"]},
            "token_classification",
            {"tokens": "tokens", "label": "ner_tags"},
        ),
        (
            {
                "question": "who sings",
                "context": "Ann sings here",
                "answers": {"text": ["Ann"], "answer_start": [0]},
            },
            "question_answering",
            {"question": "question", "context": "context", "answers": "answers"},
        ),
        ({"text": "Ann sings here every day"}, "causal_lm", {"text": "text"}),
    ],
)
def test_the_task_follows_from_the_columns(here: Path, rows, task: str, columns) -> None:
    (here / "rows.jsonl").write_text(f"{json.dumps(rows)}\n" * 20)
    assert cli.main(["init", "rows.jsonl"]) == 0
    drawn = recipe.load("rows.yaml")
    assert (drawn.task.name, drawn.data.columns) == (task, columns)


@pytest.mark.parametrize(
    ("table", "task", "columns"),
    [
        # of two columns any other may be the input, but a text is no path of an image
        (
            ["text,label", "win a prize,spam", "see you,ham"],
            "text_classification",
            {"text": "text", "label": "label"},
        ),
        (
            ["photo,kind", "0.png,dark", "1.png,bright"],
            "image_classification",
            {"image": "photo", "label": "kind"},
        ),
        (
            ["flat,rent", "one small room,{i}10.5", "two large rooms,{i}20"],
            "text_classification",
            {"text": "flat", "label": "rent"},
        ),
        (
            ["sent_id,word,tag", "s{i},Ann,B-PER", "s{i},sings,O"],
            "token_classification",
            {"tokens": "word", "label": "tag", "sentence": "sent_id"},
        ),
        (
            ["id,comment,rude,loud", "{i}1,be quiet now,1,0", "{i}2,that is nice,0,1"],
            "text_classification",
            {"text": "comment", "label": ["rude", "loud"]},
        ),
        (
            ["subject,body,kind", "win a prize,call us now {i},a", "about our lunch,see you {i},b"],
            "text_classification",
            {"text": "subject", "text_pair": "body", "label": "kind"},
        ),
        (
            ["clip,word", "0.wav,yes", "1.wav,no"],
            "audio_classification",
            {"audio": "clip", "label": "word"},
        ),
        (
            ["id,prompt,A,B,C,D,E,answer", "{i},who sings,Ann,Ben,Cid,Dan,Eve,A", ",is,a,b,c,d,e,E"]
            + [f",is,a,b,c,d,e,{letter}" for letter in "BCD"],
            "multiple_choice",
            {"text": "prompt", "choices": [*"ABCDE"], "label": "answer"},
        ),
        (
            ["question,opt_a,opt_b,opt_c,opt_d,correct_option"]
            + [f"who sings here,Ann,Ben,Cid,Dan,{letter}" for letter in "abcd"],
            "multiple_choice",
            {
                "text": "question",
                "choices": ["opt_a", "opt_b", "opt_c", "opt_d"],
                "label": "correct_option",
            },
        ),
        (["id,line", "{i}1,one small room", "{i}2,two rooms"], "causal_lm", {"text": "line"}),
    ],
)
@pytest.mark.slow
def test_the_task_follows_from_what_columns_hold(here: Path, table, task: str, columns) -> None:
    for i in range(2):
        Image.new("L", (8, 8), 100 * i).save(here / f"{i}.png")
        (here / f"{i}.wav").write_bytes(wav())
    header, *rows = table
    lines = [row.format(i=i) for i in range(10) for row in rows]
    (here / "rows.csv").write_text("\n".join([header, *lines]) + "\n")
    assert cli.main(["init", "rows.csv"]) == 0
    drawn = recipe.load("rows.yaml")
    assert (drawn.task.name, drawn.data.columns) == (task, columns)


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        ({"bytes": png(), "path": None}, "image"),
        (png(), "image"),
        (wav(), "audio"),
        ({"bytes": None, "path": "clips/a.FLAC"}, "audio"),
        ({"array": [0.0, 0.1], "sampling_rate": 16_000}, "audio"),
        ("notes.txt", None),
        (3, None),
    ],
)
def test_images_and_sounds_are_found_by_what_they_are(content: Any, kind: str | None) -> None:
    rows = Dataset.from_list([{"x": content}])
    kinds = [each for each in KINDS if columns_of(rows, each)]
    assert kinds == ([kind] if kind else [])


def test_what_the_data_need_can_be_given(here: Path) -> None:
    (here / "parts").mkdir()
    for part in ("learn", "exam"):
        shutil.copy("messages.csv", here / "parts" / f"{part}.csv")
    splits = "data.splits={train: learn, test: exam}"
    assert cli.main(["init", "parts", splits, "data.columns.label=category"]) == 0
    drawn = recipe.load("parts.yaml")
    assert (drawn.data.splits.train, drawn.data.splits.test) == ("learn", "exam")
    assert drawn.data.columns == {"text": "message", "label": "category"}


@pytest.mark.parametrize(
    ("arguments", "answer"),
    [
        (["messages.csv", "strategy=lora"], "'strategy=lora': graft init takes data.KEY=VALUE"),
        (["messages.csv", "data.columns.lable=x"], "unknown role 'lable'; did you mean 'label'?"),
        (["messages.csv", "--task", "qa"], "unknown task 'qa'; did you mean question_answering?"),
        (["messages.csv", "--model", "bert"], "did you mean google-bert/bert-base-uncased?"),
        (["messages.csv", "--model", "./nothing"], "./nothing: no such folder; expected a Hub id"),
        (["imdb"], "imdb: no such file or folder; expected one, or OWNER/NAME of a data set"),
    ],
)
def test_what_init_cannot_use_is_one_message(here: Path, capsys, arguments, answer: str) -> None:
    assert cli.main(["init", *arguments]) == 2
    error = capsys.readouterr().err
    assert answer in error
    assert len(error.splitlines()) == 1


def test_many_columns_are_looked_at_once_and_the_first_ones_listed(
    here: Path, capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    copies: list[int] = []
    copy = Features.copy
    monkeypatch.setattr(Features, "copy", lambda features: copies.append(1) or copy(features))
    header = ",".join(f"pixel{i}" for i in range(200))
    row = ",".join(map(str, np.arange(200) / 8))
    (here / "digits.csv").write_text("\n".join([header, row, row]) + "\n")
    assert cli.main(["init", "digits.csv"]) == 2
    error = capsys.readouterr().err
    assert "pixel19 (float64), … and 180 more; name one: --task" in error
    assert "pixel20 " not in error
    assert len(copies) < 150


@pytest.mark.parametrize(
    "lines",
    [
        ["word,tag", "Ann,B-PER", "sings,O"],
        ["text,tags", "Ann sings,B-PER O", "she sings,O O"],
        ["Sentence,Tag", "Ann sings,\"['B-PER', 'O']\"", "she sings,\"['O', 'O']\""],
    ],
)
def test_tags_of_words_become_no_classes(here: Path, capsys, lines: list[str]) -> None:
    (here / "words.csv").write_text("\n".join([lines[0], *lines[1:] * 10]) + "\n")
    assert cli.main(["init", "words.csv"]) == 2
    error = capsys.readouterr().err
    assert "holds tags of words" in error
    assert "task=token_classification needs words and tags in lists" in error
    assert len(error.splitlines()) == 1


def test_several_texts_beside_the_chosen_one_are_asked_for(here: Path, capsys) -> None:
    texts = "the room is {0},the door was {0},a key is {0}"
    rows = [f"{texts.format(i)},{'ab'[i % 2]}" for i in range(20)]
    (here / "rooms.csv").write_text("\n".join(["note,reply,remark,kind", *rows]) + "\n")
    assert cli.main(["init", "rooms.csv"]) == 2
    assert "would not be used" in capsys.readouterr().err
    named = "data.columns={text: note, label: kind}"
    assert cli.main(["init", "rooms.csv", named]) == 0
    assert recipe.load("rooms.yaml").data.columns == {"text": "note", "label": "kind"}


def test_a_column_of_splits_that_is_not_used_is_warned_of(here: Path, capsys) -> None:
    rows = [f"room {i},{'ab'[i % 2]},{('train', 'dev')[i % 5 == 0]}" for i in range(20)]
    (here / "rooms.csv").write_text("\n".join(["text,label,split", *rows]) + "\n")
    assert cli.main(["init", "rooms.csv"]) == 0
    printed = capsys.readouterr().out
    assert "warning: column 'split' names splits (dev, train) and is not used" in printed


def test_what_fits_no_task_is_refused_with_its_columns(here: Path, capsys) -> None:
    (here / "numbers.csv").write_text("a,b\n1.5,2\n2.5,3\n")
    assert cli.main(["init", "numbers.csv"]) == 2
    error = capsys.readouterr().err
    assert "no task is obvious from the columns a (float64), b (int64); name one: --task" in error
    assert cli.main(["init", "messages.csv", "--task", "text_clasification"]) == 2
    assert "did you mean 'text_classification'?" in capsys.readouterr().err
    assert not (here / "numbers.yaml").exists()
    (here / "numbers.csv").write_text("question,context,answers\n1,2,3\n4,5,6\n")
    assert cli.main(["init", "numbers.csv", "--task", "question_answering"]) == 2
    error = capsys.readouterr().err
    assert "question_answering: 'question' cannot be the question, 'context' cannot be" in error
    assert "set data.columns.question=…" in error
    (here / "numbers.csv").write_text("")
    assert cli.main(["init", "numbers.csv"]) == 2
    assert "numbers.csv: train is empty; expected rows" in capsys.readouterr().err


def test_a_checkpoint_that_cannot_do_the_task_is_refused_at_once(
    here: Path, tmp_path: Path, capsys
) -> None:
    (tmp_path / "vit").mkdir()
    (tmp_path / "vit" / "config.json").write_text('{"model_type": "vit"}')
    assert cli.main(["init", "messages.csv", "--model", "./vit"]) == 2
    assert "checkpoint has no AutoModelForSequenceClassification" in capsys.readouterr().err
    assert not (here / "messages.yaml").exists()


@pytest.mark.parametrize(
    ("text", "english"),
    [
        ("the dinner is ready", True),
        ("free prize", True),
        ("das ist nicht gut", False),
        ("está aquí", False),
        ("ужин готов", False),
    ],
)
def test_the_language_is_read_from_letters_and_common_words(text: str, english: bool) -> None:
    assert is_english([text]) == english


def test_the_shortlist_suits_language_and_machine() -> None:
    def first(task: str, **facts: bool) -> shortlist.Candidate:
        return shortlist.choose(task, **facts)[0]

    small = first("text_classification", is_english=True, on_cpu=True)
    large = first("text_classification", is_english=True, on_cpu=False)
    assert small.english
    assert large.english
    assert small.millions < large.millions
    assert not first("text_classification", is_english=False, on_cpu=True).english
    # no speech model here knows another language: the one there is stands in
    assert first("speech_recognition", is_english=False, on_cpu=True).english


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("bert", "did you mean google-bert/bert-base-uncased?"),
        ("gpt2", "did you mean openai-community/gpt2?; recipes that use it: gpt2_agnews"),
        ("resnet50", "did you mean microsoft/resnet-50 or timm/resnet50."),
        ("vgg16", "did you mean timm/vgg16.tv_in1k?; recipes that use it: vgg16_cifar10"),
        ("EfficientNet_B0", "did you mean google/efficientnet-b0 or timm/efficientnet_b0."),
    ],
)
def test_a_short_name_of_a_checkpoint_is_answered_with_its_id(name: str, answer: str) -> None:
    with pytest.raises(ModelError) as refusal:
        short_names.check(name)
    assert str(refusal.value).startswith(f"model.checkpoint: '{name}': ")
    assert answer in str(refusal.value)


def test_a_short_name_is_refused_before_data_are_read(here: Path, capsys) -> None:
    assert cli.main(["init", "messages.csv"]) == 0
    assert cli.main(["check", "messages.yaml", "model=vgg16"]) == 2
    assert "did you mean timm/vgg16.tv_in1k?" in capsys.readouterr().err
