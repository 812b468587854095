"""Generated text and the folder it goes to: what differs, and how all of it is written or nothing.

`Files` are what `compiler.build` returns: file names, each with its text. A write holds a lock of the folder, and goes

    .cellgen-writing/    every new file, whole and on the disk;
    .cellgen-ready/      the same, renamed: from here on the build counts;
    each file is moved to its place, and the empty folder removed.

Whoever is killed leaves one of the two. The next write into the folder drops the first, and finishes the second. No
link is followed: a file is what it was or what it is to be, at every moment, and nothing outside the folder is touched.
"""

import errno
import os
import shutil
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import mkstemp

from cellgen.output.stamp import changed
from cellgen.text import contents

Files = Mapping[str, str]
WRITING, READY = ".cellgen-writing", ".cellgen-ready"
PATIENCE = 60  # seconds that another build is waited for
MOST = 64 * 1024 * 1024  # bytes of a file that are looked at: what is larger was not generated


@dataclass(frozen=True, slots=True)
class Change:
    """A file that is not as it should be. `found` is what it holds, None of a file that is not there."""

    path: Path
    text: str = field(repr=False)
    found: bytes | None = field(repr=False)
    link: str | None  # where it points, if it is a symbolic link

    @property
    def obstacle(self) -> str:
        """Why it is not written over, unless that is asked for; nothing if it may be."""
        if self.link is not None:
            return "is a symbolic link"
        return "" if self.found is None else changed(self.found)

    @property
    def state(self) -> str:
        return self.obstacle or ("is missing" if self.found is None else "differs")


class Obstructed(Exception):
    """Files that a write would replace, and must not."""

    def __init__(self, changes: Iterable[Change]):
        self.changes = tuple(changes)
        super().__init__(", ".join(f"{each.path} {each.obstacle}" for each in self.changes))


# --- what is there --------------------------------------------------------------------------------------------------


def changes(files: Files, folder: Path) -> tuple[Change, ...]:
    """What must be written so that the folder has these files; a build that writes is waited for. Raises `OSError`."""
    if not folder.is_dir():
        return _changes(files, folder)
    with _locked(folder):
        return _changes(files, folder)


def _changes(files: Files, folder: Path) -> tuple[Change, ...]:
    every = (_change(folder / name, text) for name, text in files.items())
    return tuple(each for each in every if each.found != each.text.encode())


def _change(path: Path, text: str) -> Change:
    try:
        link = os.readlink(path) if stat.S_ISLNK(path.lstat().st_mode) else None
    except FileNotFoundError:
        return Change(path, text, None, None)
    try:
        return Change(path, text, contents(path, MOST), link)
    except OSError:
        if link is None:
            raise
        return Change(path, text, None, link)  # it leads nowhere, or to what is no file


# --- what is to be there --------------------------------------------------------------------------------------------


def update(files: Files, folder: Path, force: bool = False) -> tuple[Change, ...]:
    """Writes what the folder has not, all of it or nothing; returns what was written.

    Raises `Obstructed` if that would replace what is not ours to replace; with `force` it is replaced, a link by a
    file in its place. Raises `OSError`; the files are what they were then.
    """
    if not files:
        return ()
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder):
        _settle(files, folder, force)
        found = _changes(files, folder)
        if found:
            _may(found, force)
            _write(found, folder)
    return found


def _may(found: Iterable[Change], force: bool) -> None:
    obstacles = [] if force else [each for each in found if each.obstacle]
    if obstacles:
        raise Obstructed(obstacles)


def _settle(files: Files, folder: Path, force: bool) -> None:
    """Clears up after a build that was killed: what counted is finished, what did not is dropped."""
    ready = folder / READY
    if ready.is_dir() and not ready.is_symlink():
        left = {path.name: path.read_bytes().decode(errors="replace") for path in ready.iterdir()}
        found = _changes(left, folder)
        _may(found, force)
        _place(found, folder)
    for staged in (ready, folder / WRITING):
        _drop(staged)
    for name in files:
        sweep(folder / name)


