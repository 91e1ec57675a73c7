"""What goes wrong on the way to the Hub and back: tried again, or named; nothing damaged is used.

The commands run as they are, against a hub on loopback that fails for one kind of request. They
run one after the other in one interpreter, which has imported what takes long. Waits are zero.
"""

import json
import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import asdict, replace
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import warm_python
from example_run import finished
from hub_faults import Fault
from hub_http import Answer, Call, as_json, route
from hub_server import HubServer
from warm_python import WarmPython

from pipelines import recipe as recipes
from pipelines.core import hub_client
from pipelines.core.errors import HubError, RecipeError

ROOT = Path(__file__).parents[2]
NUM_TRIES = 5
PROGRAM = """
import io, json, os, sys, traceback
from contextlib import redirect_stderr, redirect_stdout
from urllib.request import Request, urlopen
import datasets
from huggingface_hub import constants
from pipelines.cli import main

# in which threads of pyarrow end, whose files are tiny here
datasets.config.SLEEP_TIME_ON_THREADS_SHUTDOWN = 0.5

def befall(faults):
    address = os.environ["HF_ENDPOINT"] + "/faults"
    return json.load(urlopen(Request(address, json.dumps(faults).encode(), method="POST")))

results = {}
for case, (arguments, faults) in json.load(sys.stdin).items():
    out, err = io.StringIO(), io.StringIO()
    befall(faults)
    constants.HF_HUB_DISABLE_XET = not case.startswith("xet")
    constants.HF_HUB_DISABLE_SYMLINKS = case.startswith("copies")
    with redirect_stdout(out), redirect_stderr(err):
        try:
            code = main(arguments)
        except BaseException:
            code = 1
            traceback.print_exc()
    results[case] = {"code": code, "out": out.getvalue(), "err": err.getvalue()}
    results[case]["requests"] = befall([])
print(json.dumps(results))
"""
RECIPE = """
task: text_classification
model: {model}
data: {data}
strategy: full
training: {{use_cpu: true}}
"""
# what `graft check` asks the Hub for
FILES = {
    "config": "/config.json",
    "tokenizer": "/tokenizer.json",
    "weights": "/model.safetensors",
    "table": "/train.parquet",
}
DESCRIPTIONS = {"model": "/api/models/.*/revision/", "data set": "/api/datasets/.*/revision/"}
LISTS = {"files of a model": "/api/models/.*/tree/"}
READS = FILES | DESCRIPTIONS | LISTS
DATA = ("table", "data set")  # what a data set is asked for; the others, a model
# what `graft push` does
WRITES = {
    "new repository": "/api/repos/create",
    "card": "/api/validate-yaml",
    "preupload": "/preupload/",
    "batch": "/objects/batch",
    "upload": "/lfs-storage/[0-9a-f]",
    "verify": "/lfs-storage/verify",
    "commit": "/commit/main",
}
# kind of a fault that lasts -> what the message says
NAMED: dict[int | str, str] = {
    500: "answers 500 Internal Server Error",
    429: "answers 429 Too Many Requests",
    "html": "a web page stands where",
    "redirect": "leads to localhost, which is no Hub|a web page stands where",
    "drop": "the connection broke off before",
    401: "does not accept the token; set HF_TOKEN",
    403: "the token may not (read|write to) it",
}
DAMAGES = ("flip", "short")
# (kind of a fault, what it befalls) -> what the message says
ODD = {
    **{("json", what): "is JSON, but not what a Hub answers" for what in (*DATA[1:], "model")},
    ("json", "files of a model"): "is JSON, but not what a Hub answers",
    ("other commit", "weights"): f"comes from commit {'b' * 40}, and not from its own",
    ("other commit", "config"): f"comes from commit {'b' * 40}, and not from its own",
    ("nowhere", "weights"): "answers 302 .*; it leads nowhere, as no Hub does",
    ("loop", "config"): "answers 302 .*; it leads nowhere, as no Hub does",
    ("gzip", "config"): r"a file arrived in part, twice \(",
}
# kind of a fault that befalls streamed rows for good -> what the message says
STREAMED: dict[int | str, str] = {
    **{kind: NAMED[kind] for kind in (500, 429, "html", "drop")},
    "cut": "the connection broke off before .* had arrived",
    "short": "arrived in part",
}
TRAIN = "/train.parquet"
SHORT = ("training.max_steps=1", "simple_model=false", "printed_lines=false")
STREAM = (*SHORT, "data.streaming=true")


