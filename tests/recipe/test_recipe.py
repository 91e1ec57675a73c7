"""Recipe text and overrides -> a checked recipe, or every mistake in it with its place."""

import json
import os
import re
from collections.abc import Callable, Iterator
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipelines import recipe
from pipelines.cli import main
from pipelines.core import recipe_files, registry
from pipelines.core.errors import RecipeError
from pipelines.recipe import Recipe, schema, training_fields, yaml_reader
from pipelines.report import lock
from pipelines.report.run_folder import RunFolder

ROOT = Path(__file__).parents[2]
RECIPES = sorted(recipe_files.shipped().values())
BASE = """\
task: text_classification
model: {checkpoint: google-bert/bert-base-uncased, revision: v1}
data: {source: hub, path: nyu-mll/glue, name: sst2, limit: {train: 2000}}
strategy: {name: lora, r: 4}
"""
NEXT = BASE.count("\n") + 1  # the line on which a test's own text starts

Load = Callable[..., Recipe]
Problems = Callable[..., list[str]]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "sst2.yaml"


@pytest.fixture
def load(file: Path) -> Load:
    """load(text, *overrides): the recipe that stands in `file`."""

    def load(text: str = BASE, *overrides: str) -> Recipe:
        file.write_text(text, encoding="utf-8")
        return recipe.load(file, overrides)

    return load


@pytest.fixture
def problems(load: Load) -> Problems:
    """problems(text, *overrides): the lines that say what is wrong."""

    def problems(text: str = BASE, *overrides: str) -> list[str]:
        with pytest.raises(RecipeError) as refusal:
            load(text, *overrides)
        return str(refusal.value).splitlines()

    return problems


# What a recipe says is what comes out


def test_what_is_left_out_has_a_default(load: Load) -> None:
    loaded = load(
        "task: text_classification\nmodel: m\ndata: {source: hub, path: d}\nstrategy: full"
    )
    assert loaded.name == "sst2"
    assert (loaded.model.revision, loaded.seed, loaded.training) == ("main", 42, {})
    assert loaded.early_stopping is not None
    assert loaded.hub.private
    assert not loaded.hub.push


def test_the_strategy_is_auto_where_the_recipe_names_none(load: Load) -> None:
    text = BASE.replace("strategy: {name: lora, r: 4}\n", "")
    assert text != BASE
    assert load(text).strategy == load(text, "strategy=auto").strategy
    strategy = load(text, "strategy.minutes=5").strategy
    assert strategy.model_dump() == {"name": "auto", "minutes": 5, "entrants": None}
    assert load(text, "strategy=lora", "strategy.r=2").strategy.model_dump()["r"] == 2


@pytest.mark.parametrize(
    ("one", "several"),
    [("accuracy", "[accuracy]"), ("{name: f1, average: macro}", "[{name: f1, average: macro}]")],
)
def test_one_metric_needs_no_brackets(load: Load, one: str, several: str) -> None:
    assert load(f"{BASE}metrics: {one}").metrics == load(f"{BASE}metrics: {several}").metrics
    assert load(BASE, f"metrics={one}").metrics == load(BASE, f"metrics={several}").metrics


def test_shorthands_mean_the_long_forms(load: Load) -> None:
    short = "task: text_classification\nmodel: m\nstrategy: lora\n"
    long = "task: {name: text_classification}\nmodel: {checkpoint: m}\nstrategy: {name: lora}\n"
    data = "data: {source: hub, path: d}\n"
    assert load(short + data) == load(long + data)


def test_the_same_recipe_in_json_is_a_recipe_too(load: Load) -> None:
    assert load(json.dumps(yaml.safe_load(BASE))) == load(BASE)


@pytest.mark.parametrize(
    ("text", "value"),
    [("2e-5", 2e-5), ("1E3", 1000.0), ("+1e-2", 0.01), ("1.5e0", 1.5), ("3", 3), (".5", 0.5)],
)
def test_numbers_are_numbers(load: Load, text: str, value: float) -> None:
    assert load(f"{BASE}training: {{adam_epsilon: {text}}}").training == {"adam_epsilon": value}
    assert load(BASE, f"training.adam_epsilon={text}").training == {"adam_epsilon": value}


