"""Pushing a run, through the unmodified client, to a hub on loopback."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest
from example_run import finished
from hub_server import HubServer
from huggingface_hub import ModelCard

from pipelines.core.errors import HubError, RunError
from pipelines.report import push as hub_stage
from pipelines.report.run_folder import RunFolder

ROOT = Path(__file__).parents[2]
REPO = "some-lab/bert-sst2"
CALL = """
import sys
from pipelines.report import push as hub
from pipelines.core.errors import GraftError
from pipelines.report.run_folder import RunFolder
refused = 0
for call in sys.argv[1:]:
    try:
        print(eval(call))
    except GraftError as error:
        refused += 1
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
sys.exit(refused)
"""

# a model of a few hundred weights, saved where a run keeps its model
TINY = """
import sys
from tokenizers import Tokenizer, models
from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast
run, repo = sys.argv[1:]
sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 8}
names = {"id2label": {0: "negative", 1: "positive"}, "label2id": {"negative": 0, "positive": 1}}
model = BertForSequenceClassification(BertConfig(vocab_size=4, **sizes, **names))
model.save_pretrained(f"{run}/model")
words = Tokenizer(models.WordLevel({"[PAD]": 0, "[UNK]": 1}, unk_token="[UNK]"))
tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, pad_token="[PAD]", unk_token="[UNK]")
tokenizer.save_pretrained(f"{run}/model")
"""
# push it, fetch it, and run the Python in the card that came back
ROUND_TRIP = """
import json, re
from hashlib import sha256
from pathlib import Path
from huggingface_hub import snapshot_download
from pipelines.report import push as hub
from pipelines.report.run_folder import RunFolder
hub.push(RunFolder.of(run), repo)
files = {p.name: p.read_bytes() for p in Path(snapshot_download(repo)).iterdir()}
del files[".gitattributes"]
print(json.dumps({name: sha256(content).hexdigest() for name, content in files.items()}))
setup, use = re.search(
    "```python\\n(.*?)\\nprint.(.*?).\\n```", files["README.md"].decode()
).groups()
exec(setup)
print(json.dumps(eval(use)))
"""


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[HubServer]:
    with HubServer(tmp_path / "hub") as server:
        yield server


def run_code(
    code: str,
    *arguments: str,
    hub: HubServer,
    interpreter: str | Path = sys.executable,
    **environment: str,
) -> subprocess.CompletedProcess[str]:
    """Run code in a new interpreter: HF_ENDPOINT is read when the client is imported."""
    home = str(hub.store.objects.parent / "home")
    return subprocess.run(
        [interpreter, "-c", code, *arguments],
        env={
            **os.environ,
            **hub.environment,
            "HF_HOME": home,
            "GRAFT_HUB_WAIT": "0",
            **environment,
        },
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )


def push(run: RunFolder, hub: HubServer, **environment: str) -> subprocess.CompletedProcess[str]:
    return run_code(CALL, f"hub.push(RunFolder.of({str(run)!r}), {REPO!r})", hub=hub, **environment)


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


@pytest.mark.slow
def test_what_is_pushed_is_the_model_folder_and_nothing_else(tmp_path, hub) -> None:
    run = finished(tmp_path)
    (run.model / "training_args.bin").write_bytes(b"a pickle with local paths")

    done = push(run, hub)

    assert done.stdout.strip() == f"{hub.endpoint}/{REPO}", done.stderr
    picture = "learning_curve.png"  # that the card shows
    assert hub.files(REPO) == [".gitattributes", "README.md", "config.json", picture]
    for name in ("README.md", "config.json"):
        assert hub.read(REPO, name) == (run.model / name).read_bytes()
    assert hub.repo(REPO).private
    card = ModelCard(hub.read(REPO, "README.md").decode())
    assert {result.dataset_split for result in card.data.eval_results} == {"validation", "test"}


@pytest.mark.slow
def test_a_second_push_is_a_second_commit(tmp_path, hub) -> None:
    run = finished(tmp_path)
    assert push(run, hub).returncode == 0
    (run.model / "config.json").write_text('{"model_type": "roberta"}')
    assert push(run, hub).returncode == 0
    assert hub.read(REPO, "config.json") == b'{"model_type": "roberta"}'


@pytest.mark.slow
def test_the_token_is_in_no_file_no_address_and_no_output(tmp_path, hub) -> None:
    run = finished(tmp_path)
    pushed = push(run, hub)
    hub.fail_commits = True
    failed = push(run, hub)

    assert hub.requests
    assert hub.token not in json.dumps(hub.requests)
    assert hub.token not in pushed.stdout + pushed.stderr + failed.stdout + failed.stderr
    assert not any(hub.token.encode() in text for text in contents(run.path).values())


@pytest.mark.slow
def test_a_failed_push_loses_nothing_and_says_how_to_repeat_it(tmp_path, hub) -> None:
    run = finished(tmp_path)
    hub.fail_commits = 503
    before = contents(run.path)

    failed = push(run, hub)

    assert failed.returncode == 1
    assert f"\nHubError: push to {REPO} failed: {hub.endpoint} answers 503" in failed.stderr
    assert f"the run is complete and kept in {run}\n" in failed.stderr
    command = re.search(r"graft push (\S+) (\S+)", failed.stderr)
    assert command
    assert command.groups() == (str(run), REPO)
    assert contents(run.path).keys() == before.keys()
    assert {**contents(run.path), "model/README.md": None} == {**before, "model/README.md": None}

    hub.fail_commits = False
    assert push(run, hub).returncode == 0


@pytest.mark.parametrize(
    ("environment", "reason"),
    [
        (
            {"HF_TOKEN": "hf_of_somebody_else_entirely"},
            "does not accept the token; set HF_TOKEN",
        ),
        pytest.param(
            {"HF_TOKEN": ""}, "set HF_TOKEN or run `hf auth login`", marks=pytest.mark.slow
        ),
        pytest.param(
            {"HF_ENDPOINT": "http://127.0.0.1:9"},
            "cannot be reached at http://127.0.0.1:9",
            marks=pytest.mark.slow,
        ),
        ({"HF_HUB_OFFLINE": "1"}, "cannot be reached"),
    ],
    ids=["refused token", "no token", "unreachable", "offline"],
)
@pytest.mark.slow
def test_refusals_are_one_clear_message(tmp_path, hub, environment, reason) -> None:
    calls = f"hub.check({REPO!r})", f"hub.push(RunFolder.of({str(finished(tmp_path))!r}), {REPO!r})"
    refused = run_code(CALL, *calls, hub=hub, **environment)
    assert refused.returncode == 2
    assert refused.stderr.count(f"HubError: cannot push to {REPO}: ") == 1
    assert refused.stderr.count(f"HubError: push to {REPO} failed: ") == 1
    assert refused.stderr.count(reason) == 2
    assert "Traceback" not in refused.stderr
    assert "somebody_else" not in refused.stderr


@pytest.mark.parametrize("name", ["no-owner", "a/b/c", "lab/-x", "lab/with space", "lab/x--y"])
def test_an_invalid_name_is_refused_before_anything_is_sent(tmp_path, name) -> None:
    with pytest.raises(HubError, match=f"'{name}' cannot name a repository"):
        hub_stage.check(name)
    with pytest.raises(HubError, match=f"'{name}' cannot name a repository"):
        hub_stage.push(finished(tmp_path), name)


def test_a_token_that_may_only_read_is_found_out_before_training(monkeypatch) -> None:
    user = {"name": "somebody", "auth": {"accessToken": {"role": "read"}}}
    monkeypatch.setattr("huggingface_hub.HfApi.whoami", lambda self: user)
    with pytest.raises(HubError, match="the token may only read"):
        hub_stage.check(REPO)


def test_a_run_that_has_not_finished_is_not_pushed(tmp_path) -> None:
    run = finished(tmp_path)
    run.metrics.unlink()
    with pytest.raises(RunError, match="has not finished"):
        hub_stage.push(run, REPO)


@pytest.mark.slow
def test_the_lines_in_the_pushed_card_load_and_use_the_model(python, tmp_path, hub) -> None:
    run = finished(tmp_path)

    done = run_code(TINY + ROUND_TRIP, str(run), REPO, hub=hub, interpreter=python.path)

    assert done.returncode == 0, done.stderr
    downloaded, answer = map(json.loads, done.stdout.splitlines()[-2:])
    before = contents(run.model)
    assert {"model.safetensors", "tokenizer.json", "README.md"} <= set(before)
    assert {name: sha256(text).hexdigest() for name, text in before.items()} == downloaded
    assert answer[0]["label"] in {"negative", "positive"}