@route("POST", "/faults")
def replace_faults(call: Call) -> Answer:
    """Take the next faults; answers what was requested under those before."""
    requests = call.hub.requests[:-1]
    call.hub.requests.clear()
    call.hub.faults[:] = [Fault(**fault) for fault in call.json]
    return as_json(requests)


class Result(NamedTuple):
    """What a command came to, and what it asked the Hub for."""

    code: int
    out: str
    err: str
    requests: list[tuple[str, str]]

    def count(self, path: str) -> int:
        """Count the requests for a path."""
        return sum(bool(re.search(path, target)) for _, target in self.requests)


class Site:
    """A hub, an interpreter that knows no other, and repositories that no cache knows."""

    def __init__(self, root: Path, hub: HubServer, model: Path, data: Path) -> None:
        self.root, self.hub, self.model, self.data = root, hub, model, data
        self.environment = {
            **os.environ,
            **hub.environment,
            "HF_HOME": str(root / "home"),
            "GRAFT_HUB_WAIT": "0",
            "HF_XET_CLIENT_RETRY_BASE_DELAY": "1ms",
            "PYTHONPATH": str(ROOT),
        }
        self.python = Path()
        self.cases: dict[str, tuple[list[str], list[dict[str, Any]]]] = {}

    def recipe(self, case: str, *, model: bool = True, data: bool = True) -> Path:
        """Write a recipe of a model and a data set that are new to the hub, or of folders."""
        name = f"lab/{re.sub('[^a-z0-9]+', '-', case)}"
        if model:
            self.hub.add_model(name, self.model)
        if data:
            self.hub.add_dataset(name, self.data)
        source = (
            {"source": "hub", "path": name} if data else {"source": "files", "path": str(self.data)}
        )
        path = self.root / f"{name.partition('/')[2]}.yaml"
        path.write_text(RECIPE.format(model=name if model else self.model, data=json.dumps(source)))
        return path

    def recipe_of(self, what: str, case: str) -> Path:
        """Write a recipe that asks the hub for one thing and its like."""
        return self.recipe(case, model=what not in DATA, data=what in DATA)

    def run_folder(self, case: str) -> Path:
        """Make a finished run with a file that the hub does not hold yet."""
        run = finished(self.root / re.sub("[^a-z0-9]+", "-", case))
        (run.model / "model.safetensors").write_bytes(case.encode())
        return run.path

    def cached(self, name: str) -> list[Path]:
        """List the files of a repository's snapshots in the cache."""
        folders = (self.root / "home" / "hub").glob(f"*--lab--{name}/snapshots")
        return [file for folder in folders for file in folder.rglob("*") if file.is_file()]

    def add(self, case: str, arguments: list[Any], *faults: Fault) -> None:
        """Add a command line, and what befalls it."""
        self.cases[case] = ([*map(str, arguments)], [asdict(fault) for fault in faults])

    def run(self) -> dict[str, Result]:
        """Run the commands that were added."""
        done = subprocess.run(
            [self.python, "-c", PROGRAM],
            env=self.environment,
            cwd=self.root,
            input=json.dumps(self.cases),
            capture_output=True,
            text=True,
            timeout=300,
        )
        self.cases = {}
        assert done.returncode == 0, done.stderr
        results = json.loads(done.stdout.splitlines()[-1])
        return {case: Result(**result) for case, result in results.items()}


@pytest.fixture(scope="module")
def site(
    text_checkpoint: Path,
    text_data: Path,
    python: WarmPython,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Site]:
    from datasets import Dataset

    root = tmp_path_factory.mktemp("site")
    data = root / "data"
    data.mkdir()
    rows = Dataset.from_csv(str(text_data / "train.csv"), cache_dir=str(root / "cache"))
    for number, split in enumerate(("train", "validation")):
        half = rows.shard(2, number)
        half.to_parquet(str(data / f"{split}.parquet"))
    with HubServer(root / "hub", token="hf_test_of_the_user") as hub:
        made = Site(root, hub, text_checkpoint, data)
        with WarmPython(warm_python.TRANSFORMERS, python.path, made.environment) as warm:
            made.python = warm.path
            yield made


def fault(path: str, kind: int | str, times: int = -1) -> Fault:
    return Fault(path, kind, times=times, headers={"Retry-After": "0"} if kind == 429 else {})


