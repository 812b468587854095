"""A file to a `Source`: opened once, read once. What is no regular file is refused before a byte of it is read.

Bounds: 128 KiB a file. Only diagnostics leave this module (CG101), whatever stands at the path.
"""

import errno
import os
import re
import stat
from pathlib import Path

from cellgen.diagnostics import Diagnostic, Label, SpecError
from cellgen.span import Source

MAX_BYTES = 128 * 1024

KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}
WITHOUT_WAITING = getattr(os, "O_NONBLOCK", 0)  # a pipe that nobody writes to would not let itself be opened
AS_IT_IS = getattr(os, "O_BINARY", 0)
UNREADABLE = "`cellgen list` shows the shipped specs, `cellgen new NAME` writes one to edit"


def read(path: Path) -> Source:
    """The text of a spec: what the file holds at this moment. Raises `SpecError` (CG101) if it is none that is read."""
    name = path.as_posix()
    try:
        data = contents(path, MAX_BYTES)
    except (OSError, ValueError) as error:
        why = (getattr(error, "strerror", None) or str(error)).lower()
        raise _refused(name, f"cannot read the spec: {why}", UNREADABLE) from None
    return decoded(name, data)


def contents(path: Path, most: int) -> bytes:
    """What a regular file holds, to one byte more than `most`. Raises `OSError`, also of what is no regular file."""
    _regular(path, os.stat(path).st_mode)  # a device may do something when it is opened
    handle = os.open(path, os.O_RDONLY | WITHOUT_WAITING | AS_IT_IS)
    try:
        _regular(path, os.fstat(handle).st_mode)
        data = b""
        while len(data) <= most and (more := os.read(handle, most + 1 - len(data))):
            data += more
        return data
    finally:
        os.close(handle)


def _regular(path: Path, mode: int) -> None:
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, f"it is {KINDS.get(stat.S_IFMT(mode), 'no file')}", str(path))


def decoded(name: str, data: bytes) -> Source:
    """The text that some bytes are. Raises `SpecError` (CG101) if they are too many or no UTF-8."""
    if len(data) > MAX_BYTES:
        help = "a spec is a page of equations: split it"
        raise _refused(name, f"the spec is larger than {MAX_BYTES // 1024} KiB", help)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _refused(name, f"the spec is not UTF-8: byte {error.start}", "save the file as UTF-8") from None
    return spelled(name, text)


def spelled(name: str, text: str) -> Source:
    """A text with what YAML takes for the end of a line written as a line feed, and without a byte order mark."""
    return Source(name, re.sub("\r\n|[\r\x85\u2028\u2029]", "\n", text.removeprefix("\ufeff")))


def _refused(name: str, message: str, help: str) -> SpecError:
    return SpecError([Diagnostic("CG101", message, Label(Source(name, "").span(0, 0)), help=(help,))])
