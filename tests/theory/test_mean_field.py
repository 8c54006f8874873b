"""The mean squares of a very wide net, against closed forms, an integral by quadrature, and a wide net."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from scipy import integrate, stats

from course_utils.theory import mean_field
from tests.mutants import mistakes


def check_closed_forms(module: Any) -> None:
    """A linear net multiplies by gain**2, ReLU by half of it, on both ways; a quadratic by 3 q and 4 q."""
    for gain in (0.5, 1.0, 1.7):
        steps = torch.arange(5, dtype=torch.float64)
        for activation, factor in ((lambda z: 1 * z, gain**2), (torch.relu, gain**2 / 2)):
            found = module.signal(activation, gain, 5)
            torch.testing.assert_close(found.forward, gain**2 * factor**steps)
            torch.testing.assert_close(found.back, factor ** steps.flip(0))
    found = module.signal(lambda z: z**2, 0.6, 3)
    q = [0.36]
    q += [0.36 * 3 * q[0] ** 2]
    q += [0.36 * 3 * q[1] ** 2]
    torch.testing.assert_close(found.forward, torch.tensor(q, dtype=torch.float64))
    c = [0.36 * 4 * q[0] * 0.36 * 4 * q[1], 0.36 * 4 * q[1], 1.0]
    torch.testing.assert_close(found.back, torch.tensor(c, dtype=torch.float64))


def check_tanh(module: Any) -> None:
    gain = 5 / 3
    found = module.signal(torch.tanh, gain, 4)

    def mean(f: Any, q: float) -> float:
        return float(integrate.quad(lambda z: f(np.sqrt(q) * z) ** 2 * stats.norm.pdf(z), -12, 12)[0])

    for q, following, c, before in zip(
        found.forward, found.forward[1:], found.back[1:], found.back, strict=False
    ):
        assert float(following) == pytest.approx(gain**2 * mean(np.tanh, float(q)), rel=1e-6)
        slope = mean(lambda z: 1 - np.tanh(z) ** 2, float(q))
        assert float(before / c) == pytest.approx(gain**2 * slope, rel=1e-4)


def check_net(module: Any) -> None:
    """2,000 units, three layers: within five per cent."""
    generator, n, gain = torch.Generator().manual_seed(0), 2000, 1.4
    x = torch.randn(20, n, generator=generator, dtype=torch.float64)
    h, sums = (x / x.square().mean(1, keepdim=True).sqrt()).requires_grad_(), []
    for _ in range(3):
        w = gain / n**0.5 * torch.randn(n, n, generator=generator, dtype=torch.float64)
        sums.append(h @ w)
        h = torch.tanh(sums[-1])
    back = torch.autograd.grad(sums[-1], sums, torch.randn(20, n, generator=generator, dtype=torch.float64))
    found = module.signal(torch.tanh, gain, 3)
    for values, expected in ((sums, found.forward), (back, found.back)):
        measured = torch.stack([one.detach().square().mean() for one in values])
        torch.testing.assert_close(measured, expected, rtol=0.05, atol=0)


@pytest.mark.parametrize("check", [check_closed_forms, check_tanh, check_net])
def test_mean_field(check: Any) -> None:
    check(mean_field)


@pytest.mark.parametrize(("gain", "layers"), [(0.0, 3), (-1.0, 3), (1.0, 0)])
def test_bad_input(gain: float, layers: int) -> None:
    with pytest.raises(ValueError, match="need gain > 0 and layers >= 1"):
        mean_field.signal(torch.tanh, gain, layers)


MUTANTS = {
    "deviation-for-variance": ("forward[-1].sqrt() * _NODE", "forward[-1] * _NODE", check_tanh),
    "mean-not-square": ("_mean(out.detach() ** 2)", "_mean(out.detach().abs())", check_closed_forms),
    "slope-not-squared": ("_mean(slope**2)", "_mean(slope)", check_tanh),
    "gain-not-squared": ("append(gain**2 * _mean(slope", "append(gain * _mean(slope", check_closed_forms),
    "back-from-the-front": (".flip(0).cumprod(0).flip(0)", ".cumprod(0)", check_net),
    "one-layer-late": ("[*factors[:-1], torch", "[*factors[1:], torch", check_tanh),
    "starts-at-one": ("[torch.tensor(gain**2, dtype", "[torch.tensor(1.0, dtype", check_closed_forms),
    "not-normalised": (" / _WEIGHT.sum()", "", check_closed_forms),
}

test_mistakes_are_caught = mistakes("course_utils.theory.mean_field", MUTANTS)
