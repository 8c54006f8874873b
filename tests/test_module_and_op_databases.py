"""A sample of torch's databases of test inputs; `make databases` runs all of them, with derivatives."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from course_utils import layers, losses
from tests import module_and_op_databases as databases


@pytest.mark.parametrize("dtype", databases.DTYPES)
def test_every_fifth_input_is_as_torchs_or_a_stated_departure(dtype: torch.dtype) -> None:
    counts, unstated, _ = databases.run(dtype, derivatives=False, every=5)
    assert not unstated
    assert sum(count.same for count in counts.values()) > 90


def test_a_difference_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a loss, of a layer, in the gradient alone, and an error that is not raised."""
    right = losses.huber_loss
    monkeypatch.setattr(losses, "huber_loss", lambda x, y, **kw: right(x, y, **kw) * 1.1)
    smooth = losses.smooth_l1_loss
    monkeypatch.setattr(losses, "smooth_l1_loss", lambda x, y, **kw: smooth(x.detach(), y, **kw))
    monkeypatch.setattr(losses, "multi_margin_loss", lambda *a, **kw: torch.zeros(()))

    class Wrong(layers.GroupNorm):
        def forward(self, input: Tensor) -> Tensor:
            return super().forward(input) * 1.1

    monkeypatch.setattr(layers, "GroupNorm", Wrong)
    _, unstated, _ = databases.run(torch.float32, derivatives=False)
    wrong = {" ".join(line.split()[:2]).rstrip(",") for line in unstated}
    layer = {"op group_norm", "module GroupNorm"}
    assert wrong >= layer | {f"op {name}_loss" for name in ("huber", "smooth_l1", "multi_margin")}
    assert any("error" in line and line.endswith("took it") for line in unstated)
