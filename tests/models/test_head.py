"""A checkpoint that classifies already: which of its outputs is which label."""

import csv

import pytest
import torch
from grafting import prepare, write_recipe
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from pipelines import recipe as recipes
from pipelines.core.errors import ModelError, RecipeError
from pipelines.workflow.check import report

WORDS = ("awful", "bad", "poor", "fine", "good", "great")


TEXTS = [f"{a} {b} film" for a in WORDS for b in WORDS]


def outputs(model, tokenizer):
    """(texts, outputs) logits."""
    with torch.no_grad():
        return model.eval()(**tokenizer(TEXTS, return_tensors="pt")).logits


@pytest.fixture
def classifier(tmp_path, text_checkpoint):
    """classifier(names) -> a folder with a classifier of these outputs, and its (texts, outputs)
    logits, in which each output is the largest for some texts."""

    def classifier(*names):
        torch.manual_seed(1)
        tokenizer = AutoTokenizer.from_pretrained(text_checkpoint)
        model = AutoModelForSequenceClassification.from_pretrained(
            text_checkpoint, id2label=dict(enumerate(names)), num_labels=len(names)
        )
        with torch.no_grad():
            model.classifier.weight.normal_()
            model.classifier.bias -= outputs(model, tokenizer).mean(0)
        for saved in (model, tokenizer):
            saved.save_pretrained(tmp_path / "classifier")
        return tmp_path / "classifier", outputs(model, tokenizer)

    return classifier


@pytest.fixture
def ready(tmp_path):
    """ready(checkpoint, label of each text, **model) -> the prepared recipe of such a table."""

    def ready(checkpoint, labels, strategy="full", **model):
        folder = tmp_path / "texts"
        folder.mkdir(exist_ok=True)
        for split in ("train", "validation"):
            with (folder / f"{split}.csv").open("w", newline="") as file:
                csv.writer(file).writerows([("text", "label"), *zip(TEXTS, labels, strict=True)])
        section = {"checkpoint": str(checkpoint), **model}
        return prepare(tmp_path, checkpoint, folder, model=section, strategy=strategy)

    return ready


def loaded_outputs(prepared):
    return outputs(prepared.checkpoint.model, prepared.checkpoint.processor)


def in_turn(*names):
    return [names[i % len(names)] for i in range(len(TEXTS))]


def test_a_perfect_classifier_stays_perfect_whatever_its_order(classifier, ready, capsys):
    names = ("well", "ill", "middling")
    folder, logits = classifier(*names)
    prepared = ready(folder, [names[i] for i in logits.argmax(-1)])
    assert prepared.data.labels.names == ("ill", "middling", "well")
    assert prepared.checkpoint.model.config.id2label == {0: "ill", 1: "middling", 2: "well"}
    predictions = loaded_outputs(prepared).argmax(-1).tolist()
    assert predictions == list(prepared.targets["train"])
    assert prepared.checkpoint.newly_initialized == ()
    assert "outputs matched to the labels by name" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("names", "model"),
    [(("well", "ill"), {"head": "new"}), (("good", "bad"), {}), (("LABEL_0", "LABEL_1"), {})],
)
def test_other_names_or_a_wish_make_a_new_output_layer(classifier, ready, capsys, names, model):
    folder, logits = classifier(*names)
    prepared = ready(folder, in_turn("ill", "well"), **model)
    assert prepared.checkpoint.newly_initialized == ("classifier.bias", "classifier.weight")
    assert not prepared.checkpoint.model.classifier.bias.any()
    assert not loaded_outputs(prepared).isclose(logits).any()
    shown = capsys.readouterr().out
    assert "new in the model: classifier.bias, classifier.weight" in shown
    assert ("the checkpoint's outputs are" in shown) == (not model)


def test_a_new_output_layer_is_drawn_by_the_seed(classifier, ready):
    folder, _ = classifier("well", "ill")
    first, second = (ready(folder, in_turn("ill", "well"), head="new") for _ in range(2))
    assert loaded_outputs(first).equal(loaded_outputs(second))


def test_the_recipe_says_what_outputs_mean(classifier, ready):
    folder, logits = classifier("LABEL_0", "LABEL_1")
    named = {"config": {"id2label": {0: "well", 1: "ill"}}}
    prepared = ready(folder, in_turn("ill", "well"), **named)
    assert torch.allclose(loaded_outputs(prepared), logits[:, [1, 0]])


@pytest.mark.parametrize("names", [("Well", "ILL"), ("well ", "ill")])
def test_spellings_are_a_question_and_no_guess(classifier, ready, names):
    folder, logits = classifier(*names)
    with pytest.raises(
        ModelError, match=r"differ only by case or white space; set model\.head=keep"
    ):
        ready(folder, in_turn("ill", "well"))
    prepared = ready(folder, in_turn("ill", "well"), head="keep")
    assert torch.allclose(loaded_outputs(prepared), logits[:, [1, 0]])


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("good", "bad"), "calls its outputs 'good', 'bad', and the labels are 'ill', 'well'"),
        (
            ("well", "ill", "so-so"),
            "outputs are 'well', 'ill', 'so-so', and the labels are 'ill', 'well'; no label: 'so-",
        ),
    ],
)
def test_what_cannot_be_kept_is_refused(classifier, ready, names, message):
    folder, _ = classifier(*names)
    with pytest.raises(ModelError, match=message):
        ready(folder, in_turn("ill", "well"), head="keep")


