"""PyTorch-Ignite: an Engine, its Checkpoint, our scaler in its mixed precision."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from ignite.engine import Engine, Events, create_supervised_trainer
from ignite.handlers import Checkpoint, DiskSaver
from torch.optim.lr_scheduler import LambdaLR

from course_utils.losses import cross_entropy
from course_utils.mixed_precision import GradScaler
from tests.nightly.clients import small

pytestmark = pytest.mark.filterwarnings("ignore")


def run(make: small.Make, epochs: int, folder: Path, scaler: GradScaler | None = None) -> small.Net:
    """Train to `epochs`, from the checkpoint of the folder where there is one; leave one there."""
    net = small.Net()
    optimizer = make(net.parameters())
    schedule = LambdaLR(optimizer, small.RATE)
    if scaler is None:
        engine = create_supervised_trainer(net, optimizer, cross_entropy)
    else:
        engine = Engine(lambda engine, batch: scaled_step(net, optimizer, scaler, *batch))
    engine.add_event_handler(Events.ITERATION_COMPLETED, lambda: schedule.step())
    parts = {"net": net, "optimizer": optimizer, "schedule": schedule, "engine": engine}
    parts |= {} if scaler is None else {"scaler": scaler}
    if saved := sorted(folder.glob("*.pt")):
        Checkpoint.load_objects(parts, torch.load(saved[-1], weights_only=True))
    engine.add_event_handler(Events.COMPLETED, Checkpoint(parts, DiskSaver(str(folder), require_empty=False)))
    engine.run(small.loader(), max_epochs=epochs)
    return net


def scaled_step(
    net: small.Net, optimizer: torch.optim.Optimizer, scaler: GradScaler, x: torch.Tensor, y: torch.Tensor
) -> float:
    net.train()
    optimizer.zero_grad()
    with torch.autocast("cpu", torch.float16):
        loss = cross_entropy(net(x), y)
    scaler.scale(loss).backward()
    scaler.step(optimizer)
    scaler.update()
    return float(loss)


@pytest.mark.parametrize("make", small.OPTIMIZERS.values(), ids=small.OPTIMIZERS)
def test_a_run_that_is_resumed_is_the_plain_loop(make: small.Make, tmp_path: Path) -> None:
    run(make, small.BROKEN_OFF, tmp_path)
    small.check_same(run(make, small.EPOCHS, tmp_path), small.plain_loop(make))


def test_our_scaler_is_resumed_with_the_rest(tmp_path: Path) -> None:
    make = small.OPTIMIZERS["adamw"]
    run(make, small.BROKEN_OFF, tmp_path, GradScaler("cpu", growth_interval=5))
    scaler = GradScaler("cpu", growth_interval=5)
    found = run(make, small.EPOCHS, tmp_path, scaler)
    expected = GradScaler("cpu", growth_interval=5)
    small.check_same(found, small.plain_loop(make, expected))
    assert scaler.state_dict() == expected.state_dict()
