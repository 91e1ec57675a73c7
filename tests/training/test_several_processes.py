"""Several processes train as one does: the same rows, losses and weights, and one evaluation."""

import json
import os
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
import tiny_features
import tiny_tasks
import torch
from closeness import tolerance
from grafting import fit, prepare, state
from torch import nn
from torch.nn.functional import cross_entropy
from transformers import TrainerState

from pipelines.core import processes
from pipelines.core.labels import IGNORED
from pipelines.training.averaging.ema import Ema
from pipelines.training.regularization import Anchor

ROOT = Path(__file__).parents[2]
ONE_STEP = {
    "max_steps": 1,
    "eval_strategy": "steps",
    "eval_steps": 1,
    "save_strategy": "no",
    "load_best_model_at_end": False,
}
# numbers of the log that are not of the training, but of the machine
MACHINE = re.compile(r".*(runtime|per_second|flos)")


def several(folder, python):
    """(what came of each feature on two processes, what they printed)."""
    script = str(ROOT / "tests" / "support" / "tiny_features.py")
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    done = subprocess.run(
        [python.path, *launch, script, str(folder)],
        env={
            **os.environ,
            "PYTHON_EXEC": str(python.path),
            "PYTHONPATH": str(ROOT),
            "GRAFT_CACHE": "/dev/null/cache",  # or one process would find the others' features
        },
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads((folder / "several.json").read_text()), done.stdout


def differences(one, other):
    """What a training on one process and on two came to, where it differs."""
    pairs = [("chosen", one["chosen"].keys(), other["chosen"].keys())]
    for a, b in zip(one["history"], other["history"], strict=True):
        assert a.keys() == b.keys()
        names = [name for name in a if not MACHINE.fullmatch(name)]
        pairs += [(f"{name} of {a.get('step', a)}", a[name], b[name]) for name in names]
    pairs += [(name, value, other["chosen"][name]) for name, value in one["chosen"].items()]
    apart = [
        np.abs(np.subtract(*rows)).max()
        for rows in zip(one["logits"], other["logits"], strict=True)
    ]
    pairs.append(("logits", 0.0, float(max(apart))))
    return [f"{name}: {a} and {b}" for name, a, b in pairs if not alike(a, b)]


def alike(one, other):
    if not isinstance(one, float | int):
        return one == other
    return other == pytest.approx(one, rel=2e-3, abs=1e-3)


@pytest.mark.numerical
@pytest.mark.slow
def test_two_processes_train_every_feature_as_one_does(tmp_path, python_offline):
    """In one go, since to start them takes longer than to train."""
    folder = tiny_features.write(tmp_path)
    results, output = several(folder, python_offline)
    problems = {}
    for name in tiny_features.FEATURES:
        one = tiny_features.train(name, folder, num_rows=16)
        one = json.loads(json.dumps(one, default=float))
        problems[name] = differences(one, results[name])
    assert not any(problems.values()), problems
    # both have the same weights and running statistics in the end
    apart = [name for name, result in results.items() if len({*result["digests"]}) > 1]
    assert not apart
    for name in tiny_features.NORMALIZED:
        result = results[name]
        loss = cross_entropy(torch.tensor(result["logits"]), torch.tensor(result["targets"]).long())
        evaluated = [entry["eval_loss"] for entry in result["history"] if "eval_loss" in entry]
        assert evaluated[-1] == pytest.approx(float(loss), abs=tolerance())
    shown = "batch normalization normalizes the 8 rows of each process by themselves"
    assert output.count(shown) == len(tiny_features.NORMALIZED)


# In this process


def test_what_is_evaluated_and_comes_out_has_the_statistics_of_the_main_process(
    checkpoint, image_data, tmp_path, monkeypatch, capsys
):
    ready = prepare(tmp_path, checkpoint("resnet"), image_data, task="image", training=ONE_STEP)
    sent = []

    def broadcast(tensor, src):
        assert src == 0
        sent.append(tensor.clone())
        tensor.fill_(0.5)

    monkeypatch.setattr(processes, "num_processes", lambda: 2)
    monkeypatch.setattr(torch.distributed, "broadcast", broadcast)
    fitted = fit(ready, tmp_path / "checkpoints")
    capsys.readouterr()
    model = fitted.output.model.eval()
    statistics = [b for b in model.buffers() if b.is_floating_point()]
    assert len(sent) == 2 * len(statistics)  # for the evaluation, and in the end
    assert any((tensor != 0.5).any() for tensor in sent[: len(statistics)])
    assert all((tensor == 0.5).all() for tensor in (*statistics, *sent[len(statistics) :]))
    rows = ready.encoded["validation"]
    with torch.no_grad():
        loss = float(model(**ready.collate([rows[i] for i in range(len(rows))])).loss)
    (evaluated,) = (entry["eval_loss"] for entry in fitted.history if "eval_loss" in entry)
    assert evaluated == pytest.approx(loss, abs=tolerance(loss))


def test_the_loss_of_an_evaluation_is_a_mean_over_words(checkpoint, tmp_path):
    """Of rows of few words and of many, in batches of their own."""
    data = tiny_tasks.entity_data(tmp_path / "words")
    training = {**ONE_STEP, "learning_rate": 0.05, "per_device_eval_batch_size": 1}
    ready = prepare(
        tmp_path, checkpoint("bert"), data, task="token_classification", training=training
    )
    fitted = fit(ready, tmp_path / "checkpoints")
    rows, model = ready.encoded["validation"], fitted.output.model.eval()
    batch = ready.collate([rows[i] for i in range(len(rows))])
    labels = batch.pop("labels")
    with torch.no_grad():
        logits = model(**batch).logits
    loss = float(cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=IGNORED))
    (evaluated,) = (entry["eval_loss"] for entry in fitted.history if "eval_loss" in entry)
    assert evaluated == pytest.approx(loss, abs=tolerance(loss))


def moved(model):
    """Give the parameters of a model other tensors, as preparing it for several processes does."""
    for parameter in model.parameters():
        parameter.data = parameter.data + 1
    return state(model)


def test_the_running_mean_follows_weights_that_moved_to_other_tensors():
    model = nn.Linear(2, 2)
    before, ema = state(model), Ema(model, 0.75, None)
    after = moved(model)
    ema.on_step_end(None, TrainerState(global_step=1000), None)
    with ema.applied():
        for name, tensor in model.state_dict().items():
            torch.testing.assert_close(tensor, 0.75 * before[name] + 0.25 * after[name])
        for parameter in model.parameters():  # as an evaluation does
            parameter.data = parameter.data.clone()
    torch.testing.assert_close(state(model), after)


def test_l2_sp_follows_weights_that_moved_to_other_tensors():
    model = nn.Linear(2, 2)
    anchor = Anchor(model.parameters())
    moved(model)
    assert float(anchor().detach()) == pytest.approx(6 / 2)  # six weights, each by 1
