"""The names of files that a browser or another client sends."""

from __future__ import annotations

from pathlib import PurePosixPath

FORBIDDEN = '<>:"|?*'  # In the name of a file on some systems, besides the separators of folders.
MAX_STEM = 200  # Bytes; a file system takes 255 for a name, of which some are for suffixes.
MAX_SUFFIX = 8
NAMELESS = "image"


def safe_name(name: str) -> str:
    """Return the name that a client gives to a file, as any system can store it, and without folders."""
    plain = "".join("_" if c in FORBIDDEN or not c.isprintable() else c for c in name.replace("\\", "/"))
    path = PurePosixPath(plain)
    suffix = path.suffix.rstrip(" .")[:MAX_SUFFIX]
    stem = path.stem.strip(" .").encode()[:MAX_STEM].decode(errors="ignore")
    return f"{stem or NAMELESS}{suffix}"