def test_no_is_a_word_where_a_word_is_meant_and_false_where_a_truth_is(load: Load) -> None:
    loaded = load(f"{BASE}training: {{eval_strategy: no, bf16: no, use_cpu: yes, fp16: false}}")
    assert loaded.training == {"eval_strategy": "no", "bf16": False, "use_cpu": True, "fp16": False}


def test_nothing_said_of_training_is_nothing_set(load: Load) -> None:
    assert load(f"{BASE}training:\n").training == {}


def test_early_stopping_can_be_switched_off_and_on_again(load: Load) -> None:
    off = f"{BASE}early_stopping: null"
    assert load(off).early_stopping is None
    again = load(off, "early_stopping.patience=5").early_stopping
    assert again is not None
    assert again.patience == 5


def test_paths_are_meant_from_the_folder_of_the_recipe(
    load: Load, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    text = """
task: text_classification
model: ./encoder
data: {source: files, path: ../data/reviews}
strategy: full
metrics: [./mine.py, {name: ./other.py}, accuracy]
"""
    loaded = load(text)
    assert loaded.model.checkpoint == str(tmp_path / "encoder")
    assert loaded.data.model_dump()["path"] == str(tmp_path.parent / "data" / "reviews")
    assert loaded.metrics == (
        str(tmp_path / "mine.py"),
        {"name": str(tmp_path / "other.py")},
        "accuracy",
    )
    # on the command line they are meant from where one stands
    assert load(text, "model=./mine").model.checkpoint == "./mine"


@pytest.mark.parametrize(
    ("data", "path"),
    [
        ("path: reviews", "reviews"),
        ("splits: {train: [a.csv, b.csv]}", ""),
        ("splits: {train: '*.csv', validation: 0.1}", ""),
    ],
)
def test_data_that_are_not_in_the_working_directory_are_read_beside_the_recipe(
    load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys, data: str, path: str
) -> None:
    (tmp_path / "reviews").mkdir()
    (tmp_path / "b.csv").touch()
    text = f"task: text_classification\nmodel: m\ndata: {{source: files, {data}}}\n"
    monkeypatch.chdir(tmp_path / "reviews")
    assert load(text).data.model_dump()["path"] == str(tmp_path / path)
    assert "is not in the working directory, and read from the recipe's" in capsys.readouterr().out
    monkeypatch.chdir(tmp_path)
    assert load(text).data.model_dump()["path"] == (path or ".")
    assert not capsys.readouterr().out


def test_the_resolved_recipe_of_a_run_loads_again_and_is_equal(load: Load, tmp_path: Path) -> None:
    loaded = load(
        f"{BASE}training: {{seed: 7, eval_strategy: no, lr_scheduler_kwargs: {{min_lr: 1e-7}}}}\n"
        "metrics: [{name: f1, average: macro}, accuracy]\n"
        "hub: {repo_id: lab/sst2, push: true}\nearly_stopping: null\n",
        "data.columns={text: sentence, label: [a, b]}",
        "data.splits={train: [a, b], validation: 0.1, test: null}",
    )
    run = RunFolder.create(tmp_path / "runs", loaded.name)
    lock.write(run, loaded, {})
    assert recipe.load(run.recipe) == loaded


# Overrides


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


# A recipe that starts from another


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


# What is no recipe


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


# What is wrong in a recipe: the line after BASE, and what is told of it

METRICS = ", ".join(registry.names("metrics"))
STRATEGIES = ", ".join(registry.names("strategies"))
MISTAKES = {
    "trainin: {}": (
        "unknown key 'trainin'; did you mean 'training'? known: adaptation, augmentation, "
        "averaging, calibration, data, early_stopping, evaluation, extends, hub, metrics, model, "
        "name, printed_lines, regularization, simple_model, speed, stages, strategy, task, "
        "training"
    ),
    "hub: {repo: x}": (
        "unknown key 'hub.repo'; did you mean 'repo_id'? known: private, push, repo_id"
    ),
    "hub: {push: true}": "hub: push: true needs repo_id: owner/name",
    "hub: null": "hub: null: should be keys and values",
    "early_stopping: {patience: 0}": (
        "early_stopping.patience: 0: should be greater than or equal to 1"
    ),
    "early_stopping: {patence: 3}": (
        "unknown key 'early_stopping.patence'; did you mean 'patience'? known: patience, threshold"
    ),
    "early_stopping: 3": "early_stopping: 3: should be keys and values",
    "name: 3": "name: 3: should be a valid string",
    "metrics: 3": "metrics: 3: should be a list",
    "metrics: null": "metrics: null: should be a list",
    "metrics: [{average: macro}]": "missing key 'metrics.0.name'",
    "metrics: [acuracy]": (
        f"unknown metric 'acuracy'; did you mean 'accuracy'? known: {METRICS}; "
        "or a Hub id such as evaluate-metric/rouge"
    ),
    "training: 5": "training: 5: should be keys and values",
    "training: [seed]": "training: ['seed']: should be keys and values",
    "training: {learning_rate: fast}": (
        "training.learning_rate: 'fast': should be a valid number, unable to parse string as a "
        "number"
    ),
    "training: {learning_rate: null}": "training.learning_rate: null: should be a valid number",
    "training: {seed: 1.5}": (
        "training.seed: 1.5: should be a valid integer, got a number with a fractional part"
    ),
    "training: {hub_token: abc}": (
        "'training.hub_token': pushing is the recipe's section 'hub'; "
        "a token never belongs in a recipe: set HF_TOKEN"
    ),
    "training: {remove_unused_columns: true}": (
        "'training.remove_unused_columns': rows hold nothing but what the model takes, and are "
        "read a batch at a time; leave it out"
    ),
    "training: {push_to_hub: true}": (
        "'training.push_to_hub': pushing is the recipe's section 'hub'"
    ),
}


@pytest.mark.parametrize("text", MISTAKES)
def test_a_mistake_is_told_with_place_key_value_and_what_was_expected(
    problems: Problems, file: Path, text: str
) -> None:
    assert problems(f"{BASE}{text}\n") == [f"{file}:{NEXT}: {MISTAKES[text]}"]


KIND_MISTAKES = {
    ("{name: lora, r: 4}", "lorra"): (
        4,
        f"unknown strategy 'lorra'; did you mean 'lora'? known: {STRATEGIES}",
    ),
    ("{name: lora, r: 4}", "{r: 4}"): (
        4,
        "unknown key 'strategy.r'; known: entrants, minutes, name; 'r' is a key of strategy=lora",
    ),
    ("{name: lora, r: 4}", "qlora"): (
        4,
        "unknown strategy 'qlora'; did you mean lora with model.quantization=4bit "
        "strategy.save=adapter?",
    ),
    ("{name: lora, r: 4}", "null"): (4, f"missing key 'strategy.name'; known: {STRATEGIES}"),
    ("r: 4", "r: 0"): (4, "strategy.r: 0: should be greater than or equal to 1"),
    ("r: 4", "rr: 4"): (
        4,
        "unknown key 'strategy.rr'; did you mean 'r'? known: head_lr_ratio, init_lora_weights, "
        "lora_alpha, lora_dropout, lora_plus_ratio, modules_to_save, name, r, save, "
        "target_modules, use_dora, use_rslora",
    ),
    ("train: 2000", "train: 0"): (3, "data.limit.train: 0: should be greater than or equal to 1"),
    ("train: 2000", "trian: 5"): (
        3,
        "unknown key 'data.limit.trian'; did you mean 'train'? known: test, train, validation",
    ),
    ("name: sst2", "splits: {validation: 1.5}"): (
        3,
        "data.splits: shares of train lie between 0 and 1, and add up to less than 1 so that some "
        "of train is left; got 1.5",
    ),
    ("path: nyu-mll/glue, ", ""): (3, "missing key 'data.path'"),
    ("revision: v1", "revison: v1"): (
        2,
        "unknown key 'model.revison'; did you mean 'revision'? known: attn_implementation, "
        "beside, checkpoint, config, head, image_size, quantization, revision, templates, "
        "trust_remote_code, use_safetensors",
    ),
    ("revision: v1", "trust_remote_code: true"): (
        2,
        "model: trust_remote_code needs `revision` to be a full commit hash (40 digits)",
    ),
}


@pytest.mark.parametrize("change", KIND_MISTAKES, ids=lambda change: change[1] or "left out")
def test_a_mistake_in_a_section_that_depends_on_its_kind(
    problems: Problems, file: Path, change: tuple[str, str]
) -> None:
    line, expected = KIND_MISTAKES[change]
    assert problems(BASE.replace(*change)) == [f"{file}:{line}: {expected}"]


def test_a_source_that_there_is_none_of(problems: Problems) -> None:
    (reported,) = problems(BASE.replace("source: hub", "source: hubb"))
    assert "unknown source 'hubb'; did you mean 'hub'? known: files, hub" in reported
    (reported,) = problems(BASE.replace("source: hub, ", ""))
    assert "missing key 'data.source'; known: files, hub" in reported


def test_an_unknown_training_argument_is_told_the_nearest_of_the_installed_ones(
    problems: Problems,
) -> None:
    (reported,) = problems(f"{BASE}training: {{learnin_rate: 1e-4}}")
    count = len(training_fields.model().model_fields)
    assert "unknown key 'training.learnin_rate'; did you mean 'learning_rate'?" in reported
    assert f"nearest of {count} known: learning_rate, " in reported
    assert len(reported.partition("known: ")[2].split(", ")) == 8


def test_a_pinned_revision_may_run_code_of_the_checkpoint(load: Load) -> None:
    loaded = load(BASE.replace("v1", f"{'0a' * 20}, trust_remote_code: true"))
    assert loaded.model.trust_remote_code


def test_items_of_a_list_have_their_own_line(problems: Problems, file: Path) -> None:
    assert problems(f"{BASE}metrics:\n  - accuracy\n  - f11\n  - 3\n") == [
        f"{file}:{NEXT + 3}: metrics.2: 3: should be a valid string or keys and values",
        f"{file}:{NEXT + 2}: unknown metric 'f11'; did you mean 'f1'? known: {METRICS}; "
        "or a Hub id such as evaluate-metric/rouge",
    ]


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("training.num_train_epochs", ".inf", "inf: should be a finite number"),
        ("training.learning_rate", ".nan", "nan: should be a finite number"),
        ("training.warmup_steps", ".nan", "nan: should be a finite number"),
        ("training.lr_scheduler_kwargs.power", "-.inf", "-inf: should be a finite number"),
        ("regularization.r_drop", ".nan", "nan: should be a finite number"),
        ("training.max_steps", "0", "0: should be -1 (as many as there are epochs) or at least 1"),
        ("training.adam_beta1", "2.5", "2.5: should be less than 1"),
        ("training.seed", "4294967296", "4294967296: should be less than or equal to 4294967295"),
        ("training.data_seed", "1e10", "10000000000.0: should be less than or equal to 4294967295"),
        ("training.report_to", "3", "3: should be a valid string or a valid list"),
        ("training.label_smoothing_factor", "-1", "-1: should be greater than or equal to 0"),
    ],
)
def test_a_number_without_a_meaning_is_one_line(problems, file, key, value, expected) -> None:
    """What TrainingArguments takes would fail, or do nothing, during training."""
    assert problems(BASE, f"{key}={value}") == [f"command line: {key}: {expected}"]


