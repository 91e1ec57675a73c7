"""Terms that are added to the loss: what they pull towards, and that they count the same however a
step is cut into batches."""

import pytest
import torch
from grafting import changed, fit, prepare, problem, write_recipe
from torch.nn.functional import cross_entropy

from pipelines.cli import main
from pipelines.core.errors import ModelError, RecipeError
from pipelines.core.losses import CrossEntropy
from pipelines.training.regularization import symmetric_kl

STEADY = {"learning_rate": 1e-3, "lr_scheduler_type": "constant", "warmup_steps": 0}
STEADY |= {"weight_decay": 0.0, "logging_steps": 1, "max_grad_norm": 0.0}
CALM = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}


@pytest.fixture
def trained(checkpoint, training_data, tmp_path):
    """trained(regularization, …) -> (what was prepared, what came of it, tensors before)."""

    def trained(regularization, family="bert", data=None, calm=True, **sections):
        model = {"checkpoint": str(checkpoint(family)), "config": CALM if calm else {}}
        training = {**STEADY, **sections.pop("training", {})}
        sections = {"model": model, "regularization": regularization, **sections}
        data = data or training_data["text"]
        ready = prepare(tmp_path, checkpoint(family), data, training=training, **sections)
        before = {n: t.clone() for n, t in ready.checkpoint.model.state_dict().items()}
        return ready, fit(ready, tmp_path / "checkpoints"), before

    return trained


def losses(fitted):
    return [entry["loss"] for entry in fitted.history if "loss" in entry]


def norms(fitted):
    return [entry["grad_norm"] for entry in fitted.history if "grad_norm" in entry]


def distance(result, before):
    """Of the pretrained weights from where they were."""
    named = result.checkpoint.model.named_parameters()
    rows = [(n, p) for n, p in named if n not in result.checkpoint.newly_initialized]
    return float(sum(((p.detach() - before[n]) ** 2).sum() for n, p in rows)) ** 0.5


@pytest.mark.slow
def test_l2_sp_holds_weights_near_their_start(trained):
    free, tied = (distance(result, b) for result, _, b in map(trained, ({}, {"l2_sp": 10.0})))
    assert tied < 0.5 * free


@pytest.mark.numerical
@pytest.mark.slow
def test_l2_sp_is_half_the_squared_distance(trained):
    """Of one step from where they start it knows nothing; of the next, what plain descent says."""
    steps = {"optim": "sgd", "max_steps": 2, "learning_rate": 0.1}
    _, free, _ = trained({}, training=steps)
    result, tied, before = trained({"l2_sp": 0.3}, training={**steps, "max_steps": 1})
    moved = distance(result, before)
    _, tied, _ = trained({"l2_sp": 0.3}, training=steps)
    one, other = losses(free), losses(tied)
    assert other[0] == pytest.approx(one[0], abs=1e-6)
    assert other[1] - one[1] == pytest.approx(0.3 * moved**2 / 2, rel=1e-2)


@pytest.mark.slow
def test_r_drop_is_the_loss_of_two_passes_and_their_disagreement(trained):
    """Without dropout two passes are the same; with it, they come to differ less."""
    with pytest.raises(ModelError, match="r_drop: BertForSequenceClassification has no dropout"):
        trained({"r_drop": 1.0})

    def apart(result):
        model = result.checkpoint.model.train()
        rows = result.encoded["validation"]
        batch = result.collate([rows[i] for i in range(len(rows))])
        torch.manual_seed(0)
        with torch.no_grad():
            pairs = [(model(**batch).logits, model(**batch).logits) for _ in range(10)]
        return float(sum(symmetric_kl(a, b, batch["labels"]) for a, b in pairs))

    training = {"num_train_epochs": 6}
    free, held = (
        apart(trained(terms, calm=False, training=training)[0]) for terms in ({}, {"r_drop": 20.0})
    )
    assert held < 0.7 * free


