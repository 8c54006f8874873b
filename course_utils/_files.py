"""Nothing a user wrote is lost: files are written whole or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO


def write_whole(path: str | Path, write: bytes | str | Callable[[BinaryIO], None]) -> None:
    """Write `path` so that a crash at any moment leaves the old file or the new one, whole.

    The bytes go to a temporary file in the same folder, are flushed to the disk, and the file is
    then renamed over `path`, which POSIX and Windows both do in one step.

    Args:
        path: the file; its folder is created.
        write: the content (text is UTF-8), or a function that writes it to an open binary file.
    Raises: OSError, with `path` untouched, where the disk is full or the folder is read-only.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    name = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    try:
        with open(name, "xb") as file:  # not tempfile's: that is for its owner's eyes only
            if callable(write):
                write(file)
            else:
                file.write(write.encode() if isinstance(write, str) else write)
            file.flush()
            os.fsync(file.fileno())
        if target.exists():
            shutil.copymode(target, name)
        os.replace(name, target)
    except BaseException:
        with contextlib.suppress(OSError):
            name.unlink()
        raise
