"""Several encoders in one recipe: frozen features side by side, and one head on all of them."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from example_run import evidence, finished, load_recipe
from grafting import Graft, fit, graft, prepare, problem, write_recipe
from printed import printed
from references import softmax
from tiny_run import TinyRun

import pipelines
from pipelines.cli import main
from pipelines.core.errors import ModelError, RecipeError, RunError
from pipelines.core.labels import SINGLE, Labels
from pipelines.core.registry import find
from pipelines.features.heads import Scaler
from pipelines.models import forward
from pipelines.models.output import side_by_side
from pipelines.models.output.reload import library_of, reload
from pipelines.models.revision import resolve_commit
from pipelines.models.section import Model
from pipelines.recipe import staged
from pipelines.report import lock, push
from pipelines.report.usage import prediction_set_usage, usage
from pipelines.workflow.explain import explain
from pipelines.workflow.export import export

LINES = True  # of a whole run; no other test here starts one
LAST = {"name": "linear_probe", "pooling": "last"}


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """Use one cache for this module, where features of one test are found by the next."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRAFT_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def models(checkpoint) -> list[str]:
    """Two encoders of texts: `last` is what the head of GPT-2 reads, and no head of BERT's."""
    return [str(checkpoint("bert")), str(checkpoint("gpt2"))]


@pytest.fixture(scope="module")
def texts(models, text_data, cache, tmp_path_factory) -> Graft:
    """Texts, read by both."""
    folder = tmp_path_factory.mktemp("texts")
    return graft(folder, models[0], text_data, model=models, strategy=LAST)


def reference(trained: Graft) -> np.ndarray:
    """Logits of train by scikit-learn, on features that are standardized and weighed by block."""
    from sklearn.linear_model import LogisticRegression

    rows, chosen = trained.prepared.rows("train"), trained.fitted.chosen
    blocks = [
        part.output.features(encoded, part.collate)
        for part, encoded in zip(trained.fitted.output.parts, rows.parts, strict=True)
    ]
    favors = [2.0 if " x2" in name else 1.0 for name in chosen["pooling"].split(" + ")]
    width = np.mean([block.shape[1] for block in blocks])
    features = np.concatenate(
        [
            favor * Scaler.of(block)(block) * (width / block.shape[1]) ** 0.5
            for favor, block in zip(favors, blocks, strict=True)
        ],
        axis=1,
    )
    targets = trained.prepared.targets["train"]
    model = LogisticRegression(C=chosen["C"], max_iter=1000).fit(features, targets)
    return model.predict_proba(features)


def scores(trained: Graft, example: str, **changes) -> dict[str, float]:
    """What the printed lines compute for an example."""
    output, labels = trained.fitted.output, trained.prepared.data.labels
    shown = evidence(
        task=trained.prepared.recipe.task,
        labels=labels,
        library=output.library,
        libraries=output.libraries,
        **changes,
    )
    names = {}
    label, score = printed(usage(shown, trained.folder.as_posix(), example), names)
    assert score == max(names["scores"].values())
    assert names["scores"][label] == score
    return names["scores"]


def reloaded(trained: Graft) -> np.ndarray:
    task, labels = trained.prepared.recipe.task, trained.prepared.data.labels
    predict = reload(trained.folder, library_of(trained.folder), task, labels)
    return predict(trained.prepared.data.validation)["logits"]


@pytest.mark.numerical
def test_each_model_is_saved_in_its_form_and_their_logits_add_up(texts):
    folders = {path.name for path in texts.folder.iterdir()}
    assert folders == {"1-sentence-transformers", "2-transformers", "side_by_side.json"}
    logits = texts.logits()
    np.testing.assert_allclose(reloaded(texts), logits, atol=1e-4)
    np.testing.assert_allclose(softmax(texts.logits("train")), reference(texts), atol=1e-2)
    assert np.mean(logits.argmax(1) == texts.prepared.targets["validation"]) > 0.9
    hotter = texts.fitted.output.with_temperature(2.0, None)
    rows = texts.prepared.rows("validation")
    halved = hotter.run(rows, texts.prepared.collate, texts.prepared.recipe.task.collect)
    np.testing.assert_allclose(2 * halved["logits"], logits, atol=1e-4)


