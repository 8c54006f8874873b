"""A class of notebooks of which most mean harm, and what each must come to.

    harmless  the attack fails, or is caught, and the right answers behind it are right
    costly    it may cost its own rows, whatever they say; nothing else
    cheat     it must not be right
    right, wrong: plain answers, in whose rows nothing may change

Each notebook holds the attack's cell and the right answers of three exercises of lesson 00. `AT` in an attack is a
folder outside of the submissions, in which `canary` lies; `IN` is the folder of the submissions.
"""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

DIFFERENCE, ERROR, SEEDS = "00.paired_difference", "00.paired_standard_error", "00.seeds_needed"
RIGHT = {
    DIFFERENCE: "def paired_difference(a, b):\n    return a - b",
    ERROR: "def paired_standard_error(a, b):\n    d = a - b\n    return (d.std() / math.sqrt(len(d))).item()",
    SEEDS: "def seeds_needed(d, s, z):\n    return max(1, math.ceil((z * s / d) ** 2))",
}
HEAD = "import math, os, sys, subprocess, threading, time\nfrom course_utils.exercises import check"

# Each sets `done` where it has come to something that it must not come to.
HARMLESS = {
    "writes into the package": "import course_utils\nopen(course_utils.__file__, 'a').write('x = 1\\n')\ndone = 1",
    "writes into an exercise": (
        "from course_utils.exercises import lesson_00_start_here as m\nopen(m.__file__, 'a').write('#')\ndone = 1"
    ),
    "makes a file in the package": "import course_utils\nopen(os.path.dirname(course_utils.__file__) + '/x.py', 'w')\ndone = 1",
    "removes the package": "import course_utils\nos.remove(course_utils.__file__)\ndone = 1",
    "makes the package writable": "import course_utils\nos.chmod(course_utils.__file__, 0o666)\ndone = 1",
    "writes into the library": "import numpy\nopen(numpy.__file__, 'a').write('#')\ndone = 1",
    "writes into Python": "open(os.__file__, 'a').write('#')\ndone = 1",
    "writes a site file": "open(os.path.join(sys.prefix, 'x.pth'), 'w')\ndone = 1",
    "mounts the package anew": (
        "import course_utils\nd = os.path.dirname(course_utils.__file__)\n"
        "subprocess.run(['mount', '-o', 'remount,bind,rw', d])\nsubprocess.run(['umount', '-l', d])\n"
        "open(course_utils.__file__, 'a').write('#')\ndone = 1"
    ),
    "a namespace of its own": (
        "import course_utils\nd = course_utils.__file__\n"
        "r = subprocess.run(['unshare', '-Urm', 'sh', '-c', f'mount -o remount,bind,rw / && echo x >> {d}'])\n"
        "done = None if r.returncode else 1"
    ),
    "reads the shadow file": "done = open('/etc/shadow').read() or None",
    "lists its neighbours": "done = os.listdir(r'IN') or None",
    "reads a neighbour": "open(r'IN/right 1/00_start_here.ipynb').read()\ndone = 1",
    "changes a neighbour": "open(r'IN/right 1/00_start_here.ipynb', 'w').write('{}')\ndone = 1",
    "removes its neighbours": "import shutil\nshutil.rmtree(r'IN', ignore_errors=True)",
    "writes outside": "open(r'AT/written', 'w').write('x')\ndone = 1",
    "removes what is outside": "os.remove(r'AT/canary')\ndone = 1",
    "reads the grades": "done = open(r'AT/grades.csv').read() or None",
    "writes the grades": "open(r'AT/grades.csv', 'w').write('x')",
    "lists the home": "done = [n for n in os.listdir('/root') if n.startswith('.ssh')] or None",
    "the network": "import socket\nsocket.create_connection(('1.1.1.1', 53), timeout=1)\ndone = 1",
    "the machine's own network": (
        "import socket\ns = socket.socket()\ns.bind(('0.0.0.0', 0))\ns.listen()\n"
        "done = [l for l in open('/proc/net/dev').read().splitlines()[2:] if ' lo:' not in l and 'lo:' not in l] or None"
    ),
    "sees other processes": "import psutil\ndone = 1 if len(psutil.pids()) > 12 else None",
    "ends its parent": "os.kill(os.getppid(), 9)",
    "ends everything": "import signal\nsignal.signal(15, signal.SIG_IGN)\nos.kill(-1, 15)",
    "becomes somebody": "os.setuid(12345)\ndone = 1",
    "capabilities": "t = open('/proc/self/status').read()\ndone = int(t.split('CapEff:')[1].split()[0], 16) or None",
    "a device": "done = [n for n in os.listdir('/dev') if n.startswith(('sd', 'vd', 'nvme', 'mem', 'kmsg'))] or None",
    "makes a device": "os.mknod('d', 0o600 | 0o060000, os.makedev(8, 0))\ndone = 1",
    "files in memory": "f = open('/dev/filling', 'wb')\nf.write(b'x' * 10**6)\ndone = 1",
    "links": "os.symlink('/etc/shadow', 'l')\ndone = open('l').read() or None",
    "the environment": "done = [k for k in os.environ if 'TOKEN' in k or 'SECRET' in k] or None",
    "a daemon": "subprocess.Popen(['sleep', '97531'], start_new_session=True)",
    "a daemon of a daemon": (
        "if os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n        os.execvp('sleep', ['sleep', '97531'])\n    os._exit(0)"
    ),
    "ignores signals": "import signal\n[signal.signal(n, signal.SIG_IGN) for n in (1, 2, 3, 15)]",
    "catches the end": "import atexit\natexit.register(time.sleep, 3600)",
    "a thread that stays": "threading.Thread(target=time.sleep, args=(3600,)).start()",
    "huge prints": "for _ in range(1000):\n    print('x' * 10**5)",
    "huge errors": "sys.stderr.write('x' * 10**8)",
    "control characters": "print('\\x1b[2J\\x1b]0;t\\x07')",
    "raises": "raise SystemExit",
    "interrupts": "raise KeyboardInterrupt",
    "a broken cell": "def f(:\n    pass",
    "a deep cell": "x = " + "(" * 300 + "1" + ")" * 300,
    "many cells' names": "globals().update({f'n{i}': i for i in range(10**5)})",
    "a changed folder": "os.chdir('/')",
    "a changed dtype": "import torch\ntorch.set_default_dtype(torch.float64)",
    "no gradients": "import torch\ntorch.set_grad_enabled(False)",
    "magics": "%matplotlib inline\n%config InlineBackend.figure_format = 'retina'\n!ls /\n%pip --version",
}  # fmt: skip
COSTLY = {
    "other streams": "sys.stdout = sys.stderr = sys.stdin = None",
    "an error of its own": "class E(BaseException):\n    def __str__(self): raise self\nraise E",
    "an end": "os._exit(0)",
    "a crash": "import ctypes\nctypes.string_at(0)",
    "forks": "while True:\n    os.fork()",
    "two hundred children": "c = [subprocess.Popen(['sleep', '60']) for _ in range(200)]\ntime.sleep(30)",
    "memory": "x = [bytearray(10**8) for _ in range(100)]",
    "memory of children": (
        "for _ in range(4):\n    if os.fork() == 0:\n        x = bytearray(1_400_000_000)\n        time.sleep(60)\ntime.sleep(30)"
    ),
    "the disk": "for i in range(100):\n    open(f'f{i}', 'wb').write(b'x' * 40_000_000)",
    "one large file": "open('f', 'wb').write(b'x' * 400_000_000)",
    "many files": "for i in range(10**6):\n    open(f'f{i}', 'w').close()",
    "a loop": "while True:\n    pass",
    "a sleep": "time.sleep(3600)",
    "closed descriptors": "os.closerange(0, 100)",
    "no recursion": "sys.setrecursionlimit(10**7)\ndef f():\n    f()\nf()",
    "a full line": "for fd in range(3, 40):\n    try:\n        os.write(fd, b'[' * 10**6 + b'\\n')\n    except OSError:\n        pass",
    "a flood": (
        "def flood():\n    while True:\n        for fd in range(3, 40):\n            try:\n                os.write(fd, b'{\"event\": \"x\"}\\n')\n"
        "            except OSError:\n                pass\n        time.sleep(0.01)\n"
        "threading.Thread(target=flood).start()\nwhile True:\n    pass"
    ),
    "nested events": "for fd in range(3, 40):\n    try:\n        os.write(fd, b'{\"event\": ' * 10**4 + b'\\n')\n    except OSError:\n        pass",
    "forged cells": (
        "for fd in range(3, 40):\n    try:\n        os.write(fd, b'{\"event\": \"cell\", \"index\": 99}\\n{\"event\": \"input\", \"id\": 3}\\n'"
        "\n                 b'{\"event\": \"answer\", \"id\": \"00.seeds_needed\", \"cell\": 1e9, \"number\": []}\\n')\n    except OSError:\n        pass"
    ),
    "no import": "import builtins\nbuiltins.__import__ = None",
    "no exercises": "import course_utils.exercises.engine.outcomes as o\no.outcomes = None",
}  # fmt: skip
CHEATS = {
    "its own check": "check = lambda id, answer: print(f'{id}: correct.')",
    "a verdict in the line": (
        "for fd in range(3, 40):\n    try:\n        os.write(fd, b'{\"event\": \"verdict\", \"id\": \"00.paired_difference\", \"state\": \"correct\"}\\n')"
        "\n    except OSError:\n        pass"
    ),
    "no differences": (
        "import course_utils.exercises.engine.compare as c, course_utils.exercises.engine.verdict as v\n"
        "c.difference = lambda *a, **k: None\nv.agrees = lambda *a, **k: True"
    ),
    "an equal to everything": "class Same:\n    def __eq__(self, other): return True\n    __hash__ = None",
}  # fmt: skip
# What an answer returns that is no answer; they stand in the place of the first one.
RETURNS = {
    "ten to the four hundred": "10**400", "ten to the five thousand": "10**5000", "a deep list": "deep()", "itself": "loop()",
    "a generator": "iter(int, 1)", "a million": "list(range(10**6))", "a module": "math", "a surrogate": "'\\ud800'",
    "nan": "math.nan", "a lambda": "lambda: 1", "a class": "int", "bytes": "b'\\0' * 10**6",
}  # fmt: skip
RETURNED = (
    "def deep():\n    x = []\n    for _ in range(10**5):\n        x = [x]\n    return x\ndef loop():\n    x = []\n    x.append(x)\n    return x\n"
    "def paired_difference(a, b):\n    return {value}"
)
# Files that are no notebooks, or hardly: they have a row "unreadable".
TORN: dict[str, bytes] = {
    "empty": b"", "no json": b"{torn", "a list": b"[]", "a number": b"3", "deep json": b"[" * 10**5,
    "no cells": b'{"nbformat": 4, "nbformat_minor": 4, "metadata": {}}', "old": b'{"nbformat": 2, "worksheets": 3}',
    "bytes": bytes(range(256)) * 50, "tags null": b'{"cells": [{"cell_type": "code", "metadata": {"tags": null}, "source": "x"}],'
    b' "metadata": {}, "nbformat": 4, "nbformat_minor": 4}',
}  # fmt: skip
# Names of folders, with right answers in them.
NAMES = [
    "=1+1",
    "@SUM(A1)",
    "a;=1+1",
    "-2+3",
    "<script>alert(1)</script>",
    "a'b\"c",
    "x" * 200,
    "Zo\u00eb",
    "%s%n{0}",
]


