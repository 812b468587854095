"""Generated text and the folder it goes to: what differs, and how all of it is written or nothing.

`Files` are what `compiler.build` returns: file names, each with its text.
"""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import mkstemp

Files = Mapping[str, str]
GENERATED = b"generated from"  # stands in the first line of every generated file


@dataclass(frozen=True, slots=True)
class Change:
    """A file that is not as it should be: it is missing, or it differs."""

    path: Path
    text: str = field(repr=False)
    missing: bool


def changes(files: Files, folder: Path) -> tuple[Change, ...]:
    """What must be written so that the folder has these files. Raises `OSError`."""
    out = []
    for name, text in files.items():
        path = folder / name
        try:
            if path.read_bytes() != text.encode():
                out.append(Change(path, text, missing=False))
        except FileNotFoundError:
            out.append(Change(path, text, missing=True))
    return tuple(out)


def foreign(changes: Iterable[Change]) -> tuple[Path, ...]:
    """The files that a write would replace though their first line does not say that they were generated."""
    return tuple(change.path for change in changes if not change.missing and GENERATED not in _first_line(change.path))


def _first_line(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.readline()


def write(changes: Iterable[Change]) -> None:
    """Writes all of them, each at once. Raises `OSError`; nothing was written then, unless a rename fails."""
    ready: list[tuple[Path, Path]] = []
    try:
        for change in changes:
            path = change.path.resolve()  # the file behind a link, not the link
            path.parent.mkdir(parents=True, exist_ok=True)
            ready.append((_beside(path), path))
            ready[-1][0].write_bytes(change.text.encode())
        for temporary, path in ready:
            os.replace(temporary, path)
    finally:
        for temporary, _ in ready:
            temporary.unlink(missing_ok=True)


def put(path: Path, content: bytes) -> None:
    """Writes one file at once: also after a crash it is the old one or the new. Raises `OSError`."""
    path = path.resolve()
    temporary = _beside(path)
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def sweep(path: Path) -> None:
    """Removes what `put` left beside a file when it was killed."""
    for temporary in path.parent.glob(f".{path.name}.*.tmp"):
        temporary.unlink(missing_ok=True)


def _beside(path: Path) -> Path:
    """A new file in the same folder, with the permissions that `path` has or would get."""
    handle, name = mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    os.close(handle)
    if path.exists():
        mode = path.stat().st_mode & 0o777
    else:
        umask = os.umask(0)
        os.umask(umask)
        mode = 0o666 & ~umask
    os.chmod(name, mode)
    return Path(name)
