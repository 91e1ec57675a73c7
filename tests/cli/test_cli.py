"""The command line: what it says, what it gives back, and how quickly."""

import os
import signal
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import yaml
from example_run import finished
from grafting import write_recipe

from pipelines import cli
from pipelines.cli.commands.list import ListCommand
from pipelines.core import recipe_files, registry, stopping
from pipelines.core.errors import Interrupted
from pipelines.report import push as hub

ROOT = Path(__file__).parents[2]
RUN = ROOT / "pipelines" / "run.py"
HEAVY = {"torch", "transformers", "datasets", "evaluate", "peft", "sklearn", "timm", "accelerate"}
HEAVY |= {"scipy", "pandas", "pyarrow", "torchvision", "matplotlib", "sentence_transformers"}
HEAVY |= {"optuna"}
# what an ordinary recipe needs later or never (peft and torchvision the Trainer imports itself)
LATER = {"evaluate", "sklearn", "matplotlib", "timm", "sentence_transformers", "seqeval", "jiwer"}
LATER |= {"optuna"}
# run each recipe up to its first step, then tell what was imported so far
STARTED = """
import gc, sys
gc.disable()  # a quarter of the time of all imports
from torch.optim.optimizer import register_optimizer_step_pre_hook
from pipelines.cli import main

def stop(*_):
    print(*sorted({name.partition(".")[0] for name in sys.modules}))
    sys.exit()

register_optimizer_step_pre_hook(stop)
for recipe in sys.argv[1:]:
    try:
        main(["run", recipe])
    except SystemExit:
        pass
"""
# run a command, then tell its exit code, the seconds of work from the start of the interpreter
# (which a busy machine does not stretch) and what was imported
MEASURED = """
import sys, time
from pipelines.cli import main
try:
    code = main(sys.argv[1:])
except SystemExit as stop:
    code = stop.code
print(code, time.process_time(), *sorted({name.partition(".")[0] for name in sys.modules}))
"""
BAD = """\
task: text_classification
model: google-bert/bert-base-uncased
data: {source: hub, path: nyu-mll/glue}
strategy: {name: lora, r: 4, lora_alpa: 8}
trainin: {learnin_rate: 1}
"""


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    path = tmp_path / "bad.yaml"
    path.write_text(BAD)
    return path


def python(*arguments: str | Path, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", *arguments],
        cwd=cwd,
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--help"], "0"),
        pytest.param(["run", "--help"], "0", marks=pytest.mark.slow),
        pytest.param(["run"], "2", marks=pytest.mark.slow),
        (["list"], "0"),
        pytest.param(["schema"], "0", marks=pytest.mark.slow),
        (["run", "BAD"], "2"),
        (["check", "BAD", "strategy=linear_probe"], "2"),
        pytest.param(["run", "nowhere.yaml"], "2", marks=pytest.mark.slow),
        pytest.param(["lr-find", "BAD"], "2", marks=pytest.mark.slow),
        pytest.param(
            ["search", "BAD", "--space", "strategy.r=4..8", "strategy=full"],
            "2",
            marks=pytest.mark.slow,
        ),
    ],
    ids=" ".join,
)
def test_nothing_heavy_is_imported_before_there_is_something_to_do(arguments, code, bad) -> None:
    done = python("-c", MEASURED, *(str(bad) if word == "BAD" else word for word in arguments))
    returned, seconds, *imported = done.stdout.splitlines()[-1].split()
    assert returned == code
    assert not HEAVY & set(imported)
    assert float(seconds) < 2  # a third of a second, on a machine that does nothing else
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_nothing_is_imported_before_it_is_needed(
    text_checkpoint, text_data, image_checkpoint, image_data, tmp_path
) -> None:
    of_texts, of_images = (
        write_recipe(tmp_path / task, checkpoint, data, task=task, metrics=["accuracy"])
        for task, checkpoint, data in (
            ("text", text_checkpoint, text_data),
            ("image", image_checkpoint, image_data),
        )
    )
    done = python("-c", STARTED, of_texts, of_images)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    first, second = (set(line.split()) for line in lines if "transformers" in line.split())
    assert {"torch", "transformers", "datasets"} <= first <= second
    assert not LATER & second
    assert done.stderr == ""  # nor does anything remark on how it was imported


