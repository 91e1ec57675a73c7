"""contrastive: pairs of a class are drawn as they are needed; out comes a sentence encoder."""

from collections import Counter

import numpy as np
import pytest
import torch
from closeness import close
from grafting import changed, fit, logits, prepare, problem, state

from pipelines.core.errors import DivergedError, RecipeError
from pipelines.models.anatomy import dissect
from pipelines.recipe import Recipe
from pipelines.training.contrast.loss import CosineLoss
from pipelines.training.contrast.pairs import Pairs

TRAINING = {
    "max_steps": 8,
    "learning_rate": 1e-3,
    "per_device_train_batch_size": 8,
    "neftune_noise_alpha": 1e-6,  # asks the model for its embeddings, which a plain module lacks
}


class Rows(list):
    """Rows that are their own numbers."""


def pairs(*sizes, num_pairs, seed=1):
    ends = np.cumsum(sizes)
    groups = np.split(np.arange(ends[-1]), ends[:-1])
    return Pairs(Rows(range(ends[-1])), groups, num_pairs, seed)


def test_classes_take_turns_and_rows_of_a_class_are_drawn_equally_often():
    drawn = pairs(2, 6, 101, num_pairs=300)
    classes = np.repeat([0, 1, 2], [2, 6, 101])
    rows = np.array(drawn.__getitems__(range(300))).reshape(-1, 2)
    assert (classes[rows[:, 0]] == classes[rows[:, 1]]).all()
    assert (rows[:, 0] != rows[:, 1]).all()
    for turn in classes[rows[:, 0]].reshape(-1, 3):
        assert {*turn} == {0, 1, 2}
    times = Counter(rows.ravel().tolist())
    assert {times[row] for row in range(2)} == {100}
    assert all(times[row] in (33, 34) for row in range(2, 8))
    assert all(times[row] in (1, 2) for row in range(8, 109))


def test_a_pair_follows_from_seed_and_number_however_many_were_drawn_before():
    drawn, again, other = (pairs(5, 7, num_pairs=40, seed=seed) for seed in (1, 1, 2))
    assert [again.pair(n) for n in reversed(range(40))][::-1] == [drawn.pair(n) for n in range(40)]
    assert [other.pair(n) for n in range(40)] != [drawn.pair(n) for n in range(40)]


def test_as_many_pairs_as_many_rows_make_cost_nothing_before_they_are_read():
    many = pairs(10_000, 10_000, num_pairs=10**12)
    first, second = many.pair(10**12 - 1)
    assert first // 10_000 == second // 10_000


def test_a_class_of_one_row_is_paired_with_itself():
    assert pairs(1, num_pairs=3).pair(2) == [0, 0]


def test_the_loss_is_that_of_all_pairs_one_by_one():
    torch.manual_seed(0)
    vectors = torch.nn.functional.normalize(torch.randn(6, 3), dim=-1)
    labels = [0, 0, 1, 1, 2, 2]

    class Outputs:
        logits = vectors

    errors = {True: [], False: []}
    for i in range(6):
        for j in range(i):
            is_same = labels[i] == labels[j]
            errors[is_same].append((float(is_same) - float(vectors[i] @ vectors[j])) ** 2)
    expected = (np.mean(errors[True]) + np.mean(errors[False])) / 2
    loss = CosineLoss()(Outputs, torch.tensor(labels))
    assert float(loss) == pytest.approx(expected, rel=1e-5)
    # of a step of two batches it is half of it
    assert float(CosineLoss()(Outputs, torch.tensor(labels), 12)) == pytest.approx(expected / 2)


@pytest.fixture(scope="module")
def trained(checkpoint, tmp_path_factory):
    folder = tmp_path_factory.mktemp("contrastive")
    data = problem(folder / "data", "single")
    prepared = prepare(folder, checkpoint("bert"), data, strategy="contrastive", training=TRAINING)
    before = state(prepared.checkpoint.model)
    return prepared, before, fit(prepared, folder / "checkpoints")


