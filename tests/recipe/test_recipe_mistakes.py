"""Mistakes in a recipe: each with its place, key, value, what was expected and the nearest word."""

from pathlib import Path

import pytest
from recipe_text import BASE, NEXT, Load, Problems

from pipelines.core import registry
from pipelines.recipe import training_fields

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
