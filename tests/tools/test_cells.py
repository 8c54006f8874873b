"""What a cell checks and imports, IPython's syntax included: held to what IPython does with the same cell."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell

from course_utils.tools import cells
from course_utils.tools.lesson import Lesson
from tests.mutants import mistakes

CELLS = [
    "f = 1\ncheck('98.x', f)",
    "check('98.x', answer=2)",
    "check(id='98.x', answer=3)",
    "check(answer=3, id='98.x')",
    "%time 1\ncheck('98.x', 4)",
    "%%time\ncheck('98.x', 5)",
    "%%time\n%time 1\ncheck('98.x', 5)",
    "%%capture out\ncheck('98.x', 6)",
    "x = %pwd\ncheck('98.x', 7)",
    "!true\ncheck('98.x', 8)",
    "found = !echo one\ncheck('98.x', found)",
    "print?\ncheck('98.x', 9)",
    "%%bash\necho \"check('98.x', 10)\"",
    "%%html\n<p>\ncheck('98.x', 10)\n</p>",
    "check('98.x', lambda x: x)",
    "check('98.x',\n      11,\n)",
    "check('98.x', 12); check('98.y', 13)",
    "check('98.x', 'a % b')\ns = '''\n%time\n!ls\n'''\ncheck('98.y', s)",
    "x = 5 \\\n% 3\ncheck('98.x', x)",
    "# check('98.x', 1)\nprint('check')",
    "    check('98.x', 14)",
    "r = check('98.x', 15)\nprint(check('98.y', answer=16))",
    "try:\n    check('98.x', 17)\nfinally:\n    pass\nwith open('/dev/null'):\n    check('98.y', 18)",
    "f = lambda: check('98.x', 19)\nif False:\n    check('98.x', 20)\nfor _ in []:\n    check('98.x', 21)",
]


@pytest.fixture
def shell() -> Iterator[InteractiveShell]:
    made = InteractiveShell.instance()
    yield made
    InteractiveShell.clear_instance()
    sys.excepthook = sys.__excepthook__


def check_cells(module: ModuleType, shell: InteractiveShell) -> None:
    for source in CELLS:
        done: list[tuple[str, Any]] = []
        shell.user_ns["check"] = lambda id, answer, done=done: done.append((id, answer))
        assert shell.run_cell(source).success, source
        found = [(id, eval(expression, shell.user_ns)) for id, expression in module.checked(source)]
        names = [(id, getattr(answer, "__code__", answer)) for id, answer in found]
        assert [id for id, _ in names] == [id for id, _ in done], source
        for (_, one), (_, other) in zip(names, done, strict=True):
            assert callable(other) or one == other, source


def test_what_a_cell_checks_is_what_ipython_checks(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    check_cells(cells, shell)


test_a_mistake_about_cells_is_noticed = mistakes(
    cells.__name__,
    [
        ("python(body) if magic[1] in _OF_PYTHON else", "python(body) if True else"),
        ("python(body) if magic[1] in _OF_PYTHON else", '"" if True else'),
        ("changed if _parses(changed) else source", "source"),
        ("*(named[name] for name in", "*(named[name] for name in () if name in"),
        ("ast.Lambda, ast.If,", "ast.Lambda,"),
        ("    if isinstance(node, _MAY_NOT_RUN):", "    if isinstance(node, (*_MAY_NOT_RUN, ast.Assign)):"),
    ],
    check=check_cells,
    fixtures=["shell"],
)


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("def f(:\ncheck('98.x', f)\ncheck('98.y', g.h)", [("98.x", "f"), ("98.y", "g.h")]),
        ("check('98.x')\nx.y.check('98.x', 1)\ncheck(name, 1)\ncheck('98.x', 1, 2)", []),
        ("exercises.check('98.x', f)\nex.check(id='98.y', answer=g)", [("98.x", "f"), ("98.y", "g")]),
        ("def f(:\nr = ex.check('98.x', answer=f)\nprint(check('98.y', g))", [("98.x", "f"), ("98.y", "g")]),
        ("def f():\n    check('98.x', 1)", []),
        ("\0", []),
    ],
)
def test_what_checks_nothing_and_what_is_broken(source: str, found: list[tuple[str, str]]) -> None:
    assert cells.checked(source) == found


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("import a.b as c, d", {"a.b", "d"}),
        ("from a import b, c", {"a", "a.b", "a.c"}),
        ("%matplotlib inline\nfrom a import b\n!ls", {"a", "a.b"}),
        ("%%time\nimport a", {"a"}),
        ("def f():\n    from a.b import c", {"a.b", "a.b.c"}),
        ("from . import b", {"p.q", "p.q.b"}),
        ("from ..r import b", {"p.r", "p.r.b"}),
        ("import a\ndef f(:", set()),
    ],
)
def test_imports(source: str, names: set[str]) -> None:
    assert cells.imported(source, inside="p.q") == names


def test_the_modules_of_a_lesson() -> None:
    from nbformat.v4 import new_code_cell, new_notebook

    sources = [
        "import course_utils.plotting as plt", "from course_utils import claims, profiles",
        "%time 1\nfrom course_utils.theory.quadratics import rate", "import torch",
    ]  # fmt: skip
    book = new_notebook(cells=[new_code_cell(source) for source in sources])
    assert Lesson(Path("01_x.ipynb"), book).modules == ["claims", "plotting", "profiles", "theory"]


def test_the_names_that_check_is_given() -> None:
    sources = ["from course_utils.exercises import check as c", "mine = ex.check", "x = check('98.x', 1)"]
    words = cells.names_of_check(sources)
    for source in ("c('98.x', 1)", "mine(1)", "ex.check(i, f)"):
        assert words.search(source)
    assert not words.search("checked = x; cc(1)")
