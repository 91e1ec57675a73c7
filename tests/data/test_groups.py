"""`data.group`: rows of one patient, speaker or document are never on both sides of a cut."""

import itertools
import json

import numpy as np
import pytest
from datasets import ClassLabel, Dataset, Features, Value
from grafting import write_recipe
from PIL import Image

from pipelines import data, recipe
from pipelines.core.errors import DataError, RecipeError
from pipelines.data import group_counts, group_draws, group_findings, group_folds
from pipelines.data.sources.files import Files
from pipelines.tasks.causal_lm import CausalLm
from pipelines.tasks.image_classification import ImageClassification
from pipelines.tasks.question_answering import QuestionAnswering
from pipelines.tasks.text_classification import TextClassification
from pipelines.tasks.token_classification import TokenClassification
from pipelines.workflow.prepare import prepare

UNEVEN = [1, 2, 3, 5, 8, 13] * 4  # rows of 24 patients


@pytest.fixture
def load(tmp_path, own_cache):
    """load({split: columns}, **section): the data, grouped by 'patient'."""

    def load(splits, /, task=None, seed=42, max_fold_rows=0, **section):
        for name, columns in splits.items():
            Dataset.from_dict(columns).to_parquet(tmp_path / f"{name}.parquet")
        section = {"group": "patient", **section}
        source = Files(source="files", path=str(tmp_path), **section)
        task = task or TextClassification()
        return data.load(source, task, seed, max_fold_rows=max_fold_rows)

    return load


def table(sizes=UNEVEN, labels=("a", "b"), first=0):
    """Rows of patients `P0`, `P1`…; texts are all different and begin with the patient."""
    patients = [f"P{first + i}" for i, size in enumerate(sizes) for _ in range(size)]
    texts = [f"{patient} visit {i}" for i, patient in enumerate(patients)]
    turns = itertools.cycle(labels)
    return {"text": texts, "label": [next(turns) for _ in texts], "patient": patients}


def patients(rows):
    return {text.split()[0] for text in rows["text"]}


def test_what_is_set_aside_has_other_groups_than_train(load):
    loaded = load({"train": table()}, splits={"validation": 0.2, "test": 0.2})
    seen = [patients(rows) for rows in loaded.datasets.values()]
    for one, other in itertools.combinations(seen, 2):
        assert not one & other
    assert len(set.union(*seen)) == len(UNEVEN)
    for split in (loaded.validation, loaded.test):
        assert len(split) / sum(UNEVEN) == pytest.approx(0.2, abs=0.03)
        assert split["label"][:].count("a") / len(split) == pytest.approx(0.5, abs=0.08)
    assert {*loaded.train.column_names} == {"text", "label"}  # the group is no input


def test_the_seed_draws_the_groups(load):
    drawn = [
        load({"train": table([9] * 30)}, seed=seed).validation["text"][:] for seed in (1, 1, 2)
    ]
    assert drawn[0] == drawn[1] != drawn[2]


def test_the_notes_say_how_many_groups_went_where(load):
    _, first, last = load({"train": table([10] * 20)}).notes
    assert first == (
        "no validation split: 10 % of train (20 examples, 2 of 20 groups) set aside, stratified, "
        "seed 42"
    )
    assert last == (
        "groups: 'patient': 18 in train (of 10 rows), 2 in validation; no cut or fold of train "
        "divides one"
    )
    (*_, same) = load({"train": table([1] * 20)}).notes
    assert same == "data.group: no two rows of train have the same 'patient': it changes nothing"


def test_a_single_large_group_is_set_aside_where_no_smaller_one_is(load):
    loaded = load({"train": table([40, 50])})
    assert (len(loaded.train), len(loaded.validation)) == (50, 40)


def test_every_class_keeps_a_group_in_train(load):
    rows = table([4] * 10)
    rows["label"][:4] = ["rare"] * 4  # whose rows are all of P0
    loaded = load({"train": rows}, splits={"validation": 0.5})
    assert "P0" in patients(loaded.train)
    assert "classes whose examples are all of one group, which stays in train: 1" in loaded.notes


@pytest.mark.parametrize("max_fold_rows", [1000, 0])
def test_groups_that_cannot_be_parted_are_refused(load, max_fold_rows):
    with pytest.raises(DataError, match=r"all 30 examples of train are of one group: no v"):
        load({"train": table([30])}, max_fold_rows=max_fold_rows)
    rows = table([10, 10])
    rows["label"] = rows["patient"]
    message = r"data\.group: 'patient': each of its 2 groups in train has all examples of a class"
    with pytest.raises(DataError, match=message):
        load({"train": rows}, max_fold_rows=max_fold_rows)


