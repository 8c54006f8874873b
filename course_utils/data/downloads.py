"""Two larger data sets, downloaded when asked for: Fashion-MNIST and CIFAR-10.

    fashion_mnist().split(seed, train=10_000, flat=False)

Nothing in the course needs them; the `full` profile offers them. They come as the same `Dataset` as those of
`data`, so one can stand in for the other. Files are kept as published in a cache folder (`cache_folder()`;
set COURSE_DATA_DIR to choose it), their checksums are verified each time before they are read.
"""

from __future__ import annotations

import gzip
import io
import math
import pickle
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from course_utils._checks import require
from course_utils.data.datasets import Dataset
from course_utils.data.fetch import DownloadError, RemoteFile, cache_folder, fetch

__all__ = ["DownloadError", "cache_folder", "cifar10", "fashion_mnist"]

_ZALANDO = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
FASHION_MNIST = (
    RemoteFile(
        _ZALANDO + "train-images-idx3-ubyte.gz",
        26_421_880,
        "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
    ),
    RemoteFile(
        _ZALANDO + "train-labels-idx1-ubyte.gz",
        29_515,
        "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
    ),
    RemoteFile(
        _ZALANDO + "t10k-images-idx3-ubyte.gz",
        4_422_102,
        "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
    ),
    RemoteFile(
        _ZALANDO + "t10k-labels-idx1-ubyte.gz",
        5_148,
        "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
    ),
)
CIFAR10 = (
    RemoteFile(
        "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
        170_498_071,
        "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
    ),
)


def fashion_mnist() -> Dataset:
    """70,000 grey pictures of clothes, 28×28 pixels from 0 to 255, ten classes; 10,000 are the test set.

    Downloads 31 MB at the first call.
    Raises: DownloadError, with what to put where by hand, if the files are not there and cannot be fetched.
    Source: Xiao, Rasul & Vollgraf (2017), Fashion-MNIST; MIT licence. The original IDX files.
    """
    parts = [_idx(gzip.decompress(path.read_bytes())) for path in _files(FASHION_MNIST)]
    x, y, test_x, test_y = parts
    return Dataset("fashion_mnist", x, y.long(), test_x, test_y.long(), classes=10, per_feature=False)


def cifar10() -> Dataset:
    """60,000 colour photographs, 3×32×32 pixels from 0 to 255, ten classes; 10,000 are the test set.

    Downloads 170 MB at the first call.
    Raises: DownloadError, as `fashion_mnist`.
    Source: Krizhevsky (2009), Learning multiple layers of features from tiny images. The original archive of
        pickled batches, read without running what a pickle may name.
    """
    (archive,) = _files(CIFAR10)
    batches = {}
    with tarfile.open(archive, "r:gz") as tar:
        for member in tar:
            name = member.name.rpartition("/")[2]
            if name.startswith(("data_batch_", "test_batch")) and (file := tar.extractfile(member)):
                batches[name] = _batch(file.read())
    expected = [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]
    require(sorted(batches) == expected, f"the batches {', '.join(expected)}", archive=sorted(batches))
    x, y = (torch.cat(part) for part in zip(*(batches[name] for name in expected[:-1]), strict=True))
    return Dataset("cifar10", x, y, *batches["test_batch"], classes=10, per_feature=False)


def _files(remotes: tuple[RemoteFile, ...]) -> list[Path]:
    folder = cache_folder()
    try:
        return [fetch(remote, folder) for remote in remotes]
    except OSError as error:
        listed = "\n".join(
            f"    {remote.name}  {remote.size:,} bytes\n        {remote.url}\n        SHA-256 {remote.sha256}"
            for remote in remotes
        )
        raise DownloadError(
            f"{error}\n"
            "Call again to try once more. Or fetch by hand, on any machine,\n"
            f"{listed}\n"
            f"and put what is named here into\n    {folder}\n"
            "(set COURSE_DATA_DIR to use another folder). To go on without: digits() and mnist1d() of "
            "course_utils.data need no network, and no lesson needs more."
        ) from error


def _idx(content: bytes) -> Tensor:
    """An IDX file of bytes: 0, 0, 8, number of dimensions; each dimension in four bytes; the numbers."""
    require(content[:3] == b"\0\0\x08", "an IDX file of unsigned bytes", head=content[:4])
    start = 4 + 4 * content[3]
    shape = np.frombuffer(content[4:start], dtype=">u4").astype(int).tolist()
    require(
        len(content) - start == math.prod(shape), f"{math.prod(shape)} numbers", found=len(content) - start
    )
    return torch.frombuffer(bytearray(content[start:]), dtype=torch.uint8).reshape(shape)


def _batch(content: bytes) -> tuple[Tensor, Tensor]:
    """Images uint8 (N, 3, 32, 32) and classes int64 (N,) of one pickled batch."""
    batch = _Arrays(io.BytesIO(content), encoding="bytes").load()
    x = torch.from_numpy(np.array(batch[b"data"], dtype=np.uint8)).reshape(-1, 3, 32, 32)
    return x, torch.tensor(batch[b"labels"], dtype=torch.int64)


class _Arrays(pickle.Unpickler):
    """Reads NumPy arrays of plain numbers in containers, and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        if module in ("numpy.core.multiarray", "numpy._core.multiarray") and name == "_reconstruct":
            return np.empty(0).__reduce__()[0]  # its place differs between versions of NumPy
        if module == "numpy" and name in ("ndarray", "dtype"):
            return getattr(np, name)
        raise pickle.UnpicklingError(f"need arrays of numbers, got {module}.{name}; it is not loaded")