def test_the_encoder_learns_and_what_it_does_not_read_stays(trained):
    prepared, before, fitted = trained
    model = fitted.output.model
    anatomy = dissect(model, prepared.checkpoint.newly_initialized)
    moved = changed(before, model.state_dict())
    assert moved
    assert [decision.name for decision in fitted.speed if decision.on] == ["packing"]
    assert not any(name.startswith(("bert.pooler", "classifier")) for name in moved)
    unread = (*anatomy.pooling, *anatomy.head)
    sizes = {n: p.numel() for n, p in model.named_parameters() if not n.startswith(unread)}
    num_labels, width = prepared.data.labels.num_labels, model.config.hidden_size
    assert fitted.trainable == sum(sizes.values()) + num_labels * (width + 1)


def test_texts_of_a_class_come_closer_than_those_of_others(trained):
    prepared, before, fitted = trained
    loss = CosineLoss()

    def of_train() -> float:
        rows, model = prepared.encoded["train"], fitted.output.model.eval()
        batch = prepared.collate(rows.__getitems__(list(range(len(rows)))))
        labels = batch.pop("labels")
        with torch.no_grad():
            states = model.base_model(**batch).last_hidden_state
        mask = batch["attention_mask"].unsqueeze(-1)
        vectors = (states * mask).sum(1) / mask.sum(1)

        class Outputs:
            logits = torch.nn.functional.normalize(vectors, dim=-1)

        return float(loss(Outputs, labels))

    after, weights = of_train(), state(fitted.output.model)
    fitted.output.model.load_state_dict(before)
    start = of_train()
    fitted.output.model.load_state_dict(weights)
    assert after < 0.9 * start


@pytest.mark.numerical
def test_it_gives_a_sentence_transformers_folder_of_the_trained_encoder(trained, tmp_path):
    from sentence_transformers import SentenceTransformer

    prepared, _, fitted = trained
    assert fitted.output.library == "sentence-transformers"
    fitted.output.save(tmp_path / "model", prepared.checkpoint.processor)
    loaded = SentenceTransformer(str(tmp_path / "model"))
    names = [type(module).__name__ for module in loaded]
    assert names == ["Transformer", "Pooling", "Normalize", "Dense"]
    encoded = loaded.encode(prepared.data.validation["text"][:], show_progress_bar=False)
    # features of the weights before training, from the cache, would differ
    close(encoded, logits(prepared, fitted))


@pytest.mark.numerical
def test_the_head_is_logistic_regression_on_vectors_of_length_1(trained):
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import normalize

    prepared, _, fitted = trained
    labels = np.array(prepared.targets["train"])
    (known, of_train), (others, _) = (
        fitted.output.extractor.extract(prepared.encoded[split], prepared.collate)
        for split in ("train", "validation")
    )
    assert of_train.tolist() == labels.tolist()
    reference = LogisticRegression(max_iter=1000).fit(normalize(known["mean"]), labels)
    probabilities = torch.tensor(logits(prepared, fitted)).softmax(-1).numpy()
    expected = reference.predict_proba(normalize(others["mean"]))
    np.testing.assert_allclose(probabilities, expected, atol=1e-3)


@pytest.mark.numerical
def test_with_folds_the_head_is_the_same_and_rows_that_the_encoder_saw_score_nothing(
    checkpoint, tmp_path
):
    task = {"name": "text_classification", "class_weights": "balanced"}
    training = {**TRAINING, "max_steps": 1}
    data = problem(tmp_path / "data", "single")
    trainings = []
    for name in ("split", "folds"):
        prepared = prepare(
            tmp_path / name,
            checkpoint("bert"),
            data,
            task=task,
            strategy="contrastive",
            training=training,
        )
        rows, targets = prepared.encoded["train"], prepared.targets["train"]
        folds = {
            "validation": rows,
            "validation_targets": targets,
            "folds": np.arange(len(targets)) % 2,
        }
        changes = folds if name == "folds" else {}
        trainings.append(fit(prepared, tmp_path / name / "checkpoints", **changes))
    split, folds = trainings
    close(logits(prepared, folds), logits(prepared, split))
    assert folds.out_of_fold is None
    assert not any("eval_accuracy" in entry for entry in folds.history)
    # the bias has no penalty: on average over weighted rows, all classes are equally probable
    probabilities = torch.tensor(logits(prepared, folds, "train")).softmax(-1).numpy()
    weights = prepared.loss.target_weights(np.array(targets))
    assert np.ptp(weights) > 0
    means = np.average(probabilities, axis=0, weights=weights)
    np.testing.assert_allclose(means, 1 / len(means), atol=1e-3)


