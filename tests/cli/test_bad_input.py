"""What cannot work ends in one message and exit code 2, before any training.

Each case is a text or image recipe that would run, and what is changed in it. Most are overrides
on the command line; `{data}` and `{checkpoint}` in them are folders that the case has damaged.
"""

import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from example_run import finished
from warm_python import WarmPython

from pipelines.cli import main

ROOT = Path(__file__).parents[2]
Damage = Callable[[Path], object]


def recipe_of(kind: str, checkpoint: Path, data: Path) -> str:
    """A recipe that would run."""
    return f"""\
task: {kind}_classification
model: {checkpoint}
data: {{source: files, path: {data}}}
strategy: full
training: {{max_steps: 1, use_cpu: true}}
"""


@dataclass(frozen=True)
class Case:
    """What is wrong, and what has to be told.

    Attributes:
        told: parts of the message.
        overrides: of the recipe.
        lines: at the end of the recipe.
        data, checkpoint: what is done to a copy of the folder.
    """

    expected: tuple[str, ...]
    overrides: tuple[str, ...] = ()
    lines: str = ""
    kind: str = "text"
    data: Damage | None = None
    checkpoint: Damage | None = None


def overridden(*overrides: str, expected: str | tuple[str, ...], kind: str = "text") -> Case:
    return Case((expected,) if isinstance(expected, str) else expected, overrides, kind=kind)


def line(text: str, *expected: str) -> Case:
    return Case(expected, lines=text)


def data(damage: Damage, *expected: str, kind: str = "text") -> Case:
    return Case(expected, kind=kind, data=damage)


def checkpoint(damage: Damage, *expected: str, kind: str = "text") -> Case:
    return Case(expected, kind=kind, checkpoint=damage)


def table(split: str, *rows: str) -> Damage:
    """Make a split of rows `text,label`."""
    content = "\n".join(["text,label", *rows]) + "\n"
    return lambda folder: (folder / f"{split}.csv").write_text(content)


def add(split: str, row: str) -> Damage:
    """Append a row to a split."""

    def damage(folder: Path) -> None:
        with (folder / f"{split}.csv").open("a") as file:
            file.write(f"{row}\n")

    return damage


def write(name: str, content: bytes) -> Damage:
    return lambda folder: (folder / name).write_bytes(content)


NUMBER = b'{"text": 1.5, "label": "%s"}\n'.__mod__  # a line whose text is a number


def instead(old: str, new: str, content: bytes) -> Damage:
    return lambda folder: (folder / old).rename(folder / new).write_bytes(content)


def remove(pattern: str) -> Damage:
    return lambda folder: [path.unlink() for path in folder.glob(pattern)]


def cut(name: str, length: int) -> Damage:
    """Leave the first bytes of a file, or of the first that fits the pattern."""

    def damage(folder: Path) -> None:
        path = min(folder.glob(name))
        path.write_bytes(path.read_bytes()[:length])

    return damage


PAIRS = ("a good film,yes", "a bad film,no")