@pytest.mark.parametrize(
    ("override", "hint"),
    [
        (
            "learning_rate=1e-4",
            "unknown key 'learning_rate'; did you mean 'training.learning_rate'?",
        ),
        ("lr=1e-4", "unknown key 'lr'; did you mean 'training.learning_rate'?"),
        ("epochs=3", "unknown key 'epochs'; did you mean 'training.num_train_epochs'?"),
        ("r=8", "unknown key 'r'; did you mean 'strategy.r'?"),
        ("max_length=64", "unknown key 'max_length'; did you mean 'task.max_length'?"),
        ("patience=2", "unknown key 'patience'; did you mean 'early_stopping.patience'?"),
        ("checkpoint=x", "unknown key 'checkpoint'; did you mean 'model.checkpoint'?"),
        ("training.lr=1", "unknown key 'training.lr'; did you mean 'learning_rate'?"),
        (
            "training.batch_size=8",
            "unknown key 'training.batch_size'; did you mean 'per_device_train_batch_size'?",
        ),
        ("training.epochs=8", "unknown key 'training.epochs'; did you mean 'num_train_epochs'?"),
        (
            "data=messages.csv",
            "data: 'messages.csv': should be keys and values, such as "
            "'data: {source: files, path: messages.csv}'",
        ),
        ("seed=3", "unknown key 'seed'; did you mean 'training.seed'?"),
        ("training.max_seq_length=9", "unknown key 'training.max_seq_length'; did you mean 'task."),
        (
            "training.group_by_length=true",
            "unknown key 'training.group_by_length'; did you mean 'train_sampling_strategy=group",
        ),
        ("model.dtype=x", "unknown key 'model.dtype'; did you mean 'training.bf16'?"),
        ("data.max_samples=9", "unknown key 'data.max_samples'; did you mean 'limit.train'?"),
        ("data.test=b.csv", "unknown key 'data.test'; did you mean 'splits.test'?"),
        ("task=NER", "unknown task 'NER'; did you mean token_classification?"),
        ("data.source=csv", "unknown source 'csv'; did you mean files?"),
        ("strategy=LoRA", "unknown strategy 'LoRA'; did you mean 'lora'? known: "),
        ("device=cuda", "unknown key 'device'; the accelerator of the machine is used as it is;"),
        ("training.device=cpu", "unknown key 'training.device'; the accelerator of the machine"),
    ],
)
def test_a_key_of_another_place_or_another_tool_is_answered_with_ours(
    problems: Problems, override: str, hint: str
) -> None:
    (line,) = problems(BASE, override)
    assert line.startswith(f"command line: {hint}")


