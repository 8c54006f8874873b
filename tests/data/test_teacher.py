"""Teachers: what they draw, what they know, and that seeds and students keep apart."""

from __future__ import annotations

from types import ModuleType

import pytest
import torch

from course_utils.data import teacher
from tests.mutants import mistakes


def check_targets(module: ModuleType) -> None:
    """Targets are the teacher's plus noise of the stated size, and inputs are standard normal."""
    tasks = module.Teachers([3, 4], noise=0.5)
    x, y = tasks.draw(20_000)
    assert x.shape == (2, 1, 20_000, 20)
    assert y.shape == (2, 1, 20_000, 1)
    left = y - module.tanh_net(tasks._teacher, x)
    assert left.mean((1, 2, 3)).tolist() == pytest.approx([0, 0], abs=0.02)
    assert left.std((1, 2, 3)).tolist() == pytest.approx([0.5, 0.5], rel=0.03)
    assert x.std((1, 2, 3)).tolist() == pytest.approx([1, 1], rel=0.01)
    assert not torch.equal(x[0], x[1])


def check_excess(module: ModuleType) -> None:
    """Loss on new examples less noise²; zero for the teacher; one number for each seed and student."""
    tasks = module.Teachers([5, 6, 7], noise=0.3, test=20_000)
    assert tasks.excess(tasks._teacher).tolist() == [[0.0]] * 3
    w = tasks.students(2)
    w[2][:, 1] *= 2
    x, y = tasks.draw(20_000)
    loss = (module.tanh_net(w, x) - y).square().mean((-2, -1))
    got = tasks.excess(w)
    assert got.shape == (3, 2)
    assert (got - (loss - 0.09)).abs().max() < 0.05 * float(got.max())
    assert (got[:, 0] != got[:, 1]).all()


def check_repeat(module: ModuleType) -> None:
    """The same examples in order, and round again."""
    of_step = module.Teachers([1]).repeat(10, 4)
    steps = [of_step(t) for t in range(5)]
    x = torch.cat([step.x for step in steps], -2)[0, 0]
    assert torch.equal(x[:10], x[10:20])
    assert len({tuple(row.tolist()) for row in x[:10]}) == 10
    y = torch.cat([step.y for step in steps], -2)[0, 0]
    assert torch.equal(y[:10], y[10:20])


def check_net(module: ModuleType) -> None:
    """Against a loop over units."""
    generator = torch.Generator().manual_seed(1)
    w1, b1, w2, b2 = (torch.randn(*s, generator=generator) for s in ((3, 4), (1, 4), (4, 1), (1, 1)))
    x = torch.randn(5, 3, generator=generator)
    want = [b2 + sum(w2[k] * torch.tanh(row @ w1[:, k] + b1[0, k]) for k in range(4)) for row in x]
    torch.testing.assert_close(module.tanh_net([w1, b1, w2, b2], x).flatten(), torch.cat(want).flatten())


def check_weights(module: ModuleType) -> None:
    """Students of a seed begin alike and are not their teacher; the sizes of weights are those stated."""
    tasks = module.Teachers([8, 9], inputs=50, hidden=200)
    w1, b1, w2, b2 = tasks.students(3)
    assert [tuple(p.shape) for p in (w1, b1, w2, b2)] == [
        (2, 3, 50, 200), (2, 3, 1, 200), (2, 3, 200, 1), (2, 3, 1, 1),
    ]  # fmt: skip
    assert torch.equal(w1[:, 0], w1[:, 2])
    assert not torch.equal(w1[0], w1[1])
    assert not torch.equal(w1[:, :1], tasks._teacher[0])
    assert float(w1.std()) == pytest.approx(50**-0.5, rel=0.05)
    assert float(b1.std()) == pytest.approx(0.5, rel=0.1)
    assert float(w2.std()) == pytest.approx(200**-0.5, rel=0.1)
    assert not b2.any()


CHECKS = [check_targets, check_excess, check_repeat, check_net, check_weights]


@pytest.mark.parametrize("check", CHECKS)
def test_teachers(check) -> None:  # type: ignore[no-untyped-def]
    check(teacher)


def test_the_same_seeds_give_the_same() -> None:
    one, other = (teacher.Teachers([2, 3]) for _ in range(2))
    for a, b in zip(one.draw(5), other.draw(5), strict=True):
        assert torch.equal(a, b)
    single = teacher.Teachers([3]).students(1)
    assert all(torch.equal(a[1:], b) for a, b in zip(one.students(1), single, strict=True))


def test_bad_arguments() -> None:
    for seeds, options in (
        ([], {}),
        ([-1], {}),
        ([1], {"noise": -0.1}),
        ([1], {"hidden": 0}),
        ([1], {"test": 0}),
    ):
        with pytest.raises(ValueError, match="need"):
            teacher.Teachers(seeds, **options)


test_mutant_is_caught = mistakes(
    "course_utils.data.teacher",
    [
        pytest.param("clean + self.noise *", "clean + self.noise**2 *", check_targets, id="variance"),
        pytest.param("- self._known).square()", "- self._known).abs()", check_excess, id="absolute"),
        pytest.param(
            "torch.arange(t * batch, (t + 1) * batch)", "torch.arange(t, t + batch)", check_repeat, id="rows"
        ),
        pytest.param("torch.tanh(x @ w1 + b1)", "torch.tanh(x @ w1) + b1", check_net, id="bias-outside"),
        pytest.param("self._nets(_STUDENTS)", "self._nets(0)", check_weights, id="student-is-teacher"),
        pytest.param("/ hidden**0.5", "/ hidden", check_weights, id="size"),
    ],
)
