"""`graft demo`: open a model and serve its page."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from pipelines.core import startup
from pipelines.report import whole_files
from pipelines.workflow.demo import answers, example_rows, page, server
from pipelines.workflow.demo import fields as demo_fields
from pipelines.workflow.demo.fields import Field
from pipelines.workflow.inference.checkpoint import open_model


def run(model: str, port: int | None, *, opens_browser: bool) -> None:
    """Serve a page that predicts with a model, until Ctrl-C.

    Args:
        model: a run folder, another folder or a Hub id of a checkpoint.
        port: None for the first free one.

    Raises:
        GraftError: gradio is missing, the model cannot be used, or the port is not free.
    """
    port = server.check(port)
    startup.initialize({})
    predictor = open_model(model)
    answers.wanted_of(predictor).check(predictor.task, predictor.labels)
    with server.prepared() as folder:
        fields = demo_fields.of(predictor)
        examples = _copied(example_rows.read(model, fields), fields, folder)
        built = page.build(predictor, examples)
        server.serve(built, port, opens_browser=opens_browser, wait=server.forever)


def _copied(
    examples: Sequence[list[str]], fields: Sequence[Field], folder: Path
) -> Sequence[list[str]]:
    """Copy the files of examples to where gradio may read them."""
    if fields[0].kind == "text":
        return examples
    copies = []
    for number, (file,) in enumerate(examples):
        place = folder / "examples" / str(number)
        place.mkdir(parents=True)
        name = Path(file).name.removeprefix(whole_files.PREFIX)
        copies.append([str(shutil.copy(file, place / name))])
    return copies