CASES = {
    # the recipe
    "unknown key": line("trainin: {}\n", "recipe.yaml:6: unknown key 'trainin'; did you mean"),
    "unknown training key": overridden(
        "training.learnin_rate=1", expected="'training.learnin_rate'; did you mean 'learning_rate'?"
    ),
    "wrong type": overridden(
        "training.learning_rate=fast",
        expected="command line: training.learning_rate: 'fast': should be a valid number",
    ),
    "unknown strategy": overridden(
        "strategy=lorra", expected="'lorra'; did you mean 'lora'? known: auto,"
    ),
    "not YAML": line("metrics: [f1\n", "recipe.yaml:7: not YAML: "),
    "not an override": overridden("strategy", expected="'strategy': expected key=value"),
    # data
    "missing file": overridden(
        "data.path=nowhere", expected="data.path: nowhere: no such file or folder"
    ),
    "folder without data": data(remove("*.csv"), "nothing usable in it; expected <split>.parquet"),
    "damaged table": data(
        write("train.csv", b"\x80\x81"), "neither UTF-8, UTF-16 nor windows-1252"
    ),
    "missing column": overridden(
        "data.columns.text=txt",
        expected="data.columns: train has no column 'txt'; did you mean 'text'? known: label, text",
    ),
    "unknown role": overridden(
        "data.columns.text=txt",
        "data.columns.label=lbl",
        expected="data.columns: train has no columns 'txt', 'lbl'; known: ",
    ),
    "an unknown role": overridden(
        "data.columns.txt=text",
        expected="unknown role 'txt'; did you mean 'text'? known: label, text",
    ),
    "no column for a role": data(
        write("train.csv", b"a,b,label\nx,x,1\ny,y,0\n"),
        "data.columns.text=…; columns: a, b, label",
    ),
    "column missing in validation": data(
        write("validation.csv", b"a,label\nx,1\n"), "validation: no column 'text', which train has"
    ),
    "missing split": overridden(
        "data.splits.train=training", expected="no split 'training'; did you mean 'train'? known: "
    ),
    "label only in validation": data(
        add("validation", "so so,neutral"),
        "validation, row 32: label 'neutral' does not occur in train; it has 'negative', ",
    ),
    "no label": data(add("train", "so so,"), "train, row 64: no label (None); 1 of 65 rows"),
    "no text": data(add("train", ",positive"), "train, row 64: text is None; expected a string"),
    "numbers for texts": data(
        instead("train.csv", "train.jsonl", b"".join(map(NUMBER, (b"negative", b"positive") * 4))),
        "train, row 0: text is 1.5; expected a str",
    ),
    "empty train": data(table("train"), "train: the split is empty"),
    "empty validation": data(table("validation"), "validation: the split is empty"),
    "empty file": data(write("validation.csv", b""), "validation: the split is empty"),
    "one class only": data(
        table("train", "a,yes", "b,yes"), "column 'label' holds 'yes' only; need two classes"
    ),
    "too few to cut a validation split": Case(
        ("train: its 2 examples are too few to cut a validation split",),
        ("data.folds=0",),
        data=lambda folder: (remove("*.csv")(folder), table("train", *PAIRS)(folder)),
    ),
    "no image": data(
        cut("train/dark/*.png", 0), "train, row ", ".png cannot be read as an image", kind="image"
    ),
    "half an image": data(
        cut("validation/light/*.png", 90), "validation, row ", "cannot be read", kind="image"
    ),
    "texts for an image task": overridden(
        "task=image_classification", expected="the image column holds "
    ),
    "hub data without a hub": overridden(
        "data.source=hub", "data.path=nyu-mll/glue", expected=("nyu-mll/glue", "data.source=files")
    ),
    # the checkpoint
    "no checkpoint": overridden(
        "model=/nowhere/bert", expected="/nowhere/bert: no such folder; expected"
    ),
    "no checkpoint there": overridden(
        "model=./bert", expected="bert: no such folder; expected a Hub id"
    ),
    "a file": checkpoint(
        lambda folder: (shutil.rmtree(folder), folder.write_text("")), "copy: no such folder"
    ),
    "not a Hub id": overridden("model=a/b/c", expected=("a/b/c", "model.checkpoint=FOLDER")),
    "a hub checkpoint without a hub": overridden(
        "model=google-bert/bert-base-uncased",
        expected=("google-bert/bert-base-uncased: ", "model.checkpoint=FOLDER"),
    ),
    "empty folder": checkpoint(remove("*"), "copy: not a checkpoint for text_classification: "),
    "config that is no JSON": checkpoint(write("config.json", b"{"), "not a valid JSON file"),
    "config of nothing": checkpoint(write("config.json", b"{}"), "`model_type`"),
    "config of something unheard of": checkpoint(
        write("config.json", b'{"model_type": "foo"}'), "has model type `foo`"
    ),
    "no weights": checkpoint(remove("*.safetensors"), "no file named model.safetensors found"),
    "damaged weights": checkpoint(
        write("model.safetensors", b"no tensors here"), "copy: not a checkpoint", "deserializing"
    ),
    "half the weights": checkpoint(cut("model.safetensors", 2000), "copy: not a checkpoint"),
    "weights of something else": overridden(
        "model.config.num_hidden_layers=9",
        expected=("these weights belong to another architecture", "use strategy=scratch"),
    ),
    "no tokenizer": checkpoint(remove("token*"), "copy: its tokenizer knows no words"),
    "wrong value for the config": overridden(
        "model.config.hidden_size=wide", expected="model.config.hidden_size: 'wide': "
    ),
    "unknown attention": overridden(
        "model.attn_implementation=fast", expected='attn_implementation="fast"'
    ),
    "code that nobody read": overridden(
        "model.checkpoint=acme/own",
        "model.trust_remote_code=true",
        expected="trust_remote_code needs `revision` to be a full",
    ),
    # a checkpoint of another modality: it has no head for the task
    "image model for texts": overridden(
        "model={image}",
        expected="a 'resnet' checkpoint has no AutoModelForSequenceClassification, which task "
        "text_classification needs; it fits: image_classification",
    ),
    "text model for images": overridden(
        "model={text}", expected="a 'bert' checkpoint has no AutoModelForImage", kind="image"
    ),
    # a strategy that does not fit the model
    "modules that are not there": overridden(
        "strategy=lora",
        "strategy.target_modules=[nowhere]",
        expected="strategy.target_modules: 'nowhere': BertForSequenceClassification has no such ",
    ),
    "a pooling that nobody could load": overridden(
        "strategy=linear_probe",
        "strategy.pooling=mean",
        expected="pooling 'mean' cannot be saved as a standard checkpoint for ResNet",
        kind="image",
    ),
    "unknown head": overridden(
        "strategy=linear_probe",
        "strategy.head=rigde",
        expected="'rigde': no such head; did you mean",
    ),
    # metrics
    "unknown metric": overridden(
        "metrics=[acuracy]", expected="metric 'acuracy'; did you mean 'accuracy'?"
    ),
    "unknown option of a metric": overridden(
        "metrics=[{{name: f1, averag: macro}}]",
        expected="metric 'f1': unknown option 'averag'; did you mean 'average'?",
    ),
    "wrong option of a metric": overridden(
        "metrics=[{{name: f1, average: meen}}]",
        expected="metric 'f1' cannot score single_label_classification: ",
    ),
    "metric file that is not there": overridden(
        "metrics=[./mine.py]", expected="'./mine.py': no such file"
    ),
    "metric of the hub without a hub": overridden(
        f"metrics=[{{{{name: evaluate-metric/rouge, revision: {'0a' * 20}, "
        "trust_remote_code: true}}]",
        expected="'evaluate-metric/rouge' cannot be fetched; use one",
    ),
    "metric for something else": Case(
        ("metric 'accuracy' cannot score regression",),
        ("metrics=[accuracy]",),
        data=lambda folder: [
            table(split, "a,1.5", "b,2.5")(folder) for split in ("train", "validation", "test")
        ],
    ),
    # training arguments
    "no such scheduler": overridden(
        "training.lr_scheduler_type=cosin",
        expected="training.lr_scheduler_type: 'cosin': unknown; did you mean 'cosine'? known: ",
    ),
    "no such optimizer": overridden(
        "training.optim=adamw",
        expected="training.optim: 'adamw': unknown; did you mean 'adamw_torch'?",
    ),
    "strategies that do not match": overridden(
        "training.save_strategy=steps", expected="requires the save and eval strategy to match"
    ),
    "negative warm-up": overridden(
        "training.warmup_steps=-3", expected="warmup_steps: -3: should be greater than"
    ),
    "a batch of nothing": overridden(
        "training.per_device_train_batch_size=0",
        expected="per_device_train_batch_size: 0: should be greater than or equal to 1",
    ),
    "learning backwards": overridden(
        "training.learning_rate=-1",
        expected="learning_rate: -1: should be greater than or equal to 0",
    ),
    "no seed": overridden(
        "training.seed=null", expected="training.seed: null: should be a valid integer"
    ),
    "reports to nobody": overridden(
        "training.report_to=[nobody]", expected="training.report_to: 'nobody': unknown; "
    ),
    "a report without its package": overridden(
        "training.report_to=clearml",
        expected=("training.report_to: 'clearml': its package", "pip install clearml"),
    ),
    "a report that fails when it is deleted": overridden(
        "training.report_to=[mlflow]",
        expected="'mlflow': its package is not installed (pip install",
    ),
    "a compiler that does not exist": overridden(
        "training.torch_compile_backend=inductr",
        expected="training.torch_compile_backend: 'inductr': unknown; did you mean 'inductor'?",
    ),
    "a mode that the compiler does not have": overridden(
        "training.torch_compile_mode=fast",
        expected=("training.torch_compile_mode: 'fast': ", "max-autotune"),
    ),
    "an order of rows that does not exist": overridden(
        "training.train_sampling_strategy=by_length",
        expected="training.train_sampling_strategy: 'by_length': did you mean 'group_by_length'?",
    ),
    "a log level that does not exist": overridden(
        "training.log_level=loud", expected="training.log_level: 'loud': known: critical, debug"
    ),
    "an option that accelerate does not have": overridden(
        "training.accelerator_config={{foo: 1}}",
        expected="training.accelerator_config: {'foo': 1}: AcceleratorConfig",
    ),
    "what only Python can hold": overridden(
        "training.parallelism_config=dp",
        expected="'training.parallelism_config': no recipe can hold",
    ),
    "an optimizer without its package": overridden(
        "training.optim=lomo", expected=("training.optim: 'lomo': ", "lomo_optim")
    ),
    "an option that the optimizer does not have": overridden(
        "training.optim_args=momentum=0.9",
        expected="training.optim_args: 'momentum=0.9' has no effect on optim 'adamw_torch",
    ),
    "an option that the schedule does not have": overridden(
        "training.lr_scheduler_kwargs={{foo: 1}}",
        expected=("training.lr_scheduler_kwargs: {'foo': 1}: lr_scheduler_type 'linear'", "'foo'"),
    ),
    "a schedule without the option that it needs": overridden(
        "training.lr_scheduler_type=cosine_with_min_lr",
        expected=("training.lr_scheduler_kwargs: not set: lr_scheduler_type 'cosine_with_min_lr'",),
    ),
    "kernels that are not installed": overridden(
        "training.use_liger_kernel=true",
        expected="training.use_liger_kernel: true: needs a package",
    ),
    "nothing but a last batch that is dropped": overridden(
        "training.dataloader_drop_last=true",
        "training.per_device_train_batch_size=65",
        expected="train has 64 rows, fewer than one batch of 65, so nothing would be trained on",
    ),
    "early stopping without evaluations": overridden(
        "early_stopping.patience=2",
        "training.eval_strategy=no",
        expected="early_stopping: counts evaluations, and training.eval_strategy is 'no'",
    ),
    "fewer rows than words": overridden(
        "model.config.vocab_size=1",
        expected="and the model has rows for 1 (model.config.vocab_size)",
    ),
    "a best model by a metric that is not computed": overridden(
        "training.metric_for_best_model=bleu", expected="training.metric_for_best_model: "
    ),
    # the run folder
    "a file for a run folder": overridden(
        "training.output_dir={data}/train.csv", expected="train.csv/recipe: cannot be written ("
    ),
    "a name for two folders": overridden(
        "name=a/b", expected="name: 'a/b': cannot name a run folder"
    ),
    "nothing to resume": overridden(
        "training.resume_from_checkpoint=true",
        expected="nothing to resume: runs/recipe holds no unfinished run; to begin one, leave ",
    ),
    "nothing to resume there": overridden(
        "training.resume_from_checkpoint=runs/recipe/1",
        expected="runs/recipe/1: not in a run folder",
    ),
}


