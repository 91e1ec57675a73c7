"""How a command that takes data reads them: keys of `data:` among its words, and sizes."""

import argparse


def is_data_key(word: str) -> bool:
    """Return whether a word is a key of the data, as in `data.columns.text=review`."""
    key, _, value = word.partition("=")
    return (
        key.startswith("data.") and key.replace(".", "").replace("_", "").isalpha() and value != ""
    )


def add_batch_size(parser: argparse.ArgumentParser) -> None:
    """Declare `--batch-size N`, and that there are no overrides until one is given."""
    parser.add_argument(
        "--batch-size", type=int, default=64, metavar="N", help="rows of mean length (64)"
    )
    parser.set_defaults(overrides=[])
