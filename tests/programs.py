"""Programs in processes of their own, which know nothing of ours.

A process is forked from one that has just imported TensorFlow and has done nothing else. Of a program that is to find
other variables where TensorFlow is imported, or another hash seed, it is one that was started with these.
"""

import functools
import json
import os
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

LATE = 300  # seconds after which a program is ended
SERVER = """
import gc, json, os, signal, sys
import numpy, tensorflow
tensorflow.keras.layers.Layer  # imports the Keras that is meant
gc.collect(), gc.freeze()  # a program that ends need not look through a million objects

for line in sys.stdin:
    asked, begun = json.loads(line), []
    for program in asked["programs"]:
        if not (process := os.fork()):
            break
        begun.append(process)
    else:
        print(json.dumps([os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) for process in begun]), flush=True)
        continue
    break
else:
    sys.exit()

signal.setitimer(signal.ITIMER_REAL, asked["late"])
for number, name in enumerate((os.devnull, program["out"], program["errors"])):
    os.dup2(os.open(name, os.O_RDWR), number)
os.chdir(asked["folder"])
os.environ.update(program["environment"])
sys.path[1:1] = asked["path"]
sys.modules["__main__"] = type(sys)("__main__")
exec(compile(asked["code"], "<string>", "exec"), vars(sys.modules["__main__"]))
"""


@functools.cache
def _server(**environment: str) -> subprocess.Popen:
    """What programs are forked from, with variables of its own. It ends with this process."""
    environment = {**os.environ, **environment}
    environment.pop("PYTHONPATH", None)
    command = [sys.executable, "-c", SERVER]
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=sys.prefix, env=environment
    )


def ran(code: str, folder: Path, *folders: Path, each=({},), **environment: str) -> list[subprocess.CompletedProcess]:
    """What comes of a program, in a process for each of these variables, all at once.

    It imports from the folders only, so cellgen is not there unless it is installed. What `environment` holds is there
    when TensorFlow is imported, what `each` holds is not.
    """
    server, path = _server(**environment), [str(name) for name in (folder, *folders)]
    with tempfile.TemporaryDirectory() as printed:
        names = [(f"{printed}/out{index}", f"{printed}/errors{index}") for index in range(len(each))]
        for name in (name for pair in names for name in pair):
            Path(name).touch()
        programs = [
            {"out": out, "errors": errors, "environment": {"PYTHONPATH": os.pathsep.join(path), **own}}
            for (out, errors), own in zip(names, each, strict=True)
        ]
        asked = {"code": textwrap.dedent(code), "folder": str(folder), "path": path, "late": LATE, "programs": programs}
        print(json.dumps(asked), file=server.stdin, flush=True)
        codes = json.loads(server.stdout.readline())
        said = [[Path(name).read_text(encoding="utf-8", errors="replace") for name in pair] for pair in names]
    return [subprocess.CompletedProcess(code, status, *texts) for status, texts in zip(codes, said, strict=True)]


def child(code: str, folder: Path, *folders: Path, **environment: str) -> str:
    """What a program prints that comes to its end."""
    (done,) = ran(code, folder, *folders, **environment)
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout
