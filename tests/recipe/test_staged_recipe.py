"""A recipe with stages -> one checked recipe for each, or every mistake with its place."""

from pathlib import Path

import pytest

import pipelines as graft
from pipelines import recipe
from pipelines.core.errors import RecipeError
from pipelines.recipe import StagedRecipe

TEXT = """\
model: {checkpoint: google-bert/bert-base-uncased, revision: v1}
data:
  source: hub
  path: nyu-mll/glue
  limit_per_class: 8
  target: {source: files, path: other.csv}
  columns: {text: question, text_pair: sentence, label: label}
training: {learning_rate: 1e-4, seed: 1}
hub: {repo_id: me/qnli}
stages:
  - task: {name: masked_lm, block_size: 128}
    data: {limit: {train: 500}}
  - task: text_classification
    strategy: {name: lora, r: 4}
    training:
      learning_rate: 5e-4
"""


@pytest.fixture
def load(tmp_path: Path):
    """load(text, *overrides): the recipe that stands in `qnli.yaml`."""

    def load(text: str = TEXT, *overrides: str) -> StagedRecipe:
        path = tmp_path / "qnli.yaml"
        path.write_text(text, encoding="utf-8")
        return graft.load(path, overrides)

    return load


@pytest.fixture
def problems(load):
    """problems(text, *overrides): the lines that say what is wrong, without the folder."""

    def problems(text: str = TEXT, *overrides: str) -> list[str]:
        with pytest.raises(RecipeError) as refusal:
            load(text, *overrides)
        return [line.rpartition("qnli.yaml")[2] for line in str(refusal.value).splitlines()]

    return problems


def test_stages_share_what_stands_above_them_and_add_to_it(load):
    staged = load()
    first, last = staged.stages
    assert (staged.name, first.task.name, last.task.name) == (
        "qnli",
        "masked_lm",
        "text_classification",
    )
    assert [stage.training["learning_rate"] for stage in staged.stages] == [1e-4, 5e-4]
    assert (first.data.limit.train, last.data.limit.train) == (500, None)
    assert (first.strategy.name, last.strategy.r) == ("auto", 4)
    # the whole run's: only what comes out at the end is pushed
    assert (first.hub.repo_id, last.hub.repo_id) == (None, "me/qnli")


def test_a_stage_without_labels_shares_the_texts_of_a_pair_and_nothing_of_labels(load, capsys):
    first, last = load(TEXT + "adaptation: mcc\nevaluation: {robustness: true}\n").stages
    assert capsys.readouterr().out.endswith(
        "stages.0: data.limit_per_class, data.target, adaptation, evaluation, "
        "data.columns.label, data.columns.text_pair: not for masked_lm; it reads the texts of "
        "question and sentence, joined\n"
    )
    assert (first.adaptation, last.adaptation.name) == (None, "mcc")
    assert (first.evaluation.robustness, last.evaluation.robustness) == (False, True)
    assert first.data.columns == {"text": ["question", "sentence"]}
    assert (first.data.limit_per_class, first.data.target) == (None, None)
    assert last.data.columns == {"text": "question", "text_pair": "sentence", "label": "label"}
    assert last.data.limit_per_class == 8


def test_overrides_reach_one_stage_or_all(load):
    overrides = [
        "stages.0.training.seed=5",
        "training.num_train_epochs=2",
        "stages.1.strategy=full",
    ]
    first, last = load(TEXT, *overrides).stages
    assert (first.training["seed"], last.training["seed"]) == (5, 1)
    assert [stage.training["num_train_epochs"] for stage in (first, last)] == [2, 2]
    assert last.strategy.name == "full"
    assert first.strategy.name == "auto"


def test_the_values_of_stages_load_again_from_python_too(load):
    staged = load(TEXT, "training.output_dir=elsewhere", "training.seed=2")
    assert graft.load(staged.values()) == staged
    changed = graft.load(staged, {"stages.1.training.seed": 3, "model": "bert-base"})
    assert [stage.training["seed"] for stage in changed.stages] == [2, 3]
    assert [stage.model.checkpoint for stage in changed.stages] == ["bert-base"] * 2


