"""Keys of `data:` among the words of a command line."""


def is_data_key(word: str) -> bool:
    """Return whether a word is a key of the data, as in `data.columns.text=review`."""
    key, _, value = word.partition("=")
    return (
        key.startswith("data.") and key.replace(".", "").replace("_", "").isalpha() and value != ""
    )