@pytest.mark.numerical
def test_disagreement_is_symmetric_and_leaves_out_what_has_no_label():
    torch.manual_seed(0)
    one, other = torch.randn(2, 4, 5, 3)
    labels = torch.randint(0, 3, (4, 5))
    labels[0] = -100
    result = symmetric_kl(one, other, labels)
    assert result == pytest.approx(float(symmetric_kl(other, one, labels)))
    p, q = (x[1:].reshape(-1, 3).log_softmax(-1) for x in (one, other))
    by_hand = (q.exp() * (q - p)).sum(-1) / 2 + (p.exp() * (p - q)).sum(-1) / 2
    assert result == pytest.approx(float(by_hand.mean()))
    assert symmetric_kl(one, one, labels) == 0


@pytest.mark.numerical
@pytest.mark.parametrize("focal", [0.0, 0.5, 2.0])
@pytest.mark.parametrize("weights", [None, [1.0, 2.0, 0.5]])
def test_focal_loss_is_that_of_its_paper(focal, weights):
    torch.manual_seed(0)
    logits, labels = torch.randn(6, 3), torch.tensor([0, 1, 2, -100, 1, 0])
    right = logits.softmax(-1).gather(-1, labels.clamp(min=0)[:, None])[:, 0]
    weigh = torch.tensor(weights) if weights else None
    each = cross_entropy(logits, labels, weigh, reduction="none") * (1 - right) ** focal
    result = CrossEntropy(weights, focal=focal)({"logits": logits}, labels)
    torch.testing.assert_close(result, each.sum() / 5)


@pytest.mark.numerical
@pytest.mark.slow
@pytest.mark.parametrize(
    "terms", [{"l2_sp": 0.1}, {"focal": 2.0}, {"focal": 2.0, "l2_sp": 0.1}], ids=str
)
def test_a_step_is_the_same_however_it_is_accumulated(trained, terms):
    one, several = (
        trained(
            terms,
            training={
                "per_device_train_batch_size": size,
                "gradient_accumulation_steps": 8 // size,
                "num_train_epochs": 1,
                "optim": "sgd",
                "learning_rate": 0.05,
            },
        )[1]
        for size in (8, 2)
    )
    assert losses(several) == pytest.approx(losses(one), rel=1e-3)
    assert norms(several) == pytest.approx(norms(one), rel=1e-3)


@pytest.mark.parametrize("name", ["r_drop", "focal"])
@pytest.mark.parametrize("kind", ["several", "number"])
def test_what_needs_one_class_is_refused_elsewhere(trained, tmp_path, name, kind):
    with pytest.raises(RecipeError, match=f"regularization.{name}: expected one class"):
        trained({name: 1.0}, data=problem(tmp_path / "data", kind))


def test_what_makes_no_steps_is_not_regularized(checkpoint, text_data, tmp_path, capsys):
    sections = {"strategy": "linear_probe", "regularization": {"l2_sp": 0.1}}
    recipe = write_recipe(tmp_path, checkpoint("bert"), text_data, **sections)
    assert main(["run", str(recipe)]) == 2
    message = capsys.readouterr().err
    assert "regularization.l2_sp: strategy 'linear_probe' takes no gradient steps" in message


@pytest.mark.parametrize("strategy", ["lora", "ln_tuning", "scratch"])
def test_what_moves_nothing_pretrained_has_nowhere_to_be_pulled_to(trained, strategy):
    with pytest.raises(RecipeError, match=r"l2_sp: .* changes no pretrained weights"):
        trained({"l2_sp": 0.1}, strategy=strategy)


def test_frozen_weights_stay_as_they_are(trained):
    result, _, before = trained({"l2_sp": 1.0}, strategy={"name": "top_layers", "layers": 1})
    differ = changed(before, result.checkpoint.model.state_dict())
    assert differ
    assert not any(name.startswith("bert.embeddings") for name in differ)