# Folds


def dealt(loaded, repeats=None):
    """(folds, groups, notes) of train."""
    rows, notes = loaded.splits["train"], []
    values = np.asarray(rows.dataset["label"][:])
    repeats = np.arange(len(rows)) if repeats is None else repeats
    folds = group_folds.deal(rows, values, repeats, loaded.num_folds, 42, notes.append)
    return folds, rows.groups.numbers, notes


def test_a_group_is_in_one_fold_and_folds_are_alike(load):
    loaded = load({"train": table()}, max_fold_rows=1000)
    folds, groups, _ = dealt(loaded)
    for group in np.unique(groups):
        assert len(np.unique(folds[groups == group])) == 1
    labels = np.asarray(loaded.train["label"][:])
    for label in ("a", "b"):
        sizes = np.bincount(folds[labels == label], minlength=5)
        assert sizes.max() - sizes.min() <= 4
    assert sum(np.bincount(folds) > 0) == 5


@pytest.mark.parametrize("keeper", [None, 0])
def test_groups_of_one_kind_are_dealt_at_once_as_one_after_the_other(monkeypatch, keeper):
    random = np.random.default_rng(0)
    groups, values = random.integers(0, 300, 900), random.choice(4, 900, p=[0.5, 0.4, 0.09, 0.01])
    dealt = [group_draws.deal(values, groups, [0.6, 0.4], seed, keeper=keeper) for seed in (1, 2)]
    assert np.any(dealt[0] != dealt[1])
    for value in range(4):
        is_first = dealt[0][values == value] == 0
        assert is_first.sum() == pytest.approx(0.6 * len(is_first), abs=2)
    monkeypatch.setattr(group_counts, "MAX_BATCH_CELLS", 1)
    one_by_one = group_draws.deal(values, groups, [0.6, 0.4], 1, keeper=keeper)
    np.testing.assert_array_equal(dealt[0], one_by_one)


def test_groups_with_an_example_in_common_are_in_one_fold(load):
    loaded = load({"train": table([5] * 20)}, max_fold_rows=1000)
    repeats = np.arange(100)
    repeats[[7, 42, 93]] = 7  # of three patients
    folds, groups, notes = dealt(loaded, repeats)
    assert len(np.unique(folds[np.isin(groups, groups[[7, 42, 93]])])) == 1
    assert len(np.unique(folds)) == 5
    assert not notes


def test_an_example_that_all_groups_have_does_not_unite_them(load):
    loaded = load({"train": table([5] * 20)}, max_fold_rows=1000)
    folds, groups, (note,) = dealt(loaded, np.arange(100) % 5)
    assert len(np.unique(folds)) == 5
    assert all(len(np.unique(folds[groups == group])) == 1 for group in np.unique(groups))
    assert note.startswith("folds: many groups by 'patient' have equal examples")


def test_fewer_groups_than_folds_are_refused_or_have_a_fold_each(load):
    assert load({"train": table([9, 9, 9])}, max_fold_rows=1000).num_folds == 3
    message = r"data\.folds: 5: train has 3 groups by 'patient'.*; expected at most 3, or auto"
    with pytest.raises(DataError, match=message):
        load({"train": table([9, 9, 9])}, max_fold_rows=1000, folds=5)
    # groups of which the limit leaves nothing are not there
    with pytest.raises(DataError, match=r"train has \d groups by 'patient'"):
        load({"train": table([1] * 90)}, max_fold_rows=1000, folds=20, limit={"train": 8})


def test_of_one_group_that_is_left_there_are_no_folds(load):
    train = load({"train": table([5, 5])}).splits["train"]
    zeros = np.zeros(len(train))
    with pytest.raises(DataError, match="of one group by 'patient' there are no folds"):
        group_folds.deal(train, zeros, np.arange(len(train)), 5, 42, print)


def test_a_run_deals_whole_groups(tmp_path, text_checkpoint):
    Dataset.from_dict(table([4] * 6)).to_parquet(tmp_path / "train.parquet")
    path = write_recipe(tmp_path / "run", text_checkpoint, tmp_path, strategy="linear_probe")
    ready = prepare(recipe.load(path, ["data.group=patient"]))
    assert np.array_equal(ready.folds[::4], ready.folds[3::4])
    assert np.bincount(ready.folds).tolist() == [8, 4, 4, 4, 4]
    assert ready.recipe.data.group == "patient"  # recorded


