"""report.html: everything on a run, from the files of its folder alone."""

import base64
import hashlib
import json
import re
from base64 import b64decode
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from example_run import RECIPE, TRIALS, evidence
from report_files import Page, Row, add_to, draw, run_of, write_table

from pipelines import cli
from pipelines.report.page import document
from pipelines.report.run_folder import RunFolder
from pipelines.report.summary import summarize
from pipelines.workflow import report_page

NAMES = ("negative", "positive")
ROWS: list[Row] = [
    ("a dull film", "negative", "negative", 0.9),
    ("not bad at all", "positive", "negative", 0.8),
    ("a gem", "positive", "positive", 0.7),
    ("oh, wonderful, again", "negative", "positive", 0.95),
]
HOSTILE = (
    "</style></script><script>alert(1)</script>",
    "\"><img src=x onerror='alert(2)'>",
    "new\nline\r\n<svg/onload=alert(3)>",
    "\u202eevil\u2066 {{ 7 * 7 }} &lt;b&gt; \x00\x1b",
)
# what a page of ours is made of
TAGS = {
    *re.findall(
        r"\w+",
        "html head meta title style body a header div p span bdi h1 h2 h3 dl dt dd nav ol ul li "
        "main section figure figcaption svg line text path circle rect table thead tbody tr th td "
        "pre code details summary strong footer img audio",
    )
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    return run_of(tmp_path_factory.mktemp("run"), ROWS, NAMES)


@pytest.fixture(scope="module")
def page(folder: RunFolder) -> Page:
    return draw(folder)


def cells(page: Page, tag: str = "td") -> list[str]:
    return [element.text for element in page.all(tag)]


def test_scores_stand_with_intervals_beside_those_of_a_baseline(page: Page) -> None:
    assert "0.8000 0.7100 to 0.8900" in cells(page)
    assert {"0.8300", "0.5000"} <= {*cells(page)}
    head = page.all("header")[0].text
    assert "accuracy on test 0.8000" in head
    assert "95 %: 0.7100 to 0.8900" in head
    assert "exact (Clopper-Pearson)" in page.by_id("scores").text


def test_a_result_below_its_baseline_is_a_warning_at_the_head(tmp_path: Path) -> None:
    page = draw(run_of(tmp_path, ROWS, NAMES, test={"accuracy": 0.4}))
    assert "Test accuracy 0.4000 is worse than the baseline's 0.5000" in page.all("header")[0].text


def test_a_page_has_what_a_run_has(page: Page) -> None:
    above = ["scores", "request", "data", "learning", "confusion", "classes", "mistakes"]
    assert page.sections[:7] == above
    assert page.sections[-3:] == ["cost", "reproduce", "locked"]
    assert [link.attributes["href"] for link in page.all("a")][1:4] == [
        "#scores",
        "#request",
        "#data",
    ]


def test_a_page_loads_nothing_and_runs_nothing(page: Page) -> None:
    policy = page.all("meta")[1].attributes
    assert policy["http-equiv"] == "Content-Security-Policy"
    rules = dict(rule.split(" ", 1) for rule in policy["content"].split("; "))
    assert rules["default-src"] == "'none'"
    style = re.search(r"<style>(.*?)</style>", page.source, re.DOTALL)
    digest = hashlib.sha256(style[1].encode()).digest() if style else b""
    assert rules["style-src"] == f"'sha256-{base64.b64encode(digest).decode()}'"
    assert "script-src" not in rules
    for element in page.elements:
        assert not element.attributes.keys() & {"style", "onclick"}  # the policy blocks them
        for name in ("src", "href"):
            assert element.attributes.get(name, "#").startswith(("#", "data:"))
    assert not re.search(r"url\(|@import", page.source)


def test_the_structure_is_one_that_screen_readers_follow(page: Page) -> None:
    levels = [int(each.tag[1]) for each in page.elements if re.fullmatch("h[1-6]", each.tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert max(np.diff(levels)) <= 1
    assert all(each.attributes.get("scope") in {"col", "row"} for each in page.all("th"))
    for drawing in page.all("svg"):
        attributes = drawing.attributes
        assert attributes.get("aria-hidden") or len(attributes["aria-label"]) > 20
    ids = [each.attributes["id"] for each in page.elements if "id" in each.attributes]
    assert len(ids) == len({*ids})
    for link in page.all("a"):
        assert page.by_id(link.attributes["href"].removeprefix("#"))


def test_a_cell_of_the_confusion_matrix_leads_to_its_rows(page: Page) -> None:
    words = "1 labeled positive, predicted negative: show rows"
    (link,) = (each for each in page.all("a") if each.attributes.get("aria-label") == words)
    panel = page.by_id(link.attributes["href"].removeprefix("#"))
    assert panel.text.startswith("Labeled positive , predicted negative not bad at all row 1")
    assert "a gem" not in panel.text


def test_of_many_classes_the_pairs_that_are_confused_stand_in_a_table(tmp_path: Path) -> None:
    names = [f"class {i}" for i in range(31)]
    rows = [(f"text {i}", name, name, 0.5) for i, name in enumerate(names)]
    rows += [("wrong", "class 7", "class 9", 0.9)] * 2
    section = draw(run_of(tmp_path, rows, names)).by_id("confusion").text
    assert "class 7 class 9 2 66.7%" in section
    assert "label \\ predicted" not in section


def test_the_surest_mistakes_come_first(page: Page) -> None:
    section = page.by_id("mistakes").text
    assert section.index("oh, wonderful, again") < section.index("not bad at all")
    assert "2 of 4 rows of test are wrong" in section
    assert "a gem" not in section
    assert "positive 95.0%" in section


def test_classes_are_listed_from_the_worst_on(page: Page) -> None:
    section = page.by_id("classes").text
    assert "positive 4 0.5000 0.2500 0.2500 negative 4 0.5000 0.2500 0.3333" in section


def test_the_lines_to_use_a_run_name_its_folder_and_no_folder_above(
    page: Page, folder: RunFolder, tmp_path: Path
) -> None:
    section = page.by_id("reproduce").text
    assert 'model="runs/bert_sst2/1/model"' in section
    assert "graft predict runs/bert_sst2/1 INPUT" in section
    assert "graft push runs/bert_sst2/1 OWNER/NAME" in section
    assert "graft run runs/bert_sst2/1/recipe.yaml" in section
    assert folder.path.parents[3].as_posix() not in page.source


def test_a_run_that_predicts_the_text_itself_is_not_said_to_predict(tmp_path: Path) -> None:
    folder = run_of(tmp_path, ROWS, NAMES)
    add_to(folder.metrics, task="causal_lm")
    section = draw(folder).by_id("reproduce").text
    assert "graft predict" not in section
    assert "graft push" in section


@pytest.mark.parametrize("hostile", HOSTILE)
def test_what_data_say_never_becomes_markup(hostile: str, tmp_path: Path) -> None:
    names = (hostile, "plain")
    rows = [(f"{hostile} text", hostile, "plain", 0.9), ("b", "plain", "plain", 0.8)]
    folder = run_of(tmp_path, rows, names, ids=(f"{hostile}.png", "b.png"), reason=hostile)
    finding = {"severity": hostile, "message": hostile, "split": hostile, "rows": []}
    split = {"classes": {hostile: 3}, "measures": {hostile: {hostile: 2}}, "num_examples": 3}
    add_to(folder.data, splits={"train": split}, findings=[finding], notes=[hostile])
    add_to(folder.data, left_out=[{"split": hostile, "row": hostile, "reason": hostile}])
    add_to(folder.lock, recipe={"name": hostile}, packages={hostile: hostile}, seed=hostile)
    add_to(folder.metrics, usage=hostile, warnings=[hostile])
    page = draw(folder)

    assert {each.tag for each in page.elements} <= TAGS - {"img", "audio"}
    assert not any(name.startswith("on") for each in page.elements for name in each.attributes)
    shown = " ".join(re.sub("[\x00-\x08\x0e-\x1f]", "\ufffd", hostile).split())
    for name in ("confusion", "classes", "mistakes", "data", "locked", "reproduce"):
        assert shown in page.by_id(name).text, name
    assert not re.search("[\x00-\x08\x0e-\x1f]", page.source)
    bdi = [each.text for each in page.all("bdi")]  # a text that turns letters around stays in it
    assert shown in bdi


def test_an_older_run_has_a_page_without_what_its_folder_lacks(tmp_path: Path, capsys) -> None:
    folder = run_of(tmp_path, ROWS, NAMES)
    for path in folder.path.rglob("*"):
        if path.is_file() and path not in {folder.metrics, folder.lock}:
            path.unlink()
    page = draw(folder)
    assert page.sections == ["scores", "data", "cost", "reproduce", "locked"]
    assert not capsys.readouterr().err


def test_a_damaged_file_costs_its_section_only(tmp_path: Path, capsys) -> None:
    folder = run_of(tmp_path, ROWS, NAMES)
    add_to(folder.path / "evidence.json", test={"confusion": {"labels": 7}, "per_class": []})
    page = draw(folder)
    assert "This part could not be drawn" in page.by_id("confusion").text
    assert "oh, wonderful" in page.by_id("mistakes").text
    assert "report.html lacks 'Confusion': TypeError" in capsys.readouterr().err


def test_report_draws_pages_again_from_the_files(folder: RunFolder, capsys) -> None:
    folder.report.unlink(missing_ok=True)
    assert cli.main(["report", str(folder.model), str(folder)]) == 0
    assert capsys.readouterr().out == f"{folder.report}\n" * 2
    assert Page(folder.report.read_text(encoding="utf-8")).sections


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "metrics.json: cannot be read"),
        ("{", "metrics.json: damaged: not JSON"),
        ('{"main_metric": 3}', "metrics.json: damaged: not what a run writes"),
    ],
)
def test_a_run_that_is_not_whole_is_refused(content, message: str, tmp_path: Path, capsys) -> None:
    folder = run_of(tmp_path, ROWS, NAMES)
    folder.metrics.unlink() if content is None else folder.metrics.write_text(content)
    assert cli.main(["report", str(folder)]) == 2
    assert message in capsys.readouterr().err
    assert not folder.report.exists()


