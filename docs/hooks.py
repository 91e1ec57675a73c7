"""Pages of the site that live elsewhere in the repository, and the links to them.

`../benchmarks/README.md` is a good link on a page that is read in the repository; on the site the
same page is `benchmarks.md`. So one text serves both.
"""

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File

ROOT = Path(__file__).parents[1]
ELSEWHERE = {
    "benchmarks.md": "benchmarks/README.md",
    "contributing.md": ".github/CONTRIBUTING.md",
}


def on_files(files: Any, *, config: Any) -> Any:
    """Add the pages from elsewhere."""
    for name, source in ELSEWHERE.items():
        content = (ROOT / source).read_text(encoding="utf-8")
        files.append(File.generated(config, name, content=content))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Point links at the site's pages: from `../docs/x.md` and `../benchmarks/README.md`."""
    for name, source in ELSEWHERE.items():
        markdown = markdown.replace(f"](../{source}", f"]({name}")
    return re.sub(r"\]\(\.\./docs/", "](", markdown)
