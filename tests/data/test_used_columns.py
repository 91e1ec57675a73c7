"""Which columns are read: known layouts whole, others if the recipe names them, none lost."""

import pytest
from datasets import Dataset

from pipelines import data
from pipelines.core.errors import DataError
from pipelines.data.sources.files import Files
from pipelines.tasks.multiple_choice import MultipleChoice
from pipelines.tasks.text_classification import TextClassification
from pipelines.tasks.token_classification import TokenClassification

pytestmark = pytest.mark.usefixtures("own_cache")

NUM_ROWS = 8
SENTENCE = "the ferry left before the storm"


@pytest.fixture
def load(tmp_path):
    """load(task, **columns) -> Data; a column is a list, or a text to which a number is added."""

    def load(task, /, section=None, **columns):
        rows = {
            name: [f"{value} {row}" for row in range(NUM_ROWS)] if isinstance(value, str) else value
            for name, value in columns.items()
        }
        for split in ("train", "validation"):
            Dataset.from_dict(rows).to_parquet(tmp_path / f"{split}.parquet")
        source = Files(source="files", path=str(tmp_path), **(section or {}))
        return data.load(source, task(), seed=42)

    return load


LABELS = [0, 1] * (NUM_ROWS // 2)


@pytest.mark.parametrize(
    ("first", "second", "label"),
    [
        ("question", "sentence", "label"),
        ("premise", "hypothesis", "gold_label"),
        ("question", "passage", "answer"),
        ("sentence1", "sentence2", "label"),
        ("text_a", "text_b", "label"),
        ("question1", "question2", "is_duplicate"),
        ("Claim", "Evidence", "Label"),
        ("question", "answer", "label"),
    ],
)
def test_both_texts_of_a_known_pair_are_read(load, first, second, label):
    loaded = load(TextClassification, **{second: "and", label: LABELS, first: SENTENCE})
    assert loaded.train[1] == {"text": f"{SENTENCE} 1", "text_pair": "and 1", "label": 1}
    assert f"columns: text is '{first}', text_pair is '{second}'" in loaded.notes[0]


def test_three_texts_of_a_known_layout_are_read(load):
    texts = {"paragraph": SENTENCE, "question": "when", "answer": "noon"}
    loaded = load(TextClassification, **texts, label=LABELS)
    expected = {"text": f"{SENTENCE} 2", "text_pair": "when 2 noon 2", "label": 0}
    assert loaded.train[2] == expected


def test_yes_and_no_are_the_classes_of_a_question_on_a_passage(load):
    answers = [True, False] * (NUM_ROWS // 2)
    loaded = load(TextClassification, question="was it", passage=SENTENCE, answer=answers)
    assert loaded.labels.names == ("False", "True")
    # without a pair, an answer is no label
    # without a pair, an answer is no label
    with pytest.raises(DataError, match="no column is obviously the label"):
        load(TextClassification, question="was it", answer=answers)


def test_the_only_column_left_is_named_but_not_taken_for_the_label(load):
    """It may hold ids as well."""
    message = r"no column is obviously the label .*; set data.columns.label=intent; columns"
    with pytest.raises(DataError, match=message):
        load(TextClassification, text=SENTENCE, intent=LABELS)


def test_a_text_is_likelier_than_a_pair_beside_it(load):
    with pytest.raises(DataError, match=r"'premise' .*'hypothesis'"):
        load(
            TextClassification,
            text=SENTENCE,
            premise="a " + SENTENCE,
            hypothesis="b " + SENTENCE,
            label=LABELS,
        )


def test_a_recipe_that_names_the_text_names_no_pair(load):
    named = {"columns": {"text": "question"}}
    loaded = load(TextClassification, named, question="when", sentence=SENTENCE, label=LABELS)
    assert loaded.train.column_names == ["text", "label"]
    assert list(loaded.unused_texts) == ["sentence"]


# Texts that would be lost


def test_several_unused_texts_stop_a_run_and_the_message_has_the_remedy(load):
    table = {"text": SENTENCE, "reply": "no it did not", "summary": "gone by noon", "code": "a-1"}
    with pytest.raises(DataError) as refused:
        load(TextClassification, **table, label=LABELS)
    assert str(refused.value) == (
        "columns 'reply' (5 words on average), 'summary' (4 words on average) hold texts "
        "(3 words or more) and would not be used; name the columns to read: "
        "data: {columns: {text: [text, reply, summary], label: label}} reads all, joined, and "
        "data: {columns: {text: text, label: label}} leaves them out"
    )
    everything = {"columns": {"text": ["text", "reply", "summary"]}}
    joined = load(TextClassification, everything, **table, label=LABELS)
    assert joined.train[3]["text"] == f"{SENTENCE} 3 no it did not 3 gone by noon 3"
    alone = load(TextClassification, {"columns": {"text": "text"}}, **table, label=LABELS)
    assert alone.train[3]["text"] == f"{SENTENCE} 3"


@pytest.mark.parametrize(
    "others",
    [
        {"reply": "no it did not"},
        {"title": "late again at the pier", "author": "Ada van der Berg", "url": "https://x.org/a"},
        {"ArticleTitle": "late again at the pier", "created": ["Mon Apr 06 22:19:45 2009"] * 8},
        {"start": "the ferry left", "end": ["before the storm"] * NUM_ROWS},
        {"topic": ["ships", "weather"] * 4, "mood": ["very bad", "good"] * 4},
        {"empty": [None] * NUM_ROWS, "number": list(range(NUM_ROWS))},
    ],
    ids=["one text", "descriptions", "dates", "what the text says", "categories", "nothing"],
)
def test_what_is_no_text_of_its_own_stops_nothing(load, others):
    others = {**others, **({"start": ["the ferry left"] * NUM_ROWS} if "start" in others else {})}
    loaded = load(TextClassification, text=SENTENCE, **others, label=LABELS)
    assert loaded.train.column_names == ["text", "label"]


def test_a_task_that_reads_words_leaves_texts_out(load):
    words = {"tokens": [["a", "ship"]] * NUM_ROWS, "ner_tags": [["O", "B-x"]] * NUM_ROWS}
    loaded = load(TokenClassification, **words, text=SENTENCE, reply="no it did not")
    assert list(loaded.unused_texts) == ["text", "reply"]


def test_long_texts_count_under_any_name_and_in_scripts_without_spaces(load):
    with pytest.raises(DataError, match=r"'title' \(15 words on average\), '返信' \(5 words"):
        load(
            TextClassification,
            text=SENTENCE,
            title=" ".join(["word"] * 14),
            返信="船は出なかった",
            label=LABELS,
        )


def test_joined_columns_hold_texts(load):
    section = {"columns": {"text": ["text", "stars"]}}
    with pytest.raises(DataError, match="train: column 'stars' holds float64; expected texts"):
        load(TextClassification, section, text=SENTENCE, stars=[1.5] * 8, label=LABELS)
    gap = {"reply": [None, *"bcdefgh"]}
    with pytest.raises(DataError, match="train, row 0: text is None"):
        load(
            TextClassification,
            {"columns": {"text": ["text", "reply"]}},
            text=SENTENCE,
            **gap,
            label=LABELS,
        )


# Multiple choice


@pytest.mark.parametrize(
    ("texts", "choices"),
    [
        (("premise", "question"), {"choice1": "wet", "choice2": "dry"}),
        (("article", "question"), {"options": [["wet", "dry"]] * NUM_ROWS}),
        (("sent1", "sent2"), {"ending0": "wet", "ending1": "dry"}),
        (("context", "question"), {"answerA": "a", "answerB": "b", "answerC": "c"}),
    ],
)
def test_a_text_and_the_question_on_it_are_read(load, texts, choices):
    text, question = texts
    columns = {question: "what then", text: "the ferry left", **choices, "label": LABELS}
    (row, *_) = load(MultipleChoice, **columns).train
    assert (row["text"], row["question"]) == ("the ferry left 0", "what then 0")
    expected = choices.get("options", [[f"{value} 0" for value in choices.values()]])[0]
    assert row["choices"] == expected


def test_a_question_alone_is_the_text(load):
    choices = {name: f"choice {name}" for name in "ABCD"}
    loaded = load(MultipleChoice, question="which one", **choices, answer=[0, 1, 2, 3] * 2)
    assert loaded.train.column_names == ["text", "choices", "label"]
    assert loaded.train[0]["choices"] == [f"choice {name} 0" for name in "ABCD"]


def test_a_field_of_a_struct_is_named_by_its_path(load):
    docs = [{"body": f"{SENTENCE} {i}", "meta": {"kind": i % 2}} for i in range(NUM_ROWS)]
    section = {"columns": {"text": "doc.body", "label": "doc.meta.kind"}}
    loaded = load(TextClassification, section, doc=docs)
    assert loaded.train[3] == {"text": f"{SENTENCE} 3", "label": 1}
    section = {"columns": {"text": "a.text", "label": "label"}}
    dotted = load(TextClassification, section, **{"a.text": SENTENCE}, label=LABELS)
    assert dotted.train[1]["text"] == f"{SENTENCE} 1"
    with pytest.raises(DataError, match=r"train has no column 'doc.boby'"):
        load(TextClassification, {"columns": {"text": "doc.boby"}}, doc=docs, label=LABELS)
