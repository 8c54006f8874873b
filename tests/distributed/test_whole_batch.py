"""Cases in which workers that share a batch do not make its gradient, and their cures, by real processes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn
from torch.distributed.nn.functional import all_reduce

from course_utils import data
from course_utils.distributed import Workers, whole_batch
from course_utils.layers import BatchNorm1d
from tests.mutants import mutant

pytestmark = pytest.mark.slow


class Synced(nn.Module):
    """Batch norm without its affine part, over all workers or one."""

    def __init__(self, over_all: bool) -> None:
        super().__init__()
        self.over_all = over_all

    def forward(self, h: Tensor) -> Tensor:
        def total(x: Tensor) -> Tensor:
            return all_reduce(x) if self.over_all else x

        count = total(torch.tensor(float(len(h)), dtype=h.dtype))
        d = h - total(h.sum(0)) / count
        return d / (total((d * d).sum(0)) / count + 1e-5).sqrt()


def share(net: nn.Module, x: Tensor, y: Tensor, cured: bool, longest: float) -> Tensor:
    counted = (y != whole_batch.IGNORED).sum().double()
    total = counted.clone()
    dist.all_reduce(total)
    weight = counted / total if cured else 1 / dist.get_world_size()
    g = weight * whole_batch.gradient(net, F.cross_entropy(net(x), y))
    if not cured:
        g = whole_batch.clipped(g, weight * longest)
    dist.all_reduce(g)
    return whole_batch.clipped(g, longest) if cured else g


def lazy(net: nn.Module, x: Tensor, y: Tensor, cured: bool, longest: float) -> Tensor:
    """The cure forgotten."""
    return share(net, x, y, False, longest)


@pytest.fixture(scope="module")
def workers() -> Iterator[Workers]:
    with Workers(2) as made:
        yield made


@pytest.fixture(scope="module")
def batches() -> tuple[Tensor, Tensor]:
    g = torch.Generator().manual_seed(0)
    return torch.randn(2, 32, 64, generator=g, dtype=torch.float64), torch.randint(10, (2, 32), generator=g)


def test_what_is_cured_is_one_batch_and_what_is_not_is_far(
    workers: Workers, batches: tuple[Tensor, Tensor]
) -> None:
    naive, cured = whole_batch.gaps(workers, share, Synced, *batches)
    assert set(naive) == {*whole_batch.CASES, whole_batch.TWICE}
    assert tuple(cured) == whole_batch.CURABLE
    assert naive["plain net"].max() < 1e-14
    for case in (*whole_batch.CASES[1:], whole_batch.TWICE):
        assert naive[case].min() > 0.02, case
    for case in whole_batch.CURABLE:
        assert cured[case].max() < 1e-13, case


def test_a_forgotten_cure_is_seen(workers: Workers, batches: tuple[Tensor, Tensor]) -> None:
    _, cured = whole_batch.gaps(workers, lazy, Synced, *batches)
    for case in ("ignored targets", "short batch", "clipping"):
        assert cured[case].min() > 0.02


def test_batches_of_20_targets() -> None:
    x, y = torch.zeros(32, 64), torch.arange(32) % 10
    for case, rows, counted in [("plain net", 32, 32), ("short batch", 20, 20), ("ignored targets", 32, 20)]:
        images, labels = whole_batch.batch(case, x, y)
        assert len(images) == len(labels) == rows
        assert int((labels != whole_batch.IGNORED).sum()) == counted


def test_the_norm_of_the_tests_is_the_packages() -> None:
    h = torch.randn(9, 4, dtype=torch.float64)
    ours = BatchNorm1d(4).double()
    torch.testing.assert_close(Synced(False)(h), ours(h), rtol=1e-10, atol=1e-12)


def test_clipping_in_each_worker_makes_the_step_shorter_and_hardly_turns_it() -> None:
    digits = data.digits().split(0, train=384, validation=1, dtype=torch.float64).train
    for seed, (x, y) in enumerate(zip(digits.x.view(12, 32, 64), digits.y.view(12, 32), strict=True)):
        net = whole_batch._net(seed, "clipping", nn.Identity())
        halves = [whole_batch.gradient(net, F.cross_entropy(net(x[k::2]), y[k::2])) for k in range(2)]
        one = whole_batch.clipped((halves[0] + halves[1]) / 2, 0.5)
        shared = sum(whole_batch.clipped(g, 0.5) for g in halves) / 2
        assert shared.norm() / one.norm() < 0.9
        assert F.cosine_similarity(shared, one, 0) > 0.99


def test_clipping_keeps_a_short_vector() -> None:
    g = torch.tensor([3.0, 4.0])
    assert whole_batch.clipped(g, 10.0).tolist() == [3, 4]
    assert whole_batch.clipped(g, 1.0).tolist() == pytest.approx([0.6, 0.8])


def test_bad_input(batches: tuple[Tensor, Tensor]) -> None:
    with Workers(1) as one, pytest.raises(ValueError, match="need two workers, got count=1"):
        whole_batch.gaps(one, share, Synced, *batches)


MUTANTS = {
    "worker 1 has all": ("slice(CUT, None))[dist", "slice(0, None))[dist"),
    "another net in each": (
        "net = _net(seed, case, norm(cured))",
        "net = _net(seed + dist.get_rank(), case, norm(cured))",
    ),
    "the whole batch unclipped": ('return clipped(g, LONGEST) if case == "clipping" else g', "return g"),
}


@pytest.mark.parametrize(("old", "new"), MUTANTS.values(), ids=MUTANTS)
def test_mistakes_are_caught(workers: Workers, batches: tuple[Tensor, Tensor], old: str, new: str) -> None:
    module = mutant("course_utils.distributed.whole_batch", old, new)
    cured = module.gaps(workers, share, Synced, *batches)[1]
    assert max(float(values.max()) for values in cured.values()) > 1e-3
