"""Extractive question answering: windows, positions, answers, and runs from end to end."""

import csv
import io
import json
from contextlib import redirect_stdout
from functools import cache
from itertools import pairwise, product

import numpy as np
import pytest
import tiny
import tiny_tasks
import torch
from datasets import Dataset
from grafting import fit, prepare, write_recipe

from pipelines import recipe
from pipelines.cli import main
from pipelines.core.errors import DataError, GraftError, RecipeError
from pipelines.evaluation.metrics.squad import Squad
from pipelines.report import model_address
from pipelines.report.run_folder import RunFolder
from pipelines.tasks.question_answering import QuestionAnswering
from pipelines.tasks.text import spans
from pipelines.tasks.text.windows import LOGITS, POSITIONS
from pipelines.workflow import run as pipeline

SLOW = pytest.mark.slow
FAMILIES = list(tiny.TEXT_FAMILIES)
WINDOWS = {"name": "question_answering", "max_length": 20, "stride": 4}
RATES = {"full": 3e-3, "lora": 2e-2, "scratch": 3e-3}
QUICK = {("bert", "full"), ("roberta", "lora"), ("gpt2", "full")}
RUNS = [
    pytest.param(family, strategy, marks=() if (family, strategy) in QUICK else SLOW)
    for family, strategy in product(FAMILIES, RATES)
    # without pretrained weights, one family is as good as another
    if strategy != "scratch" or family == "bert"
]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Questions, some of which have no answer."""
    return tiny_tasks.question_data(tmp_path_factory.mktemp("data") / "questions")


def squad(predictions, references):
    return Squad(keep_in_memory=True).compute(predictions=predictions, references=references)


# From end to end


@pytest.fixture(scope="module")
def ran(checkpoint, data, tmp_path_factory):
    """ran(family, strategy): the folder of a run that was made once, and what it said."""

    @cache
    def ran(family, strategy):
        folder = tmp_path_factory.mktemp("run")
        training = {"num_train_epochs": 6, "learning_rate": RATES[strategy], "warmup_steps": 0}
        sections = {"task": WINDOWS, "strategy": strategy, "training": training}
        path = write_recipe(folder, checkpoint(family), data, **sections)
        with redirect_stdout(io.StringIO()) as stdout:
            assert main(["run", str(path)]) == 0
        return RunFolder(folder / "runs" / "recipe" / "1"), stdout.getvalue()

    return ran


def table(run, split):
    with (run.predictions / f"{split}.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.numerical
@pytest.mark.slow
@pytest.mark.parametrize(("family", "strategy"), RUNS)
def test_a_run(ran, data, family, strategy):
    run, output = ran(family, strategy)
    results = json.loads(run.metrics.read_text(encoding="utf-8"))
    assert results["main_metric"] == "f1"
    assert results["examples"] == tiny.NUM_ROWS
    assert results["parity"]["ok"]
    assert f"{strategy} on {tiny.NUM_ROWS['train']} examples" in output
    assert "It does question answering" in run.card.read_text(encoding="utf-8")
    for split in ("validation", "test"):
        examples = Dataset.from_parquet(str(data / f"{split}.parquet"))
        rows = table(run, split)
        # an example is a row, however many windows it has, in the data's order
        assert [row["label"] for row in rows] == ["|".join(a["text"]) for a in examples["answers"]]
        assert all(
            row["prediction"] in context
            for row, context in zip(rows, examples["context"], strict=True)
        )
        scores = squad(
            [row["prediction"] for row in rows], [a["text"] for a in examples["answers"]]
        )
        assert results[split] == pytest.approx(scores)
        # "" is right for every fourth question
        assert results["baseline"][split] == {"f1": 0.25, "exact_match": 0.25}
        assert results[split]["f1"] > 0.6


RUN_ALONE = "import sys; exec(sys.stdin.read())"


@pytest.mark.slow
@pytest.mark.parametrize("family", ["bert", "roberta"])
def test_the_lines_of_the_summary_use_the_model(ran, data, bare_python, family):
    """In an interpreter that knows no module of ours; the answer is the run's prediction."""
    run, output = ran(family, "full")
    examples = Dataset.from_parquet(str(data / "validation.parquet"))
    row = next(i for i, context in enumerate(examples["context"]) if len(context.split()) < 9)
    program = output[output.index("from transformers") :]
    assert program.strip() in run.card.read_text(encoding="utf-8").replace(
        '"model"', f'"{run.model}"'
    )
    for name in ("question", "context"):
        program = program.replace(f'"{name}…"', json.dumps(examples[row][name]))
    done = bare_python(RUN_ALONE, text=program)
    assert done.stdout.strip() == table(run, "validation")[row]["prediction"], done.stderr