def test_a_key_of_another_strategy_names_it(problems: Problems) -> None:
    assert problems(BASE, "strategy=full", "r=8") == [
        "command line: unknown key 'r'; 'r' is a key of strategy=lora"
    ]


def test_a_dotted_key_is_for_the_command_line(problems: Problems, file: Path) -> None:
    reported = problems(f"{BASE}training.seed: 3\nstrategy.r: 8\n")
    assert reported == [
        f"{file}:{NEXT}: unknown key 'training.seed'; dots are for the command line: write 'seed' "
        "below 'training:'",
        f"{file}:{NEXT + 1}: unknown key 'strategy.r'; dots are for the command line: write 'r' "
        "below 'strategy:'",
    ]


def test_a_date_is_a_word(load: Load, problems: Problems, file: Path) -> None:
    assert load(f"{BASE}name: 2026-11-29\n").name == "2026-11-29"
    assert problems(f"{BASE}name: !!timestamp x\n") == [f"{file}:{NEXT}: 'x' is no timestamp"]


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


def test_a_truth_value_is_no_number(problems: Problems) -> None:
    """YAML's true would be a probability, a rate or a number of epochs of 1."""
    image = BASE.replace("text_classification", "image_classification")
    assert problems(image, "augmentation={flip: true}", "training.num_train_epochs=true") == [
        "command line: augmentation.flip: True: should be a number (probability of a horizontal "
        "flip; usual: 0.5), not true or false",
        "command line: training.num_train_epochs: True: should be a number, not true or false",
    ]


