"""What a path names that is no file: opening a pipe waits forever, and a device never ends."""

import errno
import os
import stat
from pathlib import Path

KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def real_path(path: str | Path) -> Path:
    """Follow the links of a path; one that leads back to itself stays, and is no error here.

    `Path.resolve` raises RuntimeError of it.
    """
    return Path(os.path.realpath(path))


def problem(path: str | Path, *, or_folder: bool = False) -> str:
    """Say what a path names instead of a file, such as "is a pipe"; empty for a file.

    What does not exist is no problem here: whoever opens it says so. A link counts as what it leads
    to, and one that leads to nothing is named.

    Args:
        or_folder: a folder is expected as well.
    """
    try:
        kind = stat.S_IFMT(os.stat(path).st_mode)
    except OSError as error:
        if error.errno == errno.ELOOP:
            return "is a link that leads back to itself"
        if os.path.islink(path):
            return f"is a link to {os.readlink(path)}, which is not there"
        return ""
    except ValueError:  # a null in the name
        return ""
    if kind == stat.S_IFREG or (or_folder and kind == stat.S_IFDIR):
        return ""
    return f"is {KINDS.get(kind, 'no file')}"