def test_the_printed_lines_need_two_libraries_and_give_the_same(texts):
    row = texts.prepared.data.validation[0]["text"]
    expected = softmax(texts.logits())[0]
    assert [*scores(texts, repr(row)).values()] == pytest.approx([*expected], abs=1e-4)
    shown = evidence(library="side-by-side", libraries=("sentence-transformers", "transformers"))
    assert printed(prediction_set_usage(shown, texts.folder.as_posix(), 1e-6)) == [
        [*shown.labels.names]
    ]


def test_the_lines_import_what_the_models_need_and_read_what_they_take():
    two = {"library": "side-by-side", "libraries": ("transformers", "transformers")}
    sounds = usage(evidence(task=find("tasks", "audio_classification")(), **two), "m")
    assert "soundfile.read(example, " in sounds
    assert 'model=f"{folder}/{name}", top_k=2, function_to_apply="none")' in sounds
    two["libraries"] = ("sentence-transformers", "sentence-transformers")
    pairs = usage(evidence(pair=True, **two), "m")
    assert ".encode([[*example.values()]])[0]" in pairs
    assert "pipeline" not in pairs
    for lines in (sounds, pairs):
        compile(lines, "lines", "exec")


def test_a_run_predicts_with_all_of_them(texts, text_checkpoint, tmp_path):
    labels = Labels(SINGLE, ("negative", "positive"), ("negative", "positive"))
    tiny = TinyRun(tmp_path, text_checkpoint, labels=labels)
    shutil.rmtree(tiny.folder.model)
    shutil.copytree(texts.folder, tiny.folder.model)
    rows = list(texts.prepared.data.validation["text"])[:4]
    table = tiny.run.predict(rows)
    expected = softmax(texts.logits())[:4]
    assert np.allclose(table.probability, expected.max(1), atol=1e-4)
    for use in (
        tiny.run.model,
        tiny.run.pipeline,
        lambda: explain(tiny.run, rows, None, None),
        lambda: export(tiny.run),
    ):
        with pytest.raises(ModelError, match="several models side by side"):
            use()


def test_other_combinations_find_the_features_of_each_model(
    texts, models, text_data, tmp_path, monkeypatch
):
    def run(*_, **__):
        raise AssertionError("a pass over a split")

    monkeypatch.setattr(forward, "iter_batches", run)
    for named in (models[::-1], models[1]):
        ready = prepare(tmp_path, models[0], text_data, model=named, strategy=LAST)
        assert fit(ready, tmp_path).chosen


def test_auto_takes_several_models_and_folds_score_the_head(models, few, cache, tmp_path, capsys):
    ready = prepare(tmp_path, models[0], few, model=models, strategy="auto")
    assert ready.recipe.strategy.name == "linear_probe"
    assert "auto: linear_probe; reason: features of several models" in capsys.readouterr().out
    fitted = fit(ready, tmp_path)
    assert fitted.out_of_fold.shape == (20, 2)
    assert "model 2 alone" in capsys.readouterr().out
    # all alike, unless folds tell another weighting from it
    assert " + 2:" in fitted.chosen["pooling"]
    assert {entry["pooling"][:2] for entry in fitted.history} == {"1:", "2:"}


