"""Probes of pairs: texts in one sequence, or compared by the vector of each."""

import shutil
from random import Random

import numpy as np
import pytest
import tiny
from datasets import Dataset
from example_run import evidence
from grafting import fit, graft, prepare, problem
from printed import printed
from references import softmax
from tiny_run import TinyRun

from pipelines.core.errors import ModelError, RecipeError
from pipelines.core.labels import REGRESSION, SINGLE, Labels
from pipelines.features.pair_rows import PairRows, PairTemplate, TextRows
from pipelines.models.output.reload import library_of, reload
from pipelines.report.card_metadata import LIBRARY_NAMES
from pipelines.report.space import app_code
from pipelines.report.usage import prediction_set_usage, usage
from pipelines.workflow.explain import explain
from pipelines.workflow.export import export

APART = {"name": "linear_probe", "pairs": "apart"}


def pairs(folder, label):
    """Write pairs of which half are equal, each text a few words; `label(a, b)` of both."""
    folder.mkdir(parents=True)
    for split, num_rows in tiny.NUM_ROWS.items():
        random, rows = Random(split), []
        for number in range(num_rows):
            one, two = (" ".join(random.choices(tiny.WORDS, k=5)) for _ in range(2))
            two = one if number % 2 else two
            rows.append({"sentence1": one, "sentence2": two, "label": label(one, two)})
        Dataset.from_list(rows).to_parquet(folder / f"{split}.parquet")
    return folder


def overlap(one, two):
    one, two = set(one.split()), set(two.split())
    return len(one & two) / len(one | two)


@pytest.fixture(scope="module")
def same(checkpoint, tmp_path_factory):
    """A probe that tells equal texts from others."""
    folder = tmp_path_factory.mktemp("same")
    data = pairs(folder / "data", lambda a, b: "same" if a == b else "other")
    return graft(folder, checkpoint("bert"), data, strategy=APART)


def reloaded(trained):
    task, labels = trained.prepared.recipe.task, trained.prepared.data.labels
    predict = reload(trained.folder, library_of(trained.folder), task, labels)
    return predict(trained.prepared.data.validation)["logits"]


def lines_of(trained):
    shown = evidence(
        task=trained.prepared.recipe.task,
        labels=trained.prepared.data.labels,
        library=trained.fitted.output.library,
        pair=True,
    )
    row = trained.prepared.data.validation[0]
    return shown, usage(shown, trained.folder.as_posix(), repr((row["text"], row["text_pair"])))


def test_a_space_shows_what_the_folder_predicts(same):
    task, labels = same.prepared.recipe.task, same.prepared.data.labels
    library, row = library_of(same.folder), same.prepared.data.validation[0]
    shown = app_code.ShownModel(same.folder.as_posix(), library, task, labels, pair=True)
    variables = {"__name__": "app"}
    exec(app_code.write(shown), variables)
    answer = variables["predict"](row["text"], row["text_pair"])
    expected = softmax(reloaded(same))[0]
    assert answer == pytest.approx(dict(zip(labels.names, expected, strict=True)), abs=1e-5)


@pytest.mark.parametrize("family", ["bert", "roberta", "distilbert", "deberta-v2"])
def test_texts_are_cut_out_of_pairs_as_the_tokenizer_encodes_them(checkpoint, tmp_path, family):
    ready = prepare(tmp_path, checkpoint(family), problem(tmp_path / "data", "pairs"))
    tokenizer, raw = ready.checkpoint.processor, ready.data.train
    cut = PairRows(ready.encoded["train"], PairTemplate.of(tokenizer))
    assert cut.are_pairs
    for side, column in enumerate(("text", "text_pair")):
        rows = TextRows(cut, side)
        expected = tokenizer(raw[column][:])["input_ids"]
        assert [rows[i]["input_ids"] for i in range(len(rows))] == expected
        assert [*rows.lengths] == [*map(len, expected)]
        assert rows[0]["labels"] == ready.encoded["train"][0]["labels"]


def test_a_tokenizer_that_puts_nothing_between_texts_has_no_template(checkpoint):
    from transformers import AutoTokenizer

    assert PairTemplate.of(AutoTokenizer.from_pretrained(checkpoint("gpt2"))) is None


@pytest.mark.numerical
def test_a_saved_head_on_two_vectors_predicts_the_same(same):
    assert library_of(same.folder) == "sentence-pairs"
    assert not (same.folder / "config.json").exists()
    logits = same.logits()
    np.testing.assert_allclose(reloaded(same), logits, atol=1e-4)
    assert np.mean(logits.argmax(1) == same.prepared.targets["validation"]) > 0.9
    hotter = same.fitted.output.with_temperature(2.0, None)
    rows, read = same.prepared.rows("validation"), same.prepared.recipe.task.collect
    halved = hotter.run(rows, same.prepared.collate, read)
    np.testing.assert_allclose(2 * halved["logits"], logits, atol=1e-4)


