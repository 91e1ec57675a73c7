"""Tokens and passwords in what people read, in whatever form they come."""

import huggingface_hub
import pytest

from pipelines.cli import main
from pipelines.core.errors import DataError, RunError
from pipelines.core.redaction import HIDDEN, redact
from pipelines.data.sources.files import Files

PHRASE = "open-sesame"
TOKEN = "hf_" + "aB3" * 11 + "x"  # as long as a real one


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"https://me:{PHRASE}@host/x", f"https://{HIDDEN}@host/x"),
        (f"postgresql://me:{PHRASE}@x@host:5432/x", f"postgresql://{HIDDEN}@host:5432/x"),
        (f"s3://me:{PHRASE}/again@host/x", f"s3://{HIDDEN}@host/x"),
        (f"https:/me:{PHRASE}@host/x", f"https:/{HIDDEN}@host/x"),  # as a path spells it
        (f"run {TOKEN}", f"run {HIDDEN}"),
        (f"run_{TOKEN}", f"run_{HIDDEN}"),
        (f"run{TOKEN}", f"run{HIDDEN}"),
        ("http://127.0.0.1:8000/me/model@main", "http://127.0.0.1:8000/me/model@main"),
        ("https://host/me/model@main", "https://host/me/model@main"),
        ("my_hf_model_of_2024", "my_hf_model_of_2024"),
    ],
)
def test_secrets_are_hidden_and_nothing_else(text, shown):
    assert redact(text) == shown


def test_an_address_in_the_place_of_a_path_is_named_as_one():
    with pytest.raises(DataError, match="is an address; download what it names") as refused:
        Files(source="files", path=f"https://me:{PHRASE}@host/x.csv").load()
    assert PHRASE not in str(refused.value)


def test_a_mistake_in_the_command_line_shows_no_token(capsys):
    with pytest.raises(SystemExit):
        main(["run", "quickstart", f"--token={TOKEN}"])
    error = capsys.readouterr().err
    assert f"unrecognized arguments: --token={HIDDEN}" in error
    assert TOKEN not in error


@pytest.mark.parametrize("library", ["HF_TOKEN_PATH", "HF_OIDC_RESOURCE"])
def test_a_message_comes_whatever_keeps_the_library_from_its_token(library, tmp_path, monkeypatch):
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.delenv("HF_OIDC_ID_TOKEN", raising=False)
    monkeypatch.setenv("HF_OIDC_RESOURCE", "me/model" * (library == "HF_OIDC_RESOURCE"))
    monkeypatch.setattr(huggingface_hub.constants, "HF_TOKEN_PATH", str(tmp_path))  # no file
    with pytest.raises(Exception, match=r"directory|OIDC"):
        huggingface_hub.get_token()
    assert str(RunError(f"run {TOKEN}")) == f"run {HIDDEN}"
