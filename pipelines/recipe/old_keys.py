"""Keys of older versions: renamed, or dropped with a note."""

from pipelines.core.console import say
from pipelines.core.errors import RecipeError
from pipelines.recipe.document import Document, Override, children

RENAMED = {"regularisation": "regularization"}  # old spelling of a section -> the new one
# section and key that `recipe.yaml` of older run folders holds
REMOVED = {
    ("strategy", "because"): "the lock records it",
    ("strategy", "cache_activations"): "`speed.frozen_blocks` decides",
}


def rename_sections(document: Document) -> None:
    """Accept the old spelling of a section, with a note.

    Raises:
        RecipeError: both spellings stand in one file.
    """
    for old, new in RENAMED.items():
        if old not in document.values:
            continue
        place = document.place((old,))
        if new in document.values:
            raise RecipeError(f"{place}: '{old}' is the old spelling of '{new}'; remove one")
        document.values[new] = document.values.pop(old)
        for key in [key for key in document.places if key[0] == old]:
            document.places[(new, *key[1:])] = document.places.pop(key)
        _note_renamed(place, old)


def drop_removed_keys(document: Document) -> None:
    """Accept the keys that older runs recorded, with a note."""
    for (section, name), successor in REMOVED.items():
        if name in children(document.values.get(section)):
            del document.values[section][name]
            place = document.place((section, name))
            say(f"note: {place}: '{section}.{name}' is no key any more: {successor}; remove it")


def renamed(override: Override) -> Override:
    """Accept the old spelling of a section in an override, with a note."""
    old = override.key[0]
    if old not in RENAMED:
        return override
    _note_renamed(override.place, old)
    return override._replace(key=(RENAMED[old], *override.key[1:]))


def _note_renamed(place: str, old: str) -> None:
    say(f"note: {place}: '{old}' is now spelled '{RENAMED[old]}'; please rename it")
