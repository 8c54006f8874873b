"""Modes: what somebody has frozen stays frozen while the rest trains, and after evaluations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from course_utils import losses
from course_utils.layers import BatchNorm1d
from course_utils.optimizers import SGD
from course_utils.training import evaluate, fit, loop, modes
from tests.mutants import mistakes


def net(norm: type[nn.Module] = nn.BatchNorm1d) -> nn.Sequential:
    torch.manual_seed(0)
    backbone = nn.Sequential(nn.Linear(3, 4), norm(4), nn.Dropout(0.5))
    return nn.Sequential(backbone, nn.Linear(4, 4), norm(4), nn.Linear(4, 2))


def data() -> tuple[Tensor, Tensor]:
    draw = torch.Generator().manual_seed(0)
    return torch.randn(16, 3, generator=draw) + 3, torch.randint(0, 2, (16,), generator=draw)


def trained(fit: Callable[..., Any], model: nn.Module, **how: Any) -> dict[str, Tensor]:
    """The statistics that one run changes, by their layer."""
    before = {name: buffer.clone() for name, buffer in model.named_buffers() if name.endswith("mean")}
    rest = [p for p in model.parameters() if p.requires_grad]
    fit(model, data(), data(), optimizer=SGD(rest, lr=0.1), loss=losses.cross_entropy, epochs=2, **how)
    after = dict(model.named_buffers())
    return {
        name.partition(".running")[0]: after[name] for name in before if not before[name].equal(after[name])
    }


def check_frozen_parts_stay(fit: Callable[..., Any]) -> None:
    for norm in (nn.BatchNorm1d, BatchNorm1d):
        model = net(norm)
        model[2].eval()
        assert trained(fit, model).keys() == {"0.1"}
        model = net(norm)
        model[0].eval().requires_grad_(False)
        for _ in range(2):
            # After the first run the whole model is in eval mode; what trains nothing stays there.
            assert trained(fit, model).keys() == {"2"}
            assert not any(module.training for module in model.modules())


def check_a_model_in_eval_mode_is_trained(fit: Callable[..., Any]) -> None:
    """As a pretrained one comes, or one that fit() has left."""
    for _ in range(2):
        assert trained(fit, net().eval()).keys() == {"0.1", "2"}
    # Frozen weights alone do not freeze statistics: PyTorch asks for both.
    model = net()
    model[2].requires_grad_(False)
    assert trained(fit, model).keys() == {"0.1", "2"}


CHECKS = [check_frozen_parts_stay, check_a_model_in_eval_mode_is_trained]


@pytest.mark.parametrize("check", CHECKS)
def test_modes(check: Callable[..., None]) -> None:
    check(fit)


def in_fit(check: Callable[..., None]) -> Callable[[Any], None]:
    def run(changed: Any) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(loop, "frozen_parts", changed.frozen_parts)
            patch.setattr(loop, "set_training", changed.set_training)
            check(fit)

    return run


MUTANTS = [
    pytest.param("        module.training = False\n", "        pass\n", in_fit(check_frozen_parts_stay),
                 id="all-in-train-mode"),
    pytest.param("return [module for module in model.modules() if not module.training]", "return []",
                 in_fit(check_frozen_parts_stay), id="train-mode-overlooked"),
    pytest.param("if parameters and not any(p.requires_grad for p in parameters)", "if False",
                 in_fit(check_frozen_parts_stay), id="forgotten-in-the-second-run"),
    pytest.param("    if model.training:\n", "    if True:\n", in_fit(check_a_model_in_eval_mode_is_trained),
                 id="a-model-in-eval-mode-never-trained"),
]  # fmt: skip


test_mistakes_are_caught = mistakes("course_utils.training.modes", MUTANTS)


def test_every_mode_comes_back_after_an_evaluation_that_fails() -> None:
    model = net()
    model[2].eval()
    before = [module.training for module in model.modules()]
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        evaluate(model, (torch.zeros(2, 5), torch.zeros(2, dtype=torch.long)), loss=losses.cross_entropy)
    assert [module.training for module in model.modules()] == before


def test_a_models_own_train_has_its_way() -> None:
    """The usual way to freeze batch norm for good: an override of train()."""

    class Frozen(nn.Sequential):
        def train(self, mode: bool = True) -> Frozen:
            super().train(mode)
            self[1].eval()
            return self

    model = Frozen(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
    assert modes.frozen_parts(model.eval()) == []
    assert trained(fit, model) == {}