@pytest.mark.numerical
def test_pictures_are_read_by_each_processor_and_no_width_drowns_another(
    checkpoint, image_data, cache, tmp_path
):
    families = [str(checkpoint(family)) for family in ("resnet", "vit")]
    sections = {"task": "image", "model": families, "strategy": "linear_probe"}
    trained = graft(tmp_path, families[0], image_data, **sections)
    dims = [p.output.head.weight.shape[1] for p in trained.fitted.output.parts]
    assert dims == [16, 32]
    expected = trained.logits()
    np.testing.assert_allclose(reloaded(trained), expected, atol=1e-3)
    np.testing.assert_allclose(softmax(trained.logits("train")), reference(trained), atol=1e-2)
    path = str(sorted((image_data / "validation").glob("dark/*"))[0])
    answer = scores(trained, repr(path))
    assert max(answer, key=answer.get) == "dark"


@pytest.mark.slow
def test_sounds_are_read_by_each_extractor(checkpoint, audio_data, cache, tmp_path):
    families = [str(checkpoint(family)) for family in ("wav2vec2", "whisper")]
    sections = {"task": "audio", "model": families, "strategy": "linear_probe"}
    trained = graft(tmp_path, families[0], audio_data, **sections)
    expected = trained.logits()
    np.testing.assert_allclose(reloaded(trained), expected, atol=1e-3)
    clip = trained.prepared.data.validation[0]["audio"]["path"]
    assert [*scores(trained, repr(clip)).values()] == pytest.approx(
        [*softmax(expected)[0]], abs=1e-2
    )


@pytest.mark.slow
def test_a_whole_run_checks_its_lines_and_says_what_stood_side_by_side(
    models, text_data, cache, tmp_path, monkeypatch, python_offline, capsys
):
    monkeypatch.setattr("sys.executable", str(python_offline.path))
    path = write_recipe(tmp_path, models[0], text_data, model=models, strategy=LAST)
    assert main(["check", str(path)]) == 0
    assert f"beside     {models[1]} as GPT2ForSequenceClassification" in capsys.readouterr().out
    assert main(["run", str(path)]) == 0
    run = pipelines.Run.open(tmp_path / "runs/recipe/1")
    card = run.folder.card.read_text()
    assert "bert beside gpt2, fine-tuned by" in card
    assert "side_by_side.json" in card
    assert "These lines were run: ok" in card
    locked = json.loads(run.folder.lock.read_text())
    assert [each["checkpoint"] for each in locked["beside"]] == ["gpt2"]
    assert main(["predict", str(run.path), "a great film"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["prediction"] == "positive"


TEXT = """\
task: text_classification
data: {source: hub, path: nyu-mll/glue, name: sst2}
strategy: linear_probe
"""


def load(tmp_path: Path, text: str, *overrides: str):
    path = tmp_path / "recipe.yaml"
    path.write_text(TEXT + text)
    return staged.load(path, overrides)


@pytest.mark.parametrize(
    ("text", "overrides"),
    [
        ("model: [a/a, b/b]", ()),
        ("model: [{checkpoint: a/a}, {checkpoint: b/b, revision: main}]", ()),
        ("model: {checkpoint: a/a, beside: [b/b]}", ()),
        ("model: c/c", ("model=[a/a, b/b]",)),
        ("model: [c/c, b/b]", ("model.checkpoint=a/a",)),
        ("model: a/a", ("model.beside=[b/b]",)),
    ],
)
def test_a_list_of_models_is_short_for_one_and_those_beside_it(tmp_path, text, overrides):
    model = load(tmp_path, text, *overrides).model
    assert (model.checkpoint, [each.checkpoint for each in model.beside]) == ("a/a", ["b/b"])
    assert load(tmp_path, "model: [a/a]").model.beside == ()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("model:\n- a/a\n- checkpoint: b/b\n  revison: x", "yaml:7: unknown key 'model.beside.0."),
        ("model: [a/a, {checkpoint: b/b, head: new}]", "'model.beside.0.head'"),
        ("model: [a/a, b/b, {checkpoint: a/a}]", "model: beside: 'a/a' stands there twice"),
        ("model: []", "yaml:4: model: []: should be keys and values"),
        ("model: [a/a, b/b]\nstrategy: lora", "yaml:4: strategy.name: 'lora': features of several"),
        ("model: [a/a, b/b]\ntask: token_classification", "model.beside: token_classification"),
        ("model: [a/a, b/b]\nstrategy: {name: auto, entrants: [full]}", "strategy.entrants: feat"),
        ("model: [a/a, b/b]\nstrategy: {name: linear_probe, head: mlp}", "head: 'mlp': a head of"),
        ("model: [{checkpoint: a/a, head: keep}, b/b]\nstrategy: auto", "model.head: 'keep': feat"),
        ("model: [a/a, {checkpoint: b/b, image_size: 8}]", "beside.0.image_size: text_class"),
        ("model: [a/a, b/b]\naveraging: {merge: {checkpoints: [c/c, d/d]}}", "averaging.merge: me"),
        ("model: [a/a, b/b]\nhub: {push: true, repo_id: a/b}", "hub.push: several models"),
        ("model: [a/a, b/b]\nevaluation: {robustness: true}", "evaluation.robustness: is measured"),
        ("model: [a/a, b/b]\nstages: [{}, {}]", "model.beside: a stage starts from"),
    ],
)
def test_what_has_no_meaning_with_a_list_is_refused_by_its_key(tmp_path, text, problem):
    keys = [line.partition(":")[0] for line in text.splitlines()]
    rows = [line for line in TEXT.splitlines() if line.partition(":")[0] not in keys]
    path = tmp_path / "recipe.yaml"
    path.write_text("\n".join([*rows, text]))
    with pytest.raises(RecipeError) as refusal:
        staged.load(path)
    assert problem in str(refusal.value)


