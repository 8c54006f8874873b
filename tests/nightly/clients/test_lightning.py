"""PyTorch Lightning's Trainer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as lightning
from pytorch_lightning.plugins.precision import MixedPrecision
from torch import Tensor
from torch.optim.lr_scheduler import LambdaLR

from course_utils.losses import cross_entropy
from course_utils.mixed_precision import GradScaler
from tests.nightly.clients import small

pytestmark = pytest.mark.filterwarnings("ignore")


class Module(lightning.LightningModule):
    def __init__(self, make: small.Make) -> None:
        super().__init__()
        self.net, self.make = small.Net(), make

    def training_step(self, batch: Any, index: int) -> Tensor:
        x, y = batch
        return cross_entropy(self.net(x), y)

    def configure_optimizers(self) -> Any:
        optimizer = self.make(self.net.parameters())
        schedule = {"scheduler": LambdaLR(optimizer, small.RATE), "interval": "step"}
        return {"optimizer": optimizer, "lr_scheduler": schedule}


def trainer(folder: Path, epochs: int, **how: Any) -> lightning.Trainer:
    return lightning.Trainer(
        max_epochs=epochs, accelerator="cpu", logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False, default_root_dir=folder, **how,
    )  # fmt: skip


@pytest.mark.parametrize("make", small.OPTIMIZERS.values(), ids=small.OPTIMIZERS)
def test_a_run_that_is_resumed_is_the_plain_loop(make: small.Make, tmp_path: Path) -> None:
    first = trainer(tmp_path, small.BROKEN_OFF)
    first.fit(Module(make), small.loader())
    first.save_checkpoint(tmp_path / "saved.ckpt")
    module = Module(make)
    trainer(tmp_path, small.EPOCHS).fit(module, small.loader(), ckpt_path=tmp_path / "saved.ckpt")
    small.check_same(module.net, small.plain_loop(make))


def test_our_scaler_in_its_precision_plugin(tmp_path: Path) -> None:
    def plugin() -> MixedPrecision:
        return MixedPrecision("16-mixed", "cpu", scaler=GradScaler("cpu", growth_interval=5))

    make = small.OPTIMIZERS["adamw"]
    first = trainer(tmp_path, small.BROKEN_OFF, plugins=[plugin()])
    first.fit(Module(make), small.loader())
    first.save_checkpoint(tmp_path / "saved.ckpt")
    module = Module(make)
    resumed = trainer(tmp_path, small.EPOCHS, plugins=[plugin()])
    resumed.fit(module, small.loader(), ckpt_path=tmp_path / "saved.ckpt")
    small.check_same(module.net, small.plain_loop(make, GradScaler("cpu", growth_interval=5)))