@pytest.fixture
def start(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    text_checkpoint: Path,
    image_checkpoint: Path,
    text_data: Path,
    image_data: Path,
) -> Callable[[Case], list[str]]:
    """start(case): the command line that runs it, in an empty folder."""
    folders = {"text": (text_checkpoint, text_data), "image": (image_checkpoint, image_data)}
    monkeypatch.chdir(tmp_path)

    def damaged(folder: Path, damage: Damage | None) -> Path:
        if damage is None:
            return folder
        copy = tmp_path / folder.name / "copy"
        shutil.copytree(folder, copy)
        damage(copy)
        return copy

    def start(case: Case) -> list[str]:
        model, data = folders[case.kind]
        model, data = damaged(model, case.checkpoint), damaged(data, case.data)
        path = tmp_path / "recipe.yaml"
        path.write_text(recipe_of(case.kind, model, data) + case.lines)
        places = {"data": data, "text": text_checkpoint, "image": image_checkpoint}
        return ["run", path.name, *(text.format_map(places) for text in case.overrides)]

    return start


@pytest.mark.parametrize("name", CASES)
def test_what_cannot_work_is_told_before_training(start, capsys, name: str) -> None:
    case = CASES[name]
    assert main(start(case)) == 2
    message = capsys.readouterr().err
    assert message.startswith("error: ")
    for part in case.expected:
        assert part in message
    assert len(message) < 1500
    assert not trained_in(Path())


