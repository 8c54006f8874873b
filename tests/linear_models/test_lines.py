"""Constants and lines that minimise a loss: against closed forms, scikit-learn and their own conditions."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from course_utils import losses
from course_utils.linear_models import lines
from tests.mutants import mistakes

LINES = [
    lines.least_squares_line,
    lines.least_absolute_line,
    lines.huber_line,
    lines.cauchy_line,
]


def points(seed: int, *shape: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    x, noise = torch.randn(2, *shape, generator=generator, dtype=torch.float64)
    return x, 0.5 + 2 * x + noise**3


def errors(x: torch.Tensor, y: torch.Tensor, line: torch.Tensor) -> torch.Tensor:
    return y - line[..., :1] - line[..., 1:] * x


def pull_of(line: torch.Tensor, x: torch.Tensor, y: torch.Tensor, loss: Any) -> torch.Tensor:
    line = line.clone().requires_grad_()
    loss(errors(x, y, line)).backward()
    assert line.grad is not None
    return line.grad.abs().max()


def huber(delta: float) -> Any:
    return lambda r: losses.huber_loss(r, torch.zeros_like(r), delta=delta, reduction="sum")


def check_huber(module: Any, delta: float) -> None:
    x, y = points(0, 5, 40)
    line = module.huber_line(x, y, delta=delta)
    assert pull_of(line, x, y, huber(delta)) <= 1e-10


def check_least_absolute(module: Any) -> None:
    from sklearn.linear_model import QuantileRegressor

    x, y = points(1, 6, 31)
    found = module.least_absolute_line(x, y)
    for i, line in enumerate(found):
        reference = QuantileRegressor(quantile=0.5, alpha=0, solver="highs").fit(x[i, :, None], y[i])
        expected = torch.tensor([reference.intercept_, reference.coef_[0]])
        torch.testing.assert_close(line, expected, rtol=1e-9, atol=1e-9)


def check_huber_mean(module: Any, delta: float) -> None:
    y = points(2, 20, 11)[1]
    c = module.huber_mean(y, delta=delta)
    assert (c[:, None] - y).clamp(-delta, delta).sum(-1).abs().max() <= 1e-12


def test_least_squares_is_lstsq() -> None:
    x, y = points(3, 30)
    expected = torch.linalg.lstsq(torch.stack([torch.ones_like(x), x], 1), y[:, None]).solution[:, 0]
    torch.testing.assert_close(lines.least_squares_line(x, y), expected, rtol=1e-12, atol=1e-12)


def test_least_absolute_is_sklearns() -> None:
    check_least_absolute(lines)


@pytest.mark.parametrize("delta", [0.3, 1.0, 4.0])
def test_huber_pulls_add_up_to_zero(delta: float) -> None:
    check_huber(lines, delta)
    check_huber_mean(lines, delta)


@pytest.mark.parametrize("scale", [0.5, 2.0])
def test_cauchy_is_a_minimum_no_worse_than_its_start(scale: float) -> None:
    def loss(r: torch.Tensor) -> torch.Tensor:
        return torch.log1p((r / scale) ** 2).sum()

    x, y = points(4, 40)
    line = lines.cauchy_line(x, y, scale=scale)
    assert pull_of(line, x, y, loss) <= 1e-9
    assert loss(errors(x, y, line)) <= loss(errors(x, y, lines.huber_line(x, y, delta=scale)))


@pytest.mark.parametrize("line", LINES)
def test_many_at_once_are_each_alone(line: Any) -> None:
    x, y = points(5, 4, 3, 20)
    together = line(x, y)
    assert together.shape == (4, 3, 2)
    torch.testing.assert_close(together[2, 1], line(x[2, 1], y[2, 1]), rtol=1e-9, atol=1e-9)


def test_where_the_cauchy_line_ends_depends_on_its_start() -> None:
    x = torch.cat(
        [torch.linspace(-2, 2, 81, dtype=torch.float64), torch.tensor([1000.0], dtype=torch.float64)]
    )
    y = torch.where(x == 1000, 0, x)
    good = lines.cauchy_line(x, y, start=torch.tensor([0.0, 0.9], dtype=torch.float64))
    assert float(good[1]) == pytest.approx(1, abs=0.01)
    assert abs(float(lines.cauchy_line(x, y)[1])) < 0.1


def test_of_equally_good_lines_the_same_is_returned_however_far_an_outlier_is() -> None:
    x = torch.tensor([0.0, 0.0, 1.0, 1.0, 0.5], dtype=torch.float64)
    y = torch.tensor(
        [0.0, 1.0, 0.0, 1.0, 0.0], dtype=torch.float64
    )  # every line between the pairs is as good
    found = []
    for height in (10.0, 11.3, 1e5 / 3):
        y[4] = height
        found.append(lines.least_absolute_line(x, y))
    assert torch.equal(found[0], found[1])
    assert torch.equal(found[0], found[2])


@pytest.mark.parametrize("line", LINES)
def test_points_on_a_line_and_equal_x(line: Any) -> None:
    x = torch.tensor([0.0, 0.0, 1.0, 2.0, 2.0], dtype=torch.float64)
    expected = torch.tensor([3.0, -2.0], dtype=torch.float64)
    torch.testing.assert_close(line(x, 3 - 2 * x), expected, rtol=1e-12, atol=1e-12)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.lists(st.integers(-9, 9), min_size=1, max_size=9), st.sampled_from([1e-6, 0.5, 2.0, 1e3]))
def test_huber_mean_is_no_worse_than_its_neighbours(values: list[int], delta: float) -> None:
    y = torch.tensor(values, dtype=torch.float64)
    c = lines.huber_mean(y, delta=delta)

    def cost(shift: float) -> float:
        return huber(delta)(c + shift - y).item()

    assert cost(0) <= min(cost(1e-3), cost(-1e-3)) * (1 + 1e-12) + 1e-15
    if delta == 1e3:
        assert c.item() == pytest.approx(y.mean().item(), abs=1e-12)


BAD = [
    pytest.param(lambda x, y: lines.huber_line(x.long(), y), "x of a floating-point dtype", id="whole"),
    pytest.param(lambda x, y: lines.cauchy_line(x, y.numpy()), "y as a tensor", id="array"),
    pytest.param(lambda x, y: lines.least_squares_line(x, y[:-1]), "x and y of one shape", id="shapes"),
    pytest.param(lambda x, y: lines.least_absolute_line(x[:1], y[:1]), "two points or more", id="one point"),
    pytest.param(lambda x, y: lines.huber_line(0 * x, y), "x that differ", id="vertical"),
    pytest.param(lambda x, y: lines.huber_line(x, y, delta=0), "delta > 0", id="delta"),
    pytest.param(lambda x, y: lines.cauchy_line(x, y, scale=-1), "scale > 0", id="scale"),
    pytest.param(lambda x, y: lines.huber_mean(y, delta=0), "delta > 0", id="delta of the mean"),
]


@pytest.mark.parametrize(("call", "rule"), BAD)
def test_bad_input_is_named(call: Any, rule: str) -> None:
    with pytest.raises(ValueError, match=f"need {rule}"):
        call(*points(6, 8))


MUTANTS = {
    "unweighted": ("dx.abs().gather", "torch.ones_like(dx).gather", check_least_absolute),
    "worst point": ("(cost <= cost.amin(-1", "(cost >= cost.amin(-1", check_least_absolute),
    "d": ("delta / r.abs().clamp(min=delta)", "1 / r.abs().clamp(min=1)", partial(check_huber, delta=0.3)),
    "stops early": ("_MOST_ROUNDS = 1000", "_MOST_ROUNDS = 2", partial(check_huber, delta=1.0)),
    "not zero": ("sum(-1) > 0", "sum(-1) > 0.1", partial(check_huber_mean, delta=1.0)),
    "the mean": (".clamp(-delta, delta).sum", ".sum", partial(check_huber_mean, delta=0.3)),
}


test_mistakes_are_caught = mistakes("course_utils.linear_models.lines", MUTANTS)
