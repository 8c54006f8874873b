"""The data behind the figures of lesson 17."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

from course_utils.diagnostics.step_memory import HeldBytes
from course_utils.figures import mixed_precision as figures
from course_utils.mixed_precision import float_format, round_to, shares_lost
from course_utils.recorded import Record
from tests.figures.reading import drawn, line, lines, texts
from tests.mutants import mistakes


def check_ruler(m: Any) -> None:
    """Every number of the format from 1 to 1.25, found by torch's casts."""
    fine = torch.linspace(1, 1.25, 2**13 + 1, dtype=torch.float64)
    for dtype in (torch.bfloat16, torch.float16, torch.float8_e5m2, torch.float8_e4m3fn):
        expected = fine[fine.float().to(dtype).double() == fine]
        assert m.ruler(float_format(dtype)).tolist() == expected.tolist()


def check_span(m: Any) -> None:
    for dtype in (torch.float32, torch.bfloat16, torch.float16):
        info = torch.finfo(dtype)
        low, normal, high = m.span(float_format(dtype))
        assert (2.0**low, 2.0**normal) == (info.smallest_normal * info.eps, info.smallest_normal)
        assert 2.0**high == pytest.approx(info.max)


def check_worst_error(m: Any) -> None:
    """Half a spacing over the number, found by rounding many numbers between 2^k and 2^(k+1)."""
    k = np.arange(-30, 15)
    x = torch.tensor(2.0**k)[:, None] * (1 + torch.arange(2**12, dtype=torch.float64) / 2**12)
    for dtype in (torch.float16, torch.bfloat16):
        worst = ((round_to(x, dtype) - x).abs() / x).amax(1).numpy()
        line = m.worst_error(float_format(dtype), k)
        assert (line >= worst - 1e-12).all(), "a bound"
        assert (line[6:] <= 1.5 * worst[6:]).all(), "a close one"


CHECKS = [check_ruler, check_span, check_worst_error]


@pytest.mark.parametrize("check", CHECKS, ids=lambda c: c.__name__[6:])
def test_data(check: Any) -> None:
    check(figures)


MUTANTS = [
    (check_ruler, "fmt.eps) + 1", "fmt.eps)"),
    (check_ruler, "np.arange(count) * fmt.eps", "np.arange(count) * fmt.eps / 2"),
    (check_span, "math.log2(fmt.smallest_subnormal)", "math.log2(fmt.smallest_normal)"),
    (check_worst_error, "np.maximum(k, fmt.min_exponent)", "k"),
    (check_worst_error, "fmt.mantissa - 1.0", "fmt.mantissa"),
    (check_worst_error, "np.minimum(half_spacing / 2.0**k, 1.0)", "half_spacing / 2.0**k / 2"),
]


test_mistakes_are_caught = mistakes("course_utils.figures.mixed_precision", MUTANTS)


def test_powers_are_written_as_powers() -> None:
    assert [figures.power(k) for k in (0, 16, -126, 2.0)] == ["1", "2¹⁶", "2⁻¹²⁶", "2²"]


def test_number_lines() -> None:
    left, right = drawn(figures.number_lines()).axes
    assert [t.get_text() for t in left.get_yticklabels()] == list(reversed(figures.FORMATS))
    ends = [(p.get_x(), p.get_x() + p.get_width()) for p in left.patches]
    for name, dtype in figures.FORMATS.items():
        low, normal, high = figures.span(float_format(dtype))
        assert (low, normal) in [pytest.approx(end) for end in ends], name
        assert (normal, high) in [pytest.approx(end) for end in ends], name
        assert left.get_xlim()[0] <= low < high <= left.get_xlim()[1]
    counts = [len(lines.get_segments()) for lines in right.collections]
    assert counts == [3, 2, 257, 33, 257]  # e4m3, e5m2, float16, bfloat16, tf32; float32 is one bar
    assert len(right.patches) == 1


def gradients() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {
        kind: torch.randn(12, 300, generator=generator)
        * 2.0 ** (shift + 3 * torch.randn(12, 300, generator=generator))
        for kind, shift in (("outputs", -22), ("hidden", -18), ("weights", -9))
    }


@pytest.mark.parametrize("log2_scale", [0, 8, 16])
def test_gradient_histogram(log2_scale: int) -> None:
    of = gradients()
    [axes] = drawn(figures.gradient_histogram(of, log2_scale)).axes
    assert figures.power(log2_scale) in axes.get_title(loc="left")
    steps = [p for p in axes.patches if hasattr(p, "get_data")]
    for (kind, g), stairs in zip(of.items(), steps, strict=True):
        counts, edges, _ = stairs.get_data()
        assert counts.sum() == pytest.approx(100, abs=1)
        assert stairs.get_edgecolor()[:3] == pytest.approx(tuple(np.array(
            [int(figures.KINDS[kind][i : i + 2], 16) for i in (1, 3, 5)]) / 255))  # fmt: skip
        middle = float((counts * (edges[1:] + edges[:-1]) / 2).sum() / counts.sum())
        assert middle == pytest.approx(float((g.abs().log2()).mean()) + log2_scale, abs=0.3)
        vanish, _, overflow = shares_lost(g, torch.float16, scale=2.0**log2_scale)
        assert f"{kind}: {100 * vanish:.1f}% vanish, {100 * overflow:.1f}% overflow" in texts(axes)
    shaded = sorted(p.get_x() for p in axes.patches if not hasattr(p, "get_data"))
    assert shaded == pytest.approx([-60, -25, 16], abs=1e-3)


