"""Finished runs, whose probabilities are averaged with weights from validation."""

import json

import numpy as np
import pytest
import torch
from grafting import graft, problem, write_recipe
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from pipelines.cli import main
from pipelines.evaluation import mixture

LABELS = {0: "negative", 1: "positive"}


@pytest.fixture
def finished(checkpoint, text_data, tmp_path):
    """Make a finished run of a model that knows a share of the words; nothing is trained."""

    def finished(name, words=(), size=0.7, family="bert", data=text_data, **sections):
        folder = tmp_path / name
        recipe = write_recipe(folder, checkpoint(family), data, strategy="full", **sections)
        (folder / "lock.json").write_text("{}")
        (folder / "metrics.json").write_text("{}")
        tokenizer = AutoTokenizer.from_pretrained(checkpoint(family))
        torch.manual_seed(0)
        model = AutoModelForSequenceClassification.from_pretrained(
            checkpoint(family), id2label=LABELS, label2id={n: i for i, n in LABELS.items()}
        )
        _teach(model, tokenizer, words, size)
        model.save_pretrained(folder / "model")
        tokenizer.save_pretrained(folder / "model")
        assert recipe.parent == folder
        return str(folder)

    return finished


def _teach(model, tokenizer, words, size):
    """Solve the head on single words, of which the first half is negative."""
    if not words:
        return
    inputs = tokenizer(list(words), return_tensors="pt")
    with torch.no_grad():
        features = model.bert(**inputs).pooler_output
        ones = torch.ones(len(words), 1)
        sides = torch.tensor([-1.0] * (len(words) // 2) + [1.0] * (len(words) // 2))
        solved = torch.linalg.lstsq(torch.cat([features, ones], 1), size * sides).solution
        model.classifier.weight.copy_(torch.stack([-solved[:-1], solved[:-1]]))
        model.classifier.bias.copy_(torch.stack([-solved[-1], solved[-1]]))


def ensemble(tmp_path, *runs):
    return main(["ensemble", *runs, "--to", str(tmp_path / "out")])


def test_models_that_know_different_words_know_more_together(finished, tmp_path, capsys):
    one = finished("one", ("awful", "bad", "fine", "good"), size=3)
    other = finished("other", ("poor", "bad", "great", "good"), size=3)
    assert ensemble(tmp_path, one, other) == 0
    output = capsys.readouterr().out
    written = json.loads((tmp_path / "out/ensemble.json").read_text())
    rows = [line.split() for line in output.splitlines() if "0." in line and " weights" in line]
    assert len(rows) == 2
    assert sum(written["weights"].values()) == pytest.approx(1)
    assert set(written["weights"]) == {"0-transformers", "1-transformers"}
    # the printed lines need no Graft, and give the weighed mean
    code = output[output.index("import json") :].replace('"…"', '"a great film"')
    assert "pipelines" not in code
    lines = {}
    exec(code, lines)
    printed = capsys.readouterr().out
    expected = sum(
        weight * _probability(tmp_path / "out" / name, "a great film")
        for name, weight in written["weights"].items()
    )
    assert printed.startswith("positive " if expected > 0.5 else "negative ")
    assert lines["totals"]["positive"] == pytest.approx(expected, abs=1e-5)
    assert code.splitlines()[0] in (tmp_path / "out/README.md").read_text()
    # never again into the same folder
    assert ensemble(tmp_path, one, other) == 2
    assert "holds something" in capsys.readouterr().err


def _probability(folder, text):
    model = AutoModelForSequenceClassification.from_pretrained(folder)
    inputs = AutoTokenizer.from_pretrained(folder)(text, return_tensors="pt")
    with torch.no_grad():
        return float(model(**inputs).logits.softmax(-1)[0, 1])


def test_a_model_that_adds_nothing_is_left_out(finished, tmp_path, capsys):
    words = ("awful", "bad", "poor", "fine", "good", "great")
    # it takes good words for bad ones
    reversed_words = [*words[3:], *words[:3]]
    assert ensemble(tmp_path, finished("taught", words), finished("wrong", reversed_words)) == 0
    written = json.loads((tmp_path / "out/ensemble.json").read_text())
    assert [*written["weights"].values()] == [1.0]
    assert "taught alone is as good" in capsys.readouterr().out
    assert not (tmp_path / "out/1-transformers").exists()


def _train_alone(text_data, folder):
    """Copy train, without the splits beside it."""
    (folder / "few").mkdir()
    (folder / "few/train.csv").write_text((text_data / "train.csv").read_text())
    return folder / "few"


def test_without_a_validation_split_all_weights_are_equal(finished, text_data, tmp_path, capsys):
    data = _train_alone(text_data, tmp_path)
    runs = [finished(name, data=data) for name in ("one", "other")]
    assert ensemble(tmp_path, *runs) == 0
    assert "weights are equal: folds of train" in capsys.readouterr().out
    written = json.loads((tmp_path / "out/ensemble.json").read_text())
    assert [*written["weights"].values()] == [0.5, 0.5]


@pytest.mark.slow
def test_a_plain_model_and_one_of_sentence_transformers_go_together(
    finished, checkpoint, text_data, tmp_path, capsys
):
    """Equal weights, since folds validate: both are used for certain."""
    data = _train_alone(text_data, tmp_path)
    plain, pooled = finished("plain", data=data), tmp_path / "pooled"
    strategy = {"name": "linear_probe", "pooling": "mean"}
    graft(pooled, checkpoint("bert"), data, strategy=strategy)
    (pooled / "lock.json").write_text("{}")
    (pooled / "metrics.json").write_text("{}")
    capsys.readouterr()
    assert ensemble(tmp_path, plain, str(pooled)) == 0
    output = capsys.readouterr().out
    lines = {}
    exec(output[output.index("import json") :].replace('"…"', '"a great film"'), lines)
    assert set(lines["ensemble"]["weights"]) == {"0-transformers", "1-sentence-transformers"}
    assert sum(lines["totals"].values()) == pytest.approx(1, abs=1e-5)
    alone = _probability(tmp_path / "plain/model", "a great film")
    pooled_share = 2 * lines["totals"]["positive"] - alone
    assert 0.5 < pooled_share < 1  # it has learned the word


def test_runs_that_cannot_be_averaged_are_refused(
    finished, image_data, text_data, tmp_path, capsys
):
    def reason(*runs):
        assert ensemble(tmp_path, *runs) == 2
        return capsys.readouterr().err

    run = finished("run")
    assert "only one run" in reason(run)
    assert "stands there twice" in reason(run, run)
    assert "not in a run folder" in reason(run, str(tmp_path / "nowhere"))
    numbers = [finished(name, data=problem(tmp_path / "numbers", "number")) for name in "ab"]
    assert "regression" in reason(*numbers)
    pairs = finished("pairs", task={"name": "masked_lm"})
    assert "task masked_lm" in reason(run, pairs)
    drawn = finished("drawn", data=text_data)
    recipe = (tmp_path / "drawn/recipe.yaml").read_text()
    limited = recipe.replace("source: files", "source: files\n  limit: {validation: 8}")
    (tmp_path / "drawn/recipe.yaml").write_text(limited)
    assert "its validation split has other rows" in reason(run, drawn)
    (tmp_path / "drawn/model/adapter_config.json").write_text("{}")
    assert "strategy.save=merged" in reason(run, drawn)
    (tmp_path / "drawn/model/side_by_side.json").write_text("{}")
    assert "side by side; expected a run of one checkpoint" in reason(run, drawn)


def test_weights_make_the_right_classes_likeliest():
    """Against a grid: no other mixture of two explains the rows better."""
    right = np.random.default_rng(0).beta([[4], [1]], [[2], [1]], (2, 200))
    grid = np.linspace(0, 1, 1001)
    likelihoods = np.log(np.outer(grid, right[0]) + np.outer(1 - grid, right[1])).mean(1)
    chosen = mixture.weights(right)
    assert chosen.sum() == pytest.approx(1)
    assert chosen[0] == pytest.approx(grid[likelihoods.argmax()], abs=2e-3)
    assert np.allclose(mixture.weights(np.array([[0.9, 0.8], [0.0, 0.1]])), [1, 0], atol=1e-3)