def prepared_of(modality: str, test) -> SimpleNamespace:
    task = SimpleNamespace(modality=modality)
    return SimpleNamespace(
        recipe=SimpleNamespace(task=task), data=SimpleNamespace(test=test, validation=None)
    )


def test_pictures_of_rows_are_saved_small_and_shown(tmp_path: Path) -> None:
    from datasets import Dataset, Features, Image
    from PIL import Image as Pillow

    pictures = [Pillow.new("RGB", size, "red") for size in ((8, 8), (900, 500), (8, 6), (300, 300))]
    rows = [(f"/home/me/{i}.png", *row[1:]) for i, row in enumerate(ROWS)]
    folder = run_of(tmp_path, rows, NAMES, ids=[f"{i}.png" for i in range(4)])
    dataset = Dataset.from_dict({"image": pictures}, features=Features({"image": Image()}))
    report_page.draw(folder, prepared_of("image", dataset))

    sizes = {}
    for path in folder.examples.iterdir():
        with Pillow.open(path) as picture:
            sizes[path.name] = picture.size
    assert sizes["test-1.jpg"] == (160, 89)
    assert sizes["test-0.png"] == (160, 160)
    assert sizes["whole-test-1.png"] == (900, 500)  # for the demo
    page = Page(folder.report.read_text(encoding="utf-8"))
    shown = [each.attributes for each in page.all("img")]
    assert shown[0]["alt"].startswith("row 3: labeled negative, predicted positive")
    assert shown[0]["src"].startswith("data:image/jpeg;base64,")
    assert "/home/me" not in page.source
    assert "3.png" in page.by_id("mistakes").text