def test_two_precisions_at_once_are_refused(problems: Problems) -> None:
    assert problems(BASE, "training={fp16: true, bf16: true}") == [
        "command line: training.fp16: fp16 and bf16 are two ways to compute in 16 bits; set one "
        "of them (bf16 where the accelerator has it)"
    ]


def test_control_characters_and_paths_in_a_name_are_refused(problems: Problems, file: Path) -> None:
    assert problems(f'{BASE}name: "a\\0b"') == [
        f"{file}:{NEXT}: name: 'a\\x00b': should be text without control characters"
    ]
    assert problems(f"{BASE}name: a/b") == [
        f"{file}:{NEXT}: name: 'a/b': cannot name a run folder; expected a word such as bert_sst2"
    ]


def test_aliases_that_multiply_are_refused_before_they_fill_the_memory(problems, file) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    for i in range(1, 10):
        lines.append(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]")
    (line,) = problems("\n".join(lines))
    assert line.endswith(": more than 100,000 keys and items, aliases included")


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


def test_keys_that_older_runs_recorded_are_accepted_with_a_note(load: Load, capsys) -> None:
    text = BASE.replace("r: 4}", "r: 4, because: few rows}")
    assert text != BASE
    assert load(text) == load(BASE)
    note = "'strategy.because' is no key any more: the lock records it; remove it"
    assert note in capsys.readouterr().out


