"""One file from the web, whole and as published, or a message that says how to do without."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from course_utils._checks import require

CHUNK = 1 << 20  # bytes
TIMEOUT = 30.0  # seconds without a byte
# Bytes as they are published: some servers would unpack a .gz on the way.
HEADERS = {"User-Agent": "course_utils", "Accept-Encoding": "identity"}


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
    import pooch

    return Path(pooch.os_cache("course_utils"))


def fetch(remote: RemoteFile, folder: Path, *, attempts: int = 2) -> Path:
    """The path of `remote` in `folder`, its checksum verified now; downloaded if it is not there.

    A file gets its name in one step, and only with the right checksum: what a network sends instead (a page
    to log in, say) is not kept, and what lies there is left alone until the right file has come.

    Args:
        attempts: downloads to try, >= 1.
    Raises: DownloadError if none succeeds, or the file is not the one that was published.
    """
    # Slow to import, and most lessons fetch nothing.
    import pooch

    require(attempts >= 1, "attempts >= 1", attempts=attempts)
    path = folder / remote.name
    store = pooch.create(
        path=folder,
        base_url="",
        registry={remote.name: f"sha256:{remote.sha256}"},
        urls={remote.name: remote.url},
        retry_if_failed=attempts - 1,
    )
    before = _written(path)
    try:
        with _quiet(pooch.get_logger()):
            downloader = pooch.HTTPDownloader(chunk_size=CHUNK, timeout=TIMEOUT, headers=HEADERS)
            store.fetch(remote.name, downloader=downloader)
    except ValueError as error:
        raise DownloadError(
            f"what came from {remote.url} is not the file that was published: its SHA-256 differs from "
            f"{remote.sha256}. It is not kept. A network that asks you to log in answers with a page of its "
            "own: log in first, in a browser"
        ) from error
    except OSError as error:
        raise DownloadError(f"could not download {remote.url}: {_reason(error)}") from error
    if _written(path) != before:
        # Made by `tempfile`, for its owner's eyes only; a class may share the folder.
        path.chmod(0o644)
    return path


def _written(path: Path) -> tuple[int, int] | None:
    state = path.stat() if path.exists() else None
    return None if state is None else (state.st_ino, state.st_mtime_ns)


def _reason(error: OSError) -> str:
    """What went wrong, without the layers around it."""
    response = getattr(error, "response", None)
    if response is not None:
        return f"the server answers {response.status_code} {response.reason}"
    innermost: BaseException = error
    while inner := innermost.__cause__ or innermost.__context__:
        innermost = inner
    return str(getattr(innermost, "strerror", None) or innermost) or type(innermost).__name__


@contextmanager
def _quiet(logger: logging.Logger) -> Iterator[None]:
    """Without pooch's notes on stderr, which a lesson would keep among its outputs."""
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)
