"""`graft combinations`: a row for each strategy, and a reason for each refusal."""

from pipelines.cli import main
from pipelines.core import registry


def test_there_is_a_row_for_each_strategy(capsys):
    """That the documentation has the same table is tested in tests/docs/test_generated.py."""
    assert main(["combinations"]) == 0
    table = capsys.readouterr().out.partition("\n\n")[0]
    rows = table.splitlines()[2:]
    assert [row.split("`")[1] for row in rows] == list(registry.names("strategies"))


def test_every_refusal_says_why(capsys):
    assert main(["combinations"]) == 0
    table, _, reasons = capsys.readouterr().out.partition("\n\n")
    cells = [row.split(" | ")[1:] for row in table.splitlines()[2:]]
    refused = sum(cell.strip(" |") == "-" for row in cells for cell in row)
    assert refused > 10
    assert len(reasons.strip().splitlines()) == refused
