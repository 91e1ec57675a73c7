"""Each head against its library, and all against what any head has to do."""

import json

import numpy as np
import pytest
from closeness import close
from grafting import graft, prepare, problem, write_recipe
from references import Scikit, softmax

from pipelines import recipe
from pipelines.cli import main
from pipelines.core import registry
from pipelines.core.errors import RecipeError
from pipelines.core.labels import MULTI, REGRESSION, SINGLE
from pipelines.features.heads import Linear, Problem, Scaler
from pipelines.features.heads.class_prototypes import ClassPrototypes
from pipelines.features.heads.linear_svm import LinearSvm
from pipelines.features.heads.logistic_regression import LogisticRegression
from pipelines.features.heads.mlp import Mlp
from pipelines.features.heads.nearest_neighbors import NearestNeighbors
from pipelines.features.heads.ridge import Ridge
from pipelines.models.output.reload import reload

pytestmark = pytest.mark.numerical

SLOW = pytest.mark.slow
HEADS = {name: registry.find("heads", name) for name in registry.names("heads")}
DEEP = [name for name, head in HEADS.items() if head.is_deep]
OTHER_HEADS = [name for name in HEADS if name not in (*DEEP, "class_prototypes")]


def heads_for(problem_type):
    return [name for name, head in HEADS.items() if problem_type in head.problem_types]


def features_of(rows=60, dim=5, seed=0):
    random = np.random.default_rng(seed)
    return random.normal(3, random.uniform(0.1, 9, dim), (rows, dim)) + random.normal(0, 50, dim)


def solved(head, features, targets, num_labels, strength, bias=True):
    """Solve a head on standardized features; returns it folded to read raw ones."""
    scaler = Scaler.of(features, center=bias)
    # A weaker solution comes first, as from a grid. Without a bias these features are far from 0,
    # and from such a start the solver stops early in single precision.
    before = [strength / 100] if bias else []
    problem = Problem(scaler(features), np.asarray(targets), num_labels, bias)
    return scaler.fold([*head.solve(problem, [*before, strength])][-1])


def test_features_are_standardized_as_scikit_learn_does():
    from sklearn.preprocessing import StandardScaler

    features = features_of()
    for center in (True, False):
        theirs = StandardScaler(with_mean=center).fit_transform(features)
        np.testing.assert_allclose(Scaler.of(features, center=center)(features), theirs, rtol=1e-4)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("classes", [2, 3, 5])
