"""The lock: what a recipe meant on the day it ran, enough to repeat the run.

A lock names no user, no host and no path; a folder is identified by the hashes of its files.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.core import hub_cache
from pipelines.core.disk import replacing
from pipelines.core.regular_files import real_path
from pipelines.recipe import yaml_writer
from pipelines.report import choice, foreign_code, machine, strict_json
from pipelines.report.privacy import without_paths, without_tokens
from pipelines.report.run_folder import RunFolder
from pipelines.report.writing import writing

if TYPE_CHECKING:
    from pipelines.models.section import Encoder
    from pipelines.recipe import Recipe
    from pipelines.training.averaging.merge import TunedCheckpoint


def collect(
    recipe: "Recipe",
    *,
    commit: str | None,
    beside_commits: "Sequence[str | None]" = (),
    merged_commits: "Sequence[str | None]" = (),
    base_card: Mapping[str, Any] | None = None,
    num_processes: int = 1,
    reason: str = "",
    compared: Sequence[str] = (),
    repeats: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Describe a run that is about to train: revisions, packages, seed, hardware.

    Args:
        commit: the Hub commit that the checkpoint was loaded from; None for a folder.
        beside_commits: those of `model.beside`.
        merged_commits: those of `averaging.merge.checkpoints`.
        base_card: license and language of the checkpoint, where they are known.
        num_processes: the number of processes that train together.
        reason: why `auto` chose the strategy; empty where the recipe names it.
        compared: the strategies that it scored to choose by.
        repeats: the run that this one repeats.
    """
    lock = {
        "recipe": {"name": recipe.name, "sha256": digest(resolved(recipe))},
        **_contents(recipe, commit, beside_commits, merged_commits, base_card),
        "seed": recipe.seed,
        "num_processes": num_processes,
        **choice.entry(recipe.strategy.name, reason, compared),
        **({"repeats": dict(repeats)} if repeats else {}),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        **machine.describe(),
    }
    return _published(lock)


def contents(recipe: "Recipe") -> dict[str, Any]:
    """Identify everything that a pinned recipe reads, as `collect` does, before it is loaded.

    Raises:
        GraftError: data cannot be read.
    """
    beside = [each.revision for each in recipe.model.beside]
    merge = recipe.averaging.merge
    merged = [each.revision for each in merge.checkpoints] if merge else []
    return _published(_contents(recipe, recipe.model.revision, beside, merged, None))


def write(folder: RunFolder, recipe: "Recipe", lock: dict[str, Any]) -> None:
    """Write the resolved recipe and the lock into the run folder.

    Raises:
        RunError: the folder cannot be written.
    """
    text = yaml_writer.text_of(resolved(recipe))
    with writing(folder.path):
        with replacing(folder.recipe) as partial:  # a resume writes it, too, and may be killed
            partial.write_text(text, encoding="utf-8")
        strict_json.write(folder.lock, lock)


def digest(values: dict[str, Any]) -> str:
    """Hash a recipe, as `lock.json` has it: that of what `recipe.yaml` holds."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def resolved(recipe: "Recipe") -> dict[str, Any]:
    """Return every key of the recipe as plain values, without tokens; `recipe.load` reads them."""
    return without_tokens(recipe.model_dump(mode="json"))


def pinned(recipe: "Recipe", lock: dict[str, Any]) -> dict[str, Any]:
    """Return the resolved recipe with each revision replaced by the commit that it meant."""
    return with_commits(resolved(recipe), lock)


def with_commits(values: dict[str, Any], lock: dict[str, Any]) -> dict[str, Any]:
    """Replace each revision in the values of a recipe by the commit that it meant."""
    pin(values["model"], lock["model"])
    pin(values["data"], lock["data"])
    for number, encoder in enumerate(lock.get("beside", [])):
        if encoder.get("commit"):
            values["model"]["beside"][number]["revision"] = encoder["commit"]
    for number, merged in enumerate(lock.get("merged", [])):
        if merged.get("commit"):
            values["averaging"]["merge"]["checkpoints"][number]["revision"] = merged["commit"]
    target_commit = lock.get("target", {}).get("commit")
    if target_commit:
        values["data"]["target"]["revision"] = target_commit
    for key, identity in lock.get("evaluation", {}).items():
        pin(values["evaluation"][key], identity)
    return values


def pin(section: dict[str, Any], identity: dict[str, Any]) -> None:
    """Replace the revision of a section by the commit that it meant, of several sources each."""
    # a folder has no commit, and a generated data set no revision
    if identity.get("commit") and ("revision" in section or section.get("source") == "hub"):
        section["revision"] = identity["commit"]
    for name, source in identity.get("sources", {}).items():
        pin(section["sources"][name], source)


def _published(lock: dict[str, Any]) -> dict[str, Any]:
    published: dict[str, Any] = without_paths(without_tokens(strict_json.plain(lock)))
    return published


def _contents(
    recipe: "Recipe",
    commit: str | None,
    beside_commits: "Sequence[str | None]",
    merged_commits: "Sequence[str | None]",
    base_card: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """Identify what is read: checkpoints, data, and metrics of other code."""
    metrics = foreign_code.identify(recipe)
    evaluation = recipe.evaluation.identities()
    return {
        "model": {
            **_model(recipe.model, commit, recipe.strategy.pretrained),
            **({"card": dict(base_card)} if base_card else {}),
        },
        **_beside(recipe, beside_commits),
        **_merged(recipe, merged_commits),
        "data": recipe.data.identity(),
        **({"target": recipe.data.target.identity()} if recipe.data.target else {}),
        **({"evaluation": evaluation} if evaluation else {}),
        **({"metrics": metrics} if metrics else {}),
    }


def _beside(recipe: "Recipe", commits: "Sequence[str | None]") -> dict[str, Any]:
    """Identify the checkpoints beside the first; empty where it stands alone."""
    if not recipe.model.beside:
        return {}
    pairs = zip(recipe.model.beside, commits, strict=True)
    return {"beside": [_model(encoder, commit, True) for encoder, commit in pairs]}


def _merged(recipe: "Recipe", commits: "Sequence[str | None]") -> dict[str, Any]:
    """Identify what was merged; empty where nothing was."""
    if not recipe.averaging.merge:
        return {}
    pairs = zip(recipe.averaging.merge.checkpoints, commits, strict=True)
    return {"merged": [_model(tuned, commit, True) for tuned, commit in pairs]}


def _model(
    section: "Encoder | TunedCheckpoint", commit: str | None, is_pretrained: bool
) -> dict[str, Any]:
    folder = Path(section.checkpoint)
    if folder.is_dir():
        return {"checkpoint": real_path(folder).name, "files": dict(_file_hashes(folder))}
    identity = {"checkpoint": section.checkpoint, "revision": section.revision, "commit": commit}
    weights = hub_cache.weight_hashes(section.checkpoint, commit) if is_pretrained else {}
    return {**identity, **({"weights": weights} if weights else {})}


def _file_hashes(folder: Path) -> Iterator[tuple[str, str]]:
    # sorted, since file systems list files in any order
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        # .git and .cache hold what no loader reads, and change by themselves
        if path.is_file() and not any(part.startswith(".") for part in name.parts):
            with path.open("rb") as file:
                yield name.as_posix(), hashlib.file_digest(file, "sha256").hexdigest()