@pytest.fixture(scope="module")
def results(site: Site) -> dict[str, Result]:
    """Every fault, for every kind of request, one after the other."""
    for what, path in READS.items():
        for kind in NAMED:
            case = f"lasting {kind} {what}"
            site.add(case, ["check", site.recipe_of(what, case)], fault(path, kind))
        case = f"passing {what}"
        passing = (fault(path, 503, 1), fault(path, "drop", 1), fault(path, 429, 1))
        site.add(case, ["check", site.recipe_of(what, case)], *passing)
    for what, path in WRITES.items():
        for kind in NAMED:
            case = f"lasting {kind} {what}"
            site.add(case, ["push", site.run_folder(case), "lab/pushed"], fault(path, kind))
        case = f"passing {what}"
        passing = (fault(path, 503, 1), fault(path, "drop", 1), fault(path, 429, 1))
        site.add(case, ["push", site.run_folder(case), "lab/pushed"], *passing)
    for what, path in FILES.items():
        for kind in DAMAGES:
            recipe = site.recipe_of(what, f"damaged {kind} {what}")
            site.add(f"once {kind} {what}", ["check", recipe], fault(path, kind, 1))
            recipe = site.recipe_of(what, f"lasting {kind} {what}")
            site.add(f"lasting {kind} {what}", ["check", recipe], fault(path, kind))
            site.add(f"after {kind} {what}", ["check", recipe])
    for what, path in DESCRIPTIONS.items():
        recipe = site.recipe_of(what, f"garbage {what}")
        site.add(f"lasting garbage {what}", ["check", recipe], fault(path, "garbage"))
    for kind, what in ODD:
        recipe = site.recipe_of(what, f"odd {kind} {what}")
        site.add(f"odd {kind} {what}", ["check", recipe], fault(READS[what], kind))
    case = "long wait"
    limit = Fault("/config.json", 429, headers={"Retry-After": "86400"})
    site.add(case, ["check", site.recipe(case)], limit)
    return site.run()


@pytest.fixture(scope="module")
def streamed(site: Site) -> dict[str, Result]:
    """Faults of rows that are streamed, from the first on, or after those that checks read."""
    site.add("first", ["check", site.recipe("stream first", model=False), *STREAM])
    num_first = site.run()["first"].count(TRAIN)
    assert num_first
    for kind in STREAMED:
        for place, after in (("first", 0), ("later", num_first)):
            case = f"stream {kind} {place}"
            lasting = replace(fault(TRAIN, kind), after=after)
            site.add(case, ["run", site.recipe(case, model=False), *STREAM], lasting)
    case = "stream passing"
    kinds = (500, 429, "drop", "short")
    passing = [replace(fault(TRAIN, kind, 1), after=num_first) for kind in kinds]
    site.add(case, ["run", site.recipe(case, model=False), *STREAM], *passing)
    return site.run()


@pytest.mark.slow
@pytest.mark.parametrize("place", ["first", "later"])
@pytest.mark.parametrize("kind", STREAMED)
def test_streamed_rows_that_cannot_be_had_are_named(kind, place, streamed) -> None:
    expect_refusal(streamed[f"stream {kind} {place}"], STREAMED[kind])


@pytest.mark.slow
def test_streamed_rows_that_come_later_are_waited_for(streamed) -> None:
    result = streamed["stream passing"]
    assert result.code == 0, result.err
    assert result.err.count("trying again in 0 s") == 4


@pytest.mark.slow
@pytest.mark.parametrize("what", [*READS, *WRITES])
@pytest.mark.parametrize("kind", NAMED)
def test_a_fault_that_lasts_is_named(kind, what, results) -> None:
    result = results[f"lasting {kind} {what}"]
    expect_refusal(result, NAMED[kind])
    tries = NUM_TRIES if kind in (500, 429, "drop") else 1
    assert result.count((READS | WRITES)[what]) == tries
    assert result.err.count("trying again in 0 s") == tries - 1


@pytest.mark.slow
@pytest.mark.parametrize("what", [*READS, *WRITES])
def test_a_fault_that_passes_is_waited_for(what, results) -> None:
    result = results[f"passing {what}"]
    assert result.code == 0, result.err
    waits = re.findall(r"trying again in 0 s \((\d) of 5\)", result.err)
    assert waits == ["2", "3", "4"], result.err


