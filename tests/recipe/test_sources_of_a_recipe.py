"""`data.sources` in a recipe: a list or names, checked as the sources are, and read back."""

import json
import re
from pathlib import Path

import pytest

import pipelines as graft
from pipelines import recipe
from pipelines.core.errors import DataError, RecipeError
from pipelines.recipe import Recipe
from pipelines.report import lock

SCHEMA = Path(__file__).parents[2] / "recipes" / "schema.json"
BASE = "task: text_classification\nmodel: some/model\n"


@pytest.fixture
def load(tmp_path):
    """load(text, *overrides): the recipe that stands in a file."""

    def load(text, *overrides):
        file = tmp_path / "reviews.yaml"
        file.write_text(BASE + text, encoding="utf-8")
        return recipe.load(file, overrides)

    return load


def listed(*sources, **keys):
    return {"task": "text_classification", "model": "m", "data": {"sources": [*sources], **keys}}


def files(path, **keys):
    return {"source": "files", "path": path, **keys}


def test_sources_of_a_list_are_named_by_their_files_and_data_sets():
    hub = {"source": "hub", "path": "owner/reviews"}
    loaded = Recipe.from_dict(listed(files("a/books.csv.gz"), files("b/dvd"), hub))
    assert [*loaded.data.sources] == ["books", "dvd", "reviews"]
    assert [source.source for source in loaded.data.sources.values()] == ["files", "files", "hub"]


def test_files_of_one_name_are_named_by_their_folders_and_data_sets_by_their_configurations():
    loaded = Recipe.from_dict(listed(files("books/train.csv"), files("dvd/train.csv")))
    assert [*loaded.data.sources] == ["books-train", "dvd-train"]
    configurations = [{"source": "hub", "path": "a/glue", "name": name} for name in ("x", "y")]
    assert [*Recipe.from_dict(listed(*configurations)).data.sources] == ["glue-x", "glue-y"]


def test_sources_that_no_name_tells_apart_are_refused():
    with pytest.raises(RecipeError, match=r"data\.sources: several would be called 'x-a'; give"):
        Recipe.from_dict(listed(files("x/a.csv"), files("x/a.json")))


def test_sources_are_read_back_as_they_were_written():
    values = listed(
        files("a.csv", splits={"test": None}), files("b.csv"), splits={"test": 0.1}, held_out="b"
    )
    loaded = Recipe.from_dict(values)
    again = Recipe.from_dict(json.loads(json.dumps(loaded.model_dump(mode="json"))))
    assert again.data.trained == loaded.data.trained
    assert again.data.other_domain == loaded.data.other_domain
    assert again.data.trained["a"].splits.test is None
    assert again.data.other_domain.splits.test is None  # a share would leave most of it unscored


def test_what_data_says_holds_for_sources_that_do_not_say_otherwise():
    values = listed(
        files("a.csv"),
        files("b.csv", columns={"text": "body"}, group="writer"),
        columns={"text": "review", "label": "stars"},
        group="author",
        on_bad_row="skip",
    )
    one, other = Recipe.from_dict(values).data.trained.values()
    assert (one.columns, one.group) == ({"text": "review", "label": "stars"}, "author")
    assert (other.columns, other.group) == ({"text": "body", "label": "stars"}, "writer")
    assert (one.on_bad_row, other.on_bad_row) == ("skip", "skip")


def test_overrides_reach_a_source_by_its_name_and_replace_another_kind(load):
    text = "data: {sources: [{source: files, path: a.csv}, {source: files, path: b.csv}]}\n"
    loaded = load(text, "data.sources.b.limit.train=5", "data.held_out=a")
    assert (loaded.data.sources["b"].limit.train, loaded.data.held_out) == (5, "a")
    single = "data: {source: files, path: c.csv, separator: ';'}\n"
    replaced = load(single, "data.sources=[{source: files, path: a.csv}]")
    assert [*replaced.data.sources] == ["a"]
    assert load(text, "data.source=files", "data.path=c.csv").data.path == "c.csv"