def test_clips_of_rows_are_saved_short_and_can_be_played(tmp_path: Path) -> None:
    import soundfile

    for i in range(4):
        soundfile.write(tmp_path / f"{i}.wav", np.zeros(6 * 44_100, "float32"), 44_100)
    paths = [str(tmp_path / f"{i}.wav") for i in range(4)]
    folder = run_of(tmp_path, [(p, *row[1:]) for p, row in zip(paths, ROWS, strict=True)], NAMES)
    rows = [{"audio": {"path": path, "bytes": None}} for path in paths]
    report_page.draw(folder, prepared_of("audio", rows))

    info = soundfile.info(folder.examples / "test-3.flac")
    assert (info.duration, info.samplerate) == (4, 16_000)
    page = Page(folder.report.read_text(encoding="utf-8"))
    assert page.all("audio")[0].attributes["src"].startswith("data:audio/flac;base64,")


def test_a_report_that_fails_does_not_cost_the_run(folder: RunFolder, monkeypatch, capsys) -> None:
    def fail(_folder: RunFolder) -> None:
        raise ZeroDivisionError("no page\nat all")

    monkeypatch.setattr(document, "write", fail)
    report_page.draw(folder, prepared_of("text", None))
    assert capsys.readouterr().err == (
        f"{folder}: no report.html (ZeroDivisionError: no page); graft report {folder} tries "
        "again\n"
    )


def test_no_file_outside_of_the_run_is_shown(tmp_path: Path) -> None:
    secret = tmp_path / "secret.jpg"
    secret.write_bytes(b"private" * 9)
    rows = [(str(secret), *row[1:]) for row in ROWS]
    folder = run_of(tmp_path, rows, NAMES)
    folder.examples.mkdir()
    (folder.examples / "test-3.jpg").symlink_to(secret)
    (folder.examples / "test-1.jpg").write_bytes(b"its own")
    page = draw(folder)
    embedded = [each.attributes["src"].partition(",")[2] for each in page.all("img")]
    assert {base64.b64decode(each) for each in embedded} == {b"its own"}


