"""Archives of data -> folders in the cache, keyed by content.

What would leave the folder, or fill the disk, is refused before anything is written of it.
"""

import lzma
import os
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath, PureWindowsPath

from pipelines.core import cache, cache_folder
from pipelines.core.errors import DataError
from pipelines.core.hub_client import first_line
from pipelines.data.sources._media_layout import usual_split

ZIP, TAR = (".zip",), (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
MAX_ENTRIES = 5_000_000
MAX_BYTES = 200 << 30  # unpacked
ERRORS = (
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, OSError),
    *(RuntimeError, NotImplementedError),  # an encrypted zip, an unknown compression
)


def is_archive(file: Path) -> bool:
    """Return whether a file is named as an archive: `photos.zip`, `photos.tar.gz`."""
    return file.name.lower().endswith((*ZIP, *TAR)) and file.is_file()


def unpack(archives: Mapping[str, Path], digests: Mapping[Path, str]) -> Path:
    """Unpack archives into one folder, unless it is there already.

    Args:
        archives: the folder in it ("" for itself) -> an archive.
        digests: archive -> the hash of its content.

    Raises:
        DataError: an archive that is damaged, too large, or would write elsewhere.
    """
    from datasets.fingerprint import Hasher

    key = [(name, digests[file]) for name, file in sorted(archives.items())]
    folder = cache_folder.use_table(Hasher.hash(["archives 1", key])) / "unpacked"
    if folder.exists():
        return folder
    # several processes may unpack at once: each its own draft, moved in one step
    draft = folder.with_name(f"unpacked.{os.getpid()}")
    cache.make_room()
    draft.mkdir(parents=True)
    try:
        for name, file in archives.items():
            _extract(file, draft / name)
            _unwrap(draft / name, name)
        try:
            draft.rename(folder)
        except OSError:
            if not folder.exists():  # else another process was faster
                raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return folder


def _unwrap(folder: Path, split: str) -> None:
    """Move up what `train.zip` holds in a folder `train` of its own."""
    inner = [path for path in folder.iterdir() if not path.name.startswith((".", "__MACOSX"))]
    if split and len(inner) == 1 and inner[0].is_dir() and usual_split(inner[0].name) == split:
        inner[0].rename(folder.with_name(f"{split}.inner"))
        shutil.rmtree(folder)
        folder.with_name(f"{split}.inner").rename(folder)


def _extract(file: Path, folder: Path) -> None:
    try:
        if file.name.lower().endswith(ZIP):
            with zipfile.ZipFile(file) as archive:
                entries = archive.infolist()
                _check(file, folder, ((entry.filename, entry.file_size) for entry in entries))
                archive.extractall(folder)
        else:
            # read twice: nothing is written before all of it is known to be safe
            with tarfile.open(file) as tar:
                _check(file, folder, _sizes(file, tar))
            with tarfile.open(file) as tar:
                tar.extractall(folder, filter="data")
    except ERRORS as error:
        raise DataError(f"{file}: cannot be unpacked: {first_line(error)}") from error


def _sizes(file: Path, archive: tarfile.TarFile) -> Iterator[tuple[str, int]]:
    """Yield the name and size in bytes of each entry.

    Raises:
        DataError: a link or a device, which could lead anywhere.
    """
    for entry in archive:
        if not (entry.isfile() or entry.isdir()):
            raise DataError(
                f"{file}: holds '{entry.name}', which is a link or a device and no file; pack the "
                "files themselves (tar --dereference), or unpack it and name the folder"
            )
        yield entry.name, entry.size


def _check(file: Path, folder: Path, entries: Iterable[tuple[str, int]]) -> None:
    """Refuse entries that lead out of the folder, and more than there is room for.

    Raises:
        DataError: there are such.
    """
    max_bytes = min(MAX_BYTES, shutil.disk_usage(folder.parent).free)
    total = 0
    for number, (name, size) in enumerate(entries, 1):
        windows = PureWindowsPath(name)
        if PurePosixPath(name).is_absolute() or windows.anchor or ".." in windows.parts:
            raise DataError(f"{file}: holds '{name}', which leads out of the folder; refused")
        total += size
        if number > MAX_ENTRIES or total > max_bytes:
            raise DataError(
                f"{file}: unpacks to more than {max_bytes / 2**30:,.1f} GiB (on this disk) or "
                f"{MAX_ENTRIES:,} files; unpack it yourself, and name the folder as data.path"
            )
