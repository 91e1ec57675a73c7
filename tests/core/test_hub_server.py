"""The test hub carries the unmodified clients.

Where a client lets itself be pointed at an endpoint it runs here. The others read `HF_ENDPOINT`
when they are imported: the functions named `*_client` below run in an interpreter of their own,
with warnings as errors.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from email.message import Message
from http.client import HTTPConnection
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from hub_server import HubServer
from huggingface_hub import HfApi, HfFileSystem, ModelCard, __version__, constants, whoami
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.hf_api import RepoFile, RepoFolder
from warm_python import WarmPython

KINDS = ["model", "dataset", "space"]
WEIGHTS = bytes(range(256)) * 8
README = "---\nlicense: mit\npipeline_tag: text-classification\n---\n# A card\n"
# huggingface_hub itself uploads LFS files with an argument that its HTTP library deprecates.
WARNINGS = ["-Werror", "-Wignore:Use 'content=:DeprecationWarning"]
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[HubServer]:
    with HubServer(tmp_path / "hub", token="hf_test") as hub:
        yield hub


@pytest.fixture
def api(hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> HfApi:
    """A client in this interpreter, whatever its environment says of cache, Xet and offline."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    return HfApi(endpoint=hub.endpoint, token=hub.token)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a card, a nested text file and a binary."""
    return write_files(
        tmp_path / "folder",
        {"README.md": README, "nested/deep/note.txt": "one\n", "model.safetensors": WEIGHTS},
    )