@pytest.mark.slow
@pytest.mark.parametrize("what", FILES)
@pytest.mark.parametrize("kind", DAMAGES)
def test_a_damaged_file_is_downloaded_once_more(kind, what, results) -> None:
    result = results[f"once {kind} {what}"]
    assert result.code == 0, result.err
    assert result.err.count("downloading once more") == 1


@pytest.mark.slow
@pytest.mark.parametrize("what", FILES)
@pytest.mark.parametrize("kind", DAMAGES)
def test_a_file_that_stays_damaged_is_refused_and_not_kept(kind, what, results) -> None:
    result = results[f"lasting {kind} {what}"]
    name = FILES[what].strip("/")
    expected = {"flip": f"{name}: twice damaged on the way", "short": "a file arrived in part"}
    expect_refusal(result, expected[kind])
    after = results[f"after {kind} {what}"]
    assert after.code == 0, after.err
    assert "once more" not in after.err
    assert after.count(FILES[what]) == 2  # HEAD and GET: nothing was kept


@pytest.mark.slow
@pytest.mark.parametrize("what", DESCRIPTIONS)
def test_a_description_that_is_no_json_is_named(what, results) -> None:
    result = results[f"lasting garbage {what}"]
    expect_refusal(result, "is no JSON, 5 times")


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "what"), ODD)
def test_an_answer_that_no_hub_gives_is_named(kind, what, results) -> None:
    result = results[f"odd {kind} {what}"]
    assert result.code == 2, result.err
    assert re.search(ODD[kind, what], result.err.splitlines()[-1])
    assert "Traceback" not in result.err


@pytest.mark.slow
def test_nobody_waits_for_a_day(results) -> None:
    result = results["long wait"]
    expect_refusal(result, "it asks to wait 86,400 s")
    assert "trying again" not in result.err


