"""Evaluation: every example once, whatever the batches; accuracy; one mistake at a time."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from course_utils import losses
from course_utils.training import accuracy, evaluate, evaluation
from tests.mutants import mistakes
from tests.training.runs import examples, net


def check_evaluate(evaluate: Callable[..., tuple[float, float]]) -> None:
    """Every example counts the same, the mode is eval, and each module's own mode is put back."""
    x, y = examples()
    model: Any = net(dropout=0.5)
    model[3].eval()
    with torch.no_grad():
        expected = float(F.cross_entropy(net()(x), y)), float((net()(x).argmax(1) == y).double().mean())
    for given in ((x, y), DataLoader(TensorDataset(x, y), batch_size=16)):
        got = evaluate(model, given, loss=losses.cross_entropy, metric=accuracy, batch_size=16)
        assert math.isclose(got[0], expected[0], rel_tol=1e-12)
        assert math.isclose(got[1], expected[1], rel_tol=1e-7)
    assert [module.training for module in model] == [True, True, True, False, True]
    model[3].train()
    assert evaluate(model, (x, y), loss=losses.cross_entropy)[0] == pytest.approx(expected[0], rel=1e-12)
    assert model[3].training
    assert math.isnan(evaluate(model, (x, y), loss=losses.cross_entropy)[1])


def test_evaluate() -> None:
    check_evaluate(evaluate)


Z, T = torch.tensor([2.0, -1.0, 3.0]), torch.tensor([1, 0, 1])
IGNORED = torch.tensor([0, 0, 0, 0, 1, 1, -100, -100])
WEIGHT = torch.tensor([1.0, 9.0, 1.0], dtype=torch.float64)


def f1(prediction: Tensor, target: Tensor) -> float:
    """A metric that is no mean over examples."""
    said, is_so = prediction.argmax(1) == 1, target == 1
    return float(2 * (said & is_so).sum() / (said.sum() + is_so.sum()))


SCORES: dict[str, Callable[[Tensor, Tensor], Any]] = {
    "plain": lambda p, t: F.cross_entropy(p, t.clamp(min=0)),
    "ignored": losses.cross_entropy,
    "weights": partial(losses.cross_entropy, weight=WEIGHT),
    "weights-unseen": lambda p, t: F.cross_entropy(p, t, weight=WEIGHT),
    "module": nn.CrossEntropyLoss(weight=WEIGHT),
    "sum": partial(losses.cross_entropy, reduction="sum"),
    "f1": f1,
    "accuracy": accuracy,
}


def check_batches_change_nothing(evaluate: Callable[..., tuple[float, float]]) -> None:
    torch.manual_seed(0)
    x, model = torch.randn(8, 3, dtype=torch.float64), nn.Linear(3, 3).double()
    uneven = [(x[:1], IGNORED[:1]), (x[1:6], IGNORED[1:6]), (x[6:], IGNORED[6:])]
    for name, score in SCORES.items():
        expected = float(score(model(x).detach(), IGNORED))
        ways = [
            evaluate(model, (x, IGNORED), loss=score, metric=score, batch_size=size) for size in (8, 5, 4, 1)
        ]
        ways += [
            evaluate(model, TensorDataset(x, IGNORED), loss=score, metric=score, batch_size=3),
            evaluate(model, uneven, loss=score, metric=score),
        ]
        assert ways == [pytest.approx((expected, expected), rel=1e-12)] * len(ways), name


def test_batches_change_nothing() -> None:
    check_batches_change_nothing(evaluate)


def check_a_loader_may_refill(evaluate: Callable[..., tuple[float, float]]) -> None:
    x, y = examples()
    buffers = torch.empty(10, 6, dtype=torch.float64), torch.empty(10, dtype=torch.int64)

    class Refills:
        def __iter__(self) -> Any:
            for start in range(0, 50, 10):
                buffers[0].copy_(x[start : start + 10])
                buffers[1].copy_(y[start : start + 10])
                yield buffers

    expected = evaluate(net(), (x, y), loss=losses.cross_entropy)[0], math.nan
    found = evaluate(net(), Refills(), loss=losses.cross_entropy)
    assert found == pytest.approx(expected, rel=1e-12, nan_ok=True)


def test_a_loader_may_fill_the_same_tensors_again() -> None:
    check_a_loader_may_refill(evaluate)


def test_many_predictions_are_taken_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory stays bounded; a plain mean is the same mean, weighted by its targets."""
    x, y = examples()
    whole = evaluate(net(), (x, y), loss=losses.cross_entropy, batch_size=7)[0]
    monkeypatch.setattr(evaluation.Pool, "LIMIT", 20)
    held: list[int] = []

    def loss(prediction: Tensor, target: Tensor) -> Tensor:
        held.append(len(target))
        return losses.cross_entropy(prediction, target)

    assert evaluate(net(), (x, y), loss=loss, batch_size=7)[0] == pytest.approx(whole, rel=1e-12)
    assert held == [14, 14, 14, 8]


@dataclass
class Output:
    scores: Tensor


class Extra(nn.Module):
    """Predictions that are more than tensors with a row for each example."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind

    def forward(self, x: Tensor) -> Any:
        return {"object": Output(x), "number": (x, x.sum()), "float": [x, float(x.sum())], "none": (x, None)}[
            self.kind
        ]