def test_a_recipe_without_stages_loads_as_before(load):
    text = "{task: causal_lm, model: gpt2, data: {source: hub, path: x/y}}"
    assert isinstance(load(text), graft.Recipe)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "learning_rate: 5e-4",
            "learning_rat: 1",
            ":16: stages.1: unknown key 'training.learning_r",
        ),
        (
            "block_size: 128",
            "block_size: x",
            ":11: stages.0: task.block_size: 'x': should be a val",
        ),
        ("task: text_classification", "metrics: [f1]", ":13: stages.1: missing key 'task'"),
        ("seed: 1", "seed: x", ":8: training.seed: 'x': should be a valid integer"),
        ("    strategy: {", "    name: x\n    strategy: {", ":14: stages.1: name: is one for all"),
        ("learning_rate: 5e-4", "output_dir: x", ":16: stages.1: training.output_dir: is one for"),
        (
            "    strategy: {",
            "    model: x\n    strategy: {",
            ":14: stages.1: model.checkpoint: fol",
        ),
        (
            "    data: {limit",
            "    strategy: {name: lora, save: adapter}\n    data: {limit",
            ":12: sta",
        ),
        ("  - task: text_classification", "  - text\n  - task: causal_lm", ":13: stages.1: 'text'"),
        ("label: label}", "labl: label}", None),  # a misspelled role is one of no stage
    ],
)
def test_mistakes_name_the_stage_with_file_and_line(problems, load, old, new, expected):
    if expected is None:
        assert load(TEXT.replace(old, new)).stages[0].data.columns["labl"] == "label"
        return
    assert [line[: len(expected)] for line in problems(TEXT.replace(old, new))] == [expected]


def test_mistakes_of_all_stages_are_reported_at_once_and_shared_ones_once(problems):
    text = TEXT.replace("5e-4", "x").replace("128", "y").replace("seed: 1", "seed: z")
    assert sorted(line.split(":")[1] for line in problems(text)) == ["11", "16", "8"]


@pytest.mark.parametrize("stages", ["", " []", " masked_lm", " {task: masked_lm}"])
def test_stages_are_a_list(problems, stages):
    text = f"{TEXT.partition('stages:')[0]}stages:{stages}\n"
    assert problems(text)[0].startswith(":10: stages: expected a list of one or more")


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        (
            "stages.2.training.seed=1",
            "command line: 'stages.2.training.seed': expected a key of st",
        ),
        ("stages=[]", "command line: 'stages': expected a key of stages.0 to stages.1"),
        ("stages.1.model=x", "command line: stages.1: model.checkpoint: follows from the stage"),
        ("stages.0.strategy=linear_probe", "command line: stages.0: strategy.name: 'linear_probe'"),
    ],
)
def test_overrides_that_no_stage_can_have_are_refused(load, override, expected, tmp_path):
    load()
    from pipelines.recipe import staged

    with pytest.raises(RecipeError) as refusal:
        staged.load(tmp_path / "qnli.yaml", [override])
    assert str(refusal.value).startswith(expected)


def test_what_takes_one_recipe_says_so(load, tmp_path):
    load()
    with pytest.raises(RecipeError, match="'stages' are for `graft run`, `graft check`"):
        recipe.load(tmp_path / "qnli.yaml")


def test_no_test_split_is_cut_from_the_rows_of_a_stage_before_the_last(load, capsys):
    shares = "  splits: {validation: 0.1, test: 0.2}\n  limit_per_class: 8\n"
    staged = load(TEXT.replace("  limit_per_class: 8\n", shares))
    first, last = (stage.data.splits for stage in staged.stages)
    assert (first.test, last.test) == (None, 0.2)
    assert (first.validation, last.validation) == (0.1, 0.1)
    assert "data.splits.test: 0.2: only the last stage is tested" in capsys.readouterr().out
    assert recipe.staged.from_values(staged.values()) == staged
