"""The fenced blocks of a page in Markdown, and the comments above them that say how to test them.

<!-- not run: needs Docker -->       a reason why no test runs the block below
<!-- file: reviews.yaml -->          the block is that file, in the page's working folder
<!-- tree: runs/reviews/1 -->        what the lines of the block begin with exists in that folder
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

DIRECTIVE = re.compile(r"<!-- (not run|file|tree): (.+) -->")
FENCE = re.compile(r"```(.*)")


@dataclass(frozen=True)
class Block:
    """One fenced block.

    Attributes:
        line: number of its first line of text, from 1.
        directive: "not run", "file", "tree", or "" where no comment stands above the block.
        argument: the reason, or the path.
    """

    page: Path
    line: int
    language: str
    text: str
    directive: str = ""
    argument: str = ""

    def __str__(self) -> str:
        return f"{self.page.name}:{self.line} ({self.language})"


def blocks(page: Path) -> Iterator[Block]:
    """Yield the blocks of a page from top to bottom."""
    lines = page.read_text(encoding="utf-8").splitlines()
    start, language = 0, None
    for number, line in enumerate(lines, start=1):
        fence = FENCE.fullmatch(line)
        if not fence:
            continue
        if language is None:
            start, language = number, fence[1]
            continue
        text = "".join(f"{line}\n" for line in lines[start : number - 1])
        above = DIRECTIVE.fullmatch(lines[start - 2]) if start > 1 else None
        directive, argument = above.groups() if above else ("", "")
        yield Block(page, start + 1, language, text, directive, argument)
        language = None
    assert language is None, f"{page}: the block at line {start} does not end"


def outside(page: Path) -> Iterator[tuple[int, str]]:
    """Yield (number, line) for every line that stands in no block."""
    is_inside = False
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), start=1):
        if FENCE.fullmatch(line):
            is_inside = not is_inside
        elif not is_inside:
            yield number, line
