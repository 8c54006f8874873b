"""DistributedDataParallel over gloo, two processes: one batch in two halves, stopped, resumed."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch import nn
from torch.multiprocessing.spawn import spawn
from torch.nn.parallel import DistributedDataParallel
from torch.optim.lr_scheduler import LambdaLR

from course_utils.layers import GroupNorm, LayerNorm
from course_utils.losses import cross_entropy
from course_utils.mixed_precision import GradScaler
from tests.nightly.clients import small


def net() -> nn.Module:
    """Without batch norm and dropout, which see half a batch each."""
    torch.manual_seed(0)
    layers = (
        nn.Linear(6, 16),
        LayerNorm(16),
        nn.ReLU(),
        nn.Linear(16, 16),
        GroupNorm(2, 16),
        nn.Linear(16, 3),
    )
    return nn.Sequential(*layers).double()


def train(
    model: nn.Module, name: str, epochs: range, part: slice, saved: Path, *, save: bool = False
) -> None:
    """Some epochs of the run, this process's part of each batch, from the file where there is one."""
    optimizer = small.OPTIMIZERS[name](model.parameters())
    schedule = LambdaLR(optimizer, small.RATE)
    scaler = GradScaler("cpu", init_scale=2.0**10, growth_interval=5)
    parts: dict[str, Any] = {"model": model, "optimizer": optimizer, "schedule": schedule, "scaler": scaler}
    if saved.exists():
        for key, state in torch.load(saved, weights_only=True).items():
            parts[key].load_state_dict(state)
    for _ in epochs:
        for x, y in small.loader():
            optimizer.zero_grad()
            scaler.scale(cross_entropy(model(x[part].double()), y[part])).backward()
            scaler.step(optimizer)
            scaler.update()
            schedule.step()
    if save:
        torch.save({key: one.state_dict() for key, one in parts.items()}, saved)


def process(rank: int, port: int, name: str, folder: str) -> None:
    address = f"tcp://127.0.0.1:{port}"
    dist.init_process_group("gloo", init_method=address, rank=rank, world_size=2)
    half = small.BATCH // 2
    part = slice(rank * half, (rank + 1) * half)
    for epochs in (range(small.BROKEN_OFF), range(small.BROKEN_OFF, small.EPOCHS)):
        model = DistributedDataParallel(net())
        train(model, name, epochs, part, Path(folder) / "saved.pt", save=rank == 0)
        dist.barrier()
    torch.save(model.module.state_dict(), Path(folder) / f"end-{rank}.pt")
    dist.destroy_process_group()


@pytest.mark.parametrize("name", small.OPTIMIZERS)
def test_two_processes_train_as_one(name: str, tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    spawn(process, (port, name, str(tmp_path)), nprocs=2)
    one = net()
    train(one, name, range(small.EPOCHS), slice(None), tmp_path / "none.pt")
    ends = [torch.load(tmp_path / f"end-{rank}.pt", weights_only=True) for rank in (0, 1)]
    for key, expected in one.state_dict().items():
        assert torch.equal(ends[0][key], ends[1][key])
        torch.testing.assert_close(ends[0][key], expected, rtol=1e-9, atol=1e-11)
        assert not torch.equal(expected, net().state_dict()[key])
