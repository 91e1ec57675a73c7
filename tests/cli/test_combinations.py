"""The table of what goes with what is that of the code."""

import re
from pathlib import Path

from pipelines.cli import main
from pipelines.core import registry

README = Path(__file__).parents[2] / "README.md"


def test_the_readme_says_what_the_code_says(capsys):
    assert main(["combinations"]) == 0
    table = capsys.readouterr().out.partition("\n\n")[0]
    told = re.search(r"<!-- combinations -->\n(.*)\n<!-- /comb", README.read_text("utf-8"), re.S)
    assert told
    assert told[1].strip() == table
    rows = table.splitlines()[2:]
    assert [row.split("`")[1] for row in rows] == list(registry.names("strategies"))


def test_every_refusal_says_why(capsys):
    assert main(["combinations"]) == 0
    table, _, reasons = capsys.readouterr().out.partition("\n\n")
    cells = [row.split(" | ")[1:] for row in table.splitlines()[2:]]
    refused = sum(cell.strip(" |") == "-" for row in cells for cell in row)
    assert refused > 10
    assert len(reasons.strip().splitlines()) == refused
