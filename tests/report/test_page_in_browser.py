"""report.html in a browser: it runs under its policy, a cell opens its rows, axe finds nothing.

Needs chromium; axe-core is looked for in build/axe (npm install --prefix build/axe axe-core).
"""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from example_comparison import comparison, folder_of
from report_files import Row, add_to, draw, run_of

from pipelines.report.page.comparison import document as comparison_document

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome") or ""
AXE = Path(__file__).parents[2] / "build" / "axe" / "node_modules" / "axe-core" / "axe.min.js"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not CHROMIUM, reason="there is no chromium"),
]
OPTIONS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--v=0")
NAMES = ("a class with quite a long name", "b", "<b>c</b>", "d")
POLICY = re.compile('<meta http-equiv="Content-Security-Policy"[^>]+>')


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page with every kind of content."""
    rows: list[Row] = [
        (f"text {i} " * (1 + i % 30), NAMES[i % 4], NAMES[(i + (i % 7 == 0)) % 4], 0.3 + i % 7 / 10)
        for i in range(120)
    ]
    folder = run_of(tmp_path_factory.mktemp("run"), rows, NAMES)
    numbers = {"before": {"ece": 0.2, "nll": 0.7}, "after": {"ece": 0.1, "nll": 0.6}}
    add_to(folder.metrics, calibration={"temperature": 1.5, "test": numbers})
    finding = {"severity": "warning", "message": "3 of 9 test examples also occur in train"}
    classes = dict.fromkeys(NAMES, 30)
    add_to(folder.data, splits={"train": {"classes": classes}}, findings=[finding], notes=["a"])
    draw(folder)
    return folder.report


@pytest.fixture(scope="module")
def comparison_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a comparison of three strategies on three shares of train."""
    compared = comparison((0.01, 0.1, 1.0), name="a variant with quite a long name, <b>full</b>")
    return comparison_document.write(folder_of(tmp_path_factory.mktemp("run"), compared))


@pytest.fixture(params=["run", "comparison"])
def any_page(request: pytest.FixtureRequest, page: Path, comparison_page: Path) -> Path:
    """Both kinds of pages, one after the other."""
    return page if request.param == "run" else comparison_page


def dump(address: str, *options: str) -> tuple[str, str]:
    """Open a page; returns what it is after loading, and what the browser has to say."""
    budget = "--virtual-time-budget=10000"
    command = [CHROMIUM, *OPTIONS, *options, budget, "--dump-dom", address]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return done.stdout, done.stderr


def with_script(page: Path, script: str) -> Path:
    """Copy a page without its policy, and with a script that writes its result to the title."""
    text = POLICY.sub("", page.read_text(encoding="utf-8"))
    copy = page.with_name("scripted.html")
    copy.write_text(text.replace("</body>", f"<script>{script}</script></body>"), encoding="utf-8")
    return copy


def result_of(page: Path, script: str, *options: str, fragment: str = "") -> object:
    copy = with_script(page, script)
    shown, _ = dump(f"{copy.as_uri()}{fragment}", *options)
    written = re.search(r'<html[^>]* data-result="([^"]*)"', shown)
    assert written, shown[:400]
    return json.loads(written[1].replace("&quot;", '"').replace("&amp;", "&"))


def test_a_page_keeps_its_policy(any_page: Path) -> None:
    _, messages = dump(any_page.as_uri())
    assert "Content Security Policy" not in messages
    assert "ERROR:CONSOLE" not in messages


def test_a_cell_that_is_followed_shows_its_rows_alone(page: Path) -> None:
    script = """
    const link = document.querySelector('.matrix a'), id = link.getAttribute('href').slice(1);
    const panels = [...document.querySelectorAll('.panel')];
    const before = panels.filter(panel => panel.offsetParent).length;
    link.focus(); link.click();
    setTimeout(() => {
      const open = panels.filter(panel => panel.offsetParent).map(panel => panel.id);
      document.documentElement.dataset.result = JSON.stringify([before, open.join() === id]);
    }, 500);
    """
    assert result_of(page, script) == [0, True]


def test_nothing_is_wider_than_a_phone(any_page: Path) -> None:
    script = """
    const { scrollWidth, clientWidth } = document.documentElement;
    document.documentElement.dataset.result = JSON.stringify(scrollWidth <= clientWidth);
    """
    # chromium has a least width
    assert result_of(any_page, script, "--window-size=500,900") is True


@pytest.mark.skipif(not AXE.is_file(), reason=f"there is no {AXE.name}")
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(("kind", "fragment"), [("run", ""), ("run", "#cell-0"), ("other", "")])
def test_axe_has_nothing_to_complain_of(
    page: Path, comparison_page: Path, theme: str, kind: str, fragment: str
) -> None:
    script = (
        AXE.read_text(encoding="utf-8").replace("</script", "<\\/script")
        + """;
    axe.run(document, {resultTypes: ['violations']}).then(results => {
      const shown = results.violations.map(each => [each.id, each.nodes[0].html.slice(0, 200)]);
      document.documentElement.dataset.result = JSON.stringify(
        [matchMedia('(prefers-color-scheme: dark)').matches, results.passes.length > 20, shown]);
    });
    """
    )
    options = ["--blink-settings=preferredColorScheme=0"] if theme == "dark" else []
    drawn = page if kind == "run" else comparison_page
    assert result_of(drawn, script, *options, fragment=fragment) == [theme == "dark", True, []]