def trained_in(folder: Path) -> list[Path]:
    """What training leaves behind."""
    patterns = ("runs/**/model", "runs/**/checkpoint-*", "runs/**/metrics.json")
    return [path for pattern in patterns for path in folder.glob(pattern)]


@pytest.mark.slow
def test_what_these_cases_change_would_run(start) -> None:
    assert main(start(Case(()))) == 0
    assert trained_in(Path())


def test_neither_a_finished_run_nor_half_a_checkpoint_is_resumed(start, tmp_path, capsys) -> None:
    run, command = finished(tmp_path), start(Case(()))
    before = {path: path.read_bytes() for path in run.path.rglob("*") if path.is_file()}

    def refusal(path: Path) -> str:
        assert main([*command, f"training.resume_from_checkpoint={path}"]) == 2
        return capsys.readouterr().err

    advice = f"to train on from its model, run a recipe with model={run.model}"
    assert refusal(run.path) == f"error: {run}: nothing to resume: the run is done; {advice}\n"
    assert {path: path.read_bytes() for path in run.path.rglob("*") if path.is_file()} == before

    run.metrics.unlink()
    half = run.checkpoints / "checkpoint-8"
    half.mkdir(parents=True)
    for path in (run.path, half, half.with_name("checkpoint-9")):
        whole = (
            f"error: {path}: nothing to resume: there is no whole checkpoint; to begin a new run"
        )
        assert refusal(path).startswith(whole)


@pytest.mark.slow
def test_an_error_has_no_traceback(start, python: WarmPython, tmp_path: Path) -> None:
    arguments = start(CASES["label only in validation"])
    done = subprocess.run(
        [python.path, ROOT / "pipelines" / "run.py", *arguments[1:]],
        cwd=tmp_path,
        env=os.environ,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: validation, row 32: label 'neutral' does not occur")
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "runs").exists()