def write_files(folder: Path, files: dict[str, str | bytes]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def ask(hub: HubServer, method: str, path: str, **headers: str) -> tuple[int, Message, bytes]:
    """Status, headers and body of one bare request; redirects are not followed."""
    connection = HTTPConnection(hub.endpoint.removeprefix("http://"))
    connection.request(method, path, headers=headers)
    response = connection.getresponse()
    body = response.read()
    connection.close()
    return response.status, response.headers, body


def run_client(
    client: Callable[[], None], hub: HubServer, python: str | Path, tmp_path: Path
) -> None:
    """Run a function of this file in a new interpreter that knows no hub but ours."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "TRANSFORMERS_"))}
    support = os.pathsep.join(filter(None, sys.path))  # pytest's own: where hub_server lies
    environment = {**clean, **hub.environment, "HF_HOME": str(tmp_path / "home")}
    environment["PYTHONPATH"] = support
    command = [python, *WARNINGS, __file__, client.__name__]
    ran = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert not [path for _, path in hub.requests if hub.token in path]


# Downloads


@pytest.mark.parametrize("kind", KINDS)
def test_downloads_by_branch_tag_and_sha(
    kind: str, hub: HubServer, api: HfApi, folder: Path, tmp_path: Path
) -> None:
    old = hub.add(kind, "owner/name", folder)
    hub.tag("owner/name", "v1", kind)
    write_files(folder, {"nested/deep/note.txt": "two\n"})
    new = hub.add(kind, "owner/name", folder)

    def note(revision: str | None) -> str:
        wanted = ("owner/name", "nested/deep/note.txt")
        return Path(api.hf_hub_download(*wanted, repo_type=kind, revision=revision)).read_text()

    assert [note(at) for at in (None, "main", new, "v1", old)] == ["two\n"] * 3 + ["one\n"] * 2
    assert api.repo_info("owner/name", repo_type=kind).sha == new
    assert api.repo_info("owner/name", repo_type=kind, revision="v1").sha == old

    # The whole snapshot, by the tree that the hub lists.
    snapshot = Path(
        api.snapshot_download("owner/name", repo_type=kind, cache_dir=tmp_path / "snapshots")
    )
    assert (snapshot / "model.safetensors").read_bytes() == WEIGHTS
    listed = api.list_repo_files("owner/name", repo_type=kind)
    assert sorted(listed) == hub.files("owner/name", kind)


def test_tree_and_paths_tell_folders_from_files(hub: HubServer, api: HfApi, folder: Path) -> None:
    hub.add_model("owner/name", folder)
    top = {entry.path: type(entry).__name__ for entry in api.list_repo_tree("owner/name")}
    assert top == {"README.md": "RepoFile", "model.safetensors": "RepoFile", "nested": "RepoFolder"}
    assert [e.path for e in api.list_repo_tree("owner/name", "nested")] == ["nested/deep"]
    weights, nested = api.get_paths_info("owner/name", ["model.safetensors", "nested", "absent"])
    assert isinstance(weights, RepoFile)
    assert isinstance(nested, RepoFolder)
    assert weights.lfs
    assert weights.lfs.size == weights.size == len(WEIGHTS)
    info = api.model_info("owner/name", files_metadata=True)
    assert info.pipeline_tag == "text-classification"
    sizes = {file.rfilename: file.size for file in info.siblings or []}
    assert sizes["model.safetensors"] == len(WEIGHTS)
    with pytest.raises(EntryNotFoundError):
        list(api.list_repo_tree("owner/name", "absent"))


def test_headers_of_a_file(hub: HubServer, folder: Path) -> None:
    sha = hub.add_model("owner/name", folder)
    status, headers, _ = ask(hub, "HEAD", "/owner/name/resolve/main/model.safetensors")
    assert status == 200  # no redirect, on which HEAD would lose the commit
    assert headers["X-Repo-Commit"] == sha
    assert headers["ETag"] == headers["X-Linked-Etag"]
    assert headers["Content-Length"] == headers["X-Linked-Size"] == str(len(WEIGHTS))
    _, headers, _ = ask(hub, "HEAD", "/owner/name/resolve/main/README.md")
    assert headers["ETag"]
    assert not headers["X-Linked-Etag"]
    # A missing file names the commit that lacks it: clients cache that.
    status, headers, _ = ask(hub, "HEAD", "/owner/name/resolve/main/absent.json")
    assert (status, headers["X-Error-Code"]) == (404, "EntryNotFound")
    assert headers["X-Repo-Commit"] == sha


@pytest.mark.parametrize(
    ("wanted", "status", "expected"),
    [
        ("bytes=0-9", 206, WEIGHTS[:10]),
        ("bytes=2040-", 206, WEIGHTS[2040:]),
        ("bytes=-5", 206, WEIGHTS[-5:]),
        ("bytes=2000-9999", 206, WEIGHTS[2000:]),
        ("bytes=2048-", 416, b""),
        ("lines=1-2", 200, WEIGHTS),
    ],
)
def test_ranges(wanted: str, status: int, expected: bytes, hub: HubServer, folder: Path) -> None:
    hub.add_dataset("owner/name", folder)
    path = "/datasets/owner/name/resolve/main/model.safetensors"
    answered, _, body = ask(hub, "GET", path, Range=wanted)
    assert (answered, body) == (status, expected)


def test_file_system_seeks(hub: HubServer, api: HfApi, folder: Path) -> None:
    hub.add_dataset("owner/name", folder)
    files = HfFileSystem(endpoint=hub.endpoint, token=hub.token, skip_instance_cache=True)
    with files.open("datasets/owner/name/model.safetensors", "rb", block_size=64) as file:
        file.seek(1000)
        assert file.read(10) == WEIGHTS[1000:1010]


# Refusals


def test_unknown_things(hub: HubServer, api: HfApi, folder: Path) -> None:
    hub.add_model("owner/name", folder)
    with pytest.raises(RepositoryNotFoundError):
        api.model_info("owner/absent")
    with pytest.raises(RepositoryNotFoundError):
        api.model_info("absent-without-owner")
    with pytest.raises(RevisionNotFoundError):
        api.model_info("owner/name", revision="v9")
    with pytest.raises(EntryNotFoundError):
        api.hf_hub_download("owner/name", "absent.json")
    assert not api.repo_exists("owner/name", repo_type="dataset")
    assert not api.file_exists("owner/name", "absent.json")


def test_private_repositories_need_the_token(hub: HubServer, api: HfApi, folder: Path) -> None:
    hub.add_model("owner/secret", folder, private=True)
    # To the anonymous, it is not even admitted that the repository exists.
    assert not api.repo_exists("owner/secret", token=False)
    for read in (api.model_info, api.list_repo_files, api.snapshot_download):
        with pytest.raises(RepositoryNotFoundError, match="401"):
            read("owner/secret", token=False)
    assert Path(api.hf_hub_download("owner/secret", "README.md")).read_text() == README


def test_a_wrong_token_is_worse_than_none(hub: HubServer, api: HfApi, folder: Path) -> None:
    hub.add_model("owner/name", folder)
    assert api.model_info("owner/name", token=False)
    with pytest.raises(HfHubHTTPError, match="Invalid credentials"):
        api.model_info("owner/name", token="hf_wrong")
    with pytest.raises(HfHubHTTPError, match="Invalid user token"):
        api.whoami(token="hf_wrong")


@pytest.mark.parametrize(("token", "status"), [(False, 401), ("hf_test", 403)])
def test_gated_repositories_show_themselves_but_not_their_files(
    token: str | bool, status: int, hub: HubServer, api: HfApi, folder: Path
) -> None:
    hub.add_model("owner/gated", folder, gated=True)
    assert api.model_info("owner/gated", token=token).gated == "manual"
    with pytest.raises(GatedRepoError) as refusal:
        api.hf_hub_download("owner/gated", "README.md", token=token)
    assert refusal.value.response.status_code == status


def test_nothing_is_written_without_the_token(hub: HubServer, api: HfApi, folder: Path) -> None:
    hub.add_model("owner/name", folder)
    for write in (
        lambda: api.create_repo("owner/new", token=False),
        lambda: api.delete_repo("owner/name", token=False),
        lambda: api.delete_file("README.md", "owner/name", token=False),
    ):
        with pytest.raises(HfHubHTTPError, match="401"):
            write()
    assert "README.md" in hub.files("owner/name")


# Uploads


def test_creating_and_deleting(hub: HubServer, api: HfApi) -> None:
    created = api.create_repo("owner/new", private=True)
    assert created == f"{hub.endpoint}/owner/new"
    assert created.repo_id == "owner/new"
    assert hub.repo("owner/new").private
    assert hub.files("owner/new") == [".gitattributes"]
    with pytest.raises(HfHubHTTPError, match="409"):
        api.create_repo("owner/new")
    assert api.create_repo("owner/new", exist_ok=True) == created
    assert api.create_repo("mine").repo_id == "hub-user/mine"
    assert api.create_repo("owner/new", repo_type="dataset").repo_type == "dataset"
    api.update_repo_settings("owner/new", private=False)
    assert api.repo_exists("owner/new", token=False)
    api.delete_repo("owner/new")
    assert not api.repo_exists("owner/new")
    assert api.repo_exists("owner/new", repo_type="dataset")
    api.delete_repo("owner/new", missing_ok=True)


@pytest.mark.parametrize("kind", KINDS)
def test_uploading_a_folder(kind: str, hub: HubServer, api: HfApi, folder: Path) -> None:
    api.create_repo("owner/name", repo_type=kind, space_sdk="static" if kind == "space" else None)
    first = api.upload_folder(repo_id="owner/name", repo_type=kind, folder_path=folder)
    assert hub.read("owner/name", "model.safetensors", kind) == WEIGHTS
    assert hub.read("owner/name", "nested/deep/note.txt", kind) == b"one\n"
    assert first.oid == hub.repo("owner/name", kind).branches["main"]

    # What has not changed is not committed again.
    again = api.upload_folder(repo_id="owner/name", repo_type=kind, folder_path=folder)
    assert again.oid == first.oid

    # The old commit keeps what a later one replaces and deletes.
    api.upload_file(
        path_or_fileobj=b"two\n", path_in_repo="note.txt", repo_id="owner/name", repo_type=kind
    )
    api.delete_file("model.safetensors", "owner/name", repo_type=kind)
    api.delete_folder("nested", "owner/name", repo_type=kind)
    assert hub.files("owner/name", kind) == [".gitattributes", "README.md", "note.txt"]
    assert hub.read("owner/name", "model.safetensors", kind, first.oid) == WEIGHTS
    assert len(api.list_repo_commits("owner/name", repo_type=kind)) == 5
    assert not [path for _, path in hub.requests if hub.token in path]


def test_refs(hub: HubServer, api: HfApi, folder: Path) -> None:
    sha = hub.add_model("owner/name", folder)
    api.create_tag("owner/name", tag="v1")
    api.create_branch("owner/name", branch="try/it", revision=sha)
    api.upload_file(path_or_fileobj=b"x", path_in_repo="x", repo_id="owner/name", revision="try/it")
    refs = api.list_repo_refs("owner/name")
    assert {ref.name: ref.target_commit == sha for ref in refs.branches} == {
        "main": True,
        "try/it": False,
    }
    assert [(ref.name, ref.target_commit) for ref in refs.tags] == [("v1", sha)]
    assert "x" in api.list_repo_files("owner/name", revision="try/it")
    api.delete_tag("owner/name", tag="v1")
    api.delete_branch("owner/name", branch="try/it")
    assert not api.revision_exists("owner/name", "try/it")
    with pytest.raises(RevisionNotFoundError):
        api.upload_file(path_or_fileobj=b"x", path_in_repo="x", repo_id="owner/name", revision="v9")


@pytest.mark.parametrize(("expected", "status"), [(True, 500), (403, 403)])
def test_commits_fail_when_told_to(
    expected: bool | int, status: int, hub: HubServer, api: HfApi, folder: Path
) -> None:
    api.create_repo("owner/name")
    hub.fail_commits = expected
    with pytest.raises(HfHubHTTPError) as failure:
        api.upload_folder(repo_id="owner/name", folder_path=folder)
    assert failure.value.response.status_code == status
    assert hub.files("owner/name") == [".gitattributes"]
    hub.fail_commits = False
    api.upload_folder(repo_id="owner/name", folder_path=folder)
    assert "README.md" in hub.files("owner/name")


def test_any_endpoint_fails_when_told_to(hub: HubServer, api: HfApi) -> None:
    hub.failures["create_repo"] = 403
    with pytest.raises(HfHubHTTPError, match="403"):
        api.create_repo("owner/name")
    assert hub.requests == [("POST", "/api/repos/create")]


def test_a_stale_parent_is_refused(hub: HubServer, api: HfApi, folder: Path) -> None:
    old = hub.add_model("owner/name", folder)
    hub.add_model("owner/name", folder)
    with pytest.raises(HfHubHTTPError, match="412"):
        api.upload_file(
            path_or_fileobj=b"x", path_in_repo="x", repo_id="owner/name", parent_commit=old
        )


def test_cards_are_validated(hub: HubServer, api: HfApi) -> None:
    api.create_repo("owner/name")

    def upload(card: str) -> None:
        api.upload_file(
            path_or_fileobj=card.encode(), path_in_repo="README.md", repo_id="owner/name"
        )

    with pytest.warns(UserWarning, match="missing yaml metadata"):
        upload("# No metadata\n")
    with pytest.raises(ValueError, match="Invalid metadata"):
        upload("---\nlicense\n---\n")
    upload("---\nlicense: mit\ntags:\n- a\nmodel-index:\n- name: x\n---\n")


# Clients that read HF_ENDPOINT when they are imported


def hub_client() -> None:
    assert whoami()["name"] == "hub-user"
    ModelCard(README).push_to_hub("hub-user/card", create_pr=False)
    assert ModelCard.load("hub-user/card").data.license == "mit"


@pytest.mark.skipif(
    tuple(map(int, __version__.split(".")[:2])) < (1, 34),
    reason="ModelCard.push_to_hub ignored HF_ENDPOINT",
)
@pytest.mark.slow
def test_the_hub_client_by_its_environment(hub: HubServer, api: HfApi, tmp_path: Path) -> None:
    api.create_repo("hub-user/card")
    run_client(hub_client, hub, sys.executable, tmp_path)
    assert b"license: mit" in hub.read("hub-user/card", "README.md")


def transformers_client() -> None:
    import torch

    t: Any = import_module("transformers")  # its classes are lazy: no types to check against

    # Push a model, a tokenizer and an image processor; fetch them by main, tag and sha.
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "good", "bad"]
    Path("vocab.txt").write_text("\n".join(words))
    sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1}
    config = t.BertConfig(vocab_size=len(words), intermediate_size=8, **sizes)
    model = t.BertForSequenceClassification(config)
    sha = model.push_to_hub("hub-user/tiny", private=True).oid
    HfApi().create_tag("hub-user/tiny", tag="v1")
    with torch.no_grad():
        model.classifier.bias.add_(1)
    model.push_to_hub("hub-user/tiny")
    t.BertTokenizer("vocab.txt").push_to_hub("hub-user/tiny")
    t.ViTImageProcessorPil(size={"height": 4, "width": 4}).push_to_hub("hub-user/tiny")

    def bias(revision: str) -> Any:
        auto = t.AutoModelForSequenceClassification
        return auto.from_pretrained("hub-user/tiny", revision=revision).classifier.bias

    assert torch.equal(bias("main"), model.classifier.bias)
    assert torch.equal(bias("v1"), model.classifier.bias - 1)
    assert torch.equal(bias(sha), model.classifier.bias - 1)
    assert t.AutoConfig.from_pretrained("hub-user/tiny", revision=sha).hidden_size == 8
    assert t.AutoModel.from_pretrained("hub-user/tiny").config.vocab_size == len(words)
    assert t.AutoTokenizer.from_pretrained("hub-user/tiny")("good bad").input_ids == [2, 5, 6, 3]
    assert t.AutoImageProcessor.from_pretrained("hub-user/tiny").size["height"] == 4
    assert t.pipeline("text-classification", "hub-user/tiny")("good")[0]["score"] > 0


@pytest.mark.slow
def test_transformers(hub: HubServer, python: WarmPython, tmp_path: Path) -> None:
    run_client(transformers_client, hub, python.path, tmp_path)
    assert hub.repo("hub-user/tiny").private
    assert {"model.safetensors", "tokenizer.json"} <= set(hub.files("hub-user/tiny"))


METRIC = """
import datasets
import evaluate


class Accuracy(evaluate.Metric):
    def _info(self):
        value = datasets.Value("int32")
        features = datasets.Features({"predictions": value, "references": value})
        return evaluate.MetricInfo(
            description="", citation="", inputs_description="", features=features
        )

    def _compute(self, predictions, references):
        return {"accuracy": sum(map(int.__eq__, predictions, references)) / len(references)}
"""
CONFIGURATIONS = """---
configs:
- config_name: tables
  data_files:
  - {split: train, path: "tables/train.csv"}
  - {split: test, path: "tables/test.csv"}
- config_name: columns
  data_files:
  - {split: train, path: "columns/train-*.parquet"}
---
"""


def datasets_client() -> None:
    import evaluate
    from datasets import Dataset, get_dataset_config_names, load_dataset

    rows = [{"text": "good", "label": 1}, {"text": "bad", "label": 0}]
    Dataset.from_list(rows).push_to_hub("hub-user/pushed", "columns", private=True)
    assert load_dataset("hub-user/pushed", "columns", split="train").to_list() == rows
    assert list(load_dataset("hub-user/pushed", "columns", split="train", streaming=True)) == rows

    # Configurations that the card declares, and folders that nothing declares.
    assert get_dataset_config_names("owner/declared") == ["tables", "columns"]
    declared = load_dataset("owner/declared", "tables")
    assert declared["train"].to_list() == rows
    assert declared["test"].num_rows == 1
    result = load_dataset("owner/found", data_dir="tables")
    assert result["train"].to_list() == rows
    assert result["test"].num_rows == 1
    assert next(iter(load_dataset("owner/found", data_dir="tables", streaming=True)["train"]))

    accuracy = evaluate.load("accuracy")
    assert accuracy.compute(predictions=[1, 0], references=[1, 1]) == {"accuracy": 0.5}


@pytest.mark.slow
def test_datasets_and_evaluate(hub: HubServer, python: WarmPython, tmp_path: Path) -> None:
    tables: dict[str, str | bytes] = {
        "tables/train.csv": "text,label\ngood,1\nbad,0\n",
        "tables/test.csv": "text,label\ngood,1\n",
    }
    hub.add_dataset("owner/found", write_files(tmp_path / "found", tables))
    tables["README.md"] = CONFIGURATIONS
    hub.add_dataset("owner/declared", write_files(tmp_path / "declared", tables))
    metric = write_files(tmp_path / "metric", {"accuracy.py": METRIC})
    hub.add_space("evaluate-metric/accuracy", metric)
    run_client(datasets_client, hub, python.path, tmp_path)
    assert "columns/train-00000-of-00001.parquet" in hub.files("hub-user/pushed", "dataset")


if __name__ == "__main__":
    globals()[sys.argv[1]]()
