"""`benchmarks/defaults.py`: the same rows for all arms, lines that go on, tables from lines."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from datasets import ClassLabel, Dataset, Features, Value

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
sys.path += [str(BENCHMARKS), str(BENCHMARKS / "peers")]  # scripts that import each other

import defaults  # noqa: E402  (found by the line above)
import defaults_arms  # noqa: E402
import defaults_data  # noqa: E402
import defaults_scores  # noqa: E402
import defaults_table  # noqa: E402
import job as jobs  # noqa: E402
import linear_arm  # noqa: E402

WORDS = {"bad": ("dull", "poor", "weak"), "good": ("fine", "warm", "rich")}


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    """A folder with a data set in the place of SST-2: 60 rows of train, 40 of test."""
    folder = tmp_path / "data" / "sst2"
    folder.mkdir(parents=True)
    features = Features({"sentence": Value("string"), "label": ClassLabel(names=[*WORDS])})
    for split, count in (("train", 60), ("test", 40)):
        labels = [number % 2 for number in range(count)]
        texts = [f"{[*WORDS.values()][n % 2][n % 3]} film {n}" for n in range(count)]
        rows = Dataset.from_dict({"sentence": texts, "label": labels}, features=features)
        rows.to_parquet(str(folder / f"{split}.parquet"))
    return tmp_path


def line(arm: str, score: float | None, draw: int = 1, **fields: object) -> dict[str, object]:
    """Make a line of results; without a score, what remains is the reason."""
    key = {"data": "sst2", "size": "8", "draw": draw, "arm": arm, "test_rows": None}
    if score is None:
        return {**key, **fields}
    return {**key, "score": score, "rows": 16, "seconds": 3.0, "cpu": 4.0, "ece": 5.0, **fields}


def table_rows(lines: list[str]) -> list[list[str]]:
    return [[cell.strip() for cell in text.strip("|").split("|")] for text in lines]


@pytest.mark.slow
def test_a_draw_has_as_many_rows_of_each_class_and_another_draw_others(shared, tmp_path):
    tables = []
    for draw in (1, 1, 2):
        folder = tmp_path / f"draw{len(tables)}"
        assert defaults_data.write_draw(shared, "sst2", "8", draw, 10, folder) == 16
        train = defaults_data.table(folder / "train.parquet")
        assert np.bincount(train["label"]).tolist() == [8, 8]
        tables.append((list(train["sentence"]), list(defaults_data.table(folder / "test.parquet"))))
    assert tables[0] == tables[1]
    assert tables[0][0] != tables[2][0]
    assert tables[0][1] == tables[2][1]
    assert len(tables[0][1]) == 10


def test_sizes_that_a_data_set_does_not_have_are_left_out(shared):
    assert defaults_data.sizes(shared, "sst2") == ["8", "16", "all"]  # 32 a class are all 60
    assert defaults_data.draws("all") == (1,)


def test_what_is_finished_is_not_run_again(shared, tmp_path, capsys):
    options = ["--data", "sst2", "--sizes", "8", "--arms", "auto", "bag_of_words"]
    parsed = defaults.parse([str(shared), str(tmp_path / "lines"), *options, "--draws", "1", "2"])
    seen = []

    def run(cell, arm, folder):
        seen.append((arm, folder, [*folder.iterdir()]))
        if arm == "auto":
            raise defaults_arms.NoResultError("refused: this")
        return {"predictions": [0] * 40, "confidence": [0.5] * 40}, {"seconds": 1.0, "cpu": 1.0}

    planned = defaults.plan(parsed)
    defaults.run_all(parsed, planned, run)
    lines = defaults.results(parsed.results)
    assert [arm for arm, _, _ in seen] == ["auto", "bag_of_words"] * 2
    assert all(not files for _, _, files in seen)  # each in an empty folder
    assert [each.get("reason") for each in lines] == ["refused: this", None] * 2
    assert (lines[1]["score"], lines[1]["ece"], lines[1]["rows"]) == (50.0, 0.0, 16)
    parsed.results.write_text(json.dumps(lines[0]) + "\n", encoding="utf-8")
    defaults.run_all(parsed, planned, run)
    assert [arm for arm, _, _ in seen[4:]] == ["bag_of_words", "auto", "bag_of_words"]


def test_arms_that_do_not_fit_are_planned_with_a_reason(shared):
    assert defaults_arms.misfit("setfit", "mrpc") == "takes no pairs of texts"
    assert defaults_arms.misfit("fastai", "sst2") == "not made for such data"
    assert "no checkpoint" in str(defaults_arms.misfit("auto", "fsdd"))
    assert defaults_arms.misfit("contrastive", "mrpc") is None  # Graft refuses by itself


def test_half_of_the_data_sets_decides_and_none_is_in_both():
    halves = (set(defaults_data.DECIDING), set(defaults_data.REPORTED))
    assert not halves[0] & halves[1]
    assert halves[0] | halves[1] == defaults_data.DATA.keys()


def test_the_summary_ranks_arms_and_counts_regret():
    lines = [line("auto", 70.0), line("full", 70.0), line("setfit", 80.0), line("bag_of_words", 60)]
    lines += [line("auto", 90.0, size="32"), line("setfit", 80.0, size="32")]
    rows = table_rows([*defaults_table.summary(defaults_table.cells_of(lines))])[2:]
    assert [row[:4] for row in rows] == [
        ["SetFit", "1.5", "5.0", "10.0"],
        ["Graft `auto`", "1.8", "5.0", "10.0"],  # second and third are equal: 2.5
        ["Graft `full`", "2.5", "10.0", "10.0"],
        ["bag of words", "4.0", "20.0", "20.0"],
    ]


def test_scores_have_their_spread_and_the_best_is_bold():
    lines = [line("auto", 70.0, strategy="lora"), line("auto", 80.0, draw=2, strategy="full")]
    lines.append(line("setfit", 60.0, ece=None))
    rows = table_rows([*defaults_table.scores(defaults_table.cells_of(lines))])[2:]
    assert rows == [
        ["sst2", "16", "Graft `auto`: `lora` 1, `full` 1", "**75.0** ± 7.1", "5.0", "3", "4", "2"],
        ["sst2", "16", "SetFit", "60.0", "", "3", "4", "1"],
    ]


def test_the_overview_has_a_line_for_each_cell_and_a_column_for_each_arm():
    lines = [line("auto", 70.0, strategy="lora"), line("setfit", 60.0, ece=None)]
    lines.append(line("auto", 80.0, size="32", strategy="full"))
    rows = table_rows([*defaults_table.overview(defaults_table.cells_of(lines))])
    assert rows[0] == ["data", "examples", "Graft `auto`", "SetFit"]
    assert rows[2:] == [
        ["sst2", "16", "**70.0**: `lora` (5.0)", "60.0"],
        ["sst2", "16", "**80.0**: `full` (5.0)", ""],
    ]


@pytest.mark.parametrize(("peer", "missed"), [(79.0, 0), (79.2, 1)])
def test_auto_is_behind_beyond_spread_and_margin(peer, missed):
    lines = [line("auto", 65.0), line("auto", 75.0, draw=2), line("setfit", peer)]
    lines.append(line("full", 99.0))  # of Graft: no peer
    assert len([*defaults_table.behind(defaults_table.cells_of(lines))]) == missed


@pytest.mark.parametrize(("arm", "judged"), [("auto", 1), ("full", 0)])
def test_without_auto_no_cell_counts_as_reached(arm, judged):
    lines = [line(arm, 80.0), line("setfit", 79.0)]
    goal = f"cells where auto is behind, of {judged} with a peer: none"
    assert goal in "\n".join(defaults_table.report(lines, lines))


def test_what_was_not_run_is_counted_by_its_reason():
    planned = [line("setfit", None, draw=draw) for draw in (1, 2, 3)]
    planned.append(line("fastai", None, reason="not made for such data"))
    results = [line("setfit", 80.0), line("setfit", None, draw=2, reason="refused: a|b")]
    rows = table_rows([*defaults_table.report(results, planned)])
    assert rows[-3:] == [
        ["not made for such data", "sst2", "fastai (1)"],
        ["not run yet", "sst2", "SetFit (1)"],
        ["refused: a/b", "sst2", "SetFit (1)"],
    ]


def test_metrics_are_those_of_the_tasks():
    names = ("O", "B-x", "I-x")
    assert defaults_scores.score("accuracy", [0, 1, 1, 0], [0, 1, 0, 0], names) == 75
    assert defaults_scores.score("micro F1", [[0], [1, 2]], [[0, 1], [1]], names) == pytest.approx(
        100 * 4 / 6, abs=1e-3
    )
    assert defaults_scores.score("pearson", [1.0, 2.0], [3.0, 5.0], ()) == pytest.approx(100)
    assert defaults_scores.score("pearson", [1.0, 2.0], [3.0, 3.0], ()) == 0
    # the words that were cut off are of no entity: one of two is found
    tags = [[1, 2, 0, 1]]
    assert defaults_scores.score("entity F1", tags, [[1, 2, 0]], names) == pytest.approx(
        200 / 3, abs=1e-3
    )
    with pytest.raises(ValueError, match="1 predictions for 2 rows"):
        defaults_scores.score("accuracy", [0, 1], [0], names)


def test_the_calibration_error_is_the_mean_gap_of_bins():
    error = defaults_scores.calibration_error([0, 1, 1, 1], [0, 1, 1, 0], [0.9, 0.9, 0.7, 0.7])
    assert error == pytest.approx(15)  # 0.1 in one bin, 0.2 in the other
    assert defaults_scores.calibration_error([1.0], [2.0], None) is None


def test_graft_is_run_with_its_defaults_and_read_by_the_names_of_classes(tmp_path):
    cell = defaults_arms.Cell("sst2", tmp_path, tmp_path, tuple(WORDS), tmp_path, 1)
    recipe = json.loads(cell.recipe("full"))
    assert recipe.keys() == {"task", "model", "data", "strategy"}
    assert recipe["data"].keys() == {"source", "path"}
    table = tmp_path / "test.csv"
    table.write_text("row,label,prediction,probability\n0,bad,good,0.75\n", encoding="utf-8")
    assert cell.read(table) == {"predictions": [1], "confidence": [0.75]}


def test_a_bag_of_words_answers_a_job(shared, tmp_path):
    rows = tmp_path / "rows"
    defaults_data.write_draw(shared, "sst2", "16", 1, None, rows)
    fields = {"arm": "bag_of_words", "data": str(rows), "model": "", "task": "text_classification"}
    fields |= {"inputs": ["sentence"], "label": "label", "kind": "single", "num_labels": 2}
    file = tmp_path / "job.json"
    file.write_text(json.dumps({**fields, "answer": str(tmp_path / "answer.json")}))
    linear_arm.main(jobs.load(str(file)))
    answer = json.loads((tmp_path / "answer.json").read_text(encoding="utf-8"))
    targets = defaults_data.table(rows / "test.parquet")["label"]
    assert defaults_scores.score("accuracy", list(targets), answer["predictions"], ()) == 100
    assert all(0.5 <= sure <= 1 for sure in answer["confidence"])