def test_pictures_stay_within_a_few_megabytes(tmp_path: Path) -> None:
    rows = [(f"{i}.jpg", "negative", "positive", 0.9) for i in range(30)]
    folder = run_of(tmp_path, rows, NAMES)
    folder.examples.mkdir()
    for i in range(30):
        (folder.examples / f"test-{i}.jpg").write_bytes(bytes(400_000))
    page = draw(folder)
    assert 2 <= len(page.all("img")) <= 7
    assert len(page.source) < 5_000_000


def test_pictures_of_explanations_are_shown(tmp_path: Path) -> None:
    folder = run_of(tmp_path, ROWS, NAMES)
    folder.explanations.mkdir()
    (folder.explanations / "1.png").write_bytes(b"one")
    (folder.explanations / "2.png").symlink_to(folder.metrics)
    (picture,) = draw(folder).all("img")
    assert picture.attributes["src"] == "data:image/png;base64,b25l"
    assert picture.attributes["alt"].startswith("Explanation 1")


def test_of_many_explanations_the_latest_are_shown(tmp_path: Path) -> None:
    folder = run_of(tmp_path, ROWS, NAMES)
    folder.explanations.mkdir()
    for number in range(1, 16):
        (folder.explanations / f"{number}.png").write_bytes(b"%d" % number)
    page = draw(folder)
    shown = [each.attributes["src"].rpartition(",")[2] for each in page.all("img")]
    assert [*map(b64decode, shown)] == [b"%d" % number for number in range(15, 3, -1)]
    assert "and 3 earlier ones in the folder" in page.source


def test_numbers_have_no_right_and_wrong_but_largest_errors(tmp_path: Path) -> None:
    folder = run_of(tmp_path, ROWS, NAMES)
    table = {
        "row": [0, 1, 2],
        "input": ["near", "far", "between"],
        "label": [1.0, 2.0, 3.0],
        "prediction": [1.0, 98765.25, 4.0],
        "correct": pa.nulls(3, "bool"),
        "loss": [0.0, 56.25, 1.0],
    }
    pq.write_table(pa.table(table), folder.predictions / "test.parquet")
    add_to(folder.path / "evidence.json", test={"top_losses": [1, 2]})
    page = draw(folder)
    section = page.by_id("mistakes").text
    assert "furthest from their label" in section
    assert section.index("far label 2 predicted 98,765") < section.index("between")
    assert "near" not in section
    assert "confusion" not in page.sections


def test_what_a_solver_tried_is_a_curve_over_its_number(tmp_path: Path) -> None:
    chosen = {"pooling": "mean", "C": 1.0}
    folder = run_of(tmp_path, ROWS, NAMES, history=TRIALS, chosen=chosen)
    (drawing,) = (each for each in draw(folder).all("svg") if "tried over C" in str(each))
    label = drawing.attributes["aria-label"]
    assert "mean from" in label
    assert "saved: 0.81 at C 1" in label


def test_accuracy_by_length_of_texts_has_intervals(tmp_path: Path) -> None:
    rows = [("x" * (1 + i % 40), "negative", NAMES[i % 40 > 30], 0.9) for i in range(200)]
    section = draw(run_of(tmp_path, rows, NAMES)).by_id("slices")
    assert "characters" in section.text
    assert "1 to 10 characters 1.0000 (" in section.text


def test_calibration_has_a_bar_for_each_confidence(tmp_path: Path) -> None:
    folder = run_of(tmp_path, ROWS, NAMES)
    numbers = {"before": {"ece": 0.2, "nll": 0.7}, "after": {"ece": 0.1, "nll": 0.6}}
    sets = {"alpha": 0.1, "threshold": 0.25, "coverage": 0.91, "mean_size": 1.5, "empty": 0.0}
    sets["measured_on"] = "test"
    add_to(folder.metrics, calibration={"temperature": 1.5, "test": numbers, "conformal": sets})
    section = draw(folder).by_id("calibration").text
    assert "test 0.2000 0.1000 0.7000 0.6000" in section
    assert "0.87 to 0.93 1 90.0% 100.0%" in section  # row 0, right
    assert "0.93 to 1.00 1 95.0% 0.0%" in section  # row 3, wrong
    assert "91.0% of test (90.0% were requested)" in section