@pytest.mark.slow
def test_a_pushed_card_loads_from_where_it_is(ran, tmp_path):
    run, _ = ran("bert", "full")
    copied = tmp_path / "README.md"
    copied.write_bytes(run.card.read_bytes())
    model_address.set_in_card(copied, "some-lab/answers")
    loads = [line for line in copied.read_text(encoding="utf-8").splitlines() if ".from_p" in line]
    assert len(loads) == 2
    assert all(line.endswith('.from_pretrained("some-lab/answers")') for line in loads)


def test_check_shows_examples_not_windows(checkpoint, data, tmp_path, capsys):
    """Also where there are fewer examples than it would show, and more windows."""
    examples = Dataset.from_parquet(str(data / "train.parquet"))
    few = examples.filter(lambda row: len(row["context"].split()) > 20).select(range(2))
    few.to_parquet(tmp_path / "train.parquet")
    (tmp_path / "validation.parquet").write_bytes((data / "validation.parquet").read_bytes())
    path = write_recipe(tmp_path, checkpoint("bert"), tmp_path, task=WINDOWS)
    assert main(["check", str(path)]) == 0
    lines = [line.partition(" | ")[2] for line in capsys.readouterr().out.splitlines()]
    shown = [line.split(" [SEP] ")[0] for line in lines if line.startswith("[CLS]")]
    assert shown == [f"[CLS] {question}" for question in few["question"]]


# Windows and positions


@pytest.fixture(scope="module")
def prepared(checkpoint, tmp_path_factory):
    """prepared(family, data, …): a recipe with its data and checkpoint loaded, made once."""

    @cache
    def prepared(family, data, **options):
        folder = tmp_path_factory.mktemp("prepared")
        return prepare(folder, checkpoint(family), data, task={**WINDOWS, **options})

    return prepared


def oracle(batch):
    """Outputs of a model that knows where answers start and end, on padding as elsewhere."""
    logits = [torch.full(batch["input_ids"].shape, -1.0) for _ in LOGITS]
    for side, name in zip(logits, POSITIONS, strict=True):
        side[torch.arange(len(side)), batch[name]] = 10.0
    return dict(zip(LOGITS, logits, strict=True))


def collected_of(ready, split, outputs=oracle):
    """What is kept of a pass over a split, eight rows at a time."""
    rows = ready.encoded[split]
    first = {name: [] for name in LOGITS}
    for start in range(0, len(rows), 8):
        batch = ready.collate([rows[i] for i in range(start, min(start + 8, len(rows)))])
        for name, entries in ready.recipe.task.collect(outputs(batch), batch).items():
            first[name] += [entry.numpy() for entry in entries]
    return first


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.slow
def test_who_knows_the_positions_finds_the_answers(prepared, data, family, side):
    """Through windows, padding on either side, and back to characters: exactly the first answer."""
    ready = prepared(family, data)
    task, processor = ready.recipe.task, ready.checkpoint.processor
    rows, targets = ready.encoded["validation"], ready.targets["validation"]
    assert len(rows) > len(targets)
    processor.padding_side = side
    try:
        collected = collected_of(ready, "validation")
    finally:
        processor.padding_side = "right"
    assert [len(entry) for entry in collected["start_logits"]] == list(map(len, rows["input_ids"]))
    predictions = task.predict(collected, rows, processor, ready.data.labels)
    assert predictions == [answers[0] if answers else "" for answers in targets]
    assert squad(predictions, targets) == {"f1": 1.0, "exact_match": 1.0}