def test_logistic_regression_predicts_as_scikit_learn(classes, bias):
    features = features_of()
    targets = (features @ np.arange(1, 6) // 7 % classes).astype(int)
    logits = solved(LogisticRegression(), features, targets, classes, 0.3, bias)(features)
    theirs = Scikit(features, targets, 0.3, bias)
    np.testing.assert_allclose(softmax(logits), theirs.predict_proba(features), atol=3e-3)
    assert (logits.argmax(1) == theirs.predict(features)).all()
    if classes == 2:
        decision = theirs.decision_function(features)
        np.testing.assert_allclose(logits[:, 1] - logits[:, 0], decision, atol=3e-3)


def test_several_labels_are_one_sigmoid_each():
    features = features_of()
    targets = np.stack([features[:, i] > features[:, i].mean() for i in range(3)], axis=1) * 1.0
    targets = np.column_stack([targets, np.ones(60), np.zeros(60)])  # all examples, none
    logits = solved(LogisticRegression(), features, targets, 5, 0.3)(features)
    for column in range(3):
        theirs = Scikit(features, targets[:, column] > 0, 0.3).decision_function(features)
        np.testing.assert_allclose(logits[:, column], theirs, atol=3e-3)
    assert (logits[:, 3] > 5).all()
    assert (logits[:, 4] < -5).all()
    # without a bias nothing can express that: the logit is the one that will be saved
    logits = solved(LogisticRegression(), features, targets, 5, 0.3, bias=False)(features)
    assert not logits[:, 3:].any()


@pytest.mark.parametrize("bias", [True, False])
def test_ridge_predicts_as_scikit_learn(bias):
    features = features_of()
    targets = features @ np.arange(1.0, 6.0) - 7
    ours = solved(Ridge(), features, targets, 1, 10.0, bias)(features)
    theirs = Scikit(features, targets, 10.0, bias)
    np.testing.assert_allclose(ours[:, 0], theirs.predict(features), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("classes", [(0, 2), (1, 2, 4)])
def test_a_class_that_train_lacks_is_never_predicted(classes, bias):
    features = features_of()
    ranks = (features @ np.arange(1, 6)).argsort().argsort()
    targets = np.asarray(classes)[ranks * len(classes) // 60]
    logits = solved(LogisticRegression(), features, targets, 5, 0.3, bias)(features)
    theirs = Scikit(features, targets, 0.3, bias)
    assert (logits.argmax(1) == theirs.predict(features)).all()
    if bias:
        ours = softmax(logits)[:, classes]
        np.testing.assert_allclose(ours, theirs.predict_proba(features), atol=3e-3)


@pytest.mark.parametrize("name", heads_for(SINGLE))
@pytest.mark.parametrize("classes", [(2,), (0, 2), (1, 2, 4)])
@pytest.mark.parametrize("bias", [True, False])
def test_only_classes_of_train_are_predicted(name, classes, bias):
    features, head = features_of(), HEADS[name]()
    ranks = (features @ np.arange(1, 6)).argsort().argsort()
    targets = np.asarray(classes)[ranks * len(classes) // 60]
    for strength in head.grid[1::4]:
        logits = solved(head, features, targets, 5, strength, bias)(features_of(seed=1))
        assert logits.shape == (60, 5)
        if bias or len(classes) > 1:
            assert set(logits.argmax(1)) <= set(classes)


@pytest.mark.parametrize("name", [name for name in heads_for(SINGLE) if name != "mlp"])
@pytest.mark.parametrize("bias", [True, False])
def test_a_row_that_counts_twice_is_two_rows(name, bias):
    features, head = features_of().astype(np.float32), HEADS[name]()
    features -= features.mean(0)
    targets = (features @ np.arange(1, 6) // 20 % 3).astype(int)
    twice = np.concatenate([np.arange(60), np.flatnonzero(targets == 1)])
    counted = Problem(features, targets, 3, bias, np.where(targets == 1, 2.0, 1.0))
    repeated = Problem(features[twice], targets[twice], 3, bias, np.ones(len(twice)))
    plain = Problem(features, targets, 3, bias)
    strength = head.grid[4]
    ours, theirs, without = (
        softmax(next(head.solve(p, [strength]))(features)) for p in (counted, repeated, plain)
    )
    np.testing.assert_allclose(ours, theirs, atol=2e-3)
    assert np.abs(ours - without).max() > 5e-3


@pytest.mark.parametrize("classes", [2, 4])
def test_margins_are_those_of_linear_svc(classes):
    from sklearn.svm import LinearSVC

    features = features_of()
    targets = (features @ np.arange(1, 6) // 7 % classes).astype(int)
    logits = solved(LinearSvm(), features, targets, classes, 0.01)(features)
    # theirs penalizes the bias, the less the more it is scaled
    theirs = LinearSVC(C=0.01, intercept_scaling=100, tol=1e-8, max_iter=100_000)
    scaled = Scaler.of(features)(features)
    decision = theirs.fit(scaled, targets).decision_function(scaled)
    ours = logits[:, 1] - logits[:, 0] if classes == 2 else logits
    np.testing.assert_allclose(ours / 2 if classes == 2 else ours, decision, atol=5e-3)


def test_classes_by_ridge_are_those_of_scikit_learn():
    from sklearn.linear_model import RidgeClassifier

    features = features_of()
    targets = (features @ np.arange(1, 6) // 7 % 4).astype(int)
    scaled = Scaler.of(features)(features)
    theirs = RidgeClassifier(alpha=10.0).fit(scaled, targets).decision_function(scaled)
    ours = solved(Ridge(), features, targets, 4, 10.0)(features)
    np.testing.assert_allclose(ours, theirs, atol=1e-4)


@pytest.mark.parametrize("shrinkage", [0.1, 0.6, 1.0])
def test_prototypes_have_the_margins_of_discriminant_analysis(shrinkage):
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    features = features_of()
    targets = (features @ np.arange(1, 6)).argsort().argsort() // 20
    scaled = Scaler.of(features)(features)
    theirs = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=shrinkage).fit(scaled, targets)
    ours = solved(ClassPrototypes(), features, targets, 3, shrinkage)(features)
    margins, decision = (
        x - x.mean(1, keepdims=True) for x in (ours, theirs.decision_function(scaled))
    )
    # up to one temperature for all
    scale = (margins * decision).sum() / (decision**2).sum()
    np.testing.assert_allclose(margins, scale * decision, atol=1e-3)


def test_with_shrinkage_1_the_nearest_mean_wins():
    features = features_of()
    targets = (features @ np.arange(1, 6)).argsort().argsort() // 20
    scaled = Scaler.of(features)(features)
    means = np.stack([scaled[targets == c].mean(0) for c in range(3)])
    nearest = ((scaled[:, None] - means) ** 2).sum(-1).argmin(1)
    ours = solved(ClassPrototypes(), features, targets, 3, 1.0)(features)
    assert (ours.argmax(1) == nearest).all()


def test_neighbors_vote_by_how_near_they_are():
    train, other, temperature = features_of(), features_of(seed=1), 0.1
    targets = (train @ np.arange(1, 6) // 7 % 3).astype(int)
    near, far = (Scaler.of(train)(x) for x in (train, other))
    near, far = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (near, far))
    votes = np.exp(far @ near.T / temperature)
    votes /= votes.sum(1, keepdims=True)

    numbers = train @ np.arange(1.0, 6.0)
    ours = solved(NearestNeighbors(), train, numbers, 1, temperature)(other)
    np.testing.assert_allclose(ours[:, 0], votes @ numbers, rtol=1e-4)
    shares = votes @ np.eye(3)[targets]
    ours = solved(NearestNeighbors(), train, targets, 3, temperature)(other)
    np.testing.assert_allclose(ours / ours.sum(1, keepdims=True), shares, atol=1e-4)
    ours = solved(NearestNeighbors(), train, np.eye(3)[targets], 3, temperature)(other)
    assert ((ours > 0) == (shares > 0.5)).all()


@pytest.mark.parametrize("name", heads_for(SINGLE))
@pytest.mark.slow
def test_deep_heads_see_what_linear_ones_cannot(name):
    points = np.random.default_rng(0).uniform(-1, 1, (400, 2)).astype(np.float32)
    targets = (points.prod(1) > 0).astype(int)  # opposite corners
    head = HEADS[name]()
    logits = solved(head, points, targets, 2, head.grid[0])(points)
    right = (logits.argmax(1) == targets).mean()
    assert right > 0.9 if name in DEEP else right < 0.7


@pytest.mark.slow
def test_a_perceptron_learns_numbers_and_several_labels():
    features = features_of(rows=200)
    scaled = Scaler.of(features)(features)
    numbers = scaled[:, 0] ** 2
    error = solved(Mlp(), features, numbers, 1, 0.1)(features)[:, 0] - numbers
    assert (error**2).mean() < 0.2 * numbers.var()
    labels = np.stack([scaled[:, 0] > 0, np.abs(scaled[:, 1]) > 0.7], axis=1).astype(int)
    logits = solved(Mlp(), features, labels, 2, 0.1)(features)
    assert ((logits > 0) == labels).mean() > 0.9


def test_a_saturated_feature_is_not_scaled_up():
    """A saturated tanh varies by rounding, which differs from batch to batch."""
    features = features_of()
    rounding = np.random.default_rng(1).integers(-1, 2, (60, 2)) * 6e-8
    targets = (features[:, 0] > features[:, 0].mean()).astype(int)
    values = {
        name: solved(LogisticRegression(), np.column_stack([features, -1 + r]), targets, 2, 1.0)
        for name, r in (("trained", rounding[:, 0]), ("other", rounding[:, 1]))
    }
    one, other = (values["trained"](np.column_stack([features, -1 + r])) for r in rounding.T)
    np.testing.assert_allclose(one, other, atol=1e-4)


def test_folding_gives_the_same_logits_on_raw_features():
    features = features_of()
    scaler, head = Scaler.of(features), Linear(np.arange(10.0).reshape(2, 5), np.array([1.0, -1]))
    np.testing.assert_allclose(scaler.fold(head)(features), head(scaler(features)), rtol=1e-4)


# From a recipe


FAMILIES = ["bert", *(pytest.param(f, marks=SLOW) for f in ("gpt2", "roberta", "distilbert"))]


def reloaded_logits(result):
    """Predict validation with the saved folder, loaded by its library alone."""
    prepared = result.prepared
    labels, rows = prepared.data.labels, prepared.data.validation
    predict = reload(result.folder, result.fitted.output.library, prepared.recipe.task, labels)
    return predict(rows)["logits"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [*DEEP, "class_prototypes", *(pytest.param(n, marks=SLOW) for n in OTHER_HEADS)]
)
@pytest.mark.parametrize("family", FAMILIES)
def test_a_reloaded_model_gives_the_solved_logits(checkpoint, tmp_path, family, name):
    kind = "single" if SINGLE in HEADS[name].problem_types else "number"
    data = problem(tmp_path / "data", kind)
    section = {"name": "linear_probe", "head": name}
    trained = graft(tmp_path, checkpoint(family), data, strategy=section)
    assert trained.fitted.chosen[HEADS[name].hyperparameter] in HEADS[name].grid
    if name in DEEP:
        assert trained.fitted.output.library == "sentence-transformers"
    ours = trained.logits()
    close(reloaded_logits(trained), ours)


KINDS = {"pairs": SINGLE, "several": MULTI, "number": REGRESSION}
SOLVED = [
    (name, pooling, kind)
    for kind, problem_type in KINDS.items()
    for name in heads_for(problem_type)
    for pooling in ("head", "mean", "mean_max")
    if pooling != "head" or name not in DEEP
]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "pooling", "kind"), SOLVED)
def test_a_reloaded_model_gives_the_solved_logits_of_every_kind(
    text_checkpoint, tmp_path, name, pooling, kind
):
    data = problem(tmp_path / "data", kind)
    section = {"name": "linear_probe", "head": name, "pooling": pooling}
    trained = graft(tmp_path, text_checkpoint, data, strategy=section)
    plain = trained.fitted.output.library == "transformers"
    assert plain == (pooling == "head")
    close(reloaded_logits(trained), trained.logits())


@pytest.mark.parametrize("family", ["resnet", pytest.param("vit", marks=SLOW)])
@pytest.mark.parametrize(
    "name", ["class_prototypes", *(pytest.param(n, marks=SLOW) for n in OTHER_HEADS)]
)
def test_linear_heads_of_images_are_saved_as_the_plain_class(
    checkpoint, image_data, tmp_path, family, name
):
    section = {"name": "linear_probe", "head": name}
    trained = graft(tmp_path, checkpoint(family), image_data, task="image", strategy=section)
    assert trained.fitted.output.library == "transformers"
    close(reloaded_logits(trained), trained.logits())


@pytest.mark.slow
def test_a_saved_perceptron_is_two_dense_modules(text_checkpoint, text_data, tmp_path):
    section = {"name": "linear_probe", "head": "mlp", "pooling": "mean"}
    trained = graft(tmp_path, text_checkpoint, text_data, strategy=section)
    modules = json.loads((trained.folder / "modules.json").read_text())
    assert [m["type"].rpartition(".")[2] for m in modules][1:] == ["Pooling", "Dense", "Dense"]
    first = json.loads((trained.folder / "2_Dense" / "config.json").read_text())
    assert first["activation_function"] == "torch.nn.modules.activation.ReLU"
    assert trained.fitted.trainable == 32 * 256 + 256 + 256 * 2 + 2


@pytest.mark.parametrize("name", DEEP)
@pytest.mark.parametrize("task", ["image", "token_classification"])
def test_layers_that_no_plain_class_holds_are_refused(text_checkpoint, tmp_path, name, task):
    section = {"name": "linear_probe", "head": name}
    path = write_recipe(tmp_path, text_checkpoint, tmp_path, task=task, strategy=section)
    with pytest.raises(RecipeError, match=f"head '{name}' cannot be saved as a plain class"):
        recipe.load(path)


@pytest.mark.parametrize("name", DEEP)
def test_a_deep_head_has_no_pooling_called_head(text_checkpoint, text_data, tmp_path, name, capsys):
    section = {"name": "linear_probe", "head": name, "pooling": "head"}
    path = write_recipe(tmp_path, text_checkpoint, text_data, strategy=section)
    assert main(["run", str(path)]) == 2
    assert "pooling 'head'" in capsys.readouterr().err


def test_training_keys_without_effect_are_reported_once(
    text_checkpoint, text_data, tmp_path, capsys
):
    training = {"learning_rate": 1e-3, "num_train_epochs": 2, "per_device_eval_batch_size": 8}
    sections = {"strategy": "linear_probe", "training": training}
    prepare(tmp_path, text_checkpoint, text_data, **sections)
    notes = [line for line in capsys.readouterr().out.splitlines() if "steps" in line]
    assert len(notes) == 1
    assert "training.learning_rate" in notes[0]
    assert "training.num_train_epochs" in notes[0]
    assert "seed" not in notes[0]
    assert "eval_batch_size" not in notes[0]
    prepare(tmp_path, text_checkpoint, text_data, **{**sections, "strategy": "full"})
    assert "takes no gradient steps" not in capsys.readouterr().out
