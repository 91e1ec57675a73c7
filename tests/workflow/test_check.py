"""`graft check`: what a run would do, without doing it."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from grafting import prepare, write_recipe

from pipelines.cli import main
from pipelines.core.errors import RecipeError
from pipelines.models import anatomy, memory
from pipelines.workflow import session

Check = Callable[..., str]


@pytest.fixture
def check(
    tmp_path: Path,
    checkpoint: Callable[[str], Path],
    text_data: Path,
    image_data: Path,
    capsys: pytest.CaptureFixture[str],
) -> Check:
    """check("resnet", *overrides): what is printed for a tiny checkpoint of that family."""

    def check(family: str, *overrides: str) -> str:
        is_text = family in ("bert", "gpt2")
        data, task = (text_data, "text") if is_text else (image_data, "image")
        path = write_recipe(tmp_path, checkpoint(family), data, task=task)
        assert main(["check", str(path), *overrides]) == 0
        return capsys.readouterr().out

    return check


def numbers(pattern: str, text: str) -> list[int]:
    """The numbers that the groups of a pattern match."""
    match = re.search(pattern, text)
    assert match, f"{pattern} not in:\n{text}"
    return [int(number.replace(",", "")) for number in match.groups()]


def test_texts_are_counted_by_label_and_shown_as_tokens(check: Check) -> None:
    shown = check("bert")
    assert "text_classification, single_label_classification" in shown
    assert re.search(r"train +64 examples +negative 32, positive 32", shown)
    assert re.search(r"validation +32 examples +negative 16, positive 16", shown)
    assert re.search(r"test +32 examples", shown)
    examples = re.findall(
        r"^ +(?:posi|nega)tive \| (\[CLS\] [a-z ]+ \[SEP\])$", shown, flags=re.MULTILINE
    )
    assert len(examples) == 3


def test_names_in_data_do_not_steer_the_terminal(
    check: Check, text_data: Path, tmp_path: Path
) -> None:
    (tmp_path / "red").mkdir()
    for file in text_data.iterdir():
        text = file.read_text(encoding="utf-8").replace("positive", "\x1b[31mred\x07")
        (tmp_path / "red" / file.name).write_text(text, encoding="utf-8")
    shown = check("bert", f"data.path={tmp_path}/red")
    assert re.search(r"train +64 examples +\?\[31mred\? 32, negative 32", shown)
    assert "\x1b" not in shown


def test_images_are_counted_by_class_and_shown_as_pixels(check: Check) -> None:
    shown = check("resnet")
    assert re.search(r"train +63 examples +dark 21, light 21, middle 21", shown)
    pattern = r"(\w+) \| 3 x 32 x 32 pixels from (-?\d\.\d\d) to (-?\d\.\d\d)"
    examples = re.findall(pattern, shown)
    # a folder of classes is sorted by class, and a check shows all three
    assert sorted(name for name, _, _ in examples) == ["dark", "light", "middle"]
    assert all(-1 <= float(low) < float(high) <= 1 for _, low, high in examples)


@pytest.mark.slow
@pytest.mark.parametrize("family", ["bert", "gpt2", "resnet", "vit"])
def test_every_strategy_says_how_much_of_the_model_trains(check: Check, family: str) -> None:
    pattern = r"trains ([\d,]+) of ([\d,]+) parameters"
    shares = {
        strategy: numbers(pattern, check(family, f"strategy={strategy}"))
        for strategy in ("full", "scratch", "lora", "linear_probe")
    }
    whole = shares["full"][1]
    assert shares["full"] == shares["scratch"] == [whole, whole]
    assert shares["linear_probe"][1] == whole
    # the head is a part of what LoRA trains, and adapters come on top of the whole
    assert shares["linear_probe"][0] < shares["lora"][0] < whole < shares["lora"][1]


def test_a_linear_probe_trains_one_layer(check: Check) -> None:
    trainable, _ = numbers(r"trains ([\d,]+) of ([\d,]+)", check("bert", "strategy=linear_probe"))
    assert trainable == 32 * 2 + 2


def test_a_strategy_without_training_arguments_gets_no_line_for_them(check: Check) -> None:
    shown = check("bert", "strategy=linear_probe", "training={use_cpu: true}")
    assert not re.search(r"^training *$", shown, flags=re.MULTILINE)


def test_training_arguments_are_those_of_strategy_and_recipe(check: Check) -> None:
    shown = check("bert", "strategy=lora", "training.num_train_epochs=7")
    assert re.search(r"training +learning_rate 0\.0005, num_train_epochs 7", shown)
    assert "per_device_train_batch_size 16" in shown


@pytest.mark.parametrize(("family", "task"), [("bert", "text"), ("resnet", "image")])
def test_memory_is_counted_in_float32(
    family, task, tmp_path, checkpoint, text_data, image_data
) -> None:
    data = text_data if task == "text" else image_data
    prepared = prepare(tmp_path, checkpoint(family), data, task=task)
    model, rows = prepared.checkpoint.model, prepared.encoded["train"]
    bytes_of = {
        size: memory.of_step(model, prepared.collate([rows[i] for i in range(size)]))
        for size in (4, 8)
    }
    trainable, total = anatomy.count(model)
    assert bytes_of[4]["weights"] == bytes_of[8]["weights"] == 4 * total
    assert bytes_of[4]["gradients and optimizer"] == 3 * 4 * trainable
    # what autograd keeps grows with the batch, but for what batches share
    small, large = (sizes["activations"] for sizes in bytes_of.values())
    assert 1.5 * small < large <= 2.5 * small

    model.requires_grad_(False)
    frozen = memory.of_step(model, prepared.collate([rows[0]]))
    assert frozen == {"weights": 4 * total, "gradients and optimizer": 0, "activations": 0}


def test_memory_is_printed_for_a_batch(check: Check) -> None:
    shown = check("bert", "training.per_device_train_batch_size=4")
    match = re.search(
        r"memory +about (.+) MiB \(weights (.+), gr.+, activations .+ batch of 4\)", shown
    )
    assert match
    whole, weights = map(float, match.groups())
    (total,) = numbers(r"of ([\d,]+) parameters", shown)
    assert weights == pytest.approx(4 * total / 2**20, abs=0.06)
    assert whole > weights


def test_nothing_is_written_and_nothing_trained(check: Check, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(torch.optim.Optimizer, "step", lambda *_: pytest.fail("a step was taken"))
    monkeypatch.chdir(tmp_path)
    check("bert")
    assert [path.name for path in tmp_path.iterdir()] == ["recipe.yaml"]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            "training.lr_scheduler_type=foo",
            "training.lr_scheduler_type: 'foo': unknown; known: constant,",
        ),
        ("metrics=[{name: f1, average: meen}]", "metric 'f1' cannot score"),
        ("model=/nowhere", "/nowhere: no such folder"),
        ("data.path=/nowhere", "/nowhere: no such file or folder"),
    ],
)
def test_mistakes_are_found_as_a_run_would(
    override, message, tmp_path, text_checkpoint, text_data, capsys
) -> None:
    path = write_recipe(tmp_path, text_checkpoint, text_data)
    assert main(["check", str(path), override]) == 2
    assert message in capsys.readouterr().err


def test_a_strategy_that_does_not_fit_is_found_too(
    tmp_path, text_checkpoint, text_data, capsys
) -> None:
    path = write_recipe(tmp_path, text_checkpoint, text_data)
    lora = ["strategy=lora", "strategy.target_modules=[nowhere]"]
    assert main(["check", str(path), *lora]) == 2
    assert "error: strategy.target_modules: 'nowhere': " in capsys.readouterr().err


def test_a_regression_has_no_classes_to_count(tmp_path, text_checkpoint, capsys) -> None:
    (tmp_path / "train.csv").write_text("text,label\n" + "good,0.5\nbad,1.5\n" * 10)
    path = write_recipe(tmp_path / "recipes", text_checkpoint, tmp_path)
    assert main(["check", str(path)]) == 0
    shown = capsys.readouterr().out
    assert "text_classification, regression" in shown
    assert re.search(r"train +20 examples$", shown, flags=re.MULTILINE)


def test_a_target_is_compared_with_train_before_training(
    check: Check, text_data: Path, image_data: Path
) -> None:
    for family, data in (("bert", text_data), ("resnet", image_data)):
        target = (f"data.target={{source: files, path: {data}}}", "--shift")
        shown = check(family, *target)
        classifier = re.search(r"domain classifier: error (\S+) on \d+ held-out rows", shown)
        assert classifier
        assert 0.1 < float(classifier[1]) < 0.9  # the same rows: nothing to tell them apart by
        assert re.search(r"MMD².* p (0\.[1-9]\d\d|1\.000)", shown)
        assert "Fréchet distance" in shown
        assert "label shift" in shown


def test_without_another_domain_there_is_no_shift(
    tmp_path: Path, text_checkpoint: Path, text_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_recipe(tmp_path, text_checkpoint, text_data)
    assert main(["check", str(path), "--shift"]) == 2
    assert "expected data.target, such as data.target.source=files" in capsys.readouterr().err


def test_a_recipe_with_stages_has_no_shift_of_one_checkpoint(text_data: Path) -> None:
    stages = [{"task": "masked_lm"}, {"task": "text_classification"}]
    values = {
        "model": "some/model",
        "data": {"source": "files", "path": str(text_data)},
        "strategy": "full",
        "stages": stages,
    }
    with pytest.raises(RecipeError, match="this recipe has stages; check the recipe of a stage"):
        session.check(values, shift=True)