def test_windows_overlap_and_cover_the_context(prepared, data):
    ready = prepared("bert", data)
    rows = ready.encoded["train"]
    assert max(map(len, rows["input_ids"])) == WINDOWS["max_length"]
    for number, context in enumerate(ready.data.train["context"]):
        windows = [row for row in rows if row["example"] == number]
        flat = [row["offset_mapping"] for row in windows]
        pairs = [zip(offsets[::2], offsets[1::2], strict=True) for offsets in flat]
        words = [[(start, end) for start, end in window if end > start] for window in pairs]
        for one, other in pairwise(words):
            assert one[-WINDOWS["stride"] :] == other[: WINDOWS["stride"]]
        seen = sorted({offset for window in words for offset in window})
        assert [context[start:end] for start, end in seen] == context.split()


def test_a_window_without_the_answer_asks_for_its_first_token(prepared, data):
    ready = prepared("bert", data)
    partly, tokens = 0, ready.checkpoint.processor.convert_ids_to_tokens
    for row in ready.encoded["train"]:
        answers = ready.targets["train"][row["example"]]
        first, last = (row[name] for name in POSITIONS)
        span = tokens(row["input_ids"][first : last + 1])
        if span == ["[CLS]"]:
            text = " ".join(tokens(row["input_ids"]))
            assert not answers or answers[0] not in text
            partly += bool(answers)
        else:
            assert span == answers[0].split()
    assert partly


@pytest.mark.parametrize(
    ("context", "text", "start", "tokens"),
    [
        ("it was good", "good", 7, (2, 2)),
        ("it was good", " was good ", 2, (1, 2)),  # white space belongs to no token
        ("it was good", "oo", 8, (2, 2)),  # part of a token: all of it
        ("it was good", "good film", 7, (0, 0)),  # goes on in another window
        ("it was good", "of it", -3, (0, 0)),
    ],
)
def test_characters_to_tokens(context, text, start, tokens):
    ends = np.cumsum([len(word) + 1 for word in context.split()]) - 1
    offsets = np.array(
        [[end - len(word), end] for word, end in zip(context.split(), ends, strict=True)]
    )
    answers = {"text": [text], "answer_start": [start]}
    assert spans.token_span(offsets, answers) == tokens


def test_answers_as_a_list_of_dictionaries(prepared, data, tmp_path):
    listed = tmp_path / "listed"
    listed.mkdir()
    for split in tiny.NUM_ROWS:
        rows = [
            {
                **row,
                "answers": [
                    dict(zip(row["answers"], pair, strict=True))
                    for pair in zip(*row["answers"].values(), strict=True)
                ],
            }
            for row in Dataset.from_parquet(str(data / f"{split}.parquet"))
        ]
        (listed / f"{split}.jsonl").write_text("\n".join(map(json.dumps, rows)))
    one, other = prepared("bert", data), prepared("bert", listed)
    assert one.targets == other.targets
    assert one.encoded["train"][:] == other.encoded["train"][:]


# Which answer


@pytest.mark.numerical
def test_the_best_span_is_the_best_of_all():
    random = np.random.default_rng(0)
    for _ in range(50):
        size, longest = random.integers(1, 12, 2)
        words = [f"w{i}" for i in range(size)]
        ends = np.cumsum([len(word) + 1 for word in words]) - 1
        offsets = np.stack([ends - [len(word) for word in words], ends], axis=1)
        offsets[0] = 0  # the question
        starts, stops = random.normal(size=(2, size)).astype("float32")
        candidates = [(i, j) for i in range(1, size) for j in range(i, min(i + longest, size))]
        window = spans.best_span(" ".join(words), offsets, starts, stops, int(longest))
        assert window.null_score == pytest.approx(starts[0] + stops[0])
        if candidates:
            i, j = max(candidates, key=lambda span: starts[span[0]] + stops[span[1]])
            assert window.text == " ".join(words[i : j + 1])
            assert window.score == pytest.approx(starts[i] + stops[j])
        else:
            assert (window.text, window.score) == ("", -np.inf)


def test_no_answer_has_to_lead_by_the_threshold_in_every_window():
    windows = [spans.WindowAnswer("one", 3.0, 5.0), spans.WindowAnswer("two", 4.0, 7.0)]
    assert spans.choose_answer(windows, None) == windows[1]
    assert spans.choose_answer(windows, 0.0) is None
    assert spans.choose_answer(windows, 0.5) is None
    assert spans.choose_answer(windows, 1.0) == windows[1]
    # a window that holds the answer outweighs all that do not
    third = spans.WindowAnswer("three", 8.0, -9.0)
    assert spans.choose_answer([*windows, third], 0.0) == third