def test_its_score_stands_in_the_history_beside_the_losses_of_the_steps(trained):
    prepared, _, fitted = trained
    (entry,) = [entry for entry in fitted.history if fitted.chosen.items() <= entry.items()]
    assert fitted.chosen["step"] == 8
    assert fitted.chosen["pooling"] == "mean"
    outputs = {"logits": logits(prepared, fitted)}
    assert entry["eval_accuracy"] == prepared.scorer.main_score(
        prepared.recipe.task.predict(
            outputs, prepared.encoded["validation"], None, prepared.data.labels
        ),
        prepared.targets["validation"],
        outputs,
    )
    assert any("loss" in entry for entry in fitted.history)


def test_a_resumed_run_can_read_the_recipe_that_was_resolved(checkpoint, tmp_path):
    data = problem(tmp_path / "data", "single")
    prepared = prepare(tmp_path, checkpoint("bert"), data, strategy="contrastive")
    values = prepared.recipe.model_dump(mode="json")
    assert Recipe.from_dict(values).early_stopping is None


def test_an_encoder_that_diverged_is_refused_before_a_head_is_solved(checkpoint, tmp_path):
    data = problem(tmp_path / "data", "single")
    training = {**TRAINING, "max_steps": 1, "gradient_checkpointing": True}
    prepared = prepare(
        tmp_path, checkpoint("bert"), data, strategy="contrastive", training=training
    )
    with torch.no_grad():
        next(prepared.checkpoint.model.parameters()).fill_(torch.nan)
    with pytest.raises(DivergedError, match=r"training diverged; lower training\.learning_rate"):
        fit(prepared, tmp_path / "checkpoints")


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("several", "compares texts of one class each; this is multi_label_classification"),
        ("number", "compares texts of one class each; this is regression"),
        ("pairs", "compares texts with each other; here an example is a pair of texts"),
    ],
)
def test_what_has_no_classes_to_compare_is_refused(checkpoint, tmp_path, kind, expected):
    data = problem(tmp_path / "data", kind)
    with pytest.raises(RecipeError) as error:
        prepare(tmp_path, checkpoint("bert"), data, strategy="contrastive")
    assert str(error.value) == (
        f"strategy.name: 'contrastive': {expected}; use lp_ft, full or lora"
    )


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        ({"early_stopping": {"patience": 2}}, "strategy 'contrastive' has none before its head"),
        ({"speed": {"length_buckets": "on"}}, "the loss compares the rows of a batch"),
    ],
)
def test_what_cannot_go_with_it_is_refused(checkpoint, tmp_path, section, expected):
    from pipelines.workflow.run import check_training

    data = problem(tmp_path / "data", "single")
    with pytest.raises(RecipeError, match=expected):
        check_training(
            prepare(tmp_path, checkpoint("bert"), data, strategy="contrastive", **section)
        )


def test_evaluations_that_will_not_be_are_noted(checkpoint, tmp_path, capsys):
    training = {"eval_strategy": "epoch", "num_train_epochs": None}
    data = problem(tmp_path / "data", "single")
    prepared = prepare(
        tmp_path, checkpoint("bert"), data, strategy="contrastive", training=training
    )
    resolved = prepared.recipe.training
    # an epoch is as many pairs as it takes; few rows make it no longer
    assert (resolved["num_train_epochs"], resolved["learning_rate"]) == (1, 2e-5)
    assert (
        "note: strategy contrastive has a loss of its own; ignored: training.eval_strategy"
        in capsys.readouterr().out
    )
