"""The page of a comparison: every number from the files of its folder, whatever they say."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from example_comparison import SCORES, comparison, draw, folder_of, run_of
from report_files import Page, add_to
from test_page import HOSTILE, TAGS

from pipelines.cli import main
from pipelines.report import comparison_file


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folder_of(tmp_path_factory.mktemp("run"), comparison((0.1, 1.0)))


@pytest.fixture(scope="module")
def page(folder: Path) -> Page:
    return draw(folder)


def drawings(page: Page, section: str) -> list[str]:
    """What drawings say to those who do not see them, in the section with this title."""
    start = page.source.index(f'id="{section}"')
    end = page.source.find("</section>", start)
    return re.findall(r'aria-label="([^"]+)"', page.source[start:end])


def test_what_is_read_is_what_was_written(folder: Path) -> None:
    assert comparison_file.read(folder) == replace(comparison((0.1, 1.0)), folder=folder.as_posix())


def test_scores_stand_with_spread_paired_difference_and_cost(page: Page) -> None:
    assert page.sections == ["outcome", "scores", "learning", "efficiency", "runs", "request"]
    rows = [element.text for element in page.all("tr")]
    expected = "full 0.7333 0.0416 +0.2100 (+0.0962 to +0.3238) 0.7233 1,234 12 s 1,024 MiB 1 Wh"
    assert expected in rows
    assert "bag of words 0.6100" in rows
    head = page.all("header")[0].text
    assert "accuracy of full on validation 0.7333 ± 0.0416 over seeds" in head
    assert "better than scratch by +0.2100 95 %: +0.0962 to +0.3238" in head


def test_a_verdict_says_what_pretrained_weights_are_worth_and_what_to_do(page: Page) -> None:
    text = page.by_id("outcome").text
    assert "full : positive better by +0.2100 (+0.0962 to +0.3238, 95% over 3 seeds)" in text
    assert "Next: Keep owner/model." in text
    assert "full on 10 % of train : positive" in text
    assert "graft run RECIPE strategy=full" in text
    assert "Student's t over differences paired by seed" in text


def test_what_is_simpler_is_a_line_in_each_drawing_of_scores(page: Page) -> None:
    curves, fewer = (each for each in drawings(page, "learning") if "over step" in each)
    assert curves.startswith("accuracy on validation, 100 % of train (1,000 examples) over step")
    assert "full from 0.6667 to 0.7333" in curves
    assert "baseline 0.4, bag of words 0.61, linear_probe 0.6633" in curves
    assert "10 % of train (100 examples)" in fewer
    (labels,) = drawings(page, "efficiency")
    assert "full from 0.5825 to 0.7333, baseline from 0.4 to 0.4, bag of words" in labels
    assert len(re.findall('class="band', page.source)) == 2 + 2 + 3


def test_ambiguous_and_negative_transfer_are_marked(tmp_path: Path) -> None:
    runs = [run_of("scratch", 42 + i, score) for i, score in enumerate((0.7, 0.72, 0.71))]
    runs += [run_of("full", 42 + i, score) for i, score in enumerate((0.5, 0.53, 0.52))]
    runs += [run_of("linear_probe", 42 + i, score) for i, score in enumerate((0.6, 0.8, 0.7))]
    page = draw(folder_of(tmp_path, replace(comparison(), runs=tuple(runs))))
    outcome = page.by_id("outcome").text
    assert "full : negative" in outcome
    assert "linear_probe : ambiguous" in outcome
    kinds = [each.attributes["class"] for each in page.all("li") if "Next:" in each.text]
    assert kinds == ["callout warning", "callout error"]


def test_failures_and_what_is_not_run_yet_stand_at_the_head(tmp_path: Path) -> None:
    compared = comparison()
    failed = run_of("full", 44, 0.7, problem="out of memory", validation=None)
    page = draw(folder_of(tmp_path, replace(compared, runs=(*compared.runs[:-2], failed))))
    head = page.all("header")[0].text
    assert "1 of 9 runs failed" in head
    assert "8 of 9 runs were made so far" in head
    assert "full, seed 44 out of memory" in page.by_id("runs").text


def test_fewer_seeds_have_no_verdict_and_say_what_is_lacking(tmp_path: Path) -> None:
    page = draw(folder_of(tmp_path, comparison(num_seeds=2)))
    assert "No verdict: it takes 3 seeds or more (--seeds 3)" in page.by_id("outcome").text
    assert "positive" not in page.source


def test_nothing_of_this_machine_stands_on_the_page(page: Page, tmp_path: Path) -> None:
    assert "/home/me" not in page.source
    assert tmp_path.parent.as_posix() not in page.source
    assert "runs/compare/bert_sst2/1" in page.source


@pytest.mark.parametrize("hostile", HOSTILE)
def test_names_never_become_markup(hostile: str, tmp_path: Path) -> None:
    compared = replace(comparison(name=hostile), metric=hostile, budget=hostile)
    runs = tuple(replace(run, floors={hostile: 0.4}, problem=hostile) for run in compared.runs)
    compared = replace(compared, runs=runs)
    folder = folder_of(tmp_path, compared, vary={hostile: hostile}, recipe={hostile: hostile})
    page = draw(folder)
    assert {each.tag for each in page.elements} <= (TAGS | {"br"}) - {"img", "audio"}
    assert not any(name.startswith("on") for each in page.elements for name in each.attributes)
    assert not re.search("[\x00-\x08\x0e-\x1f]", page.source)
    shown = " ".join(re.sub("[\x00-\x08\x0e-\x1f]", "\ufffd", hostile).split())
    for name in ("outcome", "scores", "learning", "runs", "request"):
        assert shown in page.by_id(name).text, name


def test_report_draws_it_again_beside_those_of_runs(folder: Path, capsys) -> None:
    (folder / "report.html").unlink(missing_ok=True)
    assert main(["report", str(folder)]) == 0
    assert capsys.readouterr().out == f"{folder / 'report.html'}\n"
    assert Page((folder / "report.html").read_text(encoding="utf-8")).sections


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "comparison.json: damaged: not JSON"),
        ('{"identity": {}}', "comparison.json: no run of the comparison is done yet"),
        ('{"runs": [3]}', "comparison.json: damaged: not what graft compare writes"),
    ],
)
def test_a_damaged_comparison_is_refused(content: str, message: str, tmp_path, capsys) -> None:
    (tmp_path / "comparison.json").write_text(content)
    assert main(["report", str(tmp_path)]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "report.html").exists()


def test_no_file_outside_of_the_comparison_is_read(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, comparison())
    outside = tmp_path / "predictions"
    outside.mkdir()
    (outside / "validation.csv").write_text("label,prediction\na,a\n")
    values = json.loads((folder / "comparison.json").read_text())
    runs = [{**run, "folder": str(tmp_path)} for run in values["runs"]]
    add_to(folder / "comparison.json", runs=runs)
    assert {run.correct for run in comparison_file.read(folder).runs} == {()}


def test_with_one_seed_rows_of_the_runs_are_compared(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, comparison(num_seeds=1))
    for arm, right in zip(SCORES, (2, 6, 8), strict=True):
        path = folder / "cells" / f"{arm}_1" / "42" / "predictions"
        path.mkdir(parents=True)
        rows = [f"a,{'a' if i < right else 'b'}" for i in range(10)]
        (path / "validation.csv").write_text("\n".join(["label,prediction", *rows]))
    assert "paired by row of one seed" in draw(folder).by_id("outcome").text