def test_a_list_replaces_the_sources_of_the_recipe_that_is_extended(load, tmp_path):
    (tmp_path / "base.yaml").write_text(
        BASE + "data: {sources: {x: {source: files, path: x.csv}}}\n", encoding="utf-8"
    )
    text = "extends: base.yaml\ndata: {sources: [{source: files, path: a.csv}]}\n"
    assert [*load(text).data.sources] == ["a"]


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"pth": "x"}, "reviews.yaml:5: unknown key 'data.sources.b.pth'; did you mean 'path'?"),
        ({"source": "flies"}, "unknown source 'flies'; did you mean 'files'?"),
        ({"folds": 3}, "sources.b.folds: is for all sources together"),
        ({"streaming": "true"}, "sources.b.streaming: is for all sources together"),
        ({"label_names": "[x, y]"}, "sources.b.label_names: is for all sources together"),
    ],
)
def test_a_mistake_in_a_source_is_one_message_with_its_line(load, keys, message):
    section = {"source": "files", "path": "b.csv", **keys}
    shown = ", ".join(f"{key}: {value}" for key, value in section.items())
    text = f"data:\n  sources: [{{source: files, path: a.csv}},\n    {{{shown}}}]\n"
    with pytest.raises(RecipeError, match=re.escape(message)):
        load(text)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"held_out": "aa"}, "held_out: no source is called 'aa'; did you mean 'a'?"),
        ({"held_out": "a", "target": files("t.csv")}, "held_out: 'a' would be a second domain"),
        ({"target": {"source": "several", "sources": {"x": files("x")}}}, "several sources are no"),
    ],
)
def test_a_source_that_cannot_be_held_out_is_refused(keys, message):
    with pytest.raises(RecipeError, match=re.escape(message)):
        Recipe.from_dict(listed(files("a.csv"), files("b.csv"), **keys))


def test_the_only_source_and_sources_within_sources_are_refused():
    with pytest.raises(RecipeError, match="held_out: 'a' is the only source"):
        Recipe.from_dict(listed(files("a.csv"), held_out="a"))
    within = {"source": "several", "sources": {"x": files("x.csv")}}
    with pytest.raises(RecipeError, match="several sources cannot stand within others"):
        Recipe.from_dict(listed(files("a.csv"), within))
    with pytest.raises(DataError, match="several sources stand where one is read"):
        Recipe.from_dict(listed(files("a.csv"))).data.load()


@pytest.mark.parametrize("name", ["", " ", "a\nb"])
def test_a_name_that_no_line_can_hold_is_refused(name):
    values = listed(files("a.csv"))
    values["data"]["sources"] = {name: files("a.csv")}
    with pytest.raises(RecipeError, match="expected a name in one line"):
        Recipe.from_dict(values)


def test_the_recipe_that_is_published_has_the_commit_of_each_source():
    hub = {"source": "hub", "path": "owner/reviews"}
    loaded = Recipe.from_dict(listed(files("a.csv"), hub))
    commits = {"a": {"sha256": "0"}, "reviews": {"commit": "b" * 40}}
    published = lock.pinned(loaded, {"model": {}, "data": {"sources": commits}})
    assert published["data"]["sources"]["reviews"]["revision"] == "b" * 40
    assert "revision" not in published["data"]["sources"]["a"]


def test_tasks_without_one_prediction_for_an_example_have_no_source_that_is_held_out():
    values = {**listed(files("a.csv"), files("b.csv"), held_out="b"), "task": "masked_lm"}
    with pytest.raises(RecipeError, match=r"data\.held_out: masked_lm does not predict"):
        Recipe.from_dict(values)


def test_a_stage_without_labels_does_not_read_the_source_that_is_held_out(tmp_path):
    file = tmp_path / "two.yaml"
    file.write_text(
        "model: some/model\ndata:\n  held_out: b\n  sources:\n"
        "    a: {source: files, path: a.csv, columns: {label: stars}}\n"
        "    b: {source: files, path: b.csv}\n"
        "stages: [{task: masked_lm}, {task: text_classification}]\n",
        encoding="utf-8",
    )
    first, last = graft.load(file).stages
    assert ([*first.data.sources], first.data.held_out) == (["a"], None)
    assert first.data.sources["a"].columns == {}
    assert ([*last.data.sources], last.data.held_out) == (["a", "b"], "b")


def test_the_schema_has_lists_and_names_of_sources():
    built = json.loads(SCHEMA.read_text(encoding="utf-8"))  # which is compared when it is written
    options = built["properties"]["data"]["anyOf"]
    several = next(o for o in options if o["properties"]["source"]["const"] == "several")
    assert several["required"] == ["sources"]
    kinds = several["properties"]["sources"]["anyOf"]
    assert [kind["type"] for kind in kinds] == ["array", "object"]
    assert kinds[0]["items"] == {"$ref": "#/properties/data"}
