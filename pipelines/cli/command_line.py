"""Words -> a command. A mistake that the user can mend ends in one message and exit code 2."""

import argparse
import errno
import os
import sys
import time
from collections.abc import Sequence
from typing import NoReturn

from pipelines.core import lost_machines, registry, standard_streams, stopping
from pipelines.core.disk import write_failure
from pipelines.core.errors import GraftError, Interrupted, RecipeError, suggest
from pipelines.core.memory_errors import memory_reason
from pipelines.core.redaction import redact
from pipelines.core.version import __version__

SPEAKER_SECONDS = 5.0  # in which the process that speaks for a machine reports and ends

# commands of other tools -> ours
COMMANDS = {
    **dict.fromkeys(("train", "fit", "finetune", "fine-tune", "start"), "run"),
    **dict.fromkeys(("validate", "lint", "preprocess"), "check"),
    **dict.fromkeys(("new", "create", "initialize"), "init"),
    **dict.fromkeys(("tune", "sweep"), "search"),
    **dict.fromkeys(("ls", "recipes"), "list"),
    **dict.fromkeys(("infer", "inference", "classify", "apply"), "predict"),
    **dict.fromkeys(("eval", "score", "test"), "evaluate"),
    "upload": "push",
    "copy": "cp",
}


def execute(arguments: Sequence[str] | None) -> int:
    """Run one command; return its exit code (0, 2 for a mistake, 130 when interrupted)."""
    standard_streams.open_missing()
    code = _execute(arguments)
    _drop_unwritten()
    return code


def _execute(arguments: Sequence[str] | None) -> int:
    try:
        with stopping.handling(stopping.leave):
            parsed = _parse(arguments)
        with standard_streams.restored():
            parsed.command(parsed)
        sys.stdout.flush()
        lost_machines.say_goodbye(failed=False)
        return 0
    except BrokenPipeError:  # `graft list | head` has read enough; a run would not be done
        return 1
    except GraftError as error:
        _report_error(str(error))
        lost_machines.say_goodbye(failed=True)
        return 2
    except (Interrupted, KeyboardInterrupt) as stop:
        _report_stop(str(stop) or "interrupted")
        return 130
    except Exception as error:
        if reason := stopping.interrupted_by():
            _report_stop(reason)
            return 130
        if lost_machines.is_cut(error):
            lost_machines.end_of_cut_connection()
        problem = _of_system(error)
        if problem is None:
            raise
        _report_error(problem)
        return 2


def _of_system(error: Exception) -> str | None:
    """Say what the system refused, where that is no mistake of the program; else None."""
    if isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG:
        return f"'{str(error.filename)[:40]}…': too long to name a file or a folder"
    if full := write_failure(error):
        place = error.filename if isinstance(error, OSError) and error.filename else "the output"
        return f"{place}: cannot be written ({full}); make room"
    reason = memory_reason(error)
    return reason and f"out of memory: {reason}; give this process more, or end others"


def _drop_unwritten() -> None:
    """Drop what standard output does not take, or Python would try once more at its end."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Parse one command and its arguments; key=value may stand before options and after them."""
    arguments = sys.argv[1:] if arguments is None else arguments
    known = {name.replace("_", "-"): name for name in registry.names("commands")}
    word = arguments[0] if arguments else ""
    _check_command(word, list(known))
    parser = _Parser(prog="graft", description="One recipe, one command, a model.")
    parser.add_argument("--version", action="version", version=f"graft {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in [word] if word in known else known:  # the others would only take time
        summary = registry.summary("commands", known[command]).replace("%", "%%")  # a format
        sub = commands.add_parser(command, help=summary, description=summary)
        _add_command(sub, known[command])
    parsed, rest = parser.parse_known_args(arguments)
    # argparse takes positional arguments in one run only: what stands behind an option is left over
    if rest and (not hasattr(parsed, "overrides") or any(word.startswith("-") for word in rest)):
        hint = "; keys of a recipe take no dashes: training.learning_rate=3e-5"
        hint = hint if hasattr(parsed, "overrides") else ""
        parser.error(f"unrecognized arguments: {' '.join(rest)}{hint}")
    if rest:
        parsed.overrides += rest
    return parsed


class _Parser(argparse.ArgumentParser):
    """Hides tokens and passwords of a command line in the message about a mistake in it."""

    def error(self, message: str) -> NoReturn:
        """Print usage and message; exit code 2."""
        super().error(redact(message))


def _check_command(word: str, known: list[str]) -> None:
    """Refuse a command that does not exist, by the nearest spelling or by what is meant.

    Raises:
        GraftError: names it and the commands that there are.
    """
    if word and word not in known and not word.startswith("-"):
        hint = f"did you mean '{COMMANDS[word]}'?" if word in COMMANDS else suggest(word, known)
        raise GraftError(f"unknown command '{word}'; {hint}")


def _add_command(parser: argparse.ArgumentParser, name: str) -> None:
    """Let `parser` run a command; one whose file is broken is refused when it is called."""
    try:
        command = registry.find("commands", name)()
    except RecipeError as error:
        problem = GraftError(*error.args)  # the name is deleted at the end of this block

        def refuse(*_: object) -> NoReturn:
            raise problem

        # before its arguments are parsed: what they are, only the broken file says
        parser.parse_known_args = refuse  # type: ignore[method-assign,assignment]
        return
    command.arguments(parser)
    parser.set_defaults(command=command.run)


def _report_error(problem: str) -> None:
    """Print an error; of several processes one speaks on each machine, which may fail alone.

    Most mistakes are made by all processes, and a launcher ends the others as soon as one of them
    has failed: so these wait, and speak if nobody ended them, since the error is then their own.
    """
    from pipelines.core import processes

    name = ""
    if not processes.is_first_of_machine():
        time.sleep(SPEAKER_SECONDS)
        name = f"process {os.environ['LOCAL_RANK']} of {processes.machine_name()}: "
    _print(f"error: {name}{problem}")


def _report_stop(text: str) -> None:
    """Print that all processes were stopped, once on each machine."""
    from pipelines.core import processes

    if processes.is_first_of_machine():
        _print(text)


def _print(text: str) -> None:
    from pipelines.core.console import shown

    print(shown(text), file=sys.stderr, flush=True)