def test_what_was_measured_beyond_scores_has_sections(tmp_path: Path) -> None:
    folder = run_of(tmp_path, ROWS, NAMES)
    kinds = {"typing_errors": [0.8, 0.7, 0.6, 0.5, 0.4]}
    area = {"value": 0.9, "low": 0.85, "high": 0.95}
    lengths = {"shortest": 1, "longest": 9, "num_rows": 50, "accuracy": 0.5, "low": 0.4, "high": 1}
    add_to(
        folder.metrics,
        robustness={
            "metric": "accuracy",
            "split": "test",
            "rows": 100,
            "clean": 0.9,
            "by_severity": kinds["typing_errors"],
            "kinds": kinds,
            "slices": [lengths],
        },
        out_of_distribution={
            "data": "other.csv",
            "split": "test",
            "rows": 10,
            "other_rows": 20,
            "auroc": {"max_probability": area},
        },
        forgetting={
            "data": "old.csv",
            "rows": 100,
            "classes": 4,
            "most_frequent": 0.3,
            "before": 0.9,
            "after": 0.7,
            "change": -0.2,
            "interval": [-0.3, -0.1],
            "distances": {"block 1": 0.25},
        },
        wise_ft=[
            {"alpha": alpha, "validation_accuracy": 0.7 + alpha / 10, "target_accuracy": 0.6}
            for alpha in (0.0, 0.5, 1.0)
        ],
        sources={"test": {"books": {"rows": 9, "accuracy": 0.75}}},
        adaptation={
            "adaptation": "tent",
            "before": {"validation_accuracy": 0.8},
            "after": {"validation_accuracy": 0.7},
        },
        target_oracle={
            "step": 4,
            "accuracy": 0.9,
            "saved": {"step": 8, "accuracy": 0.8},
            "rows": 9,
            "evaluations": 2,
            "of": 3,
        },
        training={"seconds": 90, "chosen": {"alpha": 0.5}, "peak_memory_bytes": 3 * 2**29},
    )
    page = draw(folder)
    assert (
        "typing errors 0.8000 0.7000 0.6000 0.5000 0.4000 0.6000" in page.by_id("robustness").text
    )
    assert "max probability 0.9000 (0.8500 to 0.9500)" in page.by_id("detection").text
    assert "-0.2000 (-0.3000 to -0.1000)" in page.by_id("forgetting").text
    assert "block 1 0.2500" in page.by_id("forgetting").text
    assert "1 to 9 tokens 0.5000 (0.4000 to 1.0000)" in page.by_id("slices").text
    assert "books (9 rows) 0.7500" in page.by_id("slices").text
    assert "tent adapted the model" in page.by_id("scores").text
    assert "was 0.8000 before and is 0.7000" in page.by_id("scores").text
    assert (
        "For an oracle, the last 2 of 3 evaluations while training scored 9 rows of the target: "
        "its labels would choose step 4, accuracy 0.9000; step 8, which is saved, had 0.8000."
    ) in page.by_id("scores").text
    assert "accuracy on target" in page.by_id("wise_ft").text
    assert "training 1.5 min" in page.by_id("cost").text
    assert "most memory in use 1.50 GiB" in page.by_id("cost").text


def test_folds_stand_in_for_validation_by_name(tmp_path: Path) -> None:
    changes = {"test": None, "fold_scores": (0.8, 0.86), "history": []}
    folder = run_of(tmp_path, ROWS, NAMES, **changes)
    write_table(folder.predictions / "validation.parquet", ROWS, NAMES)
    page = draw(folder)
    assert "validation (2 folds, out of fold)" in page.by_id("scores").text
    assert "2 of 4 rows of validation (2 folds, out of fold)" in page.by_id("mistakes").text


def test_the_summary_says_where_the_report_is(folder: RunFolder, page: Page) -> None:
    assert f"\nreport: {folder.report}\n" in summarize(folder, evidence())
    assert "report:" not in summarize(RunFolder(folder.path / "none"), evidence())


def test_a_recipe_is_shown_without_tokens_and_folders(tmp_path: Path) -> None:
    folder = run_of(tmp_path, ROWS, NAMES)
    token = "hf_" + "Ab1" * 11
    recipe = RECIPE.replace("google-bert/bert-base-uncased", "/home/me/bert")
    folder.recipe.write_text(recipe.replace("training: {", f"training: {{run_name: {token}, "))
    section = draw(folder).by_id("request").text
    assert "r: 8" in section
    assert token not in section
    assert "/home/me" not in section


def test_metrics_say_how_a_run_is_used_and_what_is_wrong_with_it(folder: RunFolder) -> None:
    metrics = json.loads(folder.metrics.read_text())
    assert 'model="model"' in metrics["usage"]
    assert metrics["warnings"] == []
