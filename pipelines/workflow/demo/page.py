"""Inputs, outputs and examples -> a page of gradio.

Labels and texts of users are shown as text: what gradio would read as Markdown or HTML is escaped.
"""

import html
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pipelines.core.console import printable
from pipelines.core.errors import GraftError
from pipelines.report.markdown_text import escape
from pipelines.workflow.demo import answers
from pipelines.workflow.demo import fields as demo_fields
from pipelines.workflow.demo.answers import ShownOutput
from pipelines.workflow.demo.fields import Field

if TYPE_CHECKING:
    from pipelines.workflow.inference.predictor import Predictor

TIMES = ["word", "start", "end"]


def build(predictor: "Predictor", examples: Sequence[Sequence[str]]) -> Any:
    """Build the page, a `gradio.Blocks`.

    Args:
        examples: a value for each field of the model.
    """
    import gradio

    fields, outputs = demo_fields.of(predictor), answers.outputs_of(predictor)

    def predict(*values: Any) -> Any:
        """Predict what stands in the inputs; a mistake becomes a message on the page."""
        try:
            row = answers.predict(predictor, fields, values)
        except GraftError as error:
            # without its traceback on the terminal; the message would be read as HTML
            text = html.escape(printable(error))
            raise gradio.Error(text, print_exception=False) from None
        shown = [output.value(row) for output in outputs]
        return shown[0] if len(shown) == 1 else shown

    title = printable(predictor.name)
    with gradio.Blocks(title=title, analytics_enabled=False) as page:
        gradio.Markdown(f"# {escape(title)}\n\n{predictor.task.name.replace('_', ' ')}")
        with gradio.Row():
            with gradio.Column():
                inputs = [_input(field) for field in fields]
                button = gradio.Button("Predict", variant="primary")
            with gradio.Column():
                results = [_output(output) for output in outputs]
        if examples:
            # an example answers at once: the answer to another would stay beside it
            options: dict[str, Any] = {"cache_examples": False, "run_on_click": True}
            gradio.Examples([[*each] for each in examples], inputs, results, predict, **options)
        events = [button.click]
        events += [each.submit for each in inputs if isinstance(each, gradio.Textbox)]
        gradio.on(events, predict, inputs, results, api_name="predict")
    return page


def _input(field: Field) -> Any:
    import gradio

    if field.kind == "image":
        # the file as it is: what `graft predict` reads
        return gradio.Image(label=field.title, type="filepath", image_mode=None)
    if field.kind == "audio":
        # no button that sends it to a discussion on the Hub
        return gradio.Audio(label=field.title, type="filepath", buttons=["download"])
    return gradio.Textbox(label=field.title, lines=4 if field.is_long else 1)


def _output(output: ShownOutput) -> Any:
    import gradio

    if output.kind == "probabilities":
        return gradio.Label(label=output.title, show_heading=output.has_heading)
    if output.kind == "spans":
        return gradio.HighlightedText(label=output.title)
    if output.kind == "times":
        # a long word would push the seconds out of sight
        shape: dict[str, Any] = {"column_widths": ["60%", "20%", "20%"], "wrap": True}
        return gradio.Dataframe(label=output.title, headers=TIMES, interactive=False, **shape)
    return gradio.Textbox(label=output.title, interactive=False)