def test_a_class_of_one_group_is_a_finding_as_no_fold_learns_it(tmp_path, text_checkpoint):
    rows = table([4] * 6)
    rows["label"][:4] = ["rare"] * 4
    Dataset.from_dict(rows).to_parquet(tmp_path / "train.parquet")
    path = write_recipe(tmp_path / "run", text_checkpoint, tmp_path, strategy="linear_probe")
    warnings = [*prepare(recipe.load(path, ["data.group=patient"])).findings.warnings()]
    assert any(
        "in one fold: 'rare'; " in line
        and "so 4 of 24 examples count as mistakes" in line
        and "add examples of other groups by 'patient'" in line
        for line in warnings
    ), warnings


# Given splits


def test_groups_that_given_splits_share_are_found(load):
    splits = {"train": table([5] * 8), "validation": table([5] * 4, first=20)}
    loaded = load({**splits, "test": table([10, 5, 5], first=7)})
    (finding,) = group_findings.shared(loaded.splits)
    assert (finding.severity, finding.split, finding.rows) == ("error", "test", (0, 1, 2, 3, 4))
    assert finding.message == (
        "1 of 3 groups of test by 'patient' are in train, too ('P7'), with 10 of 20 test examples "
        "(50 %): scores on these are not those of new groups"
    )
    rare = load({**splits, "test": table([1, 30], first=7)})
    (finding,) = group_findings.shared(rare.splits)
    assert finding.severity == "warning"


def test_a_split_without_the_column_is_noted(load):
    rows = table([5] * 4)
    loaded = load({"train": rows, "dev": {"text": ["x", "y"], "label": ["a", "b"]}})
    note = "validation: no column 'patient' (data.group): its groups are not known"
    assert note in loaded.notes
    assert not [*group_findings.shared(loaded.splits)]


# The column


def test_an_unknown_column_is_answered_with_the_nearest(load):
    with pytest.raises(
        DataError, match=r"data\.group: train has no column 'pateint'; did you mean"
    ):
        load({"train": table()}, group="pateint")


def test_rows_without_a_value_are_groups_of_their_own(load):
    rows = table([6] * 10)
    rows["patient"][:30] = [None, "", " "] * 10
    loaded = load({"train": rows}, splits={"validation": 0.5})
    note = "train: 30 of 60 rows have no 'patient' (data.group): each is a group of its own"
    assert note in loaded.notes
    assert loaded.splits["train"].groups.count + loaded.splits["validation"].groups.count == 35
    with pytest.raises(DataError, match=r"'patient' is empty in all rows of train"):
        load({"train": {**rows, "patient": [None] * 60}})


@pytest.mark.parametrize(
    ("train", "test"),
    [
        ([7, 8] * 10, ["7", "9"]),
        ([7.0, None] * 10, [7, 9]),
        ([True, False] * 10, ["true", "no"]),
        (["7 ", "8"] * 10, ["7", "9"]),
    ],
)
def test_equal_values_of_other_types_are_one_group(load, train, test):
    rows = {"text": [f"x {i}" for i in range(20)], "label": ["a", "a", "b", "b"] * 5}
    other = {"text": ["y", "z"], "label": ["a", "b"]}
    loaded = load({"train": {**rows, "patient": train}, "test": {**other, "patient": test}})
    (finding,) = [f for f in group_findings.shared(loaded.splits) if f.split == "test"][:1]
    assert "with 1 of 2 test examples" in finding.message


def test_classes_are_grouped_by_their_names(tmp_path, load):
    rows = table([5] * 4)
    for split, names in (("train", ["P0", "P1", "P2", "P3"]), ("test", ["P9", "P0"])):
        features = Features(text=Value("string"), label=Value("string"))
        features["patient"] = ClassLabel(names=names)
        columns = {**rows, "patient": [names[i % len(names)] for i in range(20)]}
        Dataset.from_dict(columns, features).to_parquet(tmp_path / f"{split}.parquet")
    loaded = load({})
    (finding,) = [f for f in group_findings.shared(loaded.splits) if "train" in f.message][:1]
    assert "1 of 2 groups of test by 'patient' are in train, too ('P0')" in finding.message