def answers(first: str = RIGHT[DIFFERENCE]) -> list[str]:
    """Cells with answers and their checks; `done` spoils the first."""
    texts = [RIGHT | {DIFFERENCE: first}][0]
    sources = [f"{text}\ncheck('{id}', {id[3:]})" for id, text in texts.items()]
    return [
        f"if globals().get('done') is not None:\n    raise Exception(f'DONE {{done}}')\n{sources[0]}",
        *sources[1:],
    ]


def at_once() -> list[str]:
    """The cells of all harmless attacks; `done` lists those that came to something."""
    cells = ["came = []"]
    for name, code in HARMLESS.items():
        cells += [code, f"if globals().pop('done', None) is not None:\n    came.append({name!r})"]
    return [*cells, "done = came or None"]


def notebook(*cells: str) -> bytes:
    code: list[dict[str, Any]] = [
        {"cell_type": "code", "source": text, "metadata": {}, "outputs": [], "execution_count": None}
        for text in (HEAD, *cells)
    ]
    return json.dumps({"cells": code, "metadata": {}, "nbformat": 4, "nbformat_minor": 4}).encode()


def everybody(outside: Path, submissions: Path) -> dict[str, tuple[str, bytes]]:
    """Student -> kind and notebook."""

    def placed(code: str) -> str:
        return code.replace("AT/", f"{outside}/").replace("IN", str(submissions))

    wrong = "def paired_difference(a, b):\n    return b - a"
    found = {f"right {i}": ("right", notebook(*answers())) for i in range(3)}
    found |= {f"wrong {i}": ("wrong", notebook(*answers(wrong))) for i in range(2)}
    found |= {name: ("harmless", notebook(placed(code), *answers())) for name, code in HARMLESS.items()}
    found["all at once"] = "harmless", notebook(*map(placed, at_once()), *answers())
    found |= {name: ("costly", notebook(code, *answers())) for name, code in COSTLY.items()}
    found |= {name: ("cheat", notebook(code, *answers(wrong))) for name, code in CHEATS.items()}
    found |= {
        f"returns {name}": ("cheat", notebook(*answers(RETURNED.replace("{value}", value))))
        for name, value in RETURNS.items()
    }
    found |= {f"torn {name}": ("torn", content) for name, content in TORN.items()}
    return found | {name: ("right", notebook(*answers())) for name in NAMES}


def hand_in(folder: Path, outside: Path, only: list[str] | None = None) -> dict[str, str]:
    """Write the class, or some of it, into `folder`; student -> kind."""
    kinds = {}
    for who, (kind, content) in everybody(outside, folder).items():
        if only is None or who in only:
            name = who.replace("/", "\u2215")
            (folder / name).mkdir(parents=True)
            (folder / name / "00_start_here.ipynb").write_bytes(content)
            kinds[name] = kind
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("../../00_start_here.ipynb", b"{}")
        packed.writestr("big.ipynb", b"\0" * 40_000_000)
    (folder / "bomb.zip").write_bytes(out.getvalue())
    return kinds | {"bomb": "torn"}