def test_a_metric_may_be_a_file_or_a_hub_id(load: Load) -> None:
    pinned = f"{{name: evaluate-metric/rouge, revision: {'0a' * 20}, trust_remote_code: true}}"
    assert len(load(f"{BASE}metrics: [mine.py, {pinned}]").metrics) == 2


@pytest.mark.parametrize(
    "entry",
    [
        "owner/name",
        "{name: owner/name, trust_remote_code: true}",
        "{name: owner/name, trust_remote_code: true, revision: main}",
        f"{{name: owner/name, revision: {'0a' * 20}}}",
        f"{{name: owner/name, trust_remote_code: 'yes', revision: {'0a' * 20}}}",
    ],
)
def test_code_of_a_metric_on_the_hub_is_trusted_at_a_commit(
    problems: Problems, file: Path, entry: str
) -> None:
    assert problems(f"{BASE}metrics: [accuracy, {entry}]\n") == [
        f"{file}:{NEXT}: metric 'owner/name': it is Python code from the Hub, which would run "
        "here; read it at a commit, and write {name: owner/name, revision: COMMIT, "
        "trust_remote_code: true} with the 40 digits of that commit"
    ]


def test_all_mistakes_are_told_at_once(problems: Problems, file: Path) -> None:
    reported = problems("""\
task: text_clasification
model: {checkpoint: a, revison: b}
early_stopping: {patence: 1}
training:
  learnin_rate: 1
  seed: x
metrics: [acuracy]
huub: {}
""")
    places = [line.split(": ")[0].removeprefix(str(file)) for line in reported]
    # what is missing altogether has no line
    assert sorted(places) == ["", ":1", ":2", ":3", ":5", ":6", ":7", ":8"]


# The fields of TrainingArguments, read without importing it


def test_training_fields_are_those_of_the_installed_library() -> None:
    from dataclasses import fields

    from transformers import TrainingArguments

    known = set(training_fields.model().model_fields)
    theirs = {field.name for field in fields(TrainingArguments) if field.init}
    assert theirs <= known
    assert known - theirs <= {"resume_from_checkpoint"}


# The schema for editors


KINDS: dict[str, Any] = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "null": type(None),
    "integer": int,
    "number": (int, float),
}