@pytest.mark.parametrize("values", [[["A", "B"]] * 20, [{"id": 1}] * 20, [b"x"] * 20])
def test_a_column_without_single_values_is_refused(load, values):
    rows = {**table([20]), "patient": values}
    advice = "data.group=patient.id" if isinstance(values[0], dict) else "speaker or a document$"
    message = rf"data\.group: 'patient' of train holds .* expected one v.*{advice}"
    with pytest.raises(DataError, match=message):
        load({"train": rows})


def test_a_field_and_another_spelling_of_the_column_are_found(load):
    rows = table([5] * 8)
    nested = {**rows, "meta": [{"id": patient} for patient in rows["patient"]]}
    loaded = load({"train": nested}, group="meta.id")
    assert not patients(loaded.train) & patients(loaded.validation)
    renamed = {"text": rows["text"], "label": rows["label"], "Patient": rows["patient"]}
    loaded = load({"train": rows, "test": renamed})
    assert any(
        "test by 'patient' are in" in f.message for f in group_findings.shared(loaded.splits)
    )


def test_the_column_is_no_input_although_it_could_be_one(load):
    articles = {"article": [f"news {i}" for i in range(40)], "document": ["d", "e", "f", "g"] * 10}
    loaded = load({"train": articles}, task=CausalLm(), group="document")
    assert loaded.train["text"][0].startswith("news")
    titles = [f"the long title {i // 4}" for i in range(40)]
    loaded = load({"train": {**table([4] * 10), "title": titles}}, group="title")
    assert not loaded.unused_texts


def test_a_column_that_the_task_needs_is_grouped_by_as_well(load):
    contexts = [f"In {year} it rained." for year in range(1980, 2000) for _ in range(2)]
    answers = [{"text": [text[3:7]], "answer_start": [3]} for text in contexts]
    rows = {"question": ["When?", "Which year?"] * 20, "context": contexts, "answers": answers}
    loaded = load({"train": rows}, task=QuestionAnswering(), group="context")
    assert not {*loaded.train["context"]} & {*loaded.validation["context"]}
    pairs = {"text": contexts, "label": ["a", "b"] * 20}
    loaded = load({"train": pairs}, group="text", columns={"text": "text", "label": "label"})
    assert not {*loaded.train["text"]} & {*loaded.validation["text"]}


def test_sentences_have_the_group_of_their_first_word(load):
    numbers = [i // 2 for i in range(80)]
    words = {
        "sentence_id": numbers,
        "word": [f"w{i // 10}" for i in range(80)],
        "tag": ["O", "B-PER"] * 40,
        "patient": [f"D{number // 5}" if i % 2 == 0 else None for i, number in enumerate(numbers)],
    }
    loaded = load({"train": words}, task=TokenClassification(), splits={"validation": 0.5})
    train, validation = ({s[0] for s in rows["tokens"]} for rows in loaded.datasets.values())
    assert len(train) == len(validation) == 4
    assert not train & validation


def test_images_are_grouped_by_a_column_of_their_metadata(tmp_path, load):
    lines = []
    for i in range(24):
        Image.new("L", (4, 4), i).save(tmp_path / f"{i}.png")
        line = {"file_name": f"{i}.png", "label": "ab"[i % 2], "patient": f"P{i // 4}"}
        lines.append(json.dumps(line))
    (tmp_path / "metadata.jsonl").write_text("\n".join(lines), encoding="utf-8")
    loaded = load({}, task=ImageClassification(), splits={"validation": 0.3})
    groups = [rows.groups.numbers for rows in loaded.splits.values()]
    assert not np.intersect1d(*groups).size
    assert [len(rows) for rows in groups] == [16, 8]


def test_a_column_that_is_likely_to_group_rows_is_noted_where_rows_are_cut(load):
    note = "column 'patient' may say which rows belong together: data.group=patient keeps those"
    assert note in load({"train": table([5] * 8)}, group=None).notes[-1]
    for unlikely in (table([1] * 40), table([40])):
        assert "data.group" not in str(load({"train": unlikely}, group=None).notes)
    given = {"train": table([5] * 8), "dev": table([5] * 2)}
    assert "data.group" not in str(load(given, group=None).notes)


@pytest.mark.parametrize("key", [{"group": "patient"}, {"limit_per_class": 8}])
def test_a_stream_has_neither_groups_nor_counted_classes(key):
    section = {"source": "files", "path": "x", "streaming": True, **key}
    values = {"task": "text_classification", "model": "x", "strategy": "full", "data": section}
    with pytest.raises(RecipeError, match=rf"data\.{next(iter(key))}: .*stream"):
        recipe.Recipe.from_dict({**values, "training": {"max_steps": 1}})