def test_digits_and_gradients_share_their_axis() -> None:
    errors = {"float16": torch.linspace(1, 0.001, 45), "bfloat16": torch.full((45,), 0.004)}
    above, below = drawn(figures.digits_and_gradients(errors, gradients())).axes
    for name, of in errors.items():
        assert line(above, "_" + name) == pytest.approx(np.column_stack([np.arange(-29.5, 15), of]))
    assert len(lines(above, "_theory")) == 2
    assert above.get_xlim() == below.get_xlim()
    assert set(figures.KINDS) <= set(texts(below))


def test_small_losses() -> None:
    seeds = np.arange(12) / 100
    above: dict[tuple[str, int], Any] = {("scaled", 20): seeds}
    for shift, name in enumerate(figures.CONTROLS):
        some = (0, 20) if name == "bfloat16" else (0, 8, 16, 20)
        above |= {(name, k): 0.01 * k * shift + seeds for k in some}
    [axes] = drawn(figures.small_losses(above, edge=20)).axes
    for shift, name in enumerate(figures.CONTROLS):
        powers = np.array([0, 20] if name == "bfloat16" else [0, 8, 16, 20])
        assert line(axes, name) == pytest.approx(
            np.column_stack([powers, 0.01 * powers * shift + seeds.mean()])
        )
    assert [t.get_text() for t in axes.get_xticklabels()] == ["1", "2⁻⁸", "2⁻¹⁶", "2⁻²⁰"]


def test_small_steps_are_differences_seed_by_seed() -> None:
    rng = np.random.default_rng(0)
    base = rng.normal(1, 0.3, (12, 5))
    gap = np.array([0.0, 0.05, 0.1, 0.2, 0.3])
    losses = {"float32": base}
    for k, name in enumerate(figures.STORED):
        losses[name] = base + k * gap
    rates = (0.016, 0.008, 0.004, 0.002, 0.001)
    left, right = drawn(figures.small_steps(rates, losses)).axes
    for k, name in enumerate(figures.STORED):
        assert line(left, name) == pytest.approx(np.column_stack([1 / np.array(rates), k * gap]), abs=1e-12)
    widths = [np.ptp(band.get_paths()[0].vertices[:, 1]) for band in left.collections]
    assert max(widths) < 0.61  # of the differences; the losses themselves spread much wider
    spacings = 2**7 * np.array(rates)
    assert line(right, "_bfloat16") == pytest.approx(np.column_stack([1 / spacings, gap]))
    assert line(right, "_float16")[:, 0] == pytest.approx(1 / (2**10 * np.array(rates[1:])))


def test_memory_over_a_step() -> None:
    runs = {name: HeldBytes() for name in ("float32", "bfloat16 autocast", "checkpoints")}
    for k, run in enumerate(runs.values()):
        run.history = [10, 30 - 10 * k, 0]
    segments, peaks = (1, 6, 36), (39.0, 14.0, 39.0)
    left, right = drawn(figures.memory_over_a_step(runs, segments, peaks, layers=36, unit=10)).axes
    assert line(left, "_float32")[:, 1].tolist() == [0, 1, 3, 0]
    assert {"float32: 3", "bfloat16 autocast: 2", "checkpoints: 1"} == set(texts(left))
    assert line(right, "_peak").tolist() == [[1, 39], [6, 14], [36, 39]]
    theory = line(right, "_theory")
    assert theory[:, 1] == pytest.approx(36 / theory[:, 0] + theory[:, 0] + 2)


def test_scale_windows() -> None:
    powers = (-16, -8, 0, 8, 16)
    losses = {
        name: np.full((4, 5), 0.1) + np.arange(4)[:, None] / 100
        for name in ("float16", "float8 e5m2", "float8 e4m3")
    }
    [axes] = drawn(figures.scale_windows(powers, losses, 0.001)).axes
    for name in losses:
        assert line(axes, "_" + name) == pytest.approx(np.column_stack([powers, np.full(5, 0.115)]))
    assert [t.get_text() for t in axes.get_xticklabels()] == ["2⁻¹⁶", "1", "2¹⁶"]
    assert line(axes, "_own").tolist() == [[-16, 0.001]]


def test_scale_history_marks_what_was_skipped() -> None:
    scales = [2.0**20, 2.0**19, 2.0**18, 2.0**18, 2.0**19]
    ceilings = [math.nan, math.nan, 2.0**18.5, 2.0**18.7, 2.0**18.7]
    [axes] = drawn(figures.scale_history(scales, ceilings)).axes
    assert line(axes, "scale")[:, 1].tolist() == [20, 19, 18, 18, 19]
    assert line(axes, "ceiling").tolist() == [[2, 18.5], [3, 18.7], [4, 18.7]]
    assert line(axes, "_skipped").tolist() == [[0, 20], [1, 19], [4, 19]]


def test_gpu_bars_are_shares_of_fp32() -> None:
    rows = [
        {"net": net, "precision": name, "step_ms": ms * (1 + k), "peak_mib": mib}
        for k, net in enumerate(("convnet", "transformer"))
        for name, ms, mib in (("fp32", 10.0, 800.0), ("bf16", 4.0, 500.0))
    ]
    machine = {"gpu": "a GPU", "torch": "2.13.0"}
    figure = drawn(figures.gpu_bars(Record("mixed_precision", rows, machine, "2026-01-01T00:00:00", {})))
    for axes, share in zip(figure.axes, (0.4, 0.625), strict=True):
        assert [p.get_width() for p in axes.patches] == pytest.approx([1, share, 1, share])
        heights = [round(p.get_y() + p.get_height() / 2) for p in axes.patches]
        assert heights == [1, 0, 1, 0]
    assert [t.get_text() for t in figure.axes[0].get_yticklabels()] == ["bf16", "fp32"]
    assert "recorded on a GPU, 2026-01-01" in figure.get_suptitle()
