"""Secrets in the files of the repository, and known vulnerabilities of the pinned packages.

    make audit                    both
    make audit ARGS=--offline     secrets alone, without a network, as .ci/run does
    make audit ARGS=--accept      write the secrets that there are into .ci/secrets.baseline

Exit codes: 0 nothing was found, 1 a secret or a vulnerability, 3 the service that knows about
vulnerabilities did not answer, or not for every package: then nothing is known about the rest.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from detect_secrets import SecretsCollection
from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class
from detect_secrets.settings import default_settings, get_settings

ROOT = Path(__file__).parents[1]
BASELINE = ROOT / ".ci" / "secrets.baseline"
HUB_TOKENS = Path(__file__).with_name("hub_tokens.py")
CLEAN, FINDING, UNKNOWN = 0, 1, 3
# nothing of this is a secret; no line of this file holds them whole, or it would be a finding
PLANTED = {
    "Hugging Face Token": "token: hf_" + "aBcDeFgHiJkLmNoPqRsTuVwXyZaBcDeFgH",
    "AWS Access Key": "key = 'AKIA" + "QWERTYUIOPASDFGH'",
    "Private Key": "-----BEGIN RSA " + "PRIVATE KEY-----",
}


def scan(files: Iterable[Path | str]) -> SecretsCollection:
    """Search files for what looks like a secret; nothing is sent anywhere to verify it."""
    secrets = SecretsCollection()
    for file in files:
        secrets.scan_file(str(file))
    return secrets


def finds_what_is_planted() -> bool:
    """Check that the detectors see a secret of each kind, before they are trusted to see none."""
    with tempfile.TemporaryDirectory() as folder:
        for number, line in enumerate(PLANTED.values()):
            Path(folder, f"planted_{number}.txt").write_text(line + "\n", encoding="utf-8")
        secrets = scan(sorted(Path(folder).iterdir()))
    missed = PLANTED.keys() - {secret.type for _, secret in secrets}
    for kind in sorted(missed):
        print(f"audit: a planted secret was not seen: {kind}", file=sys.stderr)
    return not missed


def secrets(*, accept: bool) -> int:
    """Compare the secrets of all tracked files with the baseline, whose lines may have moved."""
    listed = subprocess.run(["git", "ls-files", "-z"], check=True, capture_output=True, text=True)
    own = BASELINE.relative_to(ROOT).as_posix()
    present = scan(name for name in listed.stdout.split("\0") if name and name != own)
    if accept:
        entries = {file: [*map(_entry, each)] for file, each in present.json().items()}
        BASELINE.write_text(json.dumps(entries, indent=1) + "\n", encoding="utf-8")
        print(f"audit: {own} names {len(entries)} files")
        return CLEAN
    entries = json.loads(BASELINE.read_text(encoding="utf-8"))
    new = present - SecretsCollection.load_from_baseline({"results": entries})
    for file, secret in new:
        print(f"audit: {file}, line {secret.line_number}: {secret.type}", file=sys.stderr)
    if new:
        print("audit: not a secret? then: make audit ARGS=--accept", file=sys.stderr)
        return FINDING
    print("audit: no secrets in the tracked files")
    return CLEAN


def _entry(secret: dict[str, Any]) -> dict[str, Any]:
    """Leave out what changes without the secret: its line, and whether it was verified."""
    return {name: secret[name] for name in ("type", "filename", "hashed_secret")}


def vulnerabilities() -> int:
    """Ask about the pinned packages, and say apart what is vulnerable and what is not known."""
    command = [sys.executable, "-m", "pip_audit", "-r", "requirements.lock", "--no-deps"]
    command += ["--disable-pip", "--format", "json", "--progress-spinner", "off"]
    done = subprocess.run(command, capture_output=True, text=True)
    try:
        packages: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        reason = (done.stderr.strip().splitlines() or ["no answer"])[-1]
        print(f"audit: the service of vulnerabilities did not answer: {reason}", file=sys.stderr)
        return UNKNOWN
    for package in packages:
        for each in package.get("vulns", ()):
            fixed = ", ".join(each["fix_versions"]) or "no release"
            name = f"{package['name']} {package['version']}"
            print(f"audit: {name}: {each['id']}; fixed in {fixed}", file=sys.stderr)
    if any(package.get("vulns") for package in packages):
        return FINDING
    # a mirror that has no such service answers that it does not know the package
    skipped = [package["name"] for package in packages if "skip_reason" in package]
    if skipped or not packages:
        count = f"{len(skipped)} of {len(packages)}"
        print(f"audit: the service did not know {count} packages: nothing is known about them")
        return UNKNOWN
    print(f"audit: no known vulnerabilities in {len(packages)} packages")
    return CLEAN


def main(arguments: list[str] | None = None) -> int:
    """Run both, and return the exit code; a finding counts more than what is not known."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--offline", action="store_true", help="secrets alone")
    parser.add_argument("--accept", action="store_true", help="write the baseline anew")
    parsed = parser.parse_args(arguments)
    with default_settings():
        plugin = {"name": "HubTokenDetector", "path": f"file://{HUB_TOKENS}"}
        get_settings().configure_plugins([plugin])  # beside those that are on by default
        get_mapping_from_secret_type_to_class.cache_clear()  # it was made without this one
        if not finds_what_is_planted():
            return FINDING
        codes = [secrets(accept=parsed.accept)]
    if not (parsed.offline or parsed.accept):
        codes.append(vulnerabilities())
    return FINDING if FINDING in codes else max(codes)


if __name__ == "__main__":
    sys.exit(main())
