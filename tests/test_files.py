"""Nothing a user wrote is lost."""

from __future__ import annotations

import ast
import os
import re
from pathlib import Path
from typing import BinaryIO

import pytest

from course_utils._files import write_whole


def test_text_bytes_and_a_function_are_written(tmp_path: Path) -> None:
    write_whole(tmp_path / "deep" / "a.txt", "ηλ\n")
    write_whole(str(tmp_path / "b.bin"), b"\x00\x01")
    write_whole(tmp_path / "c.bin", lambda file: file.write(b"c") and None)
    assert (tmp_path / "deep" / "a.txt").read_text(encoding="utf-8") == "ηλ\n"
    assert (tmp_path / "b.bin").read_bytes() == b"\x00\x01"
    assert (tmp_path / "c.bin").read_bytes() == b"c"


def test_a_failure_half_way_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "kept.txt"
    path.write_text("old")

    def half(file: BinaryIO) -> None:
        file.write(b"half of the n")
        raise OSError("No space left on device")

    with pytest.raises(OSError, match="No space left"):
        write_whole(path, half)
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["kept.txt"]


def test_an_interrupt_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "kept.txt"
    path.write_text("old")

    def interrupted(file: BinaryIO) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_whole(path, interrupted)
    assert path.read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions")
def test_permissions_are_the_old_files_or_the_usual_ones(tmp_path: Path) -> None:
    mask = os.umask(0o022)
    try:
        write_whole(tmp_path / "new.txt", "new")
        assert (tmp_path / "new.txt").stat().st_mode & 0o777 == 0o644
        (tmp_path / "new.txt").chmod(0o640)
        write_whole(tmp_path / "new.txt", "newer")
        assert (tmp_path / "new.txt").stat().st_mode & 0o777 == 0o640
    finally:
        os.umask(mask)


# ---- nothing of the package writes in another way

PACKAGE = Path(__file__).parents[1] / "course_utils"
# Streams that other processes write to while they run: there is no content at hand.
STREAMS = {
    "_files.py": ["open(name, 'xb')"],
    "exercises/engine/child.py": ["open(os.devnull, 'r+b', buffering=0)"],
    "tools/running/cluster.py": ["open(folder / 'output', 'wb')"],
    "tools/running/kernel.py": ["open(log, 'ab')"],
}


def writes(source: str) -> list[str]:
    """Calls that write a file on their own: write_text, write_bytes, nbformat.write, open to write."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            call = ast.unparse(node)
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            modes = [*node.args, *(keyword.value for keyword in node.keywords)]
            opens = name == "open" and any(
                re.search("'[rbt]*[wax+][rwbt+]*'", ast.unparse(mode)) for mode in modes
            )
            if opens or name in ("write_text", "write_bytes") or call.startswith("nbformat.write("):
                found.append(call)
    return found


def test_whatever_writes_a_file_writes_it_whole() -> None:
    found = {
        path.relative_to(PACKAGE).as_posix(): calls
        for path in sorted(PACKAGE.rglob("*.py"))
        if (calls := writes(path.read_text(encoding="utf-8")))
    }
    streams = {name: calls for name, calls in STREAMS.items() if (PACKAGE / name).exists()}
    assert found == streams, "use write_whole of course_utils._files"


@pytest.mark.parametrize(
    "source",
    [
        "path.write_text('x')", "(a / b).write_bytes(x)", "open(p, 'w')", "open(p, mode='a')", "p.open('wb')",
        "nbformat.write(book, path)", "io.open(p, 'r+')", "open(p, 'xt', encoding='utf-8')",
    ],
)  # fmt: skip
def test_another_way_is_noticed(source: str) -> None:
    assert writes(source) == [ast.unparse(ast.parse(source))]


@pytest.mark.parametrize(
    "source", ["open(p)", "open(p, 'rb')", "p.open()", "write_whole(p, 'w')", "Image.open(a)"]
)
def test_what_only_reads_is_not(source: str) -> None:
    assert writes(source) == []
