"""What fit() refuses, and in which words."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from course_utils import losses, schedules
from course_utils.averaging import ExponentialMovingAverage
from course_utils.early_stopping import EarlyStopping
from course_utils.optimizers import SAM, SGD
from course_utils.training import fit
from tests.training.runs import examples, net, same


def refused(**change: Any) -> Callable[[], object]:
    model = net()
    how = {"train": examples(), "optimizer": SGD(model.parameters(), lr=0.1), "loss": losses.cross_entropy,
           "epochs": 1} | change  # fmt: skip
    return lambda: fit(model, how.pop("train"), how.pop("validation", None), **how)


def stopped() -> EarlyStopping:
    stopper = EarlyStopping(1)
    stopper.stopped = True
    return stopper


BAD = [
    (refused(epochs=0), "need a whole number epochs >= 1, got epochs=0"),
    (refused(epochs=2.5), "need a whole number epochs >= 1"),
    (refused(epochs=True), "need a whole number epochs >= 1, got epochs=True"),
    (refused(epochs="3"), "need a whole number epochs >= 1, got epochs='3'"),
    (refused(accumulate=0), "need a whole number accumulate >= 1"),
    (refused(batch_size=0), "need a whole number batch_size >= 1"),
    (refused(clip_norm=0.0), "need clip_norm > 0, got clip_norm=0.0; leave clip_norm out"),
    (refused(clip_norm=math.nan), "need clip_norm > 0"),
    (refused(clip_norm="1"), "need clip_norm > 0, got clip_norm='1'"),
    (refused(clip_norm=True), "need clip_norm > 0, got clip_norm=True"),
    (refused(loss=nn.CrossEntropyLoss), "need loss made from its class, got loss=<class 'torch.nn.modules"),
    (refused(loss="mse"), "need a function as loss, got loss='mse'"),
    (refused(loss=None), "need a function as loss, got loss=None"),
    (refused(metric="accuracy"), "need a function as metric, got metric='accuracy'"),
    (refused(augment=nn.Identity), "need augment made from its class"),
    (refused(penalty=0.01), "need a function as penalty, got penalty=0.01"),
    (refused(schedule=torch.optim.lr_scheduler.StepLR(SGD(net().parameters(), lr=1.0), 1)),
     "need a function as schedule"),
    (refused(schedule=[schedules.constant()] * 2),
     "need one schedule, or one per parameter group, got schedules=2, groups=1"),
    (refused(schedule=0.5), "need a function as schedule, got schedule=0.5; pass a function of the step"),
    (refused(optimizer=SGD), "need an optimizer made from its class"),
    (refused(optimizer="sgd"), "need an optimizer made from its class, got optimizer='sgd'"),
    (refused(generator=0), "need a torch.Generator as generator, got generator=0; pass torch.Generator()"),
    (refused(ema=0.99), "need an average with update(model) and its net as module, got ema=0.99"),
    (refused(ema=torch.optim.swa_utils.AveragedModel(net())), "need an average with update(model)"),
    (refused(early_stopping=3, validation=examples()), "need an EarlyStopping, got early_stopping=3"),
    (refused(checkpoint=True), "need the path of a file as checkpoint, got checkpoint=True"),
    (refused(checkpoint=Path.cwd()), "need the path of a file as checkpoint"),
    (refused(precision=torch.bfloat16), "need precision to be one of fp32, bf16, fp16, got precision=torch"),
    (refused(validation=0.2), "need inputs and targets in validation, got validation='float'"),
    (refused(train=None), "need inputs and targets in train, got train='NoneType'"),
    (refused(loss=lambda p, t: losses.cross_entropy(p, t, reduction="none")),
     "need a loss that is one number, got shape=(32,); take the mean over the examples"),
    (refused(loss=lambda p, t: losses.cross_entropy(p, t).item()), "need a loss with a gradient, got loss="),
    (refused(loss=lambda p, t: losses.cross_entropy(p, t).detach()), "need a loss with a gradient"),
    (refused(metric=lambda p, t: (p.argmax(1) == t).float(), validation=examples()),
     "need one number of a loss and of a metric, got value=(50,)"),
    (refused(precision="fp8"), "need precision to be one of fp32, bf16, fp16, got precision='fp8'"),
    (refused(resume=True), "need a checkpoint to resume from, got checkpoint=None; pass checkpoint="),
    (refused(early_stopping=EarlyStopping()), "need validation for early stopping"),
    (refused(early_stopping=EarlyStopping(mode="max"), validation=examples()), "need a metric to stop on"),
    (refused(early_stopping=stopped(), validation=examples()), "need an EarlyStopping that has not stopped"),
    (refused(train=(examples()[0], examples()[1][:3])), "as many inputs as targets in train, got x=50, y=3"),
    (refused(validation=(torch.zeros(0, 6), torch.zeros(0))), "targets in validation, got x=0, y=0"),
    (refused(train=[]), "need a training batch; pass a list or loader, not a spent generator"),
    (refused(train=iter([examples()]), epochs=2), "need a training batch; pass a list or loader"),
    (refused(validation=[]), "need an example to evaluate on"),
    (refused(optimizer=SGD(net().parameters(), lr=0.1)), "need an optimizer over this model's parameters"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "message"), BAD, ids=range(len(BAD)))
def test_bad_input_says_what_is_needed(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        call()


def test_nothing_is_changed_by_a_call_that_is_refused(tmp_path: Path) -> None:
    model = net().eval()
    before, optimizer = [p.detach().clone() for p in model.parameters()], SGD(model.parameters(), lr=0.1)
    with pytest.raises(ValueError, match="need tensors in validation"):
        fit(model, examples(), (np.ones(3), np.ones(3)), optimizer=optimizer, loss=losses.cross_entropy,
            epochs=1, checkpoint=tmp_path / "run.pt")  # fmt: skip
    assert same(before, list(model.parameters()))
    assert not model.training
    assert list(tmp_path.iterdir()) == []


def test_a_model_class_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"need a model made from its class, an nn\.Module, got model=<class"
    ):
        fit(
            nn.Linear,
            examples(),
            optimizer=SGD(net().parameters(), lr=0.1),
            loss=losses.cross_entropy,
            epochs=1,
        )


def test_whole_numbers_of_numpy_are_numbers() -> None:
    runs = []
    for kind in (int, np.int64, np.int32):
        model = net()
        history = fit(model, examples(), optimizer=SGD(model.parameters(), lr=0.1), loss=losses.cross_entropy,
                      epochs=kind(2), batch_size=kind(16), accumulate=kind(2), clip_norm=np.float32(1.0),
                      ema=ExponentialMovingAverage(model, 0.9))  # fmt: skip
        runs.append((history.rows, list(model.parameters())))
    assert same(runs[0], runs[1])
    assert same(runs[0], runs[2])


def test_fp16_refuses_optimizers_that_need_a_closure() -> None:
    for make in (lambda p: SAM(p, SGD, lr=0.1), torch.optim.LBFGS):
        model = net()
        with pytest.raises(ValueError, match="need an optimizer that takes one gradient per step for fp16"):
            fit(model, examples(), optimizer=make(model.parameters()), loss=losses.cross_entropy, epochs=1,
                precision="fp16")  # fmt: skip
