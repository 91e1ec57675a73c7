"""Copy a recipe into a folder of yours, to change it there."""

import argparse
import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.cli.commands import Command
from pipelines.core import recipe_files
from pipelines.core.errors import RunError
from pipelines.core.regular_files import real_path

if TYPE_CHECKING:
    import yaml

SCHEMA = re.compile(r"(?<=\$schema=)\.{1,2}/\S+")
Edit = tuple[int, int, str]  # start, end and new text of a piece of the file


class CpCommand(Command):
    """The copy runs where it lies: relative paths in it become absolute ones."""

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare `RECIPE [TARGET] [--force]`."""
        parser.add_argument(
            "recipe", metavar="RECIPE", help="a shipped recipe or launch file, or a YAML file"
        )
        parser.add_argument(
            "target", metavar="TARGET", nargs="?", default=".", help="a file or a folder (.)"
        )
        parser.add_argument("--force", action="store_true", help="overwrite the target")

    def run(self, parsed: argparse.Namespace) -> None:
        """Write the copy, and print where it is and how to run it.

        Raises:
            RecipeError: no such recipe, or it is not YAML.
            RunError: the target exists, cannot be written, or its folder is missing.
        """
        from pipelines.report.writing import writing

        launch_file = recipe_files.launch_files().get(parsed.recipe)
        # the shipped recipe even where a copy of it lies here: --force brings it back
        shipped = launch_file or recipe_files.shipped().get(parsed.recipe)
        source = shipped or recipe_files.resolve(parsed.recipe)
        text = source.read_text(encoding="utf-8") if launch_file else _copied(source)
        # all of it: to look for a target whose name is too long is an error, too
        with writing(Path(parsed.target)):
            target = _target(parsed.target, source)
            if os.path.lexists(target) and not parsed.force:
                raise RunError(f"{target}: exists already; --force overwrites it")
            target.write_text(text, encoding="utf-8")
        run = (
            "its first lines say how" if launch_file else shlex.join(["graft", "run", str(target)])
        )
        print(f"wrote {target}; to run it: {run}")


def _copied(source: Path) -> str:
    """Return the text of a recipe as it would stand elsewhere.

    Raises:
        RecipeError: it is not YAML.
    """
    from pipelines.recipe import yaml_reader

    yaml_reader.read(source, f"{source}: cannot read the recipe")
    return _relocate(source.read_text(encoding="utf-8"), real_path(source.parent))


def _target(text: str, source: Path) -> Path:
    """Return the file to write; a target that ends in a slash is a folder, and is created.

    Raises:
        RunError: the target is the recipe itself, or its folder is missing.
    """
    target = Path(text)
    if text.endswith(("/", os.sep)):
        target.mkdir(parents=True, exist_ok=True)
    if target.is_dir():
        target /= source.name
    if not target.parent.is_dir():
        folder = target.parent.as_posix()
        raise RunError(
            f"{target}: there is no folder {folder}; create it (mkdir -p {shlex.quote(folder)}), "
            f"or copy to {shlex.quote(f'{folder}/')}, which creates it"
        )
    if target.exists() and source.samefile(target):
        raise RunError(f"{target}: is the recipe itself; name another TARGET")
    return target


def _relocate(text: str, folder: Path) -> str:
    """Replace the relative paths in a recipe of `folder`, and keep its comments as they are."""
    import yaml

    tree = yaml.compose(text, Loader=yaml.SafeLoader)
    edits = {*_values(tree, folder), *_schema(text, folder)}
    for start, end, path in sorted(edits, reverse=True):
        text = text[:start] + path + text[end:]
    return text


def _values(node: "yaml.Node | None", folder: Path, key: str = "") -> Iterator[Edit]:
    """Find the texts that start with `./` or `../`, and the recipe that this one extends."""
    import yaml

    if isinstance(node, yaml.MappingNode):
        for name, value in node.value:
            yield from _values(value, folder, f"{key}.{name.value}")
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            yield from _values(value, folder, f"{key}[]")
    # only what a recipe anchors to its folder: `data.path: digits` is a name, not a file
    elif isinstance(node, yaml.ScalarNode) and (
        node.value.startswith(("./", "../")) or key == ".extends"
    ):
        yield node.start_mark.index, node.end_mark.index, _scalar(folder / node.value)


def _scalar(path: Path) -> str:
    """Write an absolute path as YAML, quoted where it could be read as something else."""
    text = str(real_path(path))
    return text if re.fullmatch(r"[\w./+@-]+", text) else "'" + text.replace("'", "''") + "'"


def _schema(text: str, folder: Path) -> Iterator[Edit]:
    """Find the schema that an editor checks the recipe by: `$schema=./schema.json`."""
    for match in SCHEMA.finditer(text):
        yield match.start(), match.end(), str(real_path(folder / match.group()))
