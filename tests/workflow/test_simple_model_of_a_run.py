"""The simple model of a run: fitted on its train, scored on its other splits."""

from dataclasses import replace

from grafting import prepare

from pipelines.core import registry
from pipelines.workflow.simple_model import measure


def test_a_run_has_a_simple_model_unless_it_is_streamed_or_the_recipe_asks_for_none(
    tmp_path, text_checkpoint, text_data
):
    prepared = prepare(tmp_path, text_checkpoint, text_data)
    scores = measure(prepared).scores
    assert scores.keys() == {"validation", "test"}
    assert scores["test"]["accuracy"] > 0.9  # these texts are told apart by their words
    streamed = measure(replace(prepared, stream=object()))
    assert (streamed.name, streamed.scores) == ("bag of words", {})
    assert streamed.skipped == "train is streamed"
    recipe = prepared.recipe.replace(simple_model=False)
    assert measure(replace(prepared, recipe=recipe)) is None


def test_tasks_that_do_not_classify_examples_have_none():
    tasks = {name: registry.find("tasks", name)() for name in registry.names("tasks")}
    with_features = {name for name, task in tasks.items() if task.simple_features()}
    kinds = ("text", "image", "audio")
    assert with_features == {f"{kind}_classification" for kind in kinds}
