"""A build that goes wrong at its every step: each event that the interpreter audits is a place to be killed at.

    python tests/faults.py FOLDER

Prints a line of JSON for each way to go wrong: how many places there were, and what was seen there. A child is forked
for every place, so this runs in a process without threads.
"""

import errno
import json
import os
import resource
import shutil
import signal
import sys
from pathlib import Path

from cellgen.output.files import Obstructed, changes, create, update
from cellgen.output.stamp import STAMP, checksum, stamped

WATCHED = {"open", "os.mkdir", "os.rename", "os.link", "os.remove", "os.rmdir", "os.chmod", "os.listdir", "os.scandir"}
STEMS = ("alpha", "beta")


def build(generation: int, stems=STEMS) -> dict[str, str]:
    """Files as `compiler.build` gives them: tests know the checksum of their cell."""
    out = {}
    for stem in stems:
        cell = f'"""{stem}, generated from {stem}.yaml."""\n' + f"# {generation}\n" * 4000
        out[f"{stem}.py"] = stamped(cell)
        out[f"test_{stem}.py"] = stamped(f'"""Tests."""\n# of {checksum(cell)}\n# {generation}\n')
    return out


def of_one_build(folder: Path, stem: str) -> bool:
    """What the first lines of generated tests look for."""
    cell = STAMP.match((folder / f"{stem}.py").read_bytes())
    return cell[1] in (folder / f"test_{stem}.py").read_bytes()


def standing(folder: Path, *builds: dict[str, str]) -> set:
    """Of which builds the files are; `torn` if one is of none, `none` if it is not there."""
    seen = set()
    for name in builds[0]:
        path = folder / name
        data = path.read_text() if path.exists() else None
        found = [index for index, files in enumerate(builds) if files[name] == data]
        seen.add(found[0] if found else "none" if data is None else "torn")
    return seen


ENDED, IN_SPITE, FAILED, REFUSED = 0, 1, 2, 3


def child(work, hook, place=1) -> int:
    """Runs `work` in a process of its own whose audited events `hook` sees, numbered; returns its exit code.

    `IN_SPITE`: it came to its end, though there was the event `place`, at which something went wrong.
    """
    if pid := os.fork():
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    code = 99
    try:
        count, inside = [0], [False]

        def audit(event, arguments):
            if event not in WATCHED or inside[0]:
                return
            count[0] += 1
            inside[0] = True
            try:
                hook(count[0], event, arguments)
            finally:
                inside[0] = False

        sys.addaudithook(audit)
        work()
        code = ENDED if count[0] < place else IN_SPITE
    except OSError:
        code = FAILED
    except Obstructed:
        code = REFUSED
    finally:
        os._exit(code)


def kill(at):
    def hook(number, event, arguments):
        if number == at:
            os.kill(os.getpid(), signal.SIGKILL)

    return hook


def fail(at, code, lasting):
    """An error of the system, once, or of all that would write from then on."""

    def hook(number, event, arguments):
        if number == at or number > at and lasting(event, arguments):
            raise OSError(code, os.strerror(code), str(arguments[0]))

    return hook


def vanish(at, folder):
    def hook(number, event, arguments):
        if number == at:
            shutil.rmtree(folder)

    return hook


def once(event, arguments):
    return False


def full(event, arguments):
    """What needs room on a disk."""
    return event == "os.mkdir" or event == "open" and isinstance(arguments[2], int) and arguments[2] & os.O_CREAT


def frozen(event, arguments):
    """What writes at all."""
    return event not in ("open", "os.listdir", "os.scandir") or full(event, arguments)


