"""Files and texts that are no recipe: refused in one message, however odd they are."""

from pathlib import Path

import pytest
from recipe_text import BASE, NEXT, Problems, multiplied_aliases

from pipelines import recipe
from pipelines.cli import main
from pipelines.core.errors import RecipeError


def test_a_recipe_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    for path, reason in {
        "no.yaml": "No such file or directory",
        "binary.yaml": "not UTF-8 text",
    }.items():
        with pytest.raises(RecipeError) as refusal:
            recipe.load(tmp_path / path)
        assert str(refusal.value) == f"{tmp_path / path}: cannot read the recipe ({reason})"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("task: [a,\n", ":2: not YAML: expected the node content, but found '<stream end>'"),
        ("a: b\n\tc: d", ":2: not YAML: found character '\\t' that cannot start any token"),
        ("a: b\n---\nc: d", ":2: not YAML: but found another document"),
        ("a: !!python/name:os.system x", ":1: unknown tag '!!python/name:os.system'; remove it"),
        ("a: b\nc: \x00", ":2: not YAML: unacceptable character #x0000"),
        ("a: &x\n  {b: *x}", ":1: an anchor contains itself"),
        (
            "a: 1\nb: !!timestamp 2024-99-99",
            ":2: '2024-99-99' is no timestamp (month must be in 1..12)",
        ),
        ("a: 1\nb: !!bool x", ":2: 'x' is no bool"),
        ("a: 1\nb: !!timestamp x", ":2: 'x' is no timestamp"),
        ("a: 1\nb: !!int x", ":2: 'x' is no int (invalid literal"),
        ("a: 1\nb: !mine x", ":2: unknown tag '!mine'; remove it"),
        ("a: 1\nb: !mine {c: 1}", ":2: unknown tag '!mine'; remove it"),
        ("a: 1\nb: !!set {c}", ":2: unknown tag '!!set'; remove it"),
        ("a: 1\n? [b]\n: c", ":2: a key is a word, not a list or a mapping"),
        ("a: 1\nb: " + "[" * 3000 + "]" * 3000, ":2: nested deeper than 50 levels"),
        ("a: 1\nb: " + "[" * 60 + "]" * 60, ":2: nested deeper than 50 levels"),
        ("hello", ":1: a recipe is a mapping of keys to values, not str"),
        ("- a\n- b", ":1: a recipe is a mapping of keys to values, not list"),
    ],
)
def test_text_that_is_no_recipe(problems: Problems, file: Path, text: str, expected: str) -> None:
    (line,) = problems(text)
    assert line.startswith(f"{file}{expected}")


def test_a_key_that_stands_twice(problems: Problems, file: Path) -> None:
    text = f"{BASE}training:\n  seed: 1\n  max_steps: 2\n  seed: 3\n"
    assert problems(text) == [
        f"{file}:{NEXT + 3}: 'training.seed' is set twice (first on line {NEXT + 1})"
    ]


def test_an_empty_recipe_is_told_what_it_needs(problems: Problems, file: Path) -> None:
    assert problems("") == [
        f"{file}: missing key 'task'; expected 'task: text_classification'",
        f"{file}: missing key 'model'; expected 'model: google-bert/bert-base-uncased'",
        f"{file}: missing key 'data'; expected 'data: {{source: files, path: messages.csv}}'",
    ]


@pytest.mark.parametrize("wrong", ["table.csv", "table.yaml", "table"])
def test_a_table_in_place_of_a_recipe_is_answered_with_the_command_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "table.csv").write_text("text,label\n")
    with pytest.raises(RecipeError, match=r"`graft init table\.csv` writes a recipe for it"):
        recipe.load(wrong)


LONG = "a" * 3000


@pytest.mark.parametrize(
    "key",
    ["model", "model.beside.0", "data.path", "data.splits.test", "training.output_dir", "name"],
)
@pytest.mark.parametrize("text", [LONG, "a/" * 3000], ids=["name", "path"])
def test_what_is_too_long_to_name_a_file_is_refused(
    problems: Problems, key: str, text: str
) -> None:
    value = f"[{text}]" if key == "model.beside.0" else text
    (shown, *_) = problems(BASE, f"{key.removesuffix('.0')}={value}")
    assert f"{key}: '" in shown.replace("model.checkpoint", "model")
    assert shown.endswith(f"{text[:40]}…': too long to name a file, a folder or a repository")


@pytest.mark.parametrize("command", ["run", "cp", "init", "report", "runs"])
def test_a_command_refuses_what_is_too_long_to_name_a_file(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([command, LONG]) == 2
    assert capsys.readouterr().err.startswith("error: ")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (multiplied_aliases(), ":1: more than 100,000 keys and items, aliases included"),
        (
            f"a: &a {LONG}\nb: &b [{', '.join(['*a'] * 50)}]\nc: [{', '.join(['*b'] * 50)}]",
            ":1: more than 5,000,000 characters, aliases included",
        ),
        ("# " + "x" * 1_000_000, ": cannot read the recipe (it is larger than 1,000,000 bytes)"),
    ],
    ids=["items", "characters", "file"],
)
def test_what_would_fill_the_memory_is_refused_before(
    problems: Problems, file: Path, text: str, reason: str
) -> None:
    assert problems(text) == [f"{file}{reason}"]


def test_a_recipe_of_the_other_suffix_and_a_near_name_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "messages.yaml").write_text(BASE)
    (tmp_path / "other.yml").write_text(BASE)
    assert recipe.load("other").name == "other"
    for wrong in ("messages.yml", "mesages.yaml"):
        with pytest.raises(RecipeError) as refusal:
            recipe.load(wrong)
        assert str(refusal.value) == f"{wrong}: no such file; did you mean 'messages.yaml'?"