def test_list_names_everything_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["list"]) == 0
    listed = capsys.readouterr().out
    for package in registry.PACKAGES:
        section = listed.partition(f"{package}:\n")[2]
        for name in registry.names(package):
            (line,) = [text for text in section.splitlines() if text.split()[:1] == [name]][:1]
            assert len(line.split()) > 3, f"{name} has no line of its own"
    for path in recipe_files.shipped().values():
        (line,) = [text for text in listed.splitlines() if text.split()[:1] == [path.stem]]
        assert len(line.split()) > 3


def test_every_command_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        cli.main(["--help"])
    assert stop.value.code == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert {"run", "check", "list"} <= {*registry.names("commands")}
    for name in registry.names("commands"):
        assert f"{name.replace('_', '-')} {registry.summary('commands', name)}" in shown


@pytest.mark.parametrize("arguments", [[], ["run"], ["push"], ["list", "x"], ["search", "x"]])
def test_a_command_line_that_is_none(arguments: list[str], capsys) -> None:
    with pytest.raises(SystemExit) as stop:
        cli.main(arguments)
    assert stop.value.code == 2
    assert "usage: graft" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["run", "check"])
def test_what_is_wrong_with_a_recipe_goes_to_stderr(command: str, bad: Path, capsys) -> None:
    assert cli.main([command, str(bad)]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    first, second = printed.err.splitlines()
    assert first.startswith(f"error: {bad}:4: unknown key 'strategy.lora_alpa'; did you mean 'lora")
    assert second.startswith(f"{bad}:5: unknown key 'trainin'; did you mean 'training'?")


def test_of_several_machines_each_speaks(bad: Path, capsys, monkeypatch) -> None:
    for name, value in {"RANK": "1", "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "1"}.items():
        monkeypatch.setenv(name, value)
    assert cli.main(["run", str(bad)]) == 2
    assert "unknown key 'trainin'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("stop", "expected"),
    [
        (
            Interrupted("stopped by SIGTERM at step 8"),
            "stopped by SIGTERM at step 8; to go on, run the same recipe with "
            "training.resume_from_checkpoint=true\n",
        ),
        (signal.SIGINT, "interrupted; to go on, run it again: finished passes are kept, and "),
        (signal.SIGTERM, "stopped by SIGTERM; to go on, run it again: finished passes are kept"),
    ],
)
def test_an_interrupted_run_says_how_to_go_on(
    stop, expected, tmp_path, capsys, monkeypatch
) -> None:
    from pipelines.workflow import run as pipeline

    def interrupted(_: object) -> None:
        if isinstance(stop, Interrupted):
            raise stop
        os.kill(os.getpid(), stop)

    monkeypatch.setenv("GRAFT_CACHE", str(tmp_path))
    monkeypatch.setattr(pipeline, "run", interrupted)
    before = [signal.getsignal(number) for number in stopping.SIGNALS]
    assert cli.main(["run", str(ROOT / "recipes" / "quickstart.yaml")]) == 130
    printed = capsys.readouterr().err
    assert printed.startswith(expected)
    assert printed.count("\n") == 1
    assert [signal.getsignal(number) for number in stopping.SIGNALS] == before


@pytest.mark.parametrize(
    ("number", "reason"),
    [(signal.SIGINT, "interrupted\n"), (signal.SIGTERM, "stopped by SIGTERM\n")],
)
def test_an_error_that_a_library_raises_in_the_place_of_an_interrupt_is_one(
    number, reason, capsys, monkeypatch
) -> None:
    def swallow(*_: object) -> None:
        try:
            os.kill(os.getpid(), number)
        except KeyboardInterrupt:
            raise ValueError("not a valid buffer format string") from None

    monkeypatch.setattr(ListCommand, "run", swallow)
    assert cli.main(["list"]) == 130
    assert capsys.readouterr().err == reason
    monkeypatch.setattr(ListCommand, "run", lambda *_: int("x"))
    with pytest.raises(ValueError, match="invalid literal"):  # of a later command
        cli.main(["list"])


def test_commands_stop_on_sigterm_as_on_ctrl_c(capsys, monkeypatch) -> None:
    monkeypatch.setattr(ListCommand, "run", lambda *_: os.kill(os.getpid(), signal.SIGTERM))
    assert cli.main(["list"]) == 130
    assert capsys.readouterr().err == "stopped by SIGTERM\n"


def test_forked_workers_leave_signals_to_the_run(monkeypatch) -> None:
    killed, worker = [], os.getpid()
    with stopping.handling(stopping.interrupt):
        interrupt, terminate = (signal.getsignal(number) for number in stopping.SIGNALS)
        monkeypatch.setattr(os, "getpid", lambda: worker + 1)
        monkeypatch.setattr(os, "kill", lambda *of_what: killed.append(of_what))
        interrupt(signal.SIGINT, None)
        terminate(signal.SIGTERM, None)
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    assert killed == [(worker + 1, signal.SIGTERM)]


def test_anatomy_of_nothing(capsys) -> None:
    assert cli.main(["anatomy", ""]) == 2
    printed = capsys.readouterr().err
    assert printed.startswith("error: graft anatomy: the name of the checkpoint is empty; expected")
    assert "model.checkpoint" not in printed


@pytest.mark.parametrize(("option", "private"), [([], True), (["--public"], False)])
def test_push_hands_over_a_finished_run(tmp_path, monkeypatch, capsys, option, private) -> None:
    run, pushed = finished(tmp_path), {}
    monkeypatch.setattr(hub, "push", lambda *args, **options: pushed.update(options, args=args))
    assert cli.main(["push", str(run), "lab/model", *option]) == 0
    assert pushed == {"args": (run, "lab/model"), "private": private}
    assert capsys.readouterr().out.startswith("pushed to ")


def test_push_of_what_is_no_finished_run(tmp_path: Path, capsys) -> None:
    assert cli.main(["push", str(tmp_path), "lab/model"]) == 2
    assert f"error: {tmp_path}: not in a run folder" in capsys.readouterr().err
    run = finished(tmp_path)
    run.metrics.unlink()
    assert cli.main(["push", str(run), "lab/model"]) == 2
    assert "not finished" in capsys.readouterr().err


@pytest.mark.slow
def test_a_reader_that_has_read_enough_is_no_traceback() -> None:
    code = "import sys; from pipelines.cli import main; sys.exit(main(['schema']))"
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as running:
        assert running.stdout
        assert running.stderr
        running.stdout.close()  # as `| head` does
        assert running.stderr.read() == b""
    assert running.returncode == 1


@pytest.mark.parametrize("arguments", [["list"], ["schema"], ["train", "quickstart"]])
def test_a_full_disk_below_the_output_is_one_message(arguments) -> None:
    code = "import sys; from pipelines.cli import main; sys.exit(main(sys.argv[1:]))"
    with open("/dev/full", "w", encoding="utf-8") as full:
        command = [sys.executable, "-c", code, *arguments]
        done = subprocess.run(command, cwd=ROOT, stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    if arguments[0] != "train":  # a mistake of its own
        assert done.stderr.startswith("error: the output: cannot be written (No space left")


@pytest.mark.slow
def test_run_py_works_from_any_folder(bad: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    done = python(RUN, "../bad.yaml", "strategy=full", cwd=tmp_path / "elsewhere")
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert done.stderr.startswith("error: ../bad.yaml:5: unknown key 'trainin'")


def test_run_py_puts_the_root_where_python_put_its_folder() -> None:
    code = f"""
import runpy, sys
sys.path[0] = {str(RUN.parent)!r}  # as when a file there is run as a script
runpy.run_path({str(RUN)!r}, run_name="not main")
assert sys.path[0] == {str(ROOT)!r}
assert {str(RUN.parent)!r} not in sys.path
"""
    done = python("-c", code)
    assert done.returncode == 0, done.stderr


def test_no_module_hides_a_library_from_those_who_start_here() -> None:
    ours = {path.stem for path in RUN.parent.iterdir() if not path.name.startswith(("_", "."))}
    assert len(ours) >= 13  # the rooms
    assert not ours & set(sys.stdlib_module_names)
    assert not ours & set(packages_distributions())


def test_no_folder_is_taken_for_a_data_set_a_metric_or_a_checkpoint() -> None:
    """`datasets` and `evaluate` look at local paths before the Hub."""
    folders = {path.name for path in ROOT.iterdir() if path.is_dir()}
    named = {*registry.names("metrics")}
    for path in recipe_files.shipped().values():
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        named.add(str(content.get("data", {}).get("path", "")).partition("/")[0])
    assert not folders & named - {"", "."}


def test_a_command_that_does_not_exist_is_answered_with_the_one_that_is_meant(capsys) -> None:
    for wrong, right in (("train", "run"), ("chek", "check")):
        assert cli.main([wrong, "quickstart"]) == 2
        assert capsys.readouterr().err.startswith(
            f"error: unknown command '{wrong}'; did you mean '{right}'?"
        )


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["run", "quickstart", "--lr=1"], "--lr=1; keys of a recipe take no dashes: training."),
        (["run"], "the following arguments are required: RECIPE\n"),
    ],
)
def test_arguments_that_are_missing_or_have_dashes(capsys, arguments: list[str], hint: str) -> None:
    with pytest.raises(SystemExit) as stop:
        cli.main(arguments)
    assert stop.value.code == 2
    assert hint in capsys.readouterr().err


