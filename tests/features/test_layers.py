"""`strategy.layer`: features of another layer than the last, and the checkpoint that ends there."""

import json

import numpy as np
import pytest
import tiny
import tiny_audio
import torch
from closeness import close
from grafting import graft, prepare, write_recipe

from pipelines.cli import main
from pipelines.core.errors import ModelError
from pipelines.features import layers
from pipelines.models.anatomy import dissect
from pipelines.models.output.reload import reload

SLOW = pytest.mark.slow
# GPT-2 and ModernBERT normalize after the last block, whichever that is: another test has these
NORMALIZED_LAST = ("gpt2", "modernbert")
READ = [
    pytest.param(family, layer, marks=() if family == "bert" else SLOW)
    for family in tiny.TEXT_FAMILIES
    for layer in (1, "mean")
    if layer == "mean" or family not in NORMALIZED_LAST
]
ENDING = [
    *(pytest.param(f, marks=() if f in NORMALIZED_LAST else SLOW) for f in tiny.TEXT_FAMILIES),
    *(pytest.param(f, marks=SLOW) for f in ("vit", "dinov2", *tiny_audio.AUDIO_FAMILIES)),
]
PYRAMIDS = [
    *(
        pytest.param(f, marks=() if f == "convnext" else SLOW)
        for f in ("convnext", "swin", "resnet")
    ),
    *(pytest.param(f, marks=SLOW) for f in ("mobilenet_v2", "efficientnet", "timm-vgg")),
]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """Use a cache of this test's own."""
    monkeypatch.setenv("GRAFT_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def grafted(checkpoint, text_data, image_data, audio_data, tmp_path):
    """Return grafted(family, layer=1, …) -> Graft, by linear_probe."""

    def of(family, **section):
        task = "text" if family in tiny.TEXT_FAMILIES else "image"
        task = "audio" if family in tiny_audio.AUDIO_FAMILIES else task
        data = {"text": text_data, "image": image_data, "audio": audio_data}[task]
        strategy = {"name": "linear_probe", **section}
        return graft(tmp_path, checkpoint(family), data, task=task, strategy=strategy)

    return of


def reloaded(result):
    """Predict validation with the saved folder, loaded by its library alone."""
    prepared = result.prepared
    labels, rows = prepared.data.labels, prepared.data.validation
    predict = reload(result.folder, result.fitted.output.library, prepared.recipe.task, labels)
    return predict(rows)["logits"]


def states(result, folder):
    """Compute the hidden states of all blocks of the original checkpoint, and the mask."""
    from transformers import AutoModel

    model = AutoModel.from_pretrained(folder).eval()
    rows = result.prepared.encoded["validation"]
    batch = result.prepared.collate([rows[i] for i in range(len(rows))])
    batch.pop("labels")
    with torch.no_grad():
        return model(**batch, output_hidden_states=True).hidden_states, batch["attention_mask"]


def mean(hidden, mask):
    return np.asarray((hidden * mask[..., None]).sum(1) / mask.sum(1, keepdim=True))


def config_of(result):
    """Read the encoder's config, wherever its library keeps it."""
    (file,) = [*result.folder.glob("config.json"), *result.folder.glob("0_*/config.json")]
    return json.loads(file.read_text())


@pytest.mark.numerical
@pytest.mark.parametrize("family", ENDING)
@pytest.mark.slow
def test_a_model_that_ends_at_a_block_is_loaded_like_any_other(grafted, family):
    trained = grafted(family, layer=1)
    assert config_of(trained)[depth_key(trained)] == 1
    close(reloaded(trained), trained.logits())
    left = {name for name in trained.before if name not in trained.model.state_dict()}
    assert left  # the other blocks are gone, and no weight of the first has changed
    moved = {n for n, t in trained.model.state_dict().items() if not t.equal(trained.before[n])}
    assert all(any(n.startswith(h) for h in dissect(trained.model).head) for n in moved)


def depth_key(result):
    """The key of the number of blocks in this family's config."""
    return result.model.config.attribute_map.get(layers.DEPTH, layers.DEPTH)


@pytest.mark.numerical
@pytest.mark.parametrize(("family", "layer"), READ)
@pytest.mark.slow
def test_features_are_those_of_the_layer(grafted, checkpoint, family, layer):
    trained = grafted(family, layer=layer, pooling="mean")
    assert trained.fitted.output.library == "sentence-transformers"
    hidden, mask = states(trained, checkpoint(family))
    hidden = torch.stack(hidden[1:]).mean(0) if layer == "mean" else hidden[layer]
    ours, _ = trained.fitted.output.extractor.extract(
        trained.prepared.encoded["validation"], trained.prepared.collate
    )
    close(ours["mean"], mean(hidden, mask))
    close(reloaded(trained), trained.logits())


@pytest.mark.numerical
def test_what_follows_the_last_block_follows_the_chosen_one(grafted, checkpoint):
    trained = grafted("gpt2", layer=1, pooling="mean")
    hidden, mask = states(trained, checkpoint("gpt2"))
    hidden = trained.model.transformer.ln_f(hidden[1]).detach()
    ours, _ = trained.fitted.output.extractor.extract(
        trained.prepared.encoded["validation"], trained.prepared.collate
    )
    close(ours["mean"], mean(hidden, mask))


@pytest.mark.numerical
@pytest.mark.slow
def test_a_mean_of_layers_is_saved_as_such(grafted):
    trained = grafted("bert", layer="mean", head="mlp", pooling="mean")
    modules = json.loads((trained.folder / "modules.json").read_text())
    kinds = [m["type"].rpartition(".")[2] for m in modules]
    assert kinds == ["Transformer", "WeightedLayerPooling", "Pooling", "Dense", "Dense"]
    close(reloaded(trained), trained.logits())


def test_words_have_features_of_a_layer_too(checkpoint, tmp_path):
    from tiny_tasks import entity_data

    strategy = {"name": "linear_probe", "layer": 1}
    data = entity_data(tmp_path / "data")
    trained = graft(
        tmp_path, checkpoint("bert"), data, task="token_classification", strategy=strategy
    )
    assert config_of(trained)["num_hidden_layers"] == 1


@pytest.mark.parametrize("family", PYRAMIDS)
def test_stages_of_different_widths_are_refused(grafted, family):
    with pytest.raises(ModelError, match=r"strategy\.layer 1: .*; use layer=last"):
        grafted(family, layer=1)


def test_all_blocks_are_the_last_layer(checkpoint, text_data, tmp_path):
    strategy = {"name": "linear_probe", "layer": 2}
    ready = prepare(tmp_path, checkpoint("bert"), text_data, strategy=strategy)
    model = ready.checkpoint.model
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    layers.truncate(model, dissect(model), 2)
    assert model.state_dict().keys() == before.keys()


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (3, "strategy.layer 3: BertForSequenceClassification has 2 blocks"),
        (0, "strategy.layer"),
        ("lst", "strategy.layer"),
    ],
)
@pytest.mark.parametrize("command", ["check", "run"])
def test_a_layer_that_does_not_exist(
    checkpoint, text_data, tmp_path, capsys, layer, message, command
):
    strategy = {"name": "linear_probe", "layer": layer}
    path = write_recipe(tmp_path, checkpoint("bert"), text_data, strategy=strategy)
    assert main([command, str(path)]) == 2
    assert message in capsys.readouterr().err


def test_only_texts_have_a_mean_of_layers(checkpoint, image_data, tmp_path, capsys):
    strategy = {"name": "linear_probe", "layer": "mean"}
    path = write_recipe(tmp_path, checkpoint("vit"), image_data, task="image", strategy=strategy)
    assert main(["check", str(path)]) == 2
    assert "layer 'mean' cannot be saved as a plain class" in capsys.readouterr().err
