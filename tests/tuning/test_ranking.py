"""`graft rank`: features first, then short trainings of the best."""

import re

import pytest
from grafting import write_recipe

from pipelines.cli import main
from pipelines.tuning.ranking.rank import RankRequest


@pytest.fixture
def recipe(checkpoint, text_data, tmp_path, monkeypatch):
    monkeypatch.setenv("GRAFT_CACHE", str(tmp_path / "cache"))
    training = {"num_train_epochs": 1}
    return str(write_recipe(tmp_path, checkpoint("bert"), text_data, training=training))


def test_checkpoints_are_ordered_by_their_probe_and_what_cannot_load_is_a_line(
    recipe, checkpoint, tmp_path, capsys
):
    names = [str(checkpoint("bert")), str(checkpoint("roberta")), str(tmp_path / "nothing")]
    assert main(["rank", recipe, "--checkpoints", *names, "--finalists", "0"]) == 0
    out, err = capsys.readouterr()
    rows = re.findall(
        r"^(/\S+) +([\d.]+) +[\d.]+ +([\d.]+) +[\d.]+ +(-?[\d.]+) ", out, re.MULTILINE
    )
    assert {row[0] for row in rows} == set(names[:2])
    assert float(rows[0][1]) >= float(rows[1][1])
    assert f"{names[2]}: no such folder" in out
    assert f"{names[2]}: {names[2]}" not in out
    assert "paired over folds" in out
    assert f"model.checkpoint={rows[0][0]}" in out
    assert not err


@pytest.mark.slow
def test_the_best_are_trained_and_half_of_them_go_on(recipe, checkpoint, capsys):
    names = [str(checkpoint(name)) for name in ("bert", "roberta", "distilbert")]
    assert main(["rank", recipe, "--checkpoints", *names, "--finalists", "3"]) == 0
    trained = re.findall(r"^  (/\S+), 30 steps: [\d.]+$", capsys.readouterr().out, re.MULTILINE)
    assert set(trained) == set(names)


@pytest.mark.parametrize(("limit", "num_rows"), [(20, 20), (5000, 1000), (None, 1000)])
def test_no_more_rows_are_read_than_the_recipe_has(recipe, limit, num_rows):
    overrides = (f"data.limit.train={limit}",) if limit else ()
    request = RankRequest(recipe, overrides, ("a", "b"), 1000, 0)
    assert request.sample("a").data.limit.train == num_rows


@pytest.mark.parametrize(
    ("written", "trained"),
    [
        ("{name: peft, peft_type: LOHA, r: 4}", ("peft", 4)),
        ("{name: lora, r: 3}", ("lora", 3)),
        ("linear_probe", ("full", None)),
    ],
)
def test_the_best_are_trained_by_the_strategy_as_it_stands_there(recipe, written, trained):
    request = RankRequest(recipe, (f"strategy={written}",), ("a", "b"), 1000, 2)
    strategy = request.short_training("b", 30).strategy
    assert (strategy.name, getattr(strategy, "r", None)) == trained


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--checkpoints", "a"], "--checkpoints: a: expected two or more"),
        (["--from", "absent.txt"], "--from absent.txt: cannot be read"),
        (["--checkpoints", "a", "b", "--rows", "3"], "--rows 3: expected 50 or more"),
        (["--checkpoints", "a", "b", "--finalists", "-1"], "--finalists -1: expected 0 or more"),
    ],
)
def test_what_cannot_be_ranked_is_refused(recipe, options, message, capsys):
    assert main(["rank", recipe, *options]) == 2
    assert message in capsys.readouterr().err


def test_a_file_names_checkpoints_with_remarks(tmp_path):
    from pipelines.tuning.ranking.checkpoints import collect

    path = tmp_path / "names.txt"
    path.write_text("# the small ones\n\na\nb # quick\na\n", encoding="utf-8")
    assert collect(["c"], str(path)) == ("c", "a", "b")


def test_a_task_without_a_linear_head_is_refused(checkpoint, tmp_path, capsys):
    (tmp_path / "texts.txt").write_text("one two three\n" * 60, encoding="utf-8")
    path = write_recipe(tmp_path, checkpoint("gpt2"), tmp_path / "texts.txt", task="causal_lm")
    assert main(["rank", str(path), "--checkpoints", "a", "b"]) == 2
    assert "causal_lm" in capsys.readouterr().err
