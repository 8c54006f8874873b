"""Downloads, against a server on the loopback that can be told to misbehave."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import pickle
import re
import struct
import sys
import tarfile
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from course_utils.data import downloads, fetch
from course_utils.data.fetch import DownloadError, RemoteFile
from tests.mutants import mutant

CONTENT = np.random.default_rng(0).bytes(100_000)


class Server(ThreadingHTTPServer):
    """Serves `files`; `cuts` holds how many bytes to send before hanging up, one entry per request."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.cuts: list[int] = []
        self.ranges: list[str | None] = []  # the Range header of each request
        self.statuses: list[int] = []  # sent instead of files, one per request
        self.resumes = True
        self.shift = 0  # how many bytes too late the server resumes

    def remote(self, name: str, content: bytes) -> RemoteFile:
        self.files[name] = content
        url = f"http://127.0.0.1:{self.server_port}/{name}"
        return RemoteFile(url, len(content), hashlib.sha256(content).hexdigest())


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        asked = self.headers.get("Range")
        self.server.ranges.append(asked)
        content = self.server.files.get(self.path[1:])
        status = self.server.statuses.pop(0) if self.server.statuses else (404 if content is None else 200)
        if content is None or status != 200:
            self.send_error(status)
            return
        start = int(re.fullmatch(r"bytes=(\d+)-", asked)[1]) if asked and self.server.resumes else 0
        start += self.server.shift if start else 0
        if start >= len(content):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(content) - start))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.end_headers()
        body = content[start:]
        self.wfile.write(body[: self.server.cuts.pop(0)] if self.server.cuts else body)

    def log_message(self, *arguments: Any) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(fetch, "PAUSE", 0.0)
    started = Server()
    thread = threading.Thread(target=started.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield started
    started.shutdown()
    thread.join()
    started.server_close()


def left(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix != ".lock"}


Fetch = Callable[..., Path]


def fetched(fetch: Fetch, remote: RemoteFile, folder: Path) -> Path:
    try:
        return fetch(remote, folder)
    except DownloadError as error:
        raise AssertionError(f"not fetched: {error}") from error


def check_plain(fetch: Fetch, server: Server, folder: Path) -> None:
    path = fetched(fetch, server.remote("a.bin", CONTENT), folder)
    assert path == folder / "a.bin"
    assert left(folder) == {"a.bin": CONTENT}


def check_cut_connection_is_resumed(fetch: Fetch, server: Server, folder: Path) -> None:
    server.cuts = [30_000, 20_000]
    fetched(fetch, server.remote("a.bin", CONTENT), folder)
    assert left(folder) == {"a.bin": CONTENT}
    assert server.ranges == [None, "bytes=30000-", "bytes=50000-"]


def check_next_call_resumes(fetch: Fetch, server: Server, folder: Path) -> None:
    """What an earlier process left is used, not fetched again."""
    folder.mkdir(exist_ok=True)
    (folder / "a.bin.part").write_bytes(CONTENT[:77])
    fetched(fetch, server.remote("a.bin", CONTENT), folder)
    assert server.ranges == ["bytes=77-"]
    assert left(folder) == {"a.bin": CONTENT}


def check_server_without_ranges(fetch: Fetch, server: Server, folder: Path) -> None:
    server.resumes, server.cuts = False, [40_000]
    fetched(fetch, server.remote("a.bin", CONTENT), folder)
    assert left(folder) == {"a.bin": CONTENT}
    assert server.ranges == [None, "bytes=40000-"]


def check_wrong_checksum_is_set_aside(fetch: Fetch, server: Server, folder: Path) -> None:
    remote = server.remote("a.bin", CONTENT)
    changed = b"?" + CONTENT[1:]
    server.files["a.bin"] = changed
    with pytest.raises(DownloadError, match="is not the file that was published: its SHA-256 differs"):
        fetch(remote, folder)
    assert left(folder) == {"a.bin.bad": changed}


def check_damaged_file_is_fetched_again(fetch: Fetch, server: Server, folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "a.bin").write_bytes(CONTENT[:-1] + b"?")
    fetched(fetch, server.remote("a.bin", CONTENT), folder)
    assert left(folder) == {"a.bin": CONTENT, "a.bin.bad": CONTENT[:-1] + b"?"}


def check_second_call_asks_nothing(fetch: Fetch, server: Server, folder: Path) -> None:
    remote = server.remote("a.bin", CONTENT)
    fetched(fetch, remote, folder)
    asked = len(server.ranges)
    assert fetched(fetch, remote, folder) == folder / "a.bin"
    assert len(server.ranges) == asked == 1


def check_part_that_is_too_long(fetch: Fetch, server: Server, folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "a.bin.part").write_bytes(CONTENT + b"more")
    remote = server.remote("a.bin", CONTENT)
    with pytest.raises(DownloadError, match="set aside"):
        fetch(remote, folder)
    fetched(fetch, remote, folder)
    assert left(folder) == {"a.bin": CONTENT, "a.bin.bad": CONTENT + b"more"}


CHECKS = [
    check_plain,
    check_cut_connection_is_resumed,
    check_next_call_resumes,
    check_server_without_ranges,
    check_wrong_checksum_is_set_aside,
    check_damaged_file_is_fetched_again,
    check_second_call_asks_nothing,
    check_part_that_is_too_long,
]


@pytest.mark.parametrize("check", CHECKS)
def test_fetch(check: Callable[..., None], server: Server, tmp_path: Path) -> None:
    check(fetch.fetch, server, tmp_path)


MUTANTS = [
    pytest.param('"ab" if resumed else "wb"', '"wb"', check_next_call_resumes, id="part-overwritten"),
    pytest.param('"ab" if resumed else "wb"', '"ab"', check_server_without_ranges, id="whole-file-appended"),
    pytest.param("if have > 0:", "if False:", check_cut_connection_is_resumed, id="never-resumed"),
    pytest.param("        if not _accepted(part, remote):", "        if False:",
                 check_wrong_checksum_is_set_aside, id="checksum-not-looked-at"),
    pytest.param("path.exists() and _accepted(path, remote)", "path.exists()",
                 check_damaged_file_is_fetched_again, id="cache-trusted"),
    pytest.param("path.exists() and _accepted(path, remote)", "False", check_second_call_asks_nothing,
                 id="cache-ignored"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "check"), MUTANTS)
def test_mistakes_are_caught(
    old: str, new: str, check: Callable[..., None], server: Server, tmp_path: Path
) -> None:
    changed = mutant("course_utils.data.fetch", old, new)
    changed.DownloadError = DownloadError  # the class that the checks expect
    changed.PAUSE = 0.0
    with pytest.raises((AssertionError, pytest.fail.Exception)):  # the second: DownloadError was not raised
        check(changed.fetch, server, tmp_path)


def test_server_errors_are_tried_again_and_missing_files_are_not(server: Server, tmp_path: Path) -> None:
    remote = server.remote("a.bin", CONTENT)
    server.statuses = [503, 500]
    assert fetch.fetch(remote, tmp_path).read_bytes() == CONTENT
    server.ranges.clear()
    gone = RemoteFile(remote.url + ".gone", 3, "0" * 64)
    with pytest.raises(DownloadError, match=re.escape(".gone: the server answers 404 Not Found")):
        fetch.fetch(gone, tmp_path)
    assert len(server.ranges) == 1


def test_a_part_that_the_server_refuses_is_dropped(server: Server, tmp_path: Path) -> None:
    (tmp_path / "a.bin.part").write_bytes(CONTENT[:10])
    server.statuses = [416]
    assert fetch.fetch(server.remote("a.bin", CONTENT), tmp_path).read_bytes() == CONTENT
    assert server.ranges == ["bytes=10-", None]


def test_a_cut_that_never_ends_is_given_up_and_what_came_is_kept(server: Server, tmp_path: Path) -> None:
    server.cuts = [500, 0, 0, 0]
    with pytest.raises(DownloadError, match="the connection was cut"):
        fetch.fetch(server.remote("a.bin", CONTENT), tmp_path)
    assert left(tmp_path) == {"a.bin.part": CONTENT[:500]}


def test_a_server_that_resumes_elsewhere_is_not_believed(server: Server, tmp_path: Path) -> None:
    (tmp_path / "a.bin.part").write_bytes(CONTENT[:10])
    server.shift = 5
    with pytest.raises(DownloadError, match="the server resumes at byte 15, not at 10"):
        fetch.fetch(server.remote("a.bin", CONTENT), tmp_path)
    assert left(tmp_path) == {"a.bin.part": CONTENT[:10]}


# The two data sets, in small


def idx(array: np.ndarray) -> bytes:
    head = bytes([0, 0, 8, array.ndim]) + b"".join(struct.pack(">I", n) for n in array.shape)
    return gzip.compress(head + array.astype(np.uint8).tobytes())


def fashion_files(server: Server) -> tuple[tuple[RemoteFile, ...], list[np.ndarray]]:
    draw = np.random.default_rng(1)
    arrays = [draw.integers(0, 256, (30, 28, 28)), draw.integers(0, 10, 30),
              draw.integers(0, 256, (7, 28, 28)), draw.integers(0, 10, 7)]  # fmt: skip
    names = [remote.name for remote in downloads.FASHION_MNIST]
    return tuple(server.remote(n, idx(a)) for n, a in zip(names, arrays, strict=True)), arrays


def python2_batch(x: np.ndarray, y: list[int]) -> bytes:
    """A pickle as Python 2 with NumPy 1 wrote it, opcode by opcode: strings, old module names."""
    rows, columns = x.shape
    return b"".join([
        b"\x80\x02}(U\x04data",
        b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R",
        b"(K\x01K" + bytes([rows]) + b"M" + struct.pack("<H", columns) + b"\x86",
        b"cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb",
        b"\x89T" + struct.pack("<I", x.size) + x.astype(np.uint8).tobytes() + b"tb",
        b"U\x06labels](" + b"".join(b"K" + bytes([label]) for label in y) + b"eu.",
    ])  # fmt: skip


def archive(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def cifar_members() -> tuple[dict[str, bytes], dict[str, tuple[np.ndarray, list[int]]]]:
    draw, made = np.random.default_rng(2), {}
    for name in [
        "data_batch_4",
        "data_batch_1",
        "data_batch_2",
        "data_batch_3",
        "data_batch_5",
        "test_batch",
    ]:
        made[name] = (draw.integers(0, 256, (4, 3072)), [int(k) for k in draw.integers(0, 10, 4)])
    members = {name: python2_batch(*batch) for name, batch in made.items()}
    return {"batches.meta": b"not read", "readme.html": b"<p>", **members}, made


@pytest.fixture
def cached(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Server:
    monkeypatch.setenv("COURSE_DATA_DIR", str(tmp_path))
    return server


def test_fashion_mnist_is_parsed_into_a_dataset(cached: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    remotes, arrays = fashion_files(cached)
    monkeypatch.setattr(downloads, "FASHION_MNIST", remotes)
    data = downloads.fashion_mnist()
    got = (data.x, data.y, data.test_x, data.test_y)
    for tensor, array in zip(got, arrays, strict=True):
        assert torch.equal(tensor.long(), torch.from_numpy(array))
    assert (data.x.dtype, data.y.dtype, data.classes) == (torch.uint8, torch.int64, 10)
    split = data.split(0, flat=False)
    assert split.train.x.shape == (24, 1, 28, 28)
    assert abs(float(split.train.x.double().mean())) < 1e-6
    assert abs(float(split.train.x.double().std(correction=0)) - 1) < 1e-6
    cached.files.clear()  # offline from here on
    assert torch.equal(downloads.fashion_mnist().x, data.x)


def test_cifar10_is_parsed_in_the_order_of_its_batches(
    cached: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    members, made = cifar_members()
    monkeypatch.setattr(downloads, "CIFAR10", (cached.remote("cifar.tar.gz", archive(members)),))
    data = downloads.cifar10()
    names = [f"data_batch_{i}" for i in range(1, 6)]
    x = np.concatenate([made[name][0] for name in names]).reshape(20, 3, 32, 32)
    assert torch.equal(data.x.long(), torch.from_numpy(x))
    assert data.y.tolist() == [label for name in names for label in made[name][1]]
    assert torch.equal(data.test_x.long(), torch.from_numpy(made["test_batch"][0].reshape(4, 3, 32, 32)))
    assert data.test_y.tolist() == made["test_batch"][1]
    split = data.split(0, flat=False)
    mean = split.train.x.double().mean((0, 2, 3))
    assert split.train.x.shape == (16, 3, 32, 32)
    assert float(mean.abs().max()) < 1e-6, "each channel is centred"
    assert split.train.x.shape[0] == len(split.train.y)
    assert data.split(0).train.x.shape == (16, 3072)


def test_cifar10_with_a_batch_missing_is_refused(cached: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    members, _ = cifar_members()
    del members["data_batch_3"]
    monkeypatch.setattr(downloads, "CIFAR10", (cached.remote("cifar.tar.gz", archive(members)),))
    with pytest.raises(ValueError, match="need the batches data_batch_1"):
        downloads.cifar10()


def test_a_pickle_cannot_run_code(cached: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Harm:
        def __reduce__(self) -> Any:
            return os.mkdir, (str(tmp_path / "harm"),)

    members, _ = cifar_members()
    members["data_batch_1"] = pickle.dumps({b"data": Harm()})
    monkeypatch.setattr(downloads, "CIFAR10", (cached.remote("cifar.tar.gz", archive(members)),))
    with pytest.raises(pickle.UnpicklingError, match=r"need arrays of numbers, got \w+\.mkdir"):
        downloads.cifar10()
    assert not (tmp_path / "harm").exists()


def test_an_idx_file_of_another_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="need an IDX file of unsigned bytes"):
        downloads._idx(b"\0\0\x0d\x01" + bytes(8))
    with pytest.raises(ValueError, match="need 3 numbers, got found=2"):
        downloads._idx(b"\0\0\x08\x01\0\0\0\x03" + bytes(2))


def test_offline_the_message_says_what_to_put_where_and_how_to_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COURSE_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setattr(fetch, "PAUSE", 0.0)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    nobody = RemoteFile("http://127.0.0.1:9/train.gz", 1_234_567, "ab" * 32)  # nothing listens there
    monkeypatch.setattr(downloads, "FASHION_MNIST", (nobody,))
    with pytest.raises(DownloadError) as caught:
        downloads.fashion_mnist()
    message = str(caught.value)
    for part in ("could not download http://127.0.0.1:9/train.gz", "refused", "1,234,567 bytes", "ab" * 32,
                 str(tmp_path / "data"), "COURSE_DATA_DIR", "digits()"):  # fmt: skip
        assert part in message, part


def test_a_file_put_there_by_hand_is_taken(cached: Server, tmp_path: Path) -> None:
    remote = cached.remote("a.bin", CONTENT)
    cached.files.clear()
    (tmp_path / "a.bin").write_bytes(CONTENT)
    assert fetch.fetch(remote, tmp_path) == tmp_path / "a.bin"
    assert cached.ranges == []


def test_a_folder_that_cannot_be_written_gets_the_same_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("COURSE_DATA_DIR", str(tmp_path / "file"))
    with pytest.raises(DownloadError, match="put what is named here into"):
        downloads.cifar10()


@pytest.mark.parametrize(
    ("platform", "variable", "expected"),
    [
        ("linux", "XDG_CACHE_HOME", "course_utils"),
        ("win32", "LOCALAPPDATA", "course_utils"),
        ("darwin", None, "Library/Caches/course_utils"),
        ("linux", None, ".cache/course_utils"),
    ],
)
def test_cache_folder_follows_the_platform(
    platform: str, variable: str | None, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("COURSE_DATA_DIR", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(sys, "platform", platform)
    if variable:
        monkeypatch.setenv(variable, str(tmp_path))
    assert downloads.cache_folder() == tmp_path / expected
    monkeypatch.setenv("COURSE_DATA_DIR", str(tmp_path / "chosen"))
    assert downloads.cache_folder() == tmp_path / "chosen"


def test_pinned_files_are_what_the_publishers_name() -> None:
    every = downloads.FASHION_MNIST + downloads.CIFAR10
    assert all(re.fullmatch("[0-9a-f]{64}", remote.sha256) for remote in every)
    assert len({remote.sha256 for remote in every}) == len({remote.name for remote in every}) == 5