def _write(found: tuple[Change, ...], folder: Path) -> None:
    writing, ready = folder / WRITING, folder / READY
    try:
        writing.mkdir()
        for change in found:
            path = writing / change.path.name
            with path.open("xb") as file:
                file.write(change.text.encode())
                _flushed(file)
            if change.found is not None and change.link is None:
                path.chmod(change.path.stat().st_mode & 0o777)
        os.rename(writing, ready)
        _sync(folder)
        _place(found, folder)
    except BaseException:
        with suppress(OSError):
            _back(found, ready)
            _drop(writing)
            _drop(ready)
        raise
    _drop(ready)


def _place(found: Iterable[Change], folder: Path) -> None:
    """Moves what is ready to its place, a cell and its tests one after the other."""
    for change in sorted(found, key=lambda each: (each.path.name.removeprefix("test_"), each.path.name)):
        os.replace(folder / READY / change.path.name, change.path)
    _sync(folder)


def _back(found: Iterable[Change], ready: Path) -> None:
    """Makes those files what they were that were moved already. Raises `OSError`; what is ready is kept then."""
    for change in found if ready.exists() else ():
        if (ready / change.path.name).exists():
            continue
        if change.link is not None:
            change.path.unlink()
            change.path.symlink_to(change.link)
        elif change.found is None:
            change.path.unlink()
        else:
            put(change.path, change.found)


def _drop(path: Path) -> None:
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.exists():
        shutil.rmtree(path)


# --- one at a time --------------------------------------------------------------------------------------------------


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """One process at a time is in here, of those that mean this folder; a lock dies with its process."""
    handle, free = _lock(folder)
    try:
        for _ in range(PATIENCE * 10 + 1):
            if free():
                break
            time.sleep(0.1)
        else:
            raise OSError(errno.EBUSY, f"another build has been writing here for {PATIENCE} seconds", str(folder))
        yield
    finally:
        if handle is not None:
            os.close(handle)


def _lock(folder: Path) -> tuple[int | None, Callable[[], bool]]:
    """What is to be closed, and what takes the lock if it is free."""
    try:
        from fcntl import LOCK_EX, LOCK_NB, flock
    except ImportError:  # no locks here: a folder that is being written to shows it
        return None, lambda: not any(_young(folder / name) for name in (WRITING, READY))
    handle = os.open(folder, os.O_RDONLY)

    def free() -> bool:
        try:
            flock(handle, LOCK_EX | LOCK_NB)
        except OSError as error:
            return error.errno not in (errno.EWOULDBLOCK, errno.EACCES)  # a file system without locks does without
        return True

    return handle, free


def _young(path: Path) -> bool:
    try:
        return time.time() - path.stat().st_mtime < PATIENCE
    except OSError:
        return False


def _sync(folder: Path) -> None:
    """What was renamed in the folder is so after a crash of the machine, where a system can promise that."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _flushed(file) -> None:
    file.flush()
    os.fsync(file.fileno())


# --- a file by itself -----------------------------------------------------------------------------------------------


def put(path: Path, content: bytes) -> None:
    """Writes one file at once: also after a crash it is the old one or the new. Raises `OSError`."""
    path = Path(os.path.realpath(path))  # the file behind a link; of links in a circle the first
    temporary = _beside(path)
    try:
        with temporary.open("wb") as file:
            file.write(content)
            _flushed(file)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def create(path: Path, content: bytes) -> None:
    """Writes a file that is not there yet: also after a crash it is whole, or not there. Raises `OSError`."""
    sweep(path)
    try:
        temporary = _beside(path)
        try:
            with temporary.open("wb") as file:
                file.write(content)
                _flushed(file)
            _name(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:  # of the file that was meant
        raise OSError(error.errno, error.strerror, str(path)) from None


def _name(temporary: Path, path: Path) -> None:
    """Gives a file its name, if that is free; a link has its own, wherever it leads."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        if os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path)) from None
        os.rename(temporary, path)


def sweep(path: Path) -> None:
    """Removes what `put` or `create` left beside a file when it was killed."""
    for temporary in path.parent.glob(f".{path.name}.????????.tmp"):
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
