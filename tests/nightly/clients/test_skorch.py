"""skorch's NeuralNet: our optimizer by class, our loss, our schedule through its callback."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from skorch import NeuralNet
from skorch.callbacks import LRScheduler
from torch import nn
from torch.optim.lr_scheduler import LambdaLR

from course_utils import optimizers
from course_utils.losses import cross_entropy
from tests.nightly.clients import small

pytestmark = pytest.mark.filterwarnings("ignore")

HOW: dict[str, dict[str, Any]] = {
    "sgd": {
        "optimizer": optimizers.SGD, "lr": 0.1, "optimizer__momentum": 0.9, "optimizer__nesterov": True,
    },
    "adamw": {"optimizer": optimizers.AdamW, "lr": 0.01},
    "lion": {"optimizer": optimizers.Lion, "lr": 0.003},
    "rmsprop": {"optimizer": optimizers.RMSprop, "lr": 0.01, "optimizer__centered": True},
}  # fmt: skip


class Loss(nn.Module):
    """skorch makes its criterion; ours is a function."""

    def forward(self, prediction: Any, target: Any = None) -> Any:
        return cross_entropy(prediction, target)


def net(**how: Any) -> NeuralNet:
    # It goes on after a stop by the epochs in its history, so the rate is one for each epoch.
    schedule = LRScheduler(policy=LambdaLR, lr_lambda=small.RATE_BY_EPOCH)
    return NeuralNet(
        small.Net, criterion=Loss, batch_size=small.BATCH, train_split=None, verbose=0,
        callbacks=[("schedule", schedule)], **how,
    )  # fmt: skip


@pytest.mark.parametrize("name", HOW)
def test_an_estimator_that_is_saved_goes_on(name: str, tmp_path: Path) -> None:
    data = small.examples()
    first = net(max_epochs=small.BROKEN_OFF, **HOW[name])
    first.fit(data)
    files = {f"f_{part}": tmp_path / f"{part}.pt" for part in ("params", "optimizer", "history")}
    first.save_params(**files)
    second = net(max_epochs=small.EPOCHS - small.BROKEN_OFF, **HOW[name])
    second.initialize()
    second.load_params(**files)
    second.partial_fit(data)
    small.check_same(second.module_, small.plain_loop(small.OPTIMIZERS[name], by_epoch=True))
