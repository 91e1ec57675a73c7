"""Overrides, and a recipe that starts from another: the last word wins, and keeps its place."""

from pathlib import Path

import pytest
from recipe_text import BASE, NEXT, Load, Problems

from pipelines import recipe


def test_overrides_are_dotted_keys(load: Load) -> None:
    loaded = load(BASE, "training.learning_rate=3e-5", "data.limit.train=null", "metrics=[f1]")
    assert loaded.training == {"learning_rate": 3e-5}
    assert loaded.data.limit.train is None
    assert loaded.metrics == ("f1",)


def test_the_last_word_wins(load: Load) -> None:
    assert load(BASE, "strategy.r=2", "strategy.r=16").strategy.model_dump()["r"] == 16


@pytest.mark.parametrize("switch", ["strategy=full", "strategy.name=full"])
def test_switching_the_strategy_drops_what_only_the_old_one_has(load: Load, switch: str) -> None:
    dumped = load(BASE, switch).strategy.model_dump()
    assert dumped == {"name": "full", "head_lr_ratio": "auto"}


def test_switching_the_source_keeps_what_both_have(load: Load) -> None:
    data = load(BASE, "data.source=files", "data.path=reviews").data.model_dump()
    assert data["source"] == "files"
    assert data["path"] == "reviews"
    assert data["limit"]["train"] == 2000
    assert "name" not in data


def test_switching_the_task_keeps_what_both_have(load: Load) -> None:
    loaded = load(
        BASE.replace("text_classification", "{name: text_classification, max_length: 64}"),
        "task.name=image_classification",
    )
    assert loaded.task.name == "image_classification"


def test_switching_to_the_same_kind_changes_nothing(load: Load) -> None:
    assert load(BASE, "data.source=hub", "strategy.name=lora") == load(BASE)


def test_the_order_of_a_switch_and_its_details_does_not_matter(load: Load) -> None:
    text = BASE.replace("{name: lora, r: 4}", "full")
    assert load(text, "strategy.r=16", "strategy=lora") == load(
        text, "strategy=lora", "strategy.r=16"
    )
    assert load(text, "model.revision=v2", "model=other").model.revision == "v2"


def test_another_checkpoint_does_not_inherit_a_revision(load: Load) -> None:
    assert load(BASE, "model=other").model.revision == "main"


@pytest.mark.parametrize("text", ["strategy", "=lora", "training..seed=1", ".=1"])
def test_an_override_that_is_none(problems: Problems, text: str) -> None:
    assert problems(BASE, text) == [
        f"command line: '{text}': expected key=value, such as strategy=lora"
    ]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("metrics=[f1", "the value is not YAML"),
        ("name=@x", "the value is not YAML"),
        ("name='a\0'", "the value is not YAML"),
        ("name=!!timestamp 2024-99-99", "'2024-99-99' is no timestamp (month must be in 1..12)"),
        ("training.bf16=!!bool x", "'x' is no bool"),
        ("name=&a [*a]", "an anchor contains itself"),
        ("hub={push: true, push: false}", "'push' is set twice (first on line 1)"),
    ],
)
def test_an_override_whose_value_is_not_yaml(problems: Problems, text: str, reason: str) -> None:
    assert problems(BASE, text) == [f"command line: '{text}': {reason}"]


def test_the_command_line_is_the_place_of_what_it_says(problems: Problems) -> None:
    reported = problems(BASE, "strategy.rank=3", "training.seed=x", "foo.bar=1", "extends=x")
    assert sorted(reported) == [
        "command line: 'extends' is for files",
        "command line: training.seed: 'x': should be a valid integer, unable to parse string as "
        "an integer",
        "command line: unknown key 'foo'; known: adaptation, augmentation, averaging, "
        "calibration, data, early_stopping, evaluation, extends, hub, metrics, model, "
        "name, printed_lines, regularization, simple_model, speed, stages, strategy, task, "
        "training",
        "command line: unknown key 'strategy.rank'; did you mean 'r'?",
    ]


def test_a_recipe_extends_another_section_by_section(load: Load, tmp_path: Path) -> None:
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "a.yaml").write_text(BASE + "training: {learning_rate: 2e-5, seed: 1}\n")
    loaded = load("extends: base/a.yaml\ntraining: {seed: 2}\nstrategy: {lora_alpha: 8}\n")
    assert loaded.name == "sst2"
    assert loaded.training == {"learning_rate": 2e-5, "seed": 2}
    assert loaded.strategy.model_dump().items() >= {"r": 4, "lora_alpha": 8}.items()


@pytest.mark.parametrize("over", ["full", "{name: full}"])
def test_a_recipe_that_extends_another_may_switch_kinds(
    load: Load, tmp_path: Path, over: str
) -> None:
    (tmp_path / "a.yaml").write_text(BASE)
    loaded = load(f"extends: a.yaml\nstrategy: {over}\ndata: {{source: files, path: ./reviews}}\n")
    assert loaded.strategy.name == "full"
    assert loaded.data.model_dump()["path"] == str(tmp_path / "reviews")
    assert loaded.data.limit.train == 2000


def test_details_can_be_added_to_the_shorthand_of_the_other(load: Load, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(BASE.replace("{name: lora, r: 4}", "lora"))
    assert load("extends: a.yaml\nstrategy: {r: 2}\n").strategy.model_dump()["r"] == 2


def test_paths_of_the_other_are_meant_from_its_own_folder(load: Load, tmp_path: Path) -> None:
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "a.yaml").write_text(f"{BASE}extends: ./b.yaml\n")
    (tmp_path / "base" / "b.yaml").write_text("metrics: [./mine.py]\n")
    assert load("extends: ./base/a.yaml").metrics == (str(tmp_path / "base" / "mine.py"),)


def test_mistakes_are_told_where_they_stand(problems: Problems, file: Path, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(f"{BASE}trainin: 1\nhub: {{push: true}}\n")
    reported = problems("extends: a.yaml\nstrategy: lorra\nhub: {private: maybe}")
    assert [line.partition(": ")[0] for line in reported] == [
        f"{file}:2",
        f"{tmp_path / 'a.yaml'}:{NEXT}",
        f"{file}:3",
    ]


def test_extending_what_is_not_there_in_a_circle_or_not_a_path(
    problems: Problems, file: Path, tmp_path: Path
) -> None:
    place = f"{file}:1: extends:"
    assert problems("extends: b.yaml") == [
        f"{place} {tmp_path / 'b.yaml'}: cannot read the recipe (No such file or directory)"
    ]
    assert problems("extends: [a, b]") == [f"{place} ['a', 'b']: expected the path of one recipe"]
    (tmp_path / "b.yaml").write_text("extends: sst2.yaml")
    assert problems("extends: b.yaml") == [
        f"{tmp_path / 'b.yaml'}:1: extends: {file} leads back to itself"
    ]


def test_a_strategy_replaces_what_an_unnamed_one_had(load: Load, file: Path) -> None:
    """A strategy that is left out is `auto`, whose keys no other one has."""
    text = "\n".join(line for line in BASE.splitlines() if not line.startswith("strategy"))
    load(f"{text}\nstrategy: {{minutes: 5}}\n")
    child = file.with_name("child.yaml")
    child.write_text(f"extends: {file.name}\nstrategy: lora\n")
    assert recipe.load(child).strategy.name == "lora"
    assert recipe.load(file, ["strategy=lora", "strategy.r=4"]).strategy.name == "lora"


def test_a_shipped_recipe_is_extended_by_its_name(file: Path) -> None:
    file.write_text("extends: quickstart\nstrategy: lora\n")
    assert recipe.load(file).strategy.name == "lora"