def test_one_class_for_each_example_is_what_they_predict(models, tmp_path):
    data = problem(tmp_path / "numbers", "number")
    with pytest.raises(RecipeError, match=r"model\.beside: .* this is a regression"):
        prepare(tmp_path, models[0], data, model=models, strategy="linear_probe")


def test_models_of_another_modality_are_refused_by_name(models, checkpoint, text_data, tmp_path):
    named = [models[0], str(checkpoint("vit"))]
    with pytest.raises(ModelError, match=r"vit: .* has no AutoModelForSequenceClassification"):
        prepare(tmp_path, models[0], text_data, model=named, strategy="linear_probe")


def test_the_lock_holds_the_commit_of_each(tmp_path):
    data = "data: {source: sklearn, path: digits}"
    text = f"model: [a/a, b/b]\ntask: image_classification\n{data}\nstrategy: linear_probe\n"
    loaded = load_recipe(tmp_path, text)
    locked = lock.collect(loaded, commit="a" * 40, beside_commits=["b" * 40])
    model = lock.pinned(loaded, locked)["model"]
    assert (model["revision"], model["beside"][0]["revision"]) == ("a" * 40, "b" * 40)


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("{", "JSONDecodeError"),
        ('{"models": ["../1"], "labels": ["a"], "bias": [0]}', "no model '../1' in the folder"),
        ('{"models": [], "labels": ["a"], "bias": [0]}', "expected models"),
        ('{"models": ["1"], "labels": ["a"], "bias": [0, 1]}', "a bias for each label"),
    ],
)
def test_a_damaged_folder_is_refused(tmp_path, written, reason):
    (tmp_path / "1").mkdir()
    (tmp_path / side_by_side.FILE).write_text(written)
    with pytest.raises(ModelError, match=reason):
        side_by_side.read(tmp_path)


def test_a_folder_of_models_is_not_pushed(tmp_path):
    folder = finished(tmp_path)
    (folder.model / side_by_side.FILE).write_text("{}")
    with pytest.raises(RunError, match="several models side by side"):
        push.push(folder, "me/two")
    with pytest.raises(ModelError, match="side by side; expected one, such as"):
        resolve_commit(Model(checkpoint=str(folder.model)))