def expect_refusal(result: Result, expected: str) -> None:
    """Expect one message, whose advice is not to take pickles, and no request for any."""
    assert result.code == 2, result.err
    errors = [line for line in result.err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1, result.err
    message = result.err.partition("error: ")[2]
    assert re.search(expected, message.replace("(", "").replace(")", "")), message
    assert "Traceback" not in result.err
    assert "use_safetensors" not in result.err
    assert not re.search(r"\.bin\b", "".join(path for _, path in result.requests))


@pytest.mark.slow  # huggingface_hub waits a second before it resumes a download
def test_a_download_that_breaks_off_is_resumed(site) -> None:
    site.add("cut", ["check", site.recipe("cut")], Fault("/model.safetensors", "cut", times=1))
    result = site.run()["cut"]
    assert result.code == 0, result.err
    assert result.count("/model.safetensors") == 3  # HEAD, GET, and GET from where it broke off


@pytest.mark.slow
def test_a_file_is_hashed_once_and_its_hash_is_in_the_lock(site) -> None:
    recipe = site.recipe("locked")
    folder = f"training.output_dir={site.root / 'runs'}"
    site.add("run", ["run", recipe, folder, *SHORT])
    assert (result := site.run()["run"]).code == 0, result.err
    lock = json.loads((site.root / "runs/locked/1/lock.json").read_text())
    weights = (site.model / "model.safetensors").read_bytes()
    assert lock["model"]["weights"] == {"model.safetensors": sha256(weights).hexdigest()}
    tables = {path.name: sha256(path.read_bytes()).hexdigest() for path in site.data.iterdir()}
    assert lock["data"]["tables"] == tables
    # what was checked is not read again: it is the disk's business from here on
    (blob,) = (site.root / "home/hub/models--lab--locked/blobs").glob(sha256(weights).hexdigest())
    state = blob.stat()
    blob.write_bytes(weights[:-1] + bytes([weights[-1] ^ 1]))
    os.utime(blob, ns=(state.st_atime_ns, state.st_mtime_ns))
    site.add("again", ["check", recipe])
    assert "damaged" not in site.run()["again"].err
    # a file of another time is
    os.utime(blob)
    site.add("touched", ["check", recipe])
    assert "model.safetensors: damaged" in site.run()["touched"].err
    assert blob.read_bytes() == weights


@pytest.mark.slow
def test_files_of_a_cache_without_links_are_held_against_the_hub(site) -> None:
    flips = [fault(f"/{name}", "flip", 1) for name in ("model.safetensors", "train.parquet")]
    site.add("copies damaged", ["check", site.recipe("copies")], *flips)
    site.add("copies again", ["check", site.root / "copies.yaml"])
    results = site.run()
    result = results["copies damaged"]
    assert result.code == 0, result.err
    assert result.err.count("downloading once more") == 2
    assert not [each for each in site.cached("copies") if each.is_symlink()]
    # whose hashes are known by now
    assert results["copies again"].count("/paths-info/") == 0


@pytest.mark.slow
def test_a_storage_that_fails_is_done_without(site) -> None:
    """Its client raises RuntimeErrors, which read as a checkpoint without weights."""
    site.hub.xet_storage = f"{site.hub.endpoint}/storage"
    cases = {"xet status": 500, "xet page": "html", "xet missing": 404}
    for case, kind in cases.items():
        site.add(case, ["check", site.recipe(case)], fault("/storage/", kind))
    push = ["push", site.run_folder("xet push"), "lab/xet-pushed"]
    site.add("xet push", push, fault("/storage/", 500))
    results = site.run()
    site.hub.xet_storage = ""
    for case in (*cases, "xet push"):
        result = results[case]
        assert result.code == 0, result.err
        assert result.err.count("the Hub's Xet storage fails (") == 1
        assert "secret" not in result.err
        assert result.count("/storage/") > 0


@pytest.mark.slow
@pytest.mark.parametrize("launcher", [[], ["-m", "torch.distributed.run", "--nproc_per_node", "2"]])
def test_processes_of_a_machine_download_once(site, launcher) -> None:
    """Two of one run, and two that know nothing of each other."""
    case = f"downloads of {len(launcher)}"
    words = [*launcher, str(ROOT / "pipelines" / "run.py"), str(site.recipe(case)), *SHORT]
    site.hub.faults.clear()
    site.hub.requests.clear()
    folders = [site.root / case / str(number) for number in range(1 if launcher else 2)]
    running = [
        subprocess.Popen(
            [site.python, *words, f"training.output_dir={folder}"],
            env={**site.environment, "PYTHON_EXEC": str(site.python)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for folder in folders
    ]
    for each in running:
        out, _ = each.communicate(timeout=200)
        assert each.returncode == 0, out
    for file in (*FILES.values(), "/validation.parquet"):
        gets = [path for method, path in site.hub.requests if method == "GET" and file in path]
        assert len(gets) == 1, gets


@pytest.mark.slow
def test_a_password_in_the_address_of_a_mirror_is_in_no_line(site, python) -> None:
    # read when the client is imported: an interpreter that has not done so
    address = site.hub.endpoint.replace("://", "://somebody:open-sesame@")
    site.hub.faults[:] = [fault("/api/models/", 500)]
    call = "from pipelines.core import hub_client; hub_client.commit('model', 'lab/x', 'main', '')"
    done = subprocess.run(
        [python.path, "-c", call],
        env={**site.environment, "HF_ENDPOINT": address},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "answers 500 (Internal Server Error" in done.stderr
    assert "open-sesame" not in done.stdout + done.stderr


@pytest.mark.parametrize("value", ["many", "-1", "nan", "inf"])
def test_the_first_wait_is_a_number(value, monkeypatch) -> None:
    monkeypatch.setenv("GRAFT_HUB_WAIT", value)
    with pytest.raises(HubError, match=f"GRAFT_HUB_WAIT={value}: expected a number of seconds"):
        hub_client.commit("model", "owner/name", "main", "")


@pytest.mark.parametrize("key", ["name", "hub.repo_id", "training.output_dir"])
@pytest.mark.parametrize("secret", ["hf_" + "a" * 34, "https://me:open-sesame@example.org/x"])
def test_a_token_names_nothing(key, secret, tmp_path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(RECIPE.format(model="owner/name", data="{path: /nowhere}"))
    with pytest.raises(RecipeError, match=f"{key}: holds a token or a password") as refusal:
        recipes.load(path, [f"{key}={secret}"])
    assert "aaa" not in str(refusal.value)
    assert "sesame" not in str(refusal.value)


@pytest.mark.parametrize("key", ["model.config.field", "data.label_names"])
def test_a_token_is_in_no_saved_model(key, tmp_path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(RECIPE.format(model="owner/name", data="{path: /nowhere}"))
    with pytest.raises(RecipeError, match=r"holds a token or .*, which the saved model would"):
        recipes.load(path, [f"{key}=[hf_{'a' * 34}, other]"])
