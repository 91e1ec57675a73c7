"""The commands. Whatever the user can mend ends in one message and exit code 2."""

import argparse
import atexit
import gc
import os
import sys
from collections.abc import Callable, Sequence

from pipelines import registry
from pipelines.errors import GraftError, Interrupted, RunError

OVERRIDES = "such as strategy=lora training.learning_rate=3e-5 data.limit.train=2000"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; gives back the exit code (0, 2 for a mistake, 130 when interrupted)."""
    parsed = _parser().parse_args(arguments)
    try:
        parsed.command(parsed)
        sys.stdout.flush()
        return 0
    except BrokenPipeError:  # `graft list | head` has read enough; a run would not be done
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except GraftError as error:
        _tell(f"error: {error}")
        return 2
    except (Interrupted, KeyboardInterrupt) as stop:
        _tell(str(stop) or "interrupted")
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="graft", description="One recipe, one command, a model.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, command in COMMANDS.items():
        summary = (command.__doc__ or "").partition("\n")[0]
        sub = commands.add_parser(name, help=summary, description=summary)
        sub.set_defaults(command=command)
        if name in ("run", "check"):
            sub.add_argument(
                "recipe", metavar="RECIPE", help="a YAML file, such as recipes/quickstart.yaml"
            )
            sub.add_argument("overrides", nargs="*", metavar="key=value", help=OVERRIDES)
        if name == "anatomy":
            sub.add_argument("checkpoint", metavar="CHECKPOINT", help="a Hub id or a folder")
            sub.add_argument("--task", help="whose head it gets; the first that fits by default")
        if name == "cache":
            sub.add_argument("action", choices=("ls", "rm"), help="list, or remove")
            sub.add_argument(
                "names", nargs="*", metavar="NAME", help="a kind, kind/key, or how a key begins"
            )
            sub.add_argument("--all", action="store_true", help="rm: everything")
        if name == "push":
            sub.add_argument("run", metavar="RUN", help="a run folder, such as runs/bert_sst2/1")
            sub.add_argument("repo_id", metavar="REPO", help="owner/name")
            sub.add_argument(
                "--public", action="store_true", help="a new repository is private otherwise"
            )
    return parser


def _run(parsed: argparse.Namespace) -> None:
    """Fine-tune as a recipe says."""
    from pipelines import recipe

    loaded = recipe.load(parsed.recipe, parsed.overrides)  # refused before anything heavy loads
    _import_libraries()
    from pipelines import pipeline

    try:
        pipeline.run(loaded)
    except Interrupted as stop:
        resume = "training.resume_from_checkpoint=true"
        raise Interrupted(f"{stop}; to go on, run the same command with {resume}") from None


def _check(parsed: argparse.Namespace) -> None:
    """Everything but training: recipe, data, model, a sample, parameters, memory."""
    from pipelines import recipe

    loaded = recipe.load(parsed.recipe, parsed.overrides)
    _import_libraries()
    from pipelines import check

    print(check.report(loaded))


def _anatomy(parsed: argparse.Namespace) -> None:
    """Encoder, blocks, head and LoRA targets of a checkpoint, from its config alone."""
    task = registry.find("tasks", parsed.task)() if parsed.task else None
    from pipelines import model, recipe
    from pipelines.anatomy import dissect, table

    section = recipe.Model(checkpoint=parsed.checkpoint)
    outline, task = model.outline(section, task)
    print(f"{parsed.checkpoint}, as its config.json describes it, for {task.name}")
    print("\n".join(table.lines(outline, dissect(outline))))


def _list(parsed: argparse.Namespace) -> None:
    """Recipes, tasks, sources, strategies, heads and metrics, each with its one line."""
    for package in registry.PACKAGES:
        print(f"{package}:")
        for name in registry.names(package):
            print(f"  {name:22} {registry.summary(package, name)}")
    print("recipes:")
    for path in registry.recipes():
        first = path.read_text(encoding="utf-8").splitlines()
        line = next((text for text in first if text.startswith("# ") and "$schema" not in text), "")
        print(f"  {path!s:34} {line.removeprefix('# ')}")


def _cache(parsed: argparse.Namespace) -> None:
    """What is kept on disk to be computed only once: encoded examples, features."""
    from pipelines import cache

    kept = cache.entries()
    if parsed.action == "ls":
        for entry in kept:
            size = f"{entry.num_bytes / 1e6:,.1f} MB"
            print(f"{entry.name:42} {size:>12}  {cache.age(entry):>6}  {entry.about}")
        total, most = sum(entry.num_bytes for entry in kept), cache.limit()
        print(f"{total / 1e9:.2f} of {most / 1e9:g} GB (GRAFT_CACHE_GB) in {cache.folder()}")
        return
    if not parsed.names and not parsed.all:
        raise RunError("graft cache rm: name what to remove, as `graft cache ls` does, or --all")
    names = [entry.name for entry in kept] if parsed.all else parsed.names
    removed = list(cache.remove(names))
    print(f"removed {len(removed)}, {sum(e.num_bytes for e in removed) / 1e6:,.1f} MB")


def _schema(parsed: argparse.Namespace) -> None:
    """The JSON Schema of a recipe, for editors."""
    import json

    from pipelines.recipe import schema

    print(json.dumps(schema.build(), indent=1))


def _push(parsed: argparse.Namespace) -> None:
    """Push a finished run to the Hub."""
    from pipelines import hub, recipe
    from pipelines.report.run_folder import RunFolder

    folder = RunFolder.of(parsed.run)
    private = recipe.load(folder.recipe).hub.private and not parsed.public
    print(f"pushed to {hub.push(folder, parsed.repo_id, private=private)}")


def _import_libraries() -> None:
    """What every recipe needs, without the garbage collector.

    This makes a million objects that stay. To search them for garbage takes a seventh of the time
    of importing, and later a fifth of a second each time that everything is searched.
    """
    gc.disable()
    import transformers.trainer  # noqa: F401

    gc.freeze()
    gc.enable()
    atexit.register(gc.unfreeze)  # triton takes what is never collected for a leak, and says so


def _tell(text: str) -> None:
    from pipelines.console import is_main

    if is_main():
        print(text, file=sys.stderr, flush=True)


COMMANDS: dict[str, Callable[[argparse.Namespace], None]] = {
    "run": _run,
    "check": _check,
    "anatomy": _anatomy,
    "cache": _cache,
    "list": _list,
    "schema": _schema,
    "push": _push,
}

if __name__ == "__main__":
    sys.exit(main())
