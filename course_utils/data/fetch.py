"""One file from the web, whole and as published, or a message that says how to do without."""

from __future__ import annotations

import hashlib
import http.client
import os
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from course_utils._checks import require

CHUNK = 1 << 20  # bytes
TIMEOUT = 30.0  # seconds without a byte
PAUSE = 1.0  # seconds before another attempt


class DownloadError(OSError):
    """A file of a data set is not there and could not be fetched."""


@dataclass(frozen=True)
class RemoteFile:
    """A file that never changes: its address, its length in bytes, its checksum."""

    url: str
    size: int
    sha256: str

    @property
    def name(self) -> str:
        return self.url.rpartition("/")[2]


def cache_folder() -> Path:
    """Where downloads are kept: `COURSE_DATA_DIR` if it is set, else the platform's place for caches."""
    if chosen := os.environ.get("COURSE_DATA_DIR"):
        return Path(chosen).expanduser()
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "course_utils"


def fetch(remote: RemoteFile, folder: Path, *, attempts: int = 3) -> Path:
    """The path of `remote` in `folder`, its checksum verified now; downloaded if it is not there.

    The bytes go to `<name>.part`. A download that was cut goes on from there, in the next attempt or in the
    next call. Only a file with the right checksum gets its name, in one step; a wrong one is set aside as
    `<name>.bad`. Calls in several processes wait for each other.

    Args:
        attempts: connections to try, >= 1; one that brought bytes does not count.
    Raises: DownloadError if there are none left, or the file is not the one that was published.
    """
    require(attempts >= 1, "attempts >= 1", attempts=attempts)
    path, part = folder / remote.name, folder / f"{remote.name}.part"
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / f".{remote.name}.lock"):
        if path.exists() and _accepted(path, remote):
            return path
        while _size(part) < remote.size and attempts > 0:
            before = _size(part)
            try:
                _receive(remote, part)
                reason = "the connection was cut"
            except urllib.error.HTTPError as error:
                reason = f"the server answers {error.code} {error.reason}"
                if error.code == 416:  # the part does not fit what the server has
                    part.unlink(missing_ok=True)
                elif error.code < 500:
                    break
            except (OSError, http.client.HTTPException) as error:
                reason = str(getattr(error, "reason", "") or error) or type(error).__name__
            if _size(part) <= before:
                attempts -= 1
                time.sleep(PAUSE if attempts else 0)
        if _size(part) < remote.size:
            raise DownloadError(f"could not download {remote.url}: {reason}")
        if not _accepted(part, remote):
            raise DownloadError(
                f"{remote.url} is not the file that was published: its SHA-256 differs from {remote.sha256}. "
                f"What came is set aside as {path}.bad"
            )
        os.replace(part, path)
    return path


def _receive(remote: RemoteFile, part: Path) -> None:
    """Append to `part` what it lacks; start it anew where the server does not resume."""
    have = _size(part)
    headers = {"User-Agent": "course_utils", "Accept-Encoding": "identity"}
    if have > 0:
        headers["Range"] = f"bytes={have}-"
    request = urllib.request.Request(remote.url, headers=headers)
    with urllib.request.urlopen(request, timeout=TIMEOUT) as response:
        start = response.headers.get("Content-Range", "").removeprefix("bytes ").partition("-")[0]
        resumed = response.status == 206 and start == str(have)
        if response.status == 206 and not resumed:
            raise OSError(f"the server resumes at byte {start or '?'}, not at {have}")
        with open(part, "ab" if resumed else "wb") as file:
            while (chunk := response.read(CHUNK)) and file.tell() <= remote.size:
                file.write(chunk)


def _accepted(file: Path, remote: RemoteFile) -> bool:
    """Whether the checksum is right; where it is not, the file is set aside."""
    with open(file, "rb") as content:
        right = hashlib.file_digest(content, "sha256").hexdigest() == remote.sha256
    if not right:
        os.replace(file, file.with_name(f"{remote.name}.bad"))
    return right


def _size(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0
