"""The figures of lesson 22."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from course_utils import plotting

GUESS = 0.5  # the squared error, halved, of who answers zero

# What each figure shows, in words.
DEPTH = (
    "Mean square against the layer, logarithmic, for ReLU nets with half of He's weights, with He's, and "
    "with twice He's. Left, of the sums on the way forward; right, of the gradients on the way back. With "
    "He's both stay level, with half they fade and with twice they grow by one factor in each layer."
)
SIGNALS = (
    "Mean square per layer, logarithmic, in three panels for linear, ReLU and tanh. Dots for each net lie "
    "along thin lines of theory. For linear and ReLU both ways are level; for tanh the way forward is level "
    "and the gradients grow on the way back."
)
SPREAD = (
    "Spread of the logarithm of the mean square over nets, against layers over width, logarithmic. Dots for "
    "linear and ReLU nets of several widths rise along two thin lines of theory, as a square root."
)
DEEP = (
    "Loss at the best of the rates against the factor on He's weights, logarithmic, three rows of dots "
    "joined by lines. In 80 steps the plain net learns with He's weights and not with half or twice. With "
    "layer norm it learns from a tenth to ten times, with residual branches from a tenth to twice."
)
ALIKE = (
    "Left, the distance between two units that began alike, against the step: at zero throughout for small "
    "batches and Adam, rising with dropout and with weights of their own on the way on. Right, the share of "
    "units that are dead after training, against the rate, and of outputs that are saturated at the start, "
    "against the weights: both grow."
)
CURVES = (
    "Loss at the end against the rate, one curve for each of six widths, in four panels. In the standard "
    "form the lowest points move to lower rates as the net is made wider. Under μP the lowest points of the "
    "wider nets stand above one another."
)
UPDATES = (
    "How far the last hidden units move in the first step, and by them the outputs, against the width, "
    "logarithmic, in two panels. In the standard form they come to grow along lines of theory, for Adam "
    "steeper than for SGD. Under μP they stay level."
)
SLIDE = (
    "Loss at the end against the rate times a power of the width, one curve for each of six widths. At the "
    "power zero the lowest points are spread out; the power is to be chosen so that they fall together."
)
ENTROPY = (
    "The best rate of SGD in the standard form against the width, logarithmic, for the squared error and for "
    "cross-entropy. Dots for each seed fall for the squared error and stay level for cross-entropy."
)


def shade(index: int, count: int) -> str:
    """The colour of the width with this index: the wider, the darker."""
    from matplotlib.colors import to_hex

    return to_hex(colormaps["viridis_r"](0.25 + 0.75 * index / max(count - 1, 1)))


# --- signals through depth -------------------------------------------------------------------------


def relu_depth(factor: float, *, width: int = 128, layers: int = 30) -> tuple[Tensor, Tensor]:
    """Mean squares per layer of a ReLU net with `factor` times He's weights: of sums, and of gradients.

    Shape: (layers,) each; the gradients over those at the last layer.
    """
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(50, width, generator=generator, dtype=torch.float64).requires_grad_()
    h, sums = x, []
    for _ in range(layers):
        w = torch.randn(width, width, generator=generator, dtype=torch.float64) * (2 / width) ** 0.5
        sums.append(h @ w * factor)
        h = torch.relu(sums[-1])
    direction = torch.randn(50, width, generator=generator, dtype=torch.float64)
    back = torch.autograd.grad(sums[-1], sums, direction)
    forward, backward = (torch.stack([one.detach().square().mean() for one in ones]) for ones in (sums, back))
    return forward, backward / backward[-1]


def depth(factors: Mapping[str, float]) -> Figure:
    """Mean squares per layer, forward and back, of ReLU nets; name -> factor on He's weights."""
    figure, (left, right) = plotting.subplots(1, 2, size=(9.6, 3.9), sharey=True)
    colours = (plotting.BLUE, plotting.GREEN, plotting.VERMILION)
    curves = {name: relu_depth(factor) for name, factor in factors.items()}
    for axes, way in ((left, 0), (right, 1)):
        plotting.log_ticks(axes, "y")
        for (name, both), color in zip(curves.items(), colours, strict=False):
            values = both[way].numpy()
            axes.plot(1 + np.arange(len(values)), values, "o-", markersize=3, color=color, label=name)
    plotting.finish(left, title="The signal on its way forward", x="layer", y="mean square", names=False)
    plotting.finish(right, title="The gradient on its way back", x="layer", y="", names=False)
    for (name, (forward, _)), color in zip(curves.items(), colours, strict=False):
        # below a line that rises, above the others, and far enough not to lie on one that falls
        end = float(forward[-1])
        y = 1e-4 * end if end > 10 else max(1e3 * end, float(forward[len(forward) // 2]))
        left.text(29, y, name, color=color, ha="right", va="top" if end > 10 else "bottom")
    return figure


def signals(
    measured: Mapping[str, tuple[Tensor, Tensor]], formula: Mapping[str, tuple[Tensor, Tensor]]
) -> Figure:
    """Mean squares per layer of several nets, with theory, one panel for each activation.

    Args:
        measured: name -> (forward (L, nets), back (L, nets)).
        formula: name -> (forward (L,), back (L,)).
    """
    figure, panels = plotting.subplots(1, len(measured), size=(10.2, 3.8), sharey=True)
    for axes, (name, ways) in zip(panels, measured.items(), strict=True):
        plotting.log_ticks(axes, "y")
        for values, line, color in zip(ways, formula[name], (plotting.BLUE, plotting.ORANGE), strict=True):
            layer = 1 + np.arange(len(values))
            x = np.repeat(layer, values.shape[1])
            plotting.measured(axes, x, values.flatten(), label="_measured", color=color)
            plotting.theory(axes, layer, line, label="_theory")
        plotting.finish(axes, title=name, x="layer", y="", names=False)
    panels[0].set_ylabel("mean square")
    forward, back = (float(one[-1].mean()) for one in list(measured.values())[-1])
    panels[-1].text(12, 2.2 * forward, "forward", color=plotting.BLUE, ha="left", va="bottom")
    panels[-1].text(20, 30 * back, "back", color=plotting.ORANGE, ha="left", va="bottom")
    return figure


def spread(ratio: Tensor, found: Mapping[str, Tensor], factor: Mapping[str, float]) -> Figure:
    """Spread of ln(mean square) over nets against L/n, with theory sqrt(factor L/n).

    Args: ratio: (W,). found: name -> (W,). factor: name -> the variance per layer, times the width.
    """
    figure, axes = plotting.subplots(size=(6.4, 3.6))
    plotting.log_ticks(axes)
    colours = (plotting.BLUE, plotting.ORANGE)
    for (name, values), color in zip(found.items(), colours, strict=False):
        plotting.measured(axes, ratio, values, label="_measured", color=color)
        plotting.theory(axes, ratio, (factor[name] * ratio) ** 0.5, label=f"_{name}")
        x, y = 1.05 * float(ratio[1]), 0.87 * (factor[name] * float(ratio[1])) ** 0.5
        axes.text(x, y, name, color=color, ha="left", va="top")
    axes.set_ylim(0.3, 2.6)
    axes.set_yticks([0.5, 1, 2], ["0.5", "1", "2"])
    axes.set_xticks(ratio.tolist(), [f"{one:.2g}" for one in ratio])
    title = "A deep, narrow net has luck of its own"
    plotting.finish(axes, title=title, x="layers / width", y="spread of ln(mean square)", names=False)
    return figure


def deep(factors: Mapping[str, Sequence[float]], losses: Mapping[str, Tensor], guess: float = 1.0) -> Figure:
    """Loss at the best rate against the factor on He's weights; kind -> (F,) and kind -> (F, S)."""
    figure, axes = plotting.subplots(size=(7.4, 3.9))
    plotting.log_ticks(axes, "x")
    colours = (plotting.VERMILION, plotting.BLUE, plotting.GREEN)
    top = 1.35 * guess
    for (name, values), color in zip(losses.items(), colours, strict=False):
        shown = values.clamp(max=1.22 * guess)
        x = np.repeat(np.asarray(factors[name]), values.shape[1])
        plotting.measured(axes, x, shown.flatten(), label="_dots", color=color)
        axes.plot(factors[name], shown.mean(1), color=color, linewidth=1.5, label=name)
    ticks = sorted({factor for some in factors.values() for factor in some})
    plotting.theory(axes, [ticks[0], ticks[-1]], [guess, guess], label="_guess")
    axes.text(ticks[0], guess * 1.03, "a guess", va="bottom")
    axes.set_ylim(0, top)
    axes.set_xticks(ticks, [f"{factor:g}" for factor in ticks])
    title = "30 layers, 80 steps: the plain net learns from He's weights, the others from a wider range"
    x_name = "weights, as a multiple of He's"
    plotting.finish(axes, title=title, x=x_name, y="loss over that of a guess (cut above)")
    return figure


def alike(apart: Mapping[str, Tensor], lost: Mapping[str, tuple[Sequence[float], Tensor]]) -> Figure:
    """Two units that began alike; and dead units, saturated outputs.

    Args:
        apart: name -> distance (T,) before each step.
        lost: name -> (factors (F,), share of the units, or of outputs (F,)).
    """
    figure, (left, right) = plotting.subplots(1, 2, size=(9.8, 3.8))
    colours = (plotting.BLUE, plotting.GREEN, plotting.PURPLE, plotting.VERMILION)
    for k, ((name, values), color) in enumerate(zip(apart.items(), colours, strict=False)):
        style = ("-", "--", ":", "-")[k % 4]
        axes_label = name if float(values[-1]) > 0 else f"_{name}"
        left.plot(np.arange(len(values)), values, style, color=color, linewidth=2, label=axes_label)
    left.text(2, 0.04 * left.get_ylim()[1], ", ".join(n for n, v in apart.items() if float(v[-1]) == 0))
    plotting.finish(left, title="Alike they stay alike; dropout parts them", x="step", y="distance")
    plotting.log_ticks(right, "x")
    for (name, (factors, share)), color in zip(lost.items(), (plotting.ORANGE, plotting.SKY), strict=False):
        right.plot(factors, share, "o-", color=color, label=name)
    right.set_ylim(-0.03, 1.03)
    factors = next(iter(lost.values()))[0]
    right.set_xticks(list(factors), [f"{factor:g}" for factor in factors])
    plotting.finish(
        right,
        title="Dead units, saturated outputs",
        x="factor on the rate (dead), on the weights (saturated)",
        y="share of units (dead), of outputs",
    )
    return figure


# --- rates and widths ------------------------------------------------------------------------------


def curves(
    rates: Mapping[str, Sequence[float]], losses: Mapping[tuple[str, str], Mapping[int, Tensor]]
) -> Figure:
    """Loss against the rate for each width; panels (optimizer, form), means over seeds.

    Args:
        rates: optimizer -> (R,).
        losses: (optimizer, form) -> width -> (S, R); more than a guess is cut.
    """
    names = list(rates)
    forms = list(dict.fromkeys(form for _, form in losses))
    figure, grid = plotting.subplots(
        len(names), len(forms), size=(9.8, 3.5 * len(names)), sharey=True, squeeze=False
    )
    for row, name in zip(grid, names, strict=True):
        for axes, form in zip(row, forms, strict=True):
            _curves(axes, {n: (np.asarray(rates[name]), one) for n, one in losses[name, form].items()})
            plotting.finish(axes, title=f"{name}, {form}", x="rate η", y="loss", names=axes is row[-1])
    return figure


def _curves(axes: Axes, by_width: Mapping[int, tuple[np.ndarray, Tensor]]) -> None:
    plotting.log_ticks(axes)
    for k, (width, (x, losses)) in enumerate(by_width.items()):
        mean = losses.log().mean(0).exp().numpy()
        shown = np.where(mean < 1.2 * GUESS, mean, np.nan)
        color = shade(k, len(by_width))
        name = f"  {width} wide"  # set off, so that a ring at the end does not touch it
        axes.plot(x, shown, "o-", markersize=3, linewidth=1.5, color=color, label=name)
        best = int(np.nanargmin(np.where(np.isnan(shown), np.inf, shown)))
        axes.plot(x[best], mean[best], "o", markersize=9, markerfacecolor="white", mew=2, color=color)
    axes.set_ylim(0.045, 1.2 * GUESS)
    axes.set_yticks([0.05, 0.1, 0.2, 0.5], ["0.05", "0.1", "0.2", "0.5"])
    low, high = axes.get_xlim()
    ticks = [one * 10.0**k for k in range(-5, 2) for one in (1, 3) if low <= one * 10.0**k <= high]
    axes.set_xticks(ticks, [f"{one:g}" for one in ticks])


def slide(
    name: str, rates: Sequence[float], by_width: Mapping[int, Tensor], power: float, base: int
) -> Figure:
    """The curves of one optimizer in the standard form against η (width / base)**power."""
    figure, axes = plotting.subplots(size=(7.6, 4.2))
    x = np.asarray(rates)
    _curves(axes, {n: (x * (n / base) ** power, one) for n, one in by_width.items()})
    title = f"{name}, standard form, slid by width to the power {power:g}"
    plotting.finish(
        axes, title=title, x=f"η × (width / {base}) to the power {power:g}", y="loss", names=False
    )
    for k, n in enumerate(by_width):  # a list that stays where it is while the curves slide
        y = 0.92 - 0.09 * k
        axes.text(1.02, y, f"{n} wide", color=shade(k, len(by_width)), transform=axes.transAxes, va="center")
    return figure


def updates(
    widths: Sequence[int],
    found: Mapping[tuple[str, str, str], Tensor],
    powers: Mapping[tuple[str, str, str], float],
) -> Figure:
    """How far features and outputs move in one step against the width, over that at the first width.

    Args:
        found: (optimizer, form, what) -> (W,), relative to the first.
        powers: the same -> the power of the width that theory says.
    """
    figure, panels = plotting.subplots(1, 2, size=(9.8, 4.0), sharey=True)
    n = np.asarray(widths)
    names = list(dict.fromkeys(name for name, _, _ in found))
    colours = {"hidden": plotting.BLUE, "outputs": plotting.VERMILION}
    for axes, name in zip(panels, names, strict=True):
        plotting.log_ticks(axes)
        for (of, form, what), values in found.items():
            if of != name:
                continue
            marker = "o" if form == "standard" else "s"
            axes.plot(n, values, marker, markersize=6, alpha=0.65, color=colours[what], label="_dots")
            # of very wide nets: drawn through the widest
            line = float(values[-1]) * (n / n[-1]) ** powers[of, form, what]
            plotting.theory(axes, n[-3:], line[-3:], label="_theory")
            if form == "standard":
                axes.text(1.15 * n[-1], float(values[-1]), what, color=colours[what], ha="left", va="center")
        axes.text(1.15 * n[-1], 0.85, "μP, both", ha="left", va="center")
        axes.set_ylim(0.25, 150)
        axes.set_xticks(widths, [str(width) for width in widths])
        plotting.finish(axes, title=f"{name}: the first step", x="width", y="", names=False)
    panels[0].set_ylabel(f"how far, over that at width {widths[0]}")
    return figure


def best_rates(widths: Sequence[int], found: Mapping[str, Tensor]) -> Figure:
    """The best rate against the width, a dot for each seed; name -> log2 of the rates (W, S)."""
    figure, axes = plotting.subplots(size=(6.8, 3.8))
    plotting.log_ticks(axes)
    axes.set_xscale("log", base=2)
    axes.set_yscale("log", base=2)
    for (name, values), color in zip(found.items(), (plotting.BLUE, plotting.ORANGE), strict=False):
        x = np.repeat(np.asarray(widths), values.shape[1])
        plotting.measured(axes, x, 2.0 ** values.flatten(), label="_dots", color=color)
        axes.plot(widths, 2.0 ** values.mean(1), color=color, label=name)
    axes.set_xticks(list(widths), [str(width) for width in widths])
    axes.set_yticks([1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2], ["1/32", "1/16", "1/8", "1/4", "1/2"])
    title = "SGD's best rate falls under the squared error, and not under cross-entropy"
    plotting.finish(axes, title=title, x="width", y="best rate of SGD")
    return figure
