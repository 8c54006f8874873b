"""The data behind the figures of lesson 17."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

from course_utils.figures import mixed_precision as figures
from course_utils.mixed_precision import float_format
from course_utils.recorded import Record
from tests.figures.reading import drawn, line, texts
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


def check_shares(m: Any) -> None:
    g = torch.tensor([0.0, 0.0, 1.0, -1e-8, 1e-8, 2.0**-25, 2.0**-24, -3.0])
    assert m.shares(g, 1.0) == (3 / 6, 0.0)
    assert m.shares(g, 2.0**16) == (0.0, 2 / 6)
    assert m.shares(g, 40_000.0) == (0.0, 1 / 6)


CHECKS = [check_ruler, check_span, check_shares]


@pytest.mark.parametrize("check", CHECKS, ids=lambda c: c.__name__[6:])
def test_data(check: Any) -> None:
    check(figures)


MUTANTS = [
    (check_ruler, "fmt.eps) + 1", "fmt.eps)"),
    (check_ruler, "np.arange(count) * fmt.eps", "np.arange(count) * fmt.eps / 2"),
    (check_span, "math.log2(fmt.smallest_subnormal)", "math.log2(fmt.smallest_normal)"),
    (check_shares, "g = gradients[gradients != 0].double()", "g = gradients.double()"),
    (check_shares, "round_to(g * scale, torch.float16)", "round_to(g, torch.float16)"),
    (check_shares, "rounded.isinf()", "rounded.isnan()"),
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
        vanish, overflow = figures.shares(g, 2.0**log2_scale)
        assert f"{kind}: {100 * vanish:.1f}% vanish, {100 * overflow:.1f}% overflow" in texts(axes)
    shaded = sorted(p.get_x() for p in axes.patches if not hasattr(p, "get_data"))
    assert shaded == pytest.approx([-60, -25, 16], abs=1e-3)


def test_small_losses() -> None:
    half = np.linspace(0.2, 2.0, 4) * np.ones((12, 1)) + np.arange(12)[:, None] / 100
    flat = np.full((12, 2), 0.2) + np.arange(12)[:, None] / 100
    lines = {
        "float16": ((0, 8, 16, 20), half),
        "float16, scaled": ((0, 20), flat),
        "bfloat16": ((0, 20), flat),
    }
    [axes] = drawn(figures.small_losses(lines, edge=20)).axes
    for name, (powers, values) in lines.items():
        assert line(axes, name) == pytest.approx(np.column_stack([powers, values.mean(0)]))
    assert [t.get_text() for t in axes.get_xticklabels()] == ["1", "2⁻⁸", "2⁻¹⁶", "2⁻²⁰"]
    [edge] = [l for l in axes.get_lines() if len(set(l.get_xdata())) == 1 and len(l.get_xdata()) == 2]
    assert edge.get_xdata()[0] == 20


def test_small_steps_are_differences_seed_by_seed() -> None:
    rng = np.random.default_rng(0)
    base = rng.normal(1, 0.3, (12, 3))
    losses = {"float32": base}
    for k, name in enumerate(("float16", "bfloat16", "bfloat16, random")):
        losses[name] = base + k * np.array([0.0, 0.1, 0.2])
    [axes] = drawn(figures.small_steps((0.4, 0.2, 0.1), losses)).axes
    for k, name in enumerate(("float16", "bfloat16", "bfloat16, random")):
        assert line(axes, name) == pytest.approx(np.array([[2.5, 0], [5, 0.1 * k], [10, 0.2 * k]]), abs=1e-12)
    widths = [np.ptp(band.get_paths()[0].vertices[:, 1]) for band in axes.collections]
    assert max(widths) < 0.41  # of the differences; the losses themselves spread much wider
    assert [t.get_text() for t in axes.get_xticklabels()] == ["0.4", "0.2", "0.1"]


def test_scale_history_marks_what_was_skipped() -> None:
    scales = [2.0**20, 2.0**19, 2.0**18, 2.0**18, 2.0**19]
    ceilings = [math.nan, math.nan, 2.0**18.5, 2.0**18.7, 2.0**18.7]
    [axes] = drawn(figures.scale_history(scales, ceilings)).axes
    assert line(axes, "scale")[:, 1].tolist() == [20, 19, 18, 18, 19]
    assert line(axes, "ceiling").tolist() == [[2, 18.5], [3, 18.7], [4, 18.7]]
    assert line(axes, "_skipped").tolist() == [[0, 20], [1, 19], [4, 19]]


def test_memory_bars_add_up() -> None:
    rows = [
        ("fp32", {"weights": 10**6, "gradients": 10**6, "optimizer": 2 * 10**6, "saved": 8 * 10**6}),
        ("bf16", {"weights": 10**6, "gradients": 10**6, "optimizer": 2 * 10**6, "saved": 5 * 10**6}),
    ]
    [axes] = drawn(figures.memory_bars(rows)).axes
    assert [t.get_text() for t in axes.get_yticklabels()] == ["bf16", "fp32"]
    for height, (_, parts) in enumerate(reversed(rows)):
        bars = [p for p in axes.patches if abs(p.get_y() + p.get_height() / 2 - height) < 0.01]
        assert [p.get_width() * 1e6 for p in bars] == pytest.approx(list(parts.values()))
        assert [p.get_x() * 1e6 for p in bars] == pytest.approx([0, *np.cumsum(list(parts.values()))[:-1]])
        assert f"{parts['saved'] / 1e6:.1f}" in texts(axes)


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