def test_where_train_has_all_answers_there_always_is_one(prepared, tmp_path_factory):
    data = tiny_tasks.question_data(tmp_path_factory.mktemp("data"), unanswerable=False)
    ready = prepared("bert", data)

    def nothing(batch):
        """Everything speaks for the first token."""
        logits = (torch.arange(batch["input_ids"].shape[1], 0, -1) * 1.0).expand(
            batch["input_ids"].shape
        )
        return dict.fromkeys(LOGITS, logits)

    task, processor = ready.recipe.task, ready.checkpoint.processor
    collected, rows = collected_of(ready, "validation", nothing), ready.encoded["validation"]
    assert ready.data.labels.problem_type == "question_answering"
    predictions = task.predict(collected, rows, processor, ready.data.labels)
    assert predictions == [context.split()[0] for context in ready.data.validation["context"]]


# The head and its loss


def test_a_head_for_three_classes_is_replaced(checkpoint, data, tmp_path):
    from transformers import AutoConfig, AutoModelForSequenceClassification

    classifier = AutoModelForSequenceClassification.from_config(
        AutoConfig.from_pretrained(checkpoint("bert"), num_labels=3)
    )
    for path in checkpoint("bert").glob("token*"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    classifier.save_pretrained(tmp_path)
    model = prepare(tmp_path / "run", tmp_path, data, task=WINDOWS).checkpoint.model
    assert (model.config.num_labels, model.qa_outputs.out_features) == (2, 2)


@pytest.mark.numerical
@pytest.mark.slow
def test_accumulation_changes_neither_loss_nor_gradient(checkpoint, data, tmp_path):
    calm = {
        "checkpoint": str(checkpoint("bert")),
        "config": {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0},
    }

    def first_step(size, accumulated):
        training = {
            "per_device_train_batch_size": size,
            "gradient_accumulation_steps": accumulated,
            "train_sampling_strategy": "random",  # the same examples
            "max_steps": 1,
            "logging_steps": 1,
        }
        folder = tmp_path / str(size)
        ready = prepare(folder, "", data, task=WINDOWS, model=calm, training=training)
        history = fit(ready, folder / "checkpoints").history
        return [
            next(entry[key] for entry in history if key in entry) for key in ("loss", "grad_norm")
        ]

    assert first_step(8, 4) == pytest.approx(first_step(32, 1), rel=1e-3)


@pytest.mark.numerical
def test_validation_loss_is_the_mean_over_windows(checkpoint, data, tmp_path):
    # few at a time: the softmax of the models' own loss runs over padding, too
    training = {"max_steps": 1, "per_device_eval_batch_size": 1}
    ready = prepare(tmp_path, checkpoint("bert"), data, task=WINDOWS, training=training)
    fitted = fit(ready, tmp_path / "checkpoints")
    with torch.no_grad():
        model = fitted.output.model.eval()
        losses = [float(model(**ready.collate([row])).loss) for row in ready.encoded["validation"]]
    logged = next(entry["eval_loss"] for entry in fitted.history if "eval_loss" in entry)
    assert logged == pytest.approx(np.mean(losses), rel=1e-2)


# What cannot be learned from


GOOD = {
    "question": "it",
    "context": "it was a good film",
    "answers": {"text": ["good"], "answer_start": [9]},
}
BAD = {
    "train, row 1: expected answer 'good' at character 8 of context, found ' goo'; it stands": {
        "answers": {"text": ["good"], "answer_start": [8]}
    },
    "train, row 1: expected answer 'poor' at character 9 of context, found 'good'; it is not in": {
        "answers": {"text": ["poor"], "answer_start": [9]}
    },
    "train, row 1: answer 'good' starts at None; expected a string and a character's number": {
        "answers": {"text": ["good"], "answer_start": [None]}
    },
    "train, row 1: answers is {'text': ['good'], 'answer_start': []}; expected {text:": {
        "answers": {"text": ["good"], "answer_start": []}
    },
    "train, row 1: question is None; expected a string": {"question": None},
    "train, row 1: context is None; expected a string": {"context": None},
    "train, row 1: its question of 14 tokens leaves room for 3 of the context in a window of 20; "
    "expected more than task.stride=4": {"question": "it " * 14},
}


@pytest.mark.parametrize("message", BAD)
def test_a_bad_row_is_named(checkpoint, tmp_path, message):
    rows = [GOOD, {**GOOD, **BAD[message]}]
    (tmp_path / "train.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (tmp_path / "validation.jsonl").write_text(json.dumps(GOOD))
    with pytest.raises(DataError) as raised:
        prepare(tmp_path, checkpoint("bert"), tmp_path, task=WINDOWS)
    assert message in str(raised.value)


def test_bad_rows_can_be_left_out(checkpoint, tmp_path):
    """Whatever is wrong with them; the other rows train, and say whether all have an answer."""
    rows = [GOOD, *({**GOOD, **bad} for bad in BAD.values()), GOOD]
    (tmp_path / "train.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (tmp_path / "validation.jsonl").write_text(json.dumps(GOOD))
    path = write_recipe(tmp_path, checkpoint("bert"), tmp_path, task=WINDOWS)
    ready = pipeline.prepare(recipe.load(path, ["data.on_bad_row=skip"]))
    assert ready.targets["train"] == [["good"]] * 2
    assert ready.encoded["train"]["example"][:] == [0, 1]
    assert ready.data.labels.problem_type == "question_answering"


def test_answers_in_no_known_form(checkpoint, tmp_path):
    Dataset.from_list([{**GOOD, "answers": "good"}] * 3).to_csv(tmp_path / "train.csv")
    with pytest.raises(DataError, match=r"train, row 0: answers is 'good'; expected \{text:"):
        prepare(tmp_path, checkpoint("bert"), tmp_path, task=WINDOWS)


def test_questions_without_any_answer_teach_nothing(checkpoint, tmp_path):
    (tmp_path / "train.jsonl").write_text(
        "\n".join([json.dumps({**GOOD, "answers": {"text": [], "answer_start": []}})] * 4)
    )
    with pytest.raises(DataError, match="train: no question has an answer"):
        prepare(tmp_path, checkpoint("bert"), tmp_path, task=WINDOWS)


def test_windows_share_less_than_they_hold(checkpoint, data, tmp_path):
    with pytest.raises(RecipeError, match=r"max_length 20 cannot share 20 tokens"):
        prepare(tmp_path, checkpoint("bert"), data, task={**WINDOWS, "stride": 20})
    assert QuestionAnswering(max_length=None).stride == 128


def test_no_head_can_be_solved_for(checkpoint, data, tmp_path):
    with pytest.raises(GraftError, match="question_answering has no linear head"):
        prepare(tmp_path, checkpoint("bert"), data, task=WINDOWS, strategy="linear_probe")


# The metric


@pytest.mark.numerical
@pytest.mark.parametrize(
    ("prediction", "answers", "exact", "f1"),
    [
        ("The good film!", ["good film"], 1, 1),  # case, articles and punctuation do not count
        ("good film", ["film", "a good film"], 1, 1),  # the best of what is accepted
        ("the good old film", ["good film"], 0, 0.8),
        ("good good", ["good"], 0, 2 / 3),  # a word counts as often as it is there
        ("bad", ["good"], 0, 0),
        ("", [], 1, 1),
        ("", [""], 1, 1),
        ("good", [], 0, 0),
        ("", ["good"], 0, 0),
        ("the", ["good", "the"], 0, 0),  # an accepted answer of articles only is none
        ("the", [], 1, 1),
    ],
)
def test_squad_as_the_official_script_counts(prediction, answers, exact, f1):
    assert squad([prediction], [answers]) == {"f1": pytest.approx(f1), "exact_match": exact}


@pytest.mark.numerical
def test_squad_is_a_mean_over_questions():
    scores = squad(["good", "bad", "", "a film"], [["good"], ["good"], [], ["film of it"]])
    assert scores == {"f1": pytest.approx((1 + 0 + 1 + 0.5) / 4), "exact_match": 0.5}