def test_the_printed_lines_of_a_pair_give_the_same(same):
    shown, lines = lines_of(same)
    label, score = printed(lines)
    expected = softmax(same.logits())[0]
    assert label == same.prepared.data.labels.names[expected.argmax()]
    assert score == pytest.approx(expected.max(), abs=1e-4)
    sets = prediction_set_usage(shown, same.folder.as_posix(), 0.0)
    assert printed(sets) == [[*shown.labels.names]]
    assert LIBRARY_NAMES[shown.library] == "sentence-transformers"


@pytest.mark.numerical
def test_numbers_follow_from_the_similarity_of_two_texts(checkpoint, tmp_path):
    data = pairs(tmp_path / "data", overlap)
    trained = graft(tmp_path, checkpoint("bert"), data, strategy="linear_probe")
    assert trained.prepared.data.labels.problem_type == REGRESSION
    kind, _, pooling = trained.fitted.chosen["pooling"].partition(":")
    assert (kind in ("similarity", "apart"), pooling in ("mean", "cls")) == (True, True)
    tried = {entry["pooling"] for entry in trained.fitted.history}
    assert {"head", "mean", "similarity:mean", "apart:mean"} <= tried
    np.testing.assert_allclose(reloaded(trained), trained.logits(), atol=1e-4)
    (number,) = printed(lines_of(trained)[1])
    assert number == pytest.approx(float(trained.logits()[0, 0]), abs=1e-4)


def test_texts_stay_together_on_request_and_where_they_are_no_pairs(
    checkpoint, text_data, tmp_path
):
    data = pairs(tmp_path / "data", overlap)
    together = {"name": "linear_probe", "pairs": "together"}
    for number, sections in enumerate(
        (
            {"data": data, "strategy": together},
            {"data": data, "strategy": {"name": "linear_probe", "pooling": "head"}},
            {"data": text_data, "strategy": "linear_probe"},
        )
    ):
        folder = tmp_path / str(number)
        ready = prepare(folder, checkpoint("bert"), **sections)
        fitted = fit(ready, folder)
        assert not any(":" in entry["pooling"] for entry in fitted.history)


@pytest.mark.parametrize(
    ("strategy", "reason"),
    [
        ({"head": "mlp"}, "head 'mlp'"),
        ({"layer": "mean"}, "layer 'mean'"),
        ({"pooling": "head"}, "pooling 'head'"),
        ({"pooling": "last"}, "pooling 'last'"),
    ],
)
def test_what_no_head_on_two_vectors_has_is_refused(checkpoint, tmp_path, strategy, reason):
    data = problem(tmp_path / "data", "pairs")
    ready = prepare(tmp_path, checkpoint("bert"), data, strategy={**APART, **strategy})
    with pytest.raises(RecipeError, match=f"strategy.pairs: 'apart': {reason}; expected 'auto'"):
        fit(ready, tmp_path)


def test_single_texts_and_pairs_that_were_cut_off_are_refused(
    checkpoint, text_data, tmp_path, capsys
):
    ready = prepare(tmp_path, checkpoint("bert"), text_data, strategy=APART)
    with pytest.raises(RecipeError, match="examples are no pairs of texts"):
        fit(ready, tmp_path)
    short = {"name": "text_classification", "max_length": 6}
    data = problem(tmp_path / "data", "pairs")
    for strategy in (APART, "linear_probe"):
        ready = prepare(tmp_path, checkpoint("bert"), data, task=short, strategy=strategy)
        if strategy == APART:
            with pytest.raises(RecipeError, match="pairs were cut off at 6 tokens"):
                fit(ready, tmp_path)
    assert not any(":" in entry["pooling"] for entry in fit(ready, tmp_path).history)
    says = "texts of a pair are read in one sequence: pairs were cut off at 6 tokens"
    assert says in capsys.readouterr().out


def test_a_run_predicts_pairs_and_refuses_what_needs_one_sequence(same, text_checkpoint, tmp_path):
    labels = Labels(SINGLE, ("other", "same"), ("other", "same"))
    columns = {"text": "text", "text_pair": "text_pair", "label": "label"}
    run = TinyRun(tmp_path, text_checkpoint, labels=labels, columns=columns)
    shutil.rmtree(run.folder.model)
    shutil.copytree(same.folder, run.folder.model)
    rows = same.prepared.data.validation.select(range(4))
    rows.to_csv(tmp_path / "rows.csv")
    table = run.run.predict(tmp_path / "rows.csv")
    assert np.allclose(table.probability, softmax(same.logits())[:4].max(1), atol=1e-4)
    assert run.run.model().encode("a").shape == (32,)
    for use in (lambda: explain(run.run, [], None, None), lambda: export(run.run)):
        with pytest.raises(ModelError, match=r"encoded apart; .*strategy\.pairs=together"):
            use()
    with pytest.raises(ModelError, match="a head on two vectors"):
        run.run.pipeline()
