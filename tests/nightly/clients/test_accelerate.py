"""Hugging Face's Accelerate: prepare(), save_state(), load_state()."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from accelerate import Accelerator
from torch.optim.lr_scheduler import LambdaLR

from course_utils.losses import cross_entropy
from tests.nightly.clients import small

pytestmark = pytest.mark.filterwarnings("ignore")


def run(make: small.Make, epochs: int, *, saved: Path | None = None, save: Path | None = None) -> small.Net:
    accelerator = Accelerator(cpu=True)
    net = small.Net()
    optimizer = make(net.parameters())
    net, optimizer, loader, schedule = accelerator.prepare(
        net, optimizer, small.loader(), LambdaLR(optimizer, small.RATE)
    )
    if saved is not None:
        accelerator.load_state(str(saved))
    for _ in range(epochs):
        for x, y in loader:
            with accelerator.accumulate(net):
                accelerator.backward(cross_entropy(net(x), y))
                optimizer.step()
                schedule.step()
                optimizer.zero_grad()
    if save is not None:
        accelerator.save_state(str(save))
    return accelerator.unwrap_model(net)


@pytest.mark.parametrize("make", small.OPTIMIZERS.values(), ids=small.OPTIMIZERS)
def test_a_run_that_is_resumed_is_the_plain_loop(make: small.Make, tmp_path: Path) -> None:
    run(make, small.BROKEN_OFF, save=tmp_path / "saved")
    found = run(make, small.EPOCHS - small.BROKEN_OFF, saved=tmp_path / "saved")
    small.check_same(found, small.plain_loop(make))
    assert torch.is_grad_enabled()