def test_a_message_does_not_steer_the_terminal(capsys):
    assert cli.main(["\x1b[31mred\x07"]) == 2
    assert "unknown command '?[31mred?'" in capsys.readouterr().err


@pytest.mark.parametrize("entry", ["-m pipelines.cli list", "pipelines/run.py quickstart"])
@pytest.mark.parametrize(
    ("module", "code"),
    [
        ("pipelines.cli.command_line", 130),
        ("pipelines.core.stopping", -signal.SIGINT),  # of which a shell makes 130
    ],
)
def test_ctrl_c_while_modules_load_is_one_message(entry, module, code) -> None:
    """From the moment on in which the command line has its first module."""
    script = (
        "import os, runpy, signal, sys\n"
        "class Press:\n"
        "    def find_spec(self, name, *_):\n"
        f"        if name == '{module}':\n"
        "            os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Press())\n"
        "sys.argv = sys.argv[1:]\n"
        "module = sys.argv[0] == '-m'\n"
        "sys.argv = sys.argv[module:]\n"
        "run = runpy.run_module if module else runpy.run_path\n"
        "run(sys.argv[0], run_name='__main__', **({'alter_sys': True} if module else {}))\n"
    )
    command = [sys.executable, "-c", script, *entry.split()]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stdout, ended.stderr) == (code, "", "interrupted\n")


def test_nothing_heavy_is_imported_before_ctrl_c_is_one_message() -> None:
    """Until then Python prints a traceback: `typing` alone takes longer than all of these."""
    code = "import signal, sys; before = {*sys.modules}; import pipelines.cli.program"
    shown = "; print(*{*sys.modules} - before); print(signal.getsignal(signal.SIGINT))"
    modules, action = python("-c", code + shown).stdout.splitlines()
    assert {name.partition(".")[0] for name in modules.split()} <= {"pipelines", "collections"}
    assert "_leave" in action
