"""One step: gradients of groups, clipping, sixteen bits, divergence; rates; with one mistake at a time."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_utils import losses
from course_utils.optimizers import SAM, SGD, Adam, FlatParameters
from course_utils.regularizers import l2_penalty
from course_utils.training import TrainingDiverged, fit, loop, stepping
from course_utils.training.history import History
from tests.mutants import mistakes
from tests.training.runs import N, close, examples, net, same
from tests.training.test_loop import check_sam, parity


def check_half_precision_clips_true_gradients(fit: Callable[..., History]) -> None:
    """With scaled losses the clipped gradient is still the true one cut to the norm asked for."""
    torch.manual_seed(0)
    model = nn.Linear(6, 2)
    before = [p.detach().clone() for p in model.parameters()]
    x, y = examples(16, dtype=torch.float32)
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    fit(model, (x, y), optimizer=optimizer, loss=losses.cross_entropy, epochs=1, batch_size=16,
        clip_norm=0.01, precision="fp16")  # fmt: skip
    moved = torch.sqrt(sum((p - q).square().sum() for p, q in zip(model.parameters(), before, strict=True)))
    assert moved.item() == pytest.approx(0.01, abs=1e-4)


def check_the_weights_before_the_bad_step_stay(fit: Callable[..., History]) -> None:
    model, calls = net(), []

    def breaks(prediction: Tensor, target: Tensor) -> Tensor:
        calls.append([p.detach().clone() for p in model.parameters()])
        value = F.cross_entropy(prediction, target)
        return value * math.nan if len(calls) == 6 else value  # one more call ends an epoch

    optimizer = Adam(model.parameters(), lr=0.1)
    with pytest.raises(TrainingDiverged, match=r"is nan at step 4, with lr=0\.1; .*else lower the rate"):
        fit(model, examples(), optimizer=optimizer, loss=breaks, epochs=3, batch_size=16)
    assert same(calls[-1], list(model.parameters()))
    assert len(calls) == 6


# Batches of a step count as one batch


WEIGHT = torch.tensor([1.0, 9.0, 0.5], dtype=torch.float64)
# Not one half ignores as many targets as the other, or holds the same classes.
TARGETS = torch.tensor([0, 1, 2, 0, -100, -100, -100, 1, 1, 1, 2, -100])
LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "mean": lambda p, t: losses.cross_entropy(p, t.clamp(min=0)),
    "ignored": losses.cross_entropy,
    "ignored-of-torch": F.cross_entropy,
    "weights": partial(losses.cross_entropy, weight=WEIGHT),
    "weights-unseen": lambda p, t: F.cross_entropy(p, t, weight=WEIGHT, label_smoothing=0.1),
    "module": nn.CrossEntropyLoss(weight=WEIGHT),
    "another-index": lambda p, t: F.cross_entropy(p, t.clamp(min=0), ignore_index=0),
    "focal": losses.focal_loss,
    "sum": partial(losses.cross_entropy, reduction="sum"),
}


def one_step(
    fit: Callable[..., History], loss: Callable[..., Tensor], sizes: list[int], **options: Any
) -> tuple[Tensor, float]:
    """What one step with these batches makes of the weights, and the loss in the history."""
    torch.manual_seed(0)
    x = torch.randn(12, 3, dtype=torch.float64)
    model = nn.Linear(3, 3).double()
    batches = list(zip(x.split(sizes), TARGETS.split(sizes), strict=True))
    history = fit(model, batches, optimizer=SGD(model.parameters(), lr=0.1), loss=loss, epochs=1,
                  accumulate=len(sizes), **options)  # fmt: skip
    return torch.cat([p.detach().flatten() for p in model.parameters()]), history.rows[0]["train_loss"]


def check_a_group_is_one_batch(fit: Callable[..., History]) -> None:
    for name, loss in LOSSES.items():
        whole, value = one_step(fit, loss, [12])
        for sizes in ([6, 6], [4, 3, 5], [5, 2, 5], [1] * 12):
            weights, measured = one_step(fit, loss, sizes)
            torch.testing.assert_close(weights, whole, rtol=0, atol=1e-13, msg=f"{name} {sizes}")
            assert measured == pytest.approx(value, rel=1e-12), name


def check_a_penalty_counts_once(fit: Callable[..., History]) -> None:
    options = {"penalty": lambda model: 0.3 * l2_penalty(model), "clip_norm": 0.2}
    whole, value = one_step(fit, losses.cross_entropy, [12], **options)
    parts, measured = one_step(fit, losses.cross_entropy, [5, 2, 5], **options)
    torch.testing.assert_close(parts, whole, rtol=0, atol=1e-13)
    assert measured == pytest.approx(value, rel=1e-12)


CHECKS = [
    check_half_precision_clips_true_gradients,
    check_the_weights_before_the_bad_step_stay,
    check_a_group_is_one_batch,
    check_a_penalty_counts_once,
]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__.removeprefix("check_"))
def test_step(check: Callable[..., None]) -> None:
    check(fit)


def test_the_history_weighs_steps_by_what_counts_in_them() -> None:
    """With a rate of 0 the loss of an epoch is the loss of all its examples, however they are batched."""
    torch.manual_seed(0)
    x, model = torch.randn(12, 3, dtype=torch.float64), nn.Linear(3, 3).double()
    for loss in (losses.cross_entropy, LOSSES["weights-unseen"]):
        expected = float(loss(model(x), TARGETS).detach())
        for sizes in ([4, 8], [6, 6], [5, 3, 4]):
            batches = list(zip(x.split(sizes), TARGETS.split(sizes), strict=True))
            history = fit(
                model, batches, batches, optimizer=SGD(model.parameters(), lr=0.0), loss=loss, epochs=1
            )
            assert history.rows[0]["train_loss"] == pytest.approx(expected, rel=1e-12)
            assert history.rows[0]["validation_loss"] == pytest.approx(expected, rel=1e-12)


class TwoHeads(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.one, self.other = nn.Linear(3, 2), nn.Linear(2, 2)

    def forward(self, inputs: tuple[Tensor, dict[str, Tensor]]) -> dict[str, Any]:
        x, more = inputs
        return {"scores": self.one(x), "more": (self.other(more["z"]),), "rows": torch.arange(len(x))}


def test_inputs_targets_and_predictions_may_be_tuples_and_dicts() -> None:
    torch.manual_seed(0)
    x, z, y = torch.randn(7, 3), torch.randn(7, 2), {"y": torch.randint(2, (7,)), "v": torch.randn(7, 2)}

    def loss(prediction: dict[str, Any], target: dict[str, Tensor]) -> Tensor:
        (more,) = prediction["more"]
        assert {prediction["scores"].dtype, more.dtype} == {torch.float32}
        assert prediction["rows"].dtype == torch.int64
        return F.cross_entropy(prediction["scores"], target["y"]) + F.mse_loss(more, target["v"])

    def batches(*sizes: int) -> list[Any]:
        rows = list(torch.arange(7).split(sizes))
        return [((x[i], {"z": z[i]}), {name: part[i] for name, part in y.items()}) for i in rows]

    runs = []
    for precision in ("fp32", "bf16"):
        for sizes in ([7], [3, 4]):
            torch.manual_seed(1)
            model = TwoHeads()
            history = fit(model, batches(*sizes), batches(3, 4), optimizer=SGD(model.parameters(), lr=0.1),
                          loss=loss, epochs=2, accumulate=len(sizes), precision=precision)  # fmt: skip
            runs.append((list(model.parameters()), history.rows[-1]["validation_loss"]))
        for p, q in zip(runs[-2][0], runs[-1][0], strict=True):
            torch.testing.assert_close(p, q, rtol=0, atol=1e-6 if precision == "fp32" else 1e-2)


def test_batches_of_different_shapes_train_alone_and_are_refused_as_a_group() -> None:
    """Sequences of several lengths: the loss of the epoch is put together by positions."""
    torch.manual_seed(0)
    model = nn.Linear(4, 3)
    lengths = (2, 5)
    batches = [(torch.randn(6, n, 4), torch.randint(3, (6, n))) for n in lengths]

    def loss(prediction: Tensor, target: Tensor) -> Tensor:
        return F.cross_entropy(prediction.flatten(0, 1), target.flatten())

    common: dict[str, Any] = {"optimizer": SGD(model.parameters(), lr=0.0), "loss": loss, "epochs": 1}
    history = fit(model, batches, **common)
    values = [float(loss(model(x), y).detach()) * 6 * n for (x, y), n in zip(batches, lengths, strict=True)]
    assert history.rows[0]["train_loss"] == pytest.approx(sum(values) / 42, rel=1e-6)
    with pytest.raises(ValueError, match="need targets of one shape in the batches of a step, got shapes="):
        fit(model, batches, accumulate=2, **common)
    pooled = [(x, y[:, 0]) for x, y in batches]
    common["loss"] = lambda prediction, target: F.cross_entropy(prediction[:, 0], target)
    with pytest.raises(
        ValueError, match="need predictions of one shape in the batches of a step, got shapes="
    ):
        fit(model, pooled, accumulate=2, **common)


def test_a_prediction_without_rows_is_refused_as_part_of_a_group() -> None:
    class Single(nn.Linear):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x).mean()

    model, batches = Single(3, 1), [(torch.randn(4, 3), torch.randn(4))] * 2
    with pytest.raises(ValueError, match=r"need predictions of examples to accumulate, got shape=\(\)"):
        fit(model, batches, optimizer=SGD(model.parameters(), lr=0.1), loss=lambda p, t: (p - t.mean()) ** 2,
            epochs=1, accumulate=2)  # fmt: skip


def test_a_prediction_with_a_number_in_it_is_refused_as_part_of_a_group() -> None:
    class Both(nn.Linear):
        def forward(self, x: Tensor) -> Any:
            return super().forward(x), 0.1

    model, batches = Both(3, 2), [(torch.randn(4, 3), torch.tensor([0, 1, 1, 0]))] * 2
    common: dict[str, Any] = {"optimizer": SGD(model.parameters(), lr=0.1), "epochs": 1}
    common["loss"] = lambda prediction, target: F.cross_entropy(prediction[0], target) + prediction[1]
    assert len(fit(model, batches, **common).rows) == 1
    with pytest.raises(ValueError, match=r"predictions of one shape .* give tensors with a row for each"):
        fit(model, batches, accumulate=2, **common)


def test_a_batch_in_which_no_target_counts_is_named_as_such() -> None:
    x = torch.randn(4, 3)
    for batches in ([(x, torch.tensor([0, 1, 2, 0])), (x, torch.full((4,), -100))],):
        model = nn.Linear(3, 3)
        common: dict[str, Any] = {"optimizer": SGD(model.parameters(), lr=1e-6), "epochs": 1}
        with pytest.raises(TrainingDiverged, match=r"of finite predictions is nan at step 1, .*all ignored"):
            fit(model, batches, loss=losses.cross_entropy, **common)
        assert math.isfinite(
            fit(model, batches, loss=losses.cross_entropy, accumulate=2, **common).rows[0]["train_loss"]
        )


# One mistake at a time


def in_fit(check: Callable[..., None]) -> Callable[[Any], None]:
    """The check of fit() whose steps are those of the changed module."""

    def run(changed: Any) -> None:
        changed.TrainingDiverged = TrainingDiverged
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(loop, "TrainingStep", changed.TrainingStep)
            check(fit)

    return run


MUTANTS = [
    pytest.param("        self.optimizer.zero_grad()\n", "", in_fit(parity("plain")), id="no-zero-grad"),
    pytest.param("value = self.loss(_joined(predictions, \"predictions\"), target)",
                 "value = self.loss(prediction, batches[k][1]) * (counts[k] / sum(counts))",
                 in_fit(check_a_group_is_one_batch), id="a-mean-of-means"),
    pytest.param("            predictions[k] = on_tensors(Tensor.detach, prediction)\n", "",
                 in_fit(parity("everything")), id="backward-twice-through-one-graph"),
    pytest.param("schedule(step)] * len(groups)", "schedule(step + 1)] * len(groups)",
                 in_fit(parity("schedule")), id="schedule-off-by-one"),
    pytest.param("* (counts[k] / sum(counts))", "* 1.0", in_fit(check_a_penalty_counts_once),
                 id="penalty-once-per-batch"),
    pytest.param("term = value + share", "pass", in_fit(parity("penalty")), id="no-penalty"),
    pytest.param("clip_grad_norm_(self._parameters, self.clip_norm)",
                 "clip_grad_norm_(self._parameters[:1], self.clip_norm)", in_fit(parity("clip")),
                 id="clips-one-parameter"),
    pytest.param("            self.scaler.unscale_(self.optimizer)\n", "            pass\n",
                 in_fit(check_half_precision_clips_true_gradients), id="clip-before-unscale"),
    pytest.param("self.ema.update(self.model)", "pass", in_fit(parity("ema")), id="no-ema"),
    pytest.param("self._seen.add(*evaluations[0])", "self._seen.add(*evaluations[-1])", in_fit(check_sam),
                 id="sam-reports-the-climbed-loss"),
    pytest.param('        self._require_finite("the loss", objective, prediction)\n', "",
                 in_fit(check_the_weights_before_the_bad_step_stay), id="steps-on-nan"),
]  # fmt: skip


# RuntimeError: autograd's own, of a graph that is gone.
test_mistakes_are_caught = mistakes("course_utils.training.stepping", MUTANTS, also=(RuntimeError,))


# What it works with


@pytest.mark.parametrize("make", [torch.optim.SGD, SGD], ids=["torch", "ours"])
@pytest.mark.parametrize("cleared", ["none", "zero"])
def test_flat_parameters_train_as_the_plain_ones(make: Any, cleared: str) -> None:
    plain, flat = net(), net()
    if cleared == "zero":
        for p in flat.parameters():
            p.grad = torch.full_like(p, 9.0)  # left by somebody: it must not count
    common = {"loss": losses.cross_entropy, "epochs": 3, "batch_size": 16, "clip_norm": 0.3, "accumulate": 2}
    fit(plain, examples(), optimizer=make(plain.parameters(), lr=0.1, momentum=0.9), **common)
    fit(flat, examples(), optimizer=make(FlatParameters(flat).parameters(), lr=0.1, momentum=0.9), **common)
    close(flat, plain)


def test_gradients_outside_the_optimizer_do_not_count_in_the_norm() -> None:
    """Half the model is not trained, but has gradients; they are neither cleared nor part of the clipping."""
    trained, x = net(), examples()[0]
    head = list(trained[4].parameters())
    fit(trained, examples(), optimizer=SGD(head, lr=0.1), loss=losses.cross_entropy, epochs=2, batch_size=N,
        clip_norm=0.05)  # fmt: skip
    by_hand = net()
    for _ in range(2):
        g = torch.autograd.grad(F.cross_entropy(by_hand(x), examples()[1]), list(by_hand[4].parameters()))
        norm = torch.sqrt(sum(h.square().sum() for h in g))
        with torch.no_grad():
            for p, h in zip(by_hand[4].parameters(), g, strict=True):
                p -= 0.1 * h * (0.05 / (norm + 1e-6)).clamp(max=1)
    close(trained, by_hand)


def test_an_optimizer_that_calls_the_closure_often_works_with_a_penalty() -> None:
    model, calls = net(), []

    def penalty(model: nn.Module) -> Tensor:
        calls.append(1)
        return 1e-2 * l2_penalty(model)

    optimizer = torch.optim.LBFGS(model.parameters(), max_iter=20, line_search_fn="strong_wolfe")
    history = fit(model, examples(), optimizer=optimizer, loss=losses.cross_entropy, epochs=3, batch_size=N,
                  penalty=penalty)  # fmt: skip
    assert len(calls) > 10
    assert history.rows[-1]["train_loss"] < 0.8 * history.rows[0]["train_loss"]


@pytest.mark.parametrize(("precision", "inside"), [("bf16", torch.bfloat16), ("fp16", torch.float16)])
def test_losses_get_float32_where_the_model_computes_in_sixteen_bits(
    precision: str, inside: torch.dtype
) -> None:
    seen: dict[str, set[torch.dtype]] = {"train": set(), "validation": set(), "loss": set()}

    class Spy(nn.Linear):
        def forward(self, x: Tensor) -> Tensor:
            y = super().forward(x)
            seen["train" if self.training else "validation"].add(y.dtype)
            return y

    def loss(prediction: Tensor, target: Tensor) -> Tensor:
        assert not torch.is_autocast_enabled("cpu")
        seen["loss"].add(prediction.dtype)
        return losses.cross_entropy(prediction, target)

    torch.manual_seed(0)
    model, data = Spy(6, 2), examples(dtype=torch.float32)
    history = fit(model, data, data, optimizer=SGD(model.parameters(), lr=0.5), loss=loss, epochs=5,
                  precision=precision)  # fmt: skip
    assert seen == {"train": {inside}, "validation": {torch.float32}, "loss": {torch.float32}}
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    assert history.rows[-1]["validation_loss"] < 0.8 * history.rows[0]["train_loss"]


@pytest.mark.filterwarnings("ignore:validation value is NaN")
def test_a_gradient_that_is_nan_is_reported_before_the_checkpoint_is_written(tmp_path: Path) -> None:
    """sqrt at 0 has a finite value and an infinite gradient, times 0 it is NaN."""

    def loss(prediction: Tensor, target: Tensor) -> Tensor:
        return F.cross_entropy(prediction, target) + (prediction * 0).abs().sqrt().sum()

    model, path = net(), tmp_path / "run.pt"
    common: dict[str, Any] = {"loss": loss, "epochs": 1, "batch_size": N, "checkpoint": path}
    with pytest.raises(TrainingDiverged, match="a sum of weights is nan at step 1"):
        fit(model, examples(), optimizer=SGD(model.parameters(), lr=0.1), **common)
    kept = torch.load(path, weights_only=True)["model"]
    assert all(bool(p.isfinite().all()) for p in kept.values())

    model = net()
    with pytest.raises(TrainingDiverged, match="the norm of the gradient is nan at step 0"):
        fit(model, examples(), optimizer=SGD(model.parameters(), lr=0.1), clip_norm=1.0, **common)

    torch.manual_seed(0)
    single = nn.Linear(6, 2)
    before = [p.detach().clone() for p in single.parameters()]
    common |= {"epochs": 100, "checkpoint": None}
    with pytest.raises(TrainingDiverged, match="a gradient, whatever its scale, is nan at step 40"):
        fit(single, examples(dtype=torch.float32), optimizer=SGD(single.parameters(), lr=0.1),
            precision="fp16", **common)  # fmt: skip
    assert same(before, list(single.parameters()))


def test_sam_goes_back_when_the_second_gradient_cannot_be_had() -> None:
    model, calls = net(), []

    def breaks(prediction: Tensor, target: Tensor) -> Tensor:
        calls.append(1)
        return F.cross_entropy(prediction, target) * (math.inf if len(calls) == 2 else 1)

    before = [p.detach().clone() for p in model.parameters()]
    with pytest.raises(TrainingDiverged, match="the loss is inf at step 0"):
        fit(model, examples(), optimizer=SAM(model.parameters(), SGD, lr=0.1), loss=breaks, epochs=1)
    assert same(before, list(model.parameters()))


def two_groups() -> SGD:
    model = net()
    return SGD([{"params": model[0].parameters(), "lr": 0.5}, {"params": model[4].parameters()}], lr=0.1)


def test_a_schedule_holds_during_a_step_and_leaves_nothing_behind() -> None:
    optimizer = two_groups()
    before = [{k: v for k, v in group.items() if k != "params"} for group in optimizer.param_groups]
    for schedule, expected in (
        (lambda step: 1 / step, [0.25, 0.05]),
        ([lambda step: 1 / step, lambda step: 0.0], [0.25, 0.0]),
        (None, [0.5, 0.1]),
    ):
        inside: list[float] = []
        with contextlib.suppress(KeyError), stepping.scheduled_lr(optimizer, schedule, 2):
            inside = [group["lr"] for group in optimizer.param_groups]
            raise KeyError
        assert inside == expected
        assert [{k: v for k, v in g.items() if k != "params"} for g in optimizer.param_groups] == before


def test_a_run_after_one_whose_rate_fell_to_zero_has_its_own_rate() -> None:
    """Neither the last rate of the run before nor the first one that it saw."""
    model = net()
    optimizer = SGD(model.parameters(), lr=0.1)
    common: dict[str, Any] = {
        "optimizer": optimizer,
        "loss": losses.cross_entropy,
        "epochs": 1,
        "batch_size": N,
    }
    first = fit(model, examples(), schedule=lambda step: 0.0, **common)
    assert (first.rows[0]["lr"], optimizer.param_groups[0]["lr"]) == (0.0, 0.1)
    assert fit(model, examples(), **common).rows[0]["lr"] == 0.1
    optimizer.param_groups[0]["lr"] = 0.04
    assert fit(model, examples(), schedule=lambda step: 0.5, **common).rows[0]["lr"] == 0.02
