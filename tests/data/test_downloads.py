"""Downloads, against a server on the loopback that can be told to misbehave."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import pickle
import re
import struct
import tarfile
import threading
from collections.abc import Callable, Iterator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs
import pytest
import torch

from course_utils.data import downloads, fetch
from course_utils.data.fetch import DownloadError, RemoteFile
from tests.mutants import mistakes

CONTENT = np.random.default_rng(0).bytes(100_000)


class Server(ThreadingHTTPServer):
    """Serves `files`; `instead` holds what to do in place of that, one entry per request.

    A number of bytes to send before hanging up, a status to answer, or a page to send as if it was the file.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.instead: list[int | HTTPStatus | bytes] = []
        self.requests: list[str] = []
        self.headers: dict[str, str] = {}

    def remote(self, name: str, content: bytes) -> RemoteFile:
        self.files[name] = content
        url = f"http://127.0.0.1:{self.server_port}/{name}"
        return RemoteFile(url, len(content), hashlib.sha256(content).hexdigest())


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.requests.append(self.path[1:])
        self.server.headers = dict(self.headers)
        content = self.server.files.get(self.path[1:])
        instead = self.server.instead.pop(0) if self.server.instead else None
        if isinstance(instead, HTTPStatus) or content is None:
            self.send_error(instead if isinstance(instead, HTTPStatus) else HTTPStatus.NOT_FOUND)
            return
        body = instead if isinstance(instead, bytes) else content
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[:instead] if isinstance(instead, int) else body)

    def log_message(self, *arguments: Any) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    # Seconds before another attempt.
    monkeypatch.setattr("pooch.core.time.sleep", lambda seconds: None)
    started = Server()
    thread = threading.Thread(target=started.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield started
    started.shutdown()
    thread.join()
    started.server_close()


def left(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


Fetch = Callable[..., Path]


def fetched(fetch: Fetch, remote: RemoteFile, folder: Path, **how: Any) -> Path:
    try:
        return fetch(remote, folder, **how)
    except OSError as error:  # which DownloadError is, a changed module's own, too
        raise AssertionError(f"not fetched: {error}") from error


PAGE = b"<html>please log in</html>" * 20


def check_plain(fetch: Fetch, server: Server, folder: Path) -> None:
    path = fetched(fetch, server.remote("a.bin", CONTENT), folder / "new" / "folder")
    assert path == folder / "new" / "folder" / "a.bin"
    assert left(path.parent) == {"a.bin": CONTENT}


def check_second_call_asks_nothing(fetch: Fetch, server: Server, folder: Path) -> None:
    remote = server.remote("a.bin", CONTENT)
    for _ in range(2):
        assert fetched(fetch, remote, folder) == folder / "a.bin"
        assert server.requests == ["a.bin"]


def check_cut_connection_is_tried_again(fetch: Fetch, server: Server, folder: Path) -> None:
    server.instead = [30_000]
    fetched(fetch, server.remote("a.bin", CONTENT), folder)
    assert left(folder) == {"a.bin": CONTENT}
    assert server.requests == ["a.bin", "a.bin"]


def check_a_login_page_is_refused_and_not_kept(fetch: Fetch, server: Server, folder: Path) -> None:
    """Answered with 200, in place of the file; once logged in, the next call succeeds."""
    remote = server.remote("a.bin", CONTENT)
    server.instead = [PAGE]
    with pytest.raises(DownloadError, match=r"is not the file that was published: .* log in first"):
        fetch(remote, folder, attempts=1)
    assert left(folder) == {}
    fetched(fetch, remote, folder, attempts=1)
    assert left(folder) == {"a.bin": CONTENT}


def check_what_is_there_stays_until_the_right_file_has_come(
    fetch: Fetch, server: Server, folder: Path
) -> None:
    remote, damaged = server.remote("a.bin", CONTENT), CONTENT[:-1] + b"?"
    (folder / "a.bin").write_bytes(damaged)
    for failure in (PAGE, HTTPStatus.SERVICE_UNAVAILABLE, 500):
        server.instead = [failure]
        with pytest.raises(DownloadError):
            fetch(remote, folder, attempts=1)
        assert left(folder) == {"a.bin": damaged}
    fetched(fetch, remote, folder)
    assert left(folder) == {"a.bin": CONTENT}


def check_bytes_come_as_published(fetch: Fetch, server: Server, folder: Path) -> None:
    """Not unpacked on the way, and for others to read."""
    path = fetched(fetch, server.remote("a.gz", gzip.compress(CONTENT)), folder)
    assert gzip.decompress(path.read_bytes()) == CONTENT
    assert server.headers["Accept-Encoding"] == "identity"
    assert os.name != "posix" or path.stat().st_mode & 0o777 == 0o644


CHECKS = [
    check_plain,
    check_second_call_asks_nothing,
    check_cut_connection_is_tried_again,
    check_a_login_page_is_refused_and_not_kept,
    check_what_is_there_stays_until_the_right_file_has_come,
    check_bytes_come_as_published,
]


@pytest.mark.parametrize("check", CHECKS)
def test_fetch(check: Callable[..., None], server: Server, tmp_path: Path) -> None:
    check(fetch.fetch, server, tmp_path)


MUTANTS = [
    pytest.param('f"sha256:{remote.sha256}"', "None", check_a_login_page_is_refused_and_not_kept,
                 id="checksum-not-looked-at"),
    pytest.param("retry_if_failed=attempts - 1", "retry_if_failed=0", check_cut_connection_is_tried_again,
                 id="never-tried-again"),
    pytest.param(", headers=HEADERS)", ")", check_bytes_come_as_published, id="unpacked-on-the-way"),
    pytest.param("        path.chmod(0o644)", "        pass", check_bytes_come_as_published,
                 id="for-its-owner-only"),
]  # fmt: skip


test_mistakes_are_caught = mistakes(
    "course_utils.data.fetch", MUTANTS, of="fetch", fixtures=["server", "tmp_path"]
)


def test_failures_are_named_without_the_layers_around_them(server: Server, tmp_path: Path) -> None:
    remote = server.remote("a.bin", CONTENT)
    gone = RemoteFile(f"{remote.url}.gone", 3, "0" * 64)
    nobody = RemoteFile("http://127.0.0.1:9/a.bin", 3, "0" * 64)
    nowhere = RemoteFile("http://no-such-host.invalid/a.bin", 3, "0" * 64)
    server.instead = [HTTPStatus.INTERNAL_SERVER_ERROR]
    for one, reason in (
        (remote, "/a.bin: the server answers 500 Internal Server Error"),
        (gone, "/a.bin.gone: the server answers 404 Not Found"),
        (nobody, "http://127.0.0.1:9/a.bin: Connection refused"),
        (nowhere, "could not download http://no-such-host.invalid/a.bin: "),
    ):
        with pytest.raises(DownloadError, match=re.escape(reason)) as caught:
            fetch.fetch(one, tmp_path, attempts=1)
        assert "HTTPConnectionPool" not in str(caught.value)
    with pytest.raises(ValueError, match="need attempts >= 1, got attempts=0"):
        fetch.fetch(remote, tmp_path, attempts=0)


def test_nothing_is_written_beside_the_file_and_to_stderr(
    server: Server, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    server.instead = [10, PAGE]
    fetch.fetch(server.remote("a.bin", CONTENT), tmp_path, attempts=3)
    assert tuple(capfd.readouterr()) == ("", "")
    assert left(tmp_path) == {"a.bin": CONTENT}


@pytest.mark.skipif(os.name != "posix", reason="sets permissions")
def test_a_folder_that_is_only_read_serves_what_it_holds(server: Server, tmp_path: Path) -> None:
    """A teacher's copy for a class."""
    (tmp_path / "a.bin").write_bytes(CONTENT)
    tmp_path.chmod(0o555)
    try:
        assert fetch.fetch(server.remote("a.bin", CONTENT), tmp_path) == tmp_path / "a.bin"
    finally:
        tmp_path.chmod(0o755)
    assert server.requests == []
    assert left(tmp_path) == {"a.bin": CONTENT}


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
    monkeypatch.setattr("pooch.core.time.sleep", lambda seconds: None)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    nobody = RemoteFile("http://127.0.0.1:9/train.gz", 1_234_567, "ab" * 32)  # nothing listens there
    monkeypatch.setattr(downloads, "FASHION_MNIST", (nobody,))
    with pytest.raises(DownloadError) as caught:
        downloads.fashion_mnist()
    message = str(caught.value)
    for part in ("could not download http://127.0.0.1:9/train.gz", "refused", "1,234,567 bytes", "ab" * 32,
                 str(tmp_path / "data"), "COURSE_DATA_DIR", "digits()"):  # fmt: skip
        assert part in message, part


def test_a_folder_that_cannot_be_written_gets_the_same_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("COURSE_DATA_DIR", str(tmp_path / "file"))
    with pytest.raises(DownloadError, match="put what is named here into"):
        downloads.cifar10()


def test_the_cache_folder_is_the_platforms_or_the_one_that_is_chosen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COURSE_DATA_DIR", raising=False)
    assert downloads.cache_folder() == platformdirs.user_cache_path("course_utils")
    monkeypatch.setenv("COURSE_DATA_DIR", str(tmp_path / "chosen"))
    assert downloads.cache_folder() == tmp_path / "chosen"
    monkeypatch.setenv("COURSE_DATA_DIR", "~/chosen")
    assert downloads.cache_folder() == Path.home() / "chosen"


def test_pinned_files_are_what_the_publishers_name() -> None:
    every = downloads.FASHION_MNIST + downloads.CIFAR10
    assert all(re.fullmatch("[0-9a-f]{64}", remote.sha256) for remote in every)
    assert len({remote.sha256 for remote in every}) == len({remote.name for remote in every}) == 5
