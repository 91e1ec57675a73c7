"""What a file holds by its first bytes, to say why it is no image or sound."""

MAX_BYTES = 512  # that are looked at
# first bytes -> what such a file is; the likeliest ways in which a download goes wrong come first
SIGNATURES = (
    (b"version https://git-lfs", "a Git LFS pointer: git lfs pull fetches the file itself"),
    (b"PK\x03\x04", "a zip archive: unpack it"),
    (b"\x1f\x8b", "a gzip archive: unpack it"),
    (b"%PDF", "a PDF"),
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"fLaC", "FLAC sound"),
    (b"OggS", "Ogg sound"),
    (b"ID3", "MP3 sound"),
)


def describe(start: bytes) -> str | None:
    """Describe a file from its first MAX_BYTES bytes; None where nothing is obvious."""
    text = start.lstrip().lower()
    if not start:
        return "the file is empty"
    if not any(start):
        return "it begins with zeros: a download that was cut off?"
    if text.startswith((b"<!doctype html", b"<html")):
        return "it is an HTML page: a download that failed?"
    if start[4:8] == b"ftyp":
        return f"it is an MPEG-4 file ({start[8:12].decode('ascii', 'replace').strip()})"
    if start.startswith(b"RIFF"):
        return f"it begins like a {start[8:12].decode('ascii', 'replace').strip()} file"
    return next(
        (f"it begins like {kind}" for prefix, kind in SIGNATURES if start.startswith(prefix)), None
    )