def every_place(top: Path, way: str, fresh: bool) -> dict:
    """Goes wrong at the first event, then at the second, until none is left."""
    old, new, other = build(1), build(2), build(3, ("gamma",))
    pairs = [(build(1, [stem]), build(2, [stem])) for stem in STEMS]
    after, healed, codes, left, mixed = set(), set(), set(), set(), 0
    for place in range(1, 1000):
        folder = top / f"{way} {fresh} {place}"
        folder.mkdir(parents=True)
        if not fresh:
            update(old, folder)
        hook = {
            "killed": kill(place),
            "denied": fail(place, errno.EACCES, once),
            "full": fail(place, errno.ENOSPC, full),
            "frozen": fail(place, errno.EROFS, frozen),
            "vanished": vanish(place, folder),
        }[way]
        code = child(lambda folder=folder: update(new, folder), hook, place)
        if code == ENDED:
            break
        codes.add(code)
        seen = standing(folder, old, new)
        after.add(str(sorted(seen, key=str)))
        if not fresh and way != "vanished":  # whoever runs the tests of a cell is told if they are not its own
            told = [not of_one_build(folder, stem) for stem in STEMS]
            assert told == [len(standing(folder, *pair)) == 2 for pair in pairs]
            mixed += any(told)
        update(other, folder)  # a build of something else clears up
        healed.add(str(sorted(standing(folder, old, new), key=str)))
        left |= {path.name for path in folder.iterdir()} - {*old, *other}
        shutil.rmtree(folder)
    seen = {"codes": sorted(codes), "after": sorted(after), "healed": sorted(healed), "left": sorted(left)}
    return {"way": way, "fresh": fresh, "places": place - 1, "mixed": mixed, **seen}


def one_file(top: Path) -> dict:
    """A spec that `cellgen new` begins, killed at every place: what stands there then, and after the next try."""
    whole, after, codes, left = b"cell: Mine\n" * 4000, set(), set(), set()
    for place in range(1, 1000):
        folder = top / f"new {place}"
        folder.mkdir()
        path = folder / "mine.yaml"
        code = child(lambda path=path: create(path, whole), kill(place), place)
        after.add("none" if not path.exists() else "whole" if path.read_bytes() == whole else "torn")
        if code == ENDED:
            break
        codes.add(code)
        path.unlink(missing_ok=True)
        create(path, whole)
        left |= {each.name for each in folder.iterdir()}
    return {"way": "new", "places": place - 1, "codes": sorted(codes), "after": sorted(after), "left": sorted(left)}


def at_once(top: Path, builders: int, rounds: int) -> dict:
    """Several processes write builds of their own into one folder, while another looks at it."""
    folder = top / "at once"
    update(build(0), folder)
    pids = []
    for builder in range(1, builders + 1):
        if pid := os.fork():
            pids.append(pid)
            continue
        code = 99
        try:
            for turn in range(rounds):
                update(build(builder * 1000 + turn), folder)
            code = 0
        finally:
            os._exit(code)
    mixes, looks = 0, 0
    running = set(pids)
    codes = []
    while running:
        for pid in list(running):
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                running.discard(pid)
                codes.append(os.waitstatus_to_exitcode(status))
        looks += 1
        found = {each.path.name: each.found.decode() for each in changes(build(-1), folder)}
        mixes += len({text.rsplit("# ", 1)[1] for text in found.values()}) != 1
    left = sorted(path.name for path in folder.iterdir())
    return {"way": "at once", "codes": codes, "mixes": mixes, "looks": looks > 0, "left": left}


def too_large(top: Path) -> dict:
    """The system writes a part of a file and no more."""
    folder, old, new = top / "limited", build(1), build(2)
    update(old, folder)

    def work():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
        update(new, folder)

    code = child(work, lambda *_: None)
    return {
        "way": "limited",
        "code": code,
        "after": [str(sorted(standing(folder, old, new)))],
        "left": sorted({path.name for path in folder.iterdir()} - old.keys()),
    }


def main() -> None:
    top = Path(sys.argv[1])
    for fresh in (False, True):
        for way in ("killed", "denied", "full", "frozen", "vanished"):
            print(json.dumps(every_place(top, way, fresh)))
            sys.stdout.flush()  # before the next fork
    print(json.dumps(one_file(top)))
    print(json.dumps(too_large(top)))
    sys.stdout.flush()
    print(json.dumps(at_once(top, 4, 12)))


if __name__ == "__main__":
    main()
