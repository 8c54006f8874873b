"""Nothing a user wrote is lost."""

from __future__ import annotations

import os
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
