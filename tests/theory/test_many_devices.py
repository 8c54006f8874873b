"""Bytes and seconds of a shared step against counts made one by one."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from course_utils.distributed import ring
from course_utils.theory import many_devices
from tests.mutants import mistakes


def check_share(module: Any) -> None:
    """As many bytes as the ring sends, counted."""
    for n in range(1, 9):
        buffers = [torch.zeros(n * 5) for _ in range(n)]
        assert ring.all_reduce(buffers) == [round(module.ring_share(n) * n * 5 * 4)] * n


def check_held(module: Any) -> None:
    """Tensors of the three kinds, split over n, laid side by side and counted."""
    for n in (1, 2, 4, 8):
        for stage in range(4):
            kinds = {"state": (12, 1), "gradient": (2, 2), "weight": (3, 3)}
            held = sum(bytes * 64 // (n if stage >= first else 1) for bytes, first in kinds.values())
            ours = module.bytes_per_parameter(n, stage, weight=3, gradient=2, state=12)
            assert ours == pytest.approx(held / 64, rel=1e-12)


def check_sent(module: Any) -> None:
    """From the ring's two halves: what a reduce-scatter of the gradient and all-gathers of weights send."""
    for n in (1, 2, 4):
        scatter = ring.reduce_scatter([torch.zeros(n * 3, dtype=torch.float16) for _ in range(n)])[0] / (
            n * 3
        )
        gather = ring.all_gather([torch.zeros(n * 3, dtype=torch.float64) for _ in range(n)])[0] / (n * 3)
        expected = {0: 2 * scatter, 1: scatter + gather, 2: scatter + gather, 3: scatter + 2 * gather}
        for stage, bytes in expected.items():
            assert module.bytes_sent(n, stage, weight=8, gradient=2) == pytest.approx(bytes, rel=1e-12)


def check_seconds(module: Any) -> None:
    """Against the layers' sends put into a queue one after another."""
    for compute, send, layers in [(3.0, 1.0, 5), (1.0, 3.0, 5), (2.0, 2.0, 1), (0.0, 1.0, 4), (3.0, 0.0, 4)]:
        ready, free = compute / 3, 0.0
        for _ in range(layers):
            ready += 2 * compute / 3 / layers
            free = max(ready, free) + send / layers
        assert module.step_seconds(compute, send, layers=layers) == pytest.approx(free, rel=1e-12)
        assert module.step_seconds(compute, send, layers=layers, overlap=False) == compute + send


CHECKS = (check_share, check_held, check_sent, check_seconds)


@pytest.mark.parametrize("check", CHECKS)
def test_formulas(check: Any) -> None:
    check(many_devices)


BAD = {
    "no worker": (lambda: many_devices.ring_share(0), "workers >= 1, got workers=0"),
    "half a worker": (lambda: many_devices.bytes_per_parameter(1.5, 0), "whole number of workers"),
    "stage 4": (lambda: many_devices.bytes_per_parameter(2, 4), "stage of 0, 1, 2 or 3, got stage=4"),
    "sent at stage -1": (lambda: many_devices.bytes_sent(2, -1), "stage of 0, 1, 2 or 3"),
    "negative bytes": (lambda: many_devices.bytes_per_parameter(2, 1, state=-1), "bytes >= 0"),
    "negative bytes sent": (lambda: many_devices.bytes_sent(2, 1, weight=-1), "bytes >= 0"),
    "negative seconds": (lambda: many_devices.step_seconds(-1, 1), "seconds >= 0"),
    "no layer": (lambda: many_devices.step_seconds(1, 1, layers=0), "layers >= 1"),
}


@pytest.mark.parametrize(("call", "message"), BAD.values(), ids=BAD)
def test_bad_input(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


MUTANTS = {
    "ring sends a whole buffer twice": ("2 * (workers - 1) / workers", "2.0", check_share),
    "ring counts half": ("return 2 * (workers - 1)", "return (workers - 1)", check_share),
    "weights before gradients": ("(state, gradient, weight)", "(state, weight, gradient)", check_held),
    "a stage late": ("stage > k else", "stage > k + 1 else", check_held),
    "stage 3 fetches once": ("3: 2 * weight", "3: weight", check_sent),
    "stage 1 sends gradients back": ("1: weight, 2", "1: gradient, 2", check_sent),
    "all backward": ("b, s = 2 * compute", "b, s = 3 * compute", check_seconds),
    "sends at once": ("(layers - 1) * max(b, s)", "(layers - 1) * b", check_seconds),
    "the last send forgotten": (
        "return compute / 3 + b + (layers - 1) * max(b, s) + s",
        "return compute / 3 + b + (layers - 1) * max(b, s)",
        check_seconds,
    ),
}

test_mistakes_are_caught = mistakes("course_utils.theory.many_devices", MUTANTS)
