"""The figures of lesson 13."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from torch import Tensor, nn

from course_utils import plotting
from course_utils.diagnostics.calibration import Reliability
from course_utils.layers import Dropout
from course_utils.optimizers import Adam

WIDTH = 64  # units behind the dropout of the crowd's net
STEPS = 600
FILM = (1, 2, 3, 4, 6, 8, 12, 16, 32, 64, 128, 256)


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
    draws = torch.rand(max(FILM), 1, WIDTH, generator=torch.Generator().manual_seed(1))[:masks]
    curves = net[5](hidden * (draws >= p) / (1 - p))[..., 0]
    return Crowd(x, curves, net(x[:, None])[:, 0])


def crowd_figure(p: float, masks: int, steps: int = STEPS) -> Figure:
    """Thinned nets, their mean, and the eval pass."""
    figure, axes = plotting.subplots(size=(6.8, 3.9))
    masks = int(masks)
    one = crowd(p, masks, steps)
    px, py = crowd_points()
    x = one.x.numpy()
    axes.plot(
        x, one.curves[:40].T.numpy(), color=plotting.colour("plain"), linewidth=0.6, alpha=0.45, label="_net"
    )
    axes.plot(px, py, "o", color=plotting.INK, markersize=3.5, label="_points")
    mean = one.curves.mean(0).numpy()
    axes.plot(x, mean, color=plotting.colour("dropout"), label="their mean")
    plotting.theory(axes, x, one.eval_pass.numpy(), label="eval pass")
    axes.set(xlim=(-3, 3), ylim=(-2.3, 2.3))
    nets = "One thinned net beside" if masks == 1 else f"The mean of {masks} thinned nets nears"
    title = f"{nets} the eval pass (p = {p:g})"
    plotting.finish(axes, title=title, x="input", y="output")
    return figure


def accuracy_against_p(ps: Sequence[float], noisy: ArrayLike, clean: ArrayLike) -> Figure:
    """Validation accuracy against p, with bands. Args: noisy, clean: (S, P) in [0, 1]."""
    figure, axes = plotting.subplots(size=(6.8, 3.8))
    rows = (("clean labels", clean, "plain"), ("20% wrong labels", noisy, "dropout"))
    for label, values, key in rows:
        plotting.band(axes, ps, 100 * np.asarray(values, float), label=label, color=plotting.colour(key))
    axes.set_xticks(list(ps))
    title = "Dropout pays where labels are wrong, up to a point"
    plotting.finish(axes, title=title, x="dropout probability p", y="validation accuracy (%)")
    return figure


def masks_averaged(counts: Sequence[int], over: ArrayLike, under: ArrayLike) -> Figure:
    """Loss of K averaged masks minus the eval pass's, in two cases. Args: over, under: (S, K)."""
    figure, both = plotting.subplots(1, 2, size=(9.2, 3.7), sharex=True)
    titles = ("Overconfident net: averaging helps", "Underconfident net: averaging hurts")
    for axes, values, title in zip(both, (over, under), titles, strict=True):
        plotting.log_ticks(axes, "x")
        plotting.band(axes, counts, values, label="_masks", color=plotting.colour("dropout"))
        plotting.theory(axes, counts, np.zeros(len(counts)), label="_eval")
        axes.set_xticks(list(counts)[::2], [str(k) for k in list(counts)[::2]])
        axes.minorticks_off()
        axes.annotate("the eval pass", (counts[-1], 0), xytext=(0, 3), textcoords="offset points", ha="right")
        plotting.finish(axes, title=title, x="masks averaged, K", y="loss minus the eval pass's", names=False)
    return figure


def reliability_figure(over: dict[str, Reliability], under: dict[str, Reliability]) -> Figure:
    """Accuracy against confidence, in two cases, for the eval pass and the averaged masks."""
    figure, both = plotting.subplots(1, 2, size=(9.2, 3.9), sharey=True)
    titles = ("Overconfident: below the diagonal", "Underconfident: above it")
    colours = {"eval pass": plotting.VERMILION, "averaged masks": plotting.colour("dropout")}
    for axes, case, title in zip(both, (over, under), titles, strict=True):
        plotting.theory(axes, [0, 1], [0, 1], label="_calibrated")
        for k, (name, bins) in enumerate(case.items()):
            filled = bins.count >= 30  # fewer answers say little
            x, y = bins.confidence[filled].numpy(), bins.accuracy[filled].numpy()
            axes.plot(x, y, color=colours[name], marker="o", markersize=4, label=f"_{name}")
            axes.text(0.97, 0.16 - 0.09 * k, name, ha="right", color=colours[name])
        axes.set(xlim=(0, 1), ylim=(0, 1.03))
        plotting.finish(axes, title=title, x="confidence", y="share of right answers", names=False)
    both[1].set_ylabel("")
    return figure