def test_an_encoder_has_no_output_layer_to_keep(text_checkpoint, ready, capsys):
    with pytest.raises(ModelError, match="holds no output layer"):
        ready(text_checkpoint, in_turn("ill", "well"), head="keep")
    assert ready(text_checkpoint, in_turn("ill", "well")).checkpoint.new_modules == ("classifier",)
    assert "new in the model: classifier.bias, classifier.weight" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("labels", "new"), [(("ill", "well"), "nothing"), (("no", "yes"), "classifier")]
)
def test_check_says_which_modules_are_new(classifier, ready, labels, new):
    folder, _ = classifier("well", "ill")
    assert f"; new: {new}" in report(ready(folder, in_turn(*labels)).recipe)


@pytest.mark.parametrize(
    ("strategy", "message"),
    [
        ("scratch", "'keep': strategy 'scratch' draws all weights anew"),
        ("linear_probe", "'linear_probe' solves the head anew; use full or lora, or"),
        ("contrastive", "'contrastive' solves the head anew"),
        (
            "gradual_unfreezing",
            r"solves the head anew; use full or lora \(or strategy.head=trained",
        ),
    ],
)
def test_a_head_cannot_be_kept_where_it_is_made_anew(tmp_path, strategy, message):
    model = {"checkpoint": "bert", "head": "keep"}
    path = write_recipe(tmp_path, "bert", tmp_path, model=model, strategy=strategy)
    with pytest.raises(RecipeError, match=message):
        recipes.load(path)
    if strategy == "gradual_unfreezing":
        assert recipes.load(path, ["strategy.head=trained"]).model.head == "keep"


def test_a_solved_head_takes_the_place_of_a_trained_one_and_says_so(classifier, ready, capsys):
    folder, _ = classifier("well", "ill")
    line = "head: strategy lp_ft solves it anew, so the checkpoint's own is not used"
    for labels, is_shown in ((("ill", "well"), True), (("no", "yes"), False)):
        ready(folder, in_turn(*labels), strategy="lp_ft")
        assert (line in capsys.readouterr().out) == is_shown


def test_auto_keeps_a_head_that_is_to_be_kept(classifier, ready):
    folder, _ = classifier("well", "ill")
    prepared = ready(folder, in_turn("ill", "well"), strategy="auto", head="keep")
    assert prepared.recipe.strategy.name == "full"


@pytest.mark.parametrize(
    ("names", "labels", "reason"),
    [
        (("ill", "well", "dead"), ("ill", "well"), "labels are 'ill', 'well'; no label: 'dead'"),
        (("ill", "well"), ("ill", "so", "well"), "are 'ill', 'so', 'well'; no output: 'so'"),
        (("a", "b", "c"), ("ill", "well"), "outputs are 'a', 'b', 'c', and the labels are 'ill', "),
        (("a", "b", "c"), ("1.5", "2.25"), "outputs are 'a', 'b', 'c', and a number is predicted"),
    ],
)
def test_a_head_for_other_labels_is_dropped_with_the_reason(
    classifier, ready, capsys, names, labels, reason
):
    folder, _ = classifier(*names)
    ready(folder, in_turn(*labels))
    assert reason in capsys.readouterr().out


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"hiden_dropout_prob": 0}, "a 'bert' .* mean 'hidden_dropout_prob'"),
        ({"num_labels": 3}, "3: the data give the head 2 outputs"),
        ({"problem_type": "regression"}, "'regression': the data are single_label_class"),
        ({"label2id": {"ill": 0, "well": 1}}, "it follows from the data; .*id2label"),
        ({"id2label": {0: "ill", 2: "well"}}, "outputs 0, 2; expected a name for each from 0 to 2"),
        ({"id2label": ["ill", "well"]}, "expected a name for each output, such as"),
        ({"id2label": {0: "ill", 1: "ill"}}, "'ill' names 2 outputs"),
        ({"id2label": {0: "ill", 1: "well", 2: "so"}}, "another number of outputs than 3"),
    ],
)
def test_fields_of_the_config_are_refused_by_key(classifier, ready, config, message):
    folder, _ = classifier("well", "ill")
    with pytest.raises(ModelError, match=rf"model\.config\.{next(iter(config))}.*{message}"):
        ready(folder, in_turn("ill", "well"), config=config)


def test_names_for_two_of_three_outputs_are_refused(classifier, ready):
    folder, _ = classifier("a", "b", "c")
    with pytest.raises(ModelError, match="another number of outputs than 2"):
        ready(folder, in_turn("ill", "well"), config={"id2label": {0: "ill", 1: "well"}})


def test_fields_that_say_what_the_data_say_are_fine_and_others_are_noted(classifier, ready, capsys):
    folder, _ = classifier("well", "ill")
    fields = {"num_labels": 2, "problem_type": "single_label_classification", "pace": 1}
    fields |= {"id2label": {0: "well", 1: "ill"}, "label2id": {"well": 0, "ill": 1}}
    config = ready(folder, in_turn("ill", "well"), config=fields).checkpoint.model.config
    assert config.pace == 1
    assert "model.config.pace: a 'bert' config does not declare it" in capsys.readouterr().out
