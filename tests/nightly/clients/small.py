"""The net, the examples and the plain loop that every client is compared with."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import DataLoader, TensorDataset

from course_utils import optimizers
from course_utils.layers import BatchNorm1d, Dropout, LayerNorm
from course_utils.losses import cross_entropy
from course_utils.mixed_precision import GradScaler
from course_utils.schedules import cosine_decay, linear_warmup

EPOCHS, BROKEN_OFF = 6, 3
BATCH, BATCHES = 8, 4
RATE = linear_warmup(5, cosine_decay(EPOCHS * BATCHES - 5, floor=0.1))
RATE_BY_EPOCH = cosine_decay(EPOCHS, floor=0.1)

Make = Callable[[Iterable[Tensor]], torch.optim.Optimizer]
OPTIMIZERS: dict[str, Make] = {
    "sgd": lambda p: optimizers.SGD(p, lr=0.1, momentum=0.9, nesterov=True),
    "adamw": lambda p: optimizers.AdamW(p, lr=0.01),
    "lion": lambda p: optimizers.Lion(p, lr=0.003),
    "rmsprop": lambda p: optimizers.RMSprop(p, lr=0.01, centered=True),
}


class Net(nn.Module):
    """Our layers. The net counts the seeds that dropout draws from, so that they survive a stop."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.Sequential(
            nn.Linear(6, 16), LayerNorm(16), nn.ReLU(), nn.Linear(16, 16), BatchNorm1d(16), Dropout(0.2),
            nn.Linear(16, 3),
        )  # fmt: skip
        self.steps: Tensor
        self.register_buffer("steps", torch.tensor(0))

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            torch.manual_seed(int(self.steps))
            self.steps += 1
        result: Tensor = self.layers(x)
        return result


def examples() -> TensorDataset:
    generator = torch.Generator().manual_seed(1)
    count = BATCH * BATCHES
    return TensorDataset(
        torch.randn(count, 6, generator=generator), torch.randint(0, 3, (count,), generator=generator)
    )


def loader() -> DataLoader[Any]:
    return DataLoader(examples(), batch_size=BATCH)


def plain_loop(make: Make, scaler: GradScaler | None = None, *, by_epoch: bool = False) -> Net:
    """The net after all epochs, without a break; the rate changes with each step, or with each epoch."""
    net = Net()
    optimizer = make(net.parameters())
    schedule = LambdaLR(optimizer, RATE_BY_EPOCH if by_epoch else RATE)
    for _ in range(EPOCHS):
        for x, y in loader():
            optimizer.zero_grad()
            if scaler is None:
                cross_entropy(net(x), y).backward()
                optimizer.step()
            else:
                with torch.autocast("cpu", torch.float16):
                    loss = cross_entropy(net(x), y)
                scaler.scale(loss).backward()
                scaler.step(optimizer)
                scaler.update()
            if not by_epoch:
                schedule.step()
        if by_epoch:
            schedule.step()
    return net


def check_same(found: nn.Module, expected: nn.Module) -> None:
    """Every parameter and buffer equal to the bit, and moved from where a new net has it."""
    start = Net().state_dict()
    state = found.state_dict()
    assert state.keys() == expected.state_dict().keys()
    for name, tensor in expected.state_dict().items():
        assert torch.equal(state[name], tensor), name
        assert not torch.equal(start[name], tensor), name