def fits(value: Any, rule: dict[str, Any] | bool, root: dict[str, Any]) -> bool:
    """Whether `value` is valid: as much of JSON Schema as pydantic writes for recipes."""
    if isinstance(rule, bool):
        return rule
    if "$ref" in rule:
        return fits(value, root["$defs"][rule["$ref"].removeprefix("#/$defs/")], root)
    if "anyOf" in rule and not any(fits(value, option, root) for option in rule["anyOf"]):
        return False
    if "type" in rule and not isinstance(value, KINDS[rule["type"]]):
        return False
    if value not in rule.get("enum", [rule.get("const", value)]):
        return False
    below: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        known, others = rule.get("properties", {}), rule.get("additionalProperties", True)
        below = [(child, known.get(key, others)) for key, child in value.items()]
    elif isinstance(value, list):
        below = [(child, rule.get("items", True)) for child in value]
    missing = set(rule.get("required", ())) - set(value if isinstance(value, dict) else ())
    return not missing and all(fits(child, inner, root) for child, inner in below)


def schemas_in(node: Any) -> Iterator[dict[str, Any]]:
    children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    for child in children:
        yield from schemas_in(child)
    if isinstance(node, dict):
        yield node


def test_the_schema_is_json_schema_and_refers_to_what_it_defines() -> None:
    built = json.loads(json.dumps(schema.build()))
    assert built["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert set(built["properties"]) == {*Recipe.model_fields, "extends", "stages"}
    assert set(built["properties"]["training"]["properties"]) == set(
        training_fields.model().model_fields
    )
    types = {"object", "array", "string", "boolean", "null", "integer", "number"}
    for node in schemas_in(built):
        if isinstance(node.get("$ref"), str):
            assert reduce(getitem, node["$ref"].removeprefix("#/").split("/"), built)
        if isinstance(node.get("type"), str):
            assert node["type"] in types


@pytest.mark.parametrize("package", ["tasks", "strategies", "sources"])
def test_the_schema_knows_every_kind(package: str) -> None:
    section = next(key for key, (_, p) in recipe.KINDS.items() if p == package)
    options = schema.build()["properties"][section]["anyOf"]
    constants = [
        option["properties"][recipe.KINDS[section][0]]["const"]
        for option in options
        if "properties" in option
    ]
    assert sorted(constants) == list(registry.names(package))


@pytest.mark.parametrize(
    ("change", "valid"),
    [
        (("", ""), True),
        (("name: lora, r: 4", "name: full"), True),
        (("{name: lora, r: 4}", "lora"), True),
        (("{name: lora, r: 4}", "lorra"), False),
        (("name: lora, r: 4", "name: full, r: 4"), False),
        (("r: 4", "rr: 4"), False),
        (("train: 2000", "train: many"), False),
        (("source: hub", "source: files"), False),  # files have no `name`
        (("task: ", "tusk: "), False),
    ],
)
def test_the_schema_accepts_and_refuses_what_loading_does(
    load: Load, change: tuple[str, str], valid: bool
) -> None:
    text, built = BASE.replace(*change), schema.build()
    assert fits(yaml_reader.parse(text, "").values, built, built) == valid
    if valid:
        load(text)
    else:
        with pytest.raises(RecipeError):
            load(text)


def test_the_shipped_schema_is_up_to_date() -> None:
    """All but `training`, which depends on the installed transformers: run `make docs`."""
    shipped = json.loads((ROOT / "recipes" / "schema.json").read_text(encoding="utf-8"))
    built = json.loads(json.dumps(schema.build()))
    del shipped["properties"]["training"], built["properties"]["training"]
    assert shipped == built


# The recipes that come with the project


def test_recipes_were_found() -> None:
    assert len(RECIPES) >= 3


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
@pytest.mark.slow
def test_a_shipped_recipe_loads_and_tells_editors_its_schema(path: Path) -> None:
    loaded, built = recipe.load(path), schema.build()
    assert loaded.name == path.stem
    text = path.read_text(encoding="utf-8")
    relative = Path(os.path.relpath(ROOT / "recipes" / "schema.json", path.parent)).as_posix()
    prefix = "" if relative.startswith("../") else "./"
    lines = text.splitlines()
    assert lines[0] == f"# yaml-language-server: $schema={prefix}{relative}"
    assert lines[1].startswith("# ")  # what it is: `graft list` shows it
    assert fits(yaml_reader.parse(text, str(path)).values, built, built)


@pytest.mark.parametrize("place", ["file", "command line"])
def test_the_old_spelling_of_a_section_is_accepted_with_a_note(
    load: Load, place: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if place == "file":
        loaded = load(f"{BASE}regularisation: {{r_drop: 0.5}}\n")
    else:
        loaded = load(BASE, "regularisation.r_drop=0.5")
    assert loaded.regularization.r_drop == 0.5
    (note,) = capsys.readouterr().out.splitlines()
    assert "'regularisation' is now spelled 'regularization'" in note
    assert ("sst2.yaml:" if place == "file" else "command line") in note


def test_a_mistake_under_the_old_spelling_is_found_on_its_line(load: Load) -> None:
    with pytest.raises(RecipeError, match=r"sst2\.yaml:\d+: unknown key 'regularization\.l2sp'"):
        load(f"{BASE}regularisation: {{l2sp: 0.5}}\n")


def test_both_spellings_of_a_section_are_refused(load: Load) -> None:
    text = f"{BASE}regularisation: {{l2_sp: 0.5}}\nregularization: {{l2_sp: 0.1}}\n"
    with pytest.raises(RecipeError, match="old spelling of 'regularization'"):
        load(text)


# data.target


def with_target(**target: Any) -> Recipe:
    data = {"source": "files", "path": "a.csv", "target": target}
    values = {"task": "text_classification", "model": "some/model", "data": data}
    return Recipe.from_dict(values)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ({"path": "b.csv"}, "data.target: should be keys and values, such as {source: files"),
        ({"source": "flies"}, "data.target: source: unknown source 'flies'; did you mean 'files'?"),
        ({"source": "files", "pth": "b"}, "'data.target.pth'; did you mean 'path'?"),
        ({"source": "files", "path": "b", "folds": 3}, "data.target: folds: rows of a target are"),
        (
            {"source": "files", "path": "b", "splits": {"validation": 0.2}},
            "data.target: validation: a target validates nothing",
        ),
        (
            {"source": "files", "path": "b", "limit": {"trian": 3}},
            "unknown key 'data.target.limit.trian'; did you mean 'train'?",
        ),
    ],
)
def test_a_mistake_in_a_target_is_one_message(target: dict[str, Any], message: str) -> None:
    with pytest.raises(RecipeError, match=re.escape(message)):
        with_target(**target)


def test_a_target_has_the_keys_of_its_own_source_and_is_read_back_as_it_was_written() -> None:
    loaded = with_target(source="hub", path="owner/other", revision="v2")
    values = loaded.model_dump(mode="json")
    assert values["data"]["target"]["revision"] == "v2"
    assert Recipe.from_dict(values).data == loaded.data


def test_tasks_without_one_prediction_for_an_example_have_no_target() -> None:
    target = {"source": "files", "path": "b"}
    data = {"source": "files", "path": "a.csv", "target": target}
    with pytest.raises(RecipeError, match=r"data\.target: token_classification does not predict"):
        Recipe.from_dict({"task": "token_classification", "model": "some/model", "data": data})


def test_a_target_is_read_beside_the_recipe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes" / "other.csv").write_text("text,label\n", encoding="utf-8")
    path = tmp_path / "recipes" / "recipe.yaml"
    path.write_text(
        "task: text_classification\nmodel: some/model\n"
        "data: {source: files, path: a.csv, target: {source: files, path: other.csv}}\n",
        encoding="utf-8",
    )
    monkeypatch.chdir(tmp_path)
    loaded = recipe.load(path).data
    assert loaded.model_dump()["target"]["path"] == str(tmp_path / "recipes" / "other.csv")