@pytest.mark.parametrize(("kind", "scores"), [
    ("object", lambda p: p.scores), ("number", lambda p: p[0]), ("float", lambda p: p[0]),
    ("none", lambda p: p[0]),
])  # fmt: skip
def test_predictions_that_cannot_be_joined_are_judged_batch_by_batch(kind: str, scores: Any) -> None:
    x, y = torch.randn(10, 2), torch.arange(10) % 2
    rows: list[int] = []

    def loss(prediction: Any, target: Tensor) -> Tensor:
        rows.append(len(target))
        assert len(scores(prediction)) == len(target)
        return F.cross_entropy(scores(prediction), target)

    value = evaluate(Extra(kind), (x, y), loss=loss, batch_size=4)[0]
    assert value == pytest.approx(float(F.cross_entropy(x, y)), rel=1e-6)
    assert rows == ([10] if kind == "none" else [4, 4, 2])


def test_values_of_a_pool_are_exactly_those_of_its_function() -> None:
    pool = evaluation.Pool(lambda prediction, target: 0.1, None)
    for _ in range(3):
        pool.add(torch.zeros(1, 1), torch.zeros(1))
    value, nothing = pool.values("an example")
    assert value == 0.1
    assert math.isnan(nothing)
    with pytest.raises(ValueError, match="need an example; pass a list or loader, not a spent generator"):
        pool.values("an example")


def test_accuracy_of_one_run_and_of_several() -> None:
    scores = torch.tensor([[0.1, 0.9], [0.8, 0.2], [0.3, 0.7], [0.6, 0.4]])
    target = torch.tensor([1, 0, 0, 0])
    assert accuracy(scores, target).item() == 0.75
    assert accuracy(scores, target.to(torch.uint8)).item() == 0.75
    assert accuracy(torch.stack([scores, -scores]), torch.stack([target, target])).tolist() == [0.75, 0.25]
    ignored = torch.tensor([1, -100, 0, -100])
    assert accuracy(scores, ignored).item() == 0.5
    assert math.isnan(accuracy(scores, torch.full((4,), -100)).item())
    assert accuracy(scores.double(), target).dtype == torch.get_default_dtype()


REFUSED = [
    (Z, T, "need scores (N, C) and classes (N,), or (S, N, C) and (S, N), got prediction=(3,), target=(3,)"),
    (
        Z[:, None],
        T,
        "need scores of at least two classes, got prediction=(3, 1), target=(3,); with one logit",
    ),
    (Z[:, None], T[:, None], "got prediction=(3, 1), target=(3, 1)"),
    (torch.eye(3), torch.eye(3), "got prediction=(3, 3), target=(3, 3)"),
    (
        torch.eye(3),
        torch.ones(3),
        "need whole numbers as targets, got dtype=torch.float32; take target.argmax",
    ),
    (torch.zeros(3, 3, 3, 3), torch.zeros(3, 3, 3, dtype=torch.long), "flatten all other dimensions"),
    (torch.zeros(4, 2), torch.zeros(3, dtype=torch.long), "got prediction=(4, 2), target=(3,)"),
    (torch.zeros(4, 2), torch.zeros(1, dtype=torch.long), "got prediction=(4, 2), target=(1,)"),
    (torch.zeros(2, 2), torch.tensor([1, 2]), "target <= 1, got smallest=1, largest=2; count classes from 0"),
]


@pytest.mark.parametrize(("prediction", "target", "message"), REFUSED, ids=range(len(REFUSED)))
def test_accuracy_refuses_what_it_would_count_wrongly(
    prediction: Tensor, target: Tensor, message: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        accuracy(prediction, target)


def test_evaluate_says_what_it_needs() -> None:
    pair = examples()
    for change, message in (
        ({"loss": nn.CrossEntropyLoss}, "need loss made from its class"),
        ({"loss": "mse"}, "need a function as loss, got loss='mse'"),
        ({"metric": 3}, "need a function as metric, got metric=3"),
        ({"loss": partial(losses.cross_entropy, reduction="none")}, "got value=(50,); take the mean"),
        ({"metric": lambda p, t: {"f1": 0.3}}, "need one number of a loss and of a metric"),
        ({"batch_size": 0}, "need a whole number batch_size >= 1, got batch_size=0"),
        ({"batch_size": 2.0}, "need a whole number batch_size >= 1"),
        ({"examples": []}, "need an example to evaluate on"),
        (
            {"examples": [{"x": pair[0]}]},
            "need batches (inputs, targets) from examples, got batch=\"dict with 'x'",
        ),
    ):
        how: dict[str, Any] = {"examples": pair, "loss": losses.cross_entropy} | change
        with pytest.raises(ValueError, match=re.escape(message)):
            evaluate(net(), how.pop("examples"), **how)
    assert evaluate(net(), pair, loss=losses.cross_entropy, batch_size=np.int64(7))[0] > 0


MUTANTS = [
    pytest.param("if self.held and (forms != self.forms or self.numbers > self.LIMIT):", "if self.held:",
                 check_batches_change_nothing, id="a-mean-of-means"),
    pytest.param("    with evaluating(model):\n", "    if True:\n", check_evaluate, id="eval-mode-forgotten"),
    pytest.param("on_tensors(Tensor.clone, target)", "target", check_a_loader_may_refill,
                 id="targets-not-copied"),
]  # fmt: skip


test_mistakes_are_caught = mistakes("course_utils.training.evaluation", MUTANTS, of="evaluate")
