"""The figures of lesson 13."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from torch import Tensor, nn

from course_utils import plotting
from course_utils.layers import Dropout
from course_utils.optimizers import Adam

WIDTH = 64  # units behind the dropout of the crowd's net
STEPS = 600
MASKS = 256  # at most, of the crowd
NONE, SOME = plotting.colour("plain"), plotting.colour("dropout")

# What each figure shows, in words.
CROWD = (
    "Thin grey curves of thinned nets follow the points of a sine. They lie close together where the output "
    "is near zero, and apart at the peaks and beyond the points. The mean of 64 nets and the eval pass "
    "nearly coincide."
)
FEW_MASKS = (
    "The crowd at p = 0.2 with four masks: four thin curves of thinned nets, and their mean still beside the "
    "dashed curve of the eval pass."
)
TWO_MEANS = (
    "Mean probability over all thinned nets against the probability of the eval pass. Geometric means lie on "
    "the diagonal. Arithmetic means lie below it where the eval pass is sure, and above it where it is near "
    "zero."
)
FOUR_LOSSES = (
    "Above, one run: the loss that training prints is the highest curve for most of it, and near the "
    "validation loss at the end; the loss on the same images in eval mode is the lowest. Below, four losses "
    "at the end against p: both with masks rise steeply; the printed one crosses the validation loss on the "
    "way."
)
RATES = (
    "Validation accuracy against the rate, with and without dropout. With wrong labels the curve without "
    "dropout falls early, that with dropout later and then fast; their tops lie about a point apart. With "
    "clean labels both are close, until dropout falls at the highest rate drawn."
)
MAP = (
    "Nets as marks, overconfidence against softening. Those that gained from averaging masks lie well above "
    "the line of half the softening, those that lost below it. Those that are not clear lie above zero, near "
    "the line or under it."
)
SHIFTED = (
    "Loss of the averaged masks minus that of one pass against overconfidence in units of the softening, for "
    "two nets on noisier and noisier images. Both losses start above zero and fall far below it. They "
    "cross it where the overconfidence is between none and one softening."
)
PASSES = (
    "Validation loss of a small transformer against the rate, with and without dropout. Left, sixty passes "
    "over few sequences: without dropout the loss climbs at high rates, with it far less. Right, one pass: "
    "the two curves nearly coincide, dropout just above."
)


class Crowd(NamedTuple):
    """Thinned nets on a grid: x (G,), their curves (K, G), and the eval pass (G,)."""

    x: Tensor
    curves: Tensor
    eval_pass: Tensor


def crowd_points() -> tuple[Tensor, Tensor]:
    """24 noisy points of a sine on two sides of a gap: x (24, 1), y (24, 1)."""
    generator = torch.Generator().manual_seed(0)
    left, right = (torch.rand(12, 1, generator=generator) * 1.3 + start for start in (-2.0, 0.7))
    x = torch.cat([left, right])
    return x, torch.sin(2 * x) + 0.15 * torch.randn(x.shape, generator=generator)


@functools.cache
def crowd_net(p: float, steps: int = STEPS) -> nn.Sequential:
    """A net 1 -> 64 -> 64 -> 1, dropout before its last layer, trained on `crowd_points`."""
    x, y = crowd_points()
    with torch.random.fork_rng([]), torch.enable_grad():
        torch.default_generator.manual_seed(0)
        net = nn.Sequential(
            nn.Linear(1, WIDTH),
            nn.Tanh(),
            nn.Linear(WIDTH, WIDTH),
            nn.ReLU(),
            Dropout(p),
            nn.Linear(WIDTH, 1),
        )
        optimizer = Adam(net.parameters(), lr=5e-3)
        for _ in range(steps):
            optimizer.zero_grad()
            F.mse_loss(net(x), y).backward()
            optimizer.step()
    return net.eval()


@torch.no_grad()
def crowd(p: float, masks: int, steps: int = STEPS) -> Crowd:
    """The first `masks` thinned nets of `crowd_net(p)`: one mask for all x each."""
    net, x = crowd_net(p, steps), torch.linspace(-3, 3, 121)
    hidden = net[:4](x[:, None])  # (G, WIDTH)
    draws = torch.rand(MASKS, 1, WIDTH, generator=torch.Generator().manual_seed(1))[:masks]
    curves = net[5](hidden * (draws >= p) / (1 - p))[..., 0]
    return Crowd(x, curves, net(x[:, None])[:, 0])


def crowd_figure(p: float, masks: int, steps: int = STEPS) -> Figure:
    """Thinned nets, their mean, and the eval pass."""
    figure, axes = plotting.subplots(size=(6.4, 3.8))
    masks = int(masks)
    one = crowd(p, masks, steps)
    px, py = crowd_points()
    x = one.x.numpy()
    axes.plot(x, one.curves[:40].T.numpy(), color=NONE, linewidth=0.6, alpha=0.45, label="_net")
    axes.plot(px, py, "o", color=plotting.INK, markersize=3.5, label="_points")
    mean = one.curves.mean(0).numpy()
    axes.plot(x, mean, color=SOME, label="their mean")
    plotting.theory(axes, x, one.eval_pass.numpy(), label="eval pass")
    axes.set(xlim=(-3, 3), ylim=(-2.3, 2.3))
    nets = "One thinned net beside" if masks == 1 else f"The mean of {masks} thinned nets nears"
    title = f"{nets} the eval pass (p = {p:g})"
    plotting.finish(axes, title=title, x="input", y="output")
    return figure


def two_means(whole: Tensor, geometric: Tensor, arithmetic: Tensor) -> Figure:
    """Both means of all thinned nets against the eval pass. Args: probabilities of one shape."""
    figure, axes = plotting.subplots(size=(6.4, 4.6))
    x = whole.flatten().numpy()
    plotting.measured(axes, x, arithmetic.flatten().numpy(), label="_arithmetic", color=plotting.VERMILION)
    plotting.measured(axes, x, geometric.flatten().numpy(), label="_geometric", color=SOME)
    plotting.theory(axes, [0, 1], [0, 1], label="_equal")
    for line in axes.get_lines()[:2]:
        line.set_markersize(4)
    axes.text(0.04, 0.9, "geometric mean", color=SOME)
    axes.text(0.96, 0.12, "arithmetic mean", color=plotting.VERMILION, ha="right")
    axes.set(xlim=(0, 1), ylim=(0, 1))
    title = "One pass is the geometric mean of the crowd; the arithmetic mean is softer"
    plotting.finish(
        axes, title=title, x="probability, eval pass", y="mean over all thinned nets", names=False
    )
    return figure


def four_losses(run: Tensor, ps: Sequence[float], ends: Mapping[str, ArrayLike]) -> Figure:
    """Three losses along one run, and four losses at the end of runs against p.

    Args:
        run: (T, 3), every 15 steps: what training prints, the same images in eval mode, validation.
        ps: (P,) probabilities of dropout.
        ends: names -> (S, P) losses: training images with masks and without, validation images likewise.
    """
    figure, (above, below) = plotting.subplots(2, 1, size=(6.4, 7.0))
    styles = (
        ("training, with masks", plotting.VERMILION),
        ("training, eval mode", plotting.ORANGE),
        ("validation, eval mode", SOME),
    )
    steps = 15 * np.arange(1, len(run) + 1)
    for (name, colour), losses in zip(styles, run.T.numpy(), strict=True):
        above.plot(steps, losses, color=colour, label=name)
    plotting.log_ticks(above, "y")
    above.set_yticks([0.1, 0.3, 1], ["0.1", "0.3", "1"])
    colours = dict(styles) | {"validation, with masks": plotting.PURPLE}
    for name, losses in ends.items():
        plotting.band(below, ps, losses, label=name, color=colours[name])
    plotting.log_ticks(below, "y")
    below.set_yticks([0.03, 0.1, 0.3, 1], ["0.03", "0.1", "0.3", "1"])
    below.set_xticks(list(ps))
    title = "One run at p = 0.5: what training prints is not the loss of the net that is used"
    plotting.finish(above, title=title, x="step", y="cross-entropy", names=False)
    plotting.label_lines(above, gap=0.075)
    title = "The masks raise both losses, of training images and of new ones"
    x = "dropout probability p"
    plotting.finish(below, title=title, x=x, y="cross-entropy at the end", names=False)
    plotting.label_lines(below, gap=0.075)
    return figure


def accuracy_by_rate(lrs: Sequence[Sequence[float]], worlds: Mapping[str, Mapping[str, ArrayLike]]) -> Figure:
    """Validation accuracy against the rate, one panel for each kind of labels, where the nets learn.

    Args:
        lrs: (R,) for each panel. worlds: title -> "p = 0" and "p = 0.5" -> (S, R) accuracies in [0, 1].
    """
    figure, both = plotting.subplots(2, 1, size=(6.4, 6.2), sharex=True)
    for axes, rates, (title, curves) in zip(both, lrs, worlds.items(), strict=True):
        plotting.log_ticks(axes, "x")
        scores = {name: 100 * np.asarray(values, float) for name, values in curves.items()}
        # a rate at which nets diverge would press the rest together
        lowest = np.min([values.mean(0) for values in scores.values()], axis=0)
        learns = lowest >= min(50, float(lowest.max()))
        for (name, values), colour in zip(scores.items(), (NONE, SOME), strict=True):
            plotting.band(axes, np.asarray(rates)[learns], values[:, learns], label=name, color=colour)
        axes.set(ylim=(5 * np.floor(lowest[learns].min() / 5 - 0.5), 100))
        plotting.finish(axes, title=title, x="", y="accuracy (%)", names=False)
        plotting.label_lines(axes, gap=0.09)
    _rates(
        both[-1], sorted({rate for axes in both for line in axes.get_lines() for rate in line.get_xdata()})
    )
    both[-1].set_xlabel("learning rate")
    return figure


def map_of_nets(over: Sequence[float], soft: Sequence[float], gains: Sequence[tuple[float, float]]) -> Figure:
    """Nets by softening and overconfidence, marked by whether averaged masks lower the loss.

    Args:
        over, soft: overconfidence of the eval pass, and how much less confident the average is.
        gains: (low, high) of the interval of the average's loss minus the eval pass's.
    """
    figure, axes = plotting.subplots(size=(6.4, 4.8))
    s, o = np.asarray(soft), np.asarray(over)
    kinds = (
        ("averaging lowers the loss", SOME, "o", [high < 0 for _, high in gains]),
        ("averaging raises it", plotting.VERMILION, "s", [low > 0 for low, _ in gains]),
        ("not clear", NONE, "D", [low <= 0 <= high for low, high in gains]),
    )
    top = float(s.max()) * 1.12
    axes.axhline(0, color=plotting.INK, linewidth=0.8, zorder=0)
    plotting.theory(axes, [0, top], [0, top / 2], label="_half")
    for name, colour, marker, chosen in kinds:
        here = np.asarray(chosen, bool)
        axes.plot(s[here], o[here], marker, color=colour, markersize=6, alpha=0.85, mew=0, label=f"_{name}")
    low, high = min(o.min(), -0.05) - 0.02, max(o.max(), 0.15) + 0.03
    axes.set(xlim=(0, top), ylim=(low, high))
    axes.text(top * 0.99, top / 2 + 0.012, "half the softening", ha="right", color=plotting.INK)
    drawn = {"o": "●", "s": "■", "D": "◆"}
    for k, (name, colour, marker, _) in enumerate(kinds):
        height = low + (0.075 - 0.03 * k) * (high - low) / 0.45
        axes.text(top * 0.99, height, f"{name} {drawn[marker]}", color=colour, ha="right")
    title = "Averaging masks helps nets that are too sure by enough"
    across = "softening: confidence that averaging takes away"
    plotting.finish(axes, title=title, x=across, y="overconfidence of one pass", names=False)
    return figure


def shifted(shares: Mapping[str, ArrayLike], gains: Mapping[str, ArrayLike]) -> Figure:
    """The same nets on noisier images: where averaging begins to lower the loss.

    Args:
        shares: name of a net -> (N,) overconfidence over softening, one for each noise.
        gains: name of a net -> (S, N) loss of the average minus that of one pass.
    """
    figure, axes = plotting.subplots(size=(6.4, 4.6))
    for (name, values), colour in zip(gains.items(), (SOME, plotting.VERMILION), strict=True):
        plotting.band(axes, shares[name], values, label=name, color=colour)
        axes.plot(shares[name], np.asarray(values).mean(0), "o", color=colour, markersize=4, label=f"_{name}")
    axes.axhline(0, color=plotting.INK, linewidth=0.8, zorder=0)
    axes.axvline(0.5, color=plotting.INK, linewidth=0.8, linestyle=":", zorder=0)
    axes.text(0.45, axes.get_ylim()[0], "half the softening", rotation=90, ha="right", va="bottom")
    title = "The same nets, noisier images: averaging helps once they are too sure by enough"
    across = "overconfidence, in units of the softening"
    plotting.finish(axes, title=title, x=across, y="loss, average minus one pass", names=False)
    plotting.label_lines(axes, gap=0.09)
    return figure


def passes(lrs: Sequence[Sequence[float]], runs: Mapping[str, Mapping[str, ArrayLike]]) -> Figure:
    """Validation loss of a transformer against the rate, one panel for each number of passes.

    Args:
        lrs: (R,) for each panel. runs: title -> "p = 0" and another p -> (S, R) losses.
    """
    figure, both = plotting.subplots(1, 2, size=(7.2, 3.9), sharey=True)
    for axes, rates, (title, curves) in zip(both, lrs, runs.items(), strict=True):
        plotting.log_ticks(axes, "x")
        for (name, values), colour in zip(curves.items(), (NONE, SOME), strict=True):
            y = np.asarray(values, float).mean(0)
            axes.plot(rates, y, color=colour, marker="o", markersize=4, label=name)
        axes.margins(y=0.1)  # the names at the right ends stay off the axis
        _rates(axes, rates)
        plotting.finish(axes, title=title, x="learning rate", y="", names=False)
    both[0].set_ylabel("validation loss")
    # only now are the limits known that both share
    for axes in both:
        plotting.label_lines(axes, gap=0.08, away=0.035)  # beside the last marker, not on it
    return figure


def _rates(axes: Axes, lrs: Sequence[float]) -> None:
    axes.set_xticks(lrs, [f"{lr:g}" for lr in lrs])
    axes.minorticks_off()
