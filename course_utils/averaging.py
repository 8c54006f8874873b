"""Averages that forget: of a series of numbers (`ewma`), and of a model's weights (EMA, SWA)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from copy import deepcopy
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset, IterableDataset

from course_utils._checks import require


def ewma(
    values: Tensor | Sequence[float],
    beta: float,
    *,
    bias_correction: bool = True,
    start: Literal["zero", "first"] = "zero",
) -> Tensor:
    """Exponentially weighted moving average of a series, at every step t = 1, 2, ..., T.

        m_t = beta * m_{t-1} + (1 - beta) * x_t

        start="zero"    m_0 = 0;   with bias_correction, m_t / (1 - beta**t) is returned
        start="first"   m_0 = x_1, so that m_1 = x_1

    The weights of x_1 .. x_t add up to 1 - beta**t from zero and to 1 from the first value. Correction
    divides by that sum, so it changes nothing with start="first". Once t is large, half of the weight
    lies on the last log(1/2) / log(beta) values.

    Not computed one step at a time: the window is doubled in each of log2(T) passes, which gives the
    same sums to rounding error and keeps gradients. Half precision is computed in float32. A value that is
    not finite makes every later average not finite.

    Args:
        values: the series x; a sequence of numbers is read as float64.
        beta: in [0, 1); memory of about 1 / (1 - beta) steps.
        bias_correction: divide by the sum of the weights.
        start: what the average was before the first value.
    Shape: values (T,) or (T, ...); the result has the same, averaged along the first dimension.
    Raises: ValueError if `beta` or `start` is out of range, or `values` is a scalar or integer tensor.
    Source: Kingma & Ba (2015), sections 2 and 3. Agrees with: `pandas.Series.ewm(alpha=1 - beta)`, corrected
        with `adjust=True`, from the first value with `adjust=False`.
    """
    x = values if isinstance(values, Tensor) else torch.as_tensor(values, dtype=torch.float64)
    require(0 <= beta < 1, "0 <= beta < 1", beta=beta)
    require(start in ("zero", "first"), 'start="zero" or "first"', start=start)
    require(x.dim() >= 1, "values of shape (T, ...)", shape=tuple(x.shape))
    require(x.is_floating_point(), "values of a floating type", dtype=x.dtype, cure="call values.float()")
    dtype = torch.promote_types(x.dtype, torch.float32)
    m = (1 - beta) * x.to(dtype)
    if start == "first":
        m = torch.cat([x[:1].to(dtype), m[1:]])  # x_1 with weight 1
    window = 1
    while window < len(m):  # m_t holds the last `window` values; add the `window` before them
        m = torch.cat([m[:window], m[window:] + beta**window * m[:-window]])
        window *= 2
    if bias_correction and start == "zero":
        t = torch.arange(1, len(m) + 1, dtype=torch.float64).reshape(-1, *[1] * (m.dim() - 1))
        m = m / (1 - beta**t).to(m)  # the sum in float64: 1 - beta**t loses digits in float32
    return m.to(x.dtype)


class _AveragedModel(nn.Module):
    """A copy of a model whose weights are an average of the ones it is shown; subclasses say which."""

    n_averaged: Tensor

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.module = deepcopy(model)
        self.register_buffer("n_averaged", torch.tensor(0))

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """The averaged model's output, in the mode (train or eval) that the average is in."""
        return self.module(*args, **kwargs)

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Take the weights of `model` into the average and copy its buffers; call after `optimizer.step()`.

        Raises: ValueError if the parameters or buffers of `model` are not shaped like those of the average.
        """
        ours, theirs = list(self.module.parameters()), list(model.parameters())
        our_buffers, their_buffers = list(self.module.buffers()), list(model.buffers())
        require(
            [x.shape for x in ours + our_buffers] == [x.shape for x in theirs + their_buffers],
            "a model with the parameters and buffers of the averaged one",
            model=f"{type(model).__name__} for an average of {type(self.module).__name__}",
            cure="build the average from the model that is trained",
        )
        n = int(self.n_averaged)
        for average, p in zip(ours, theirs, strict=True):
            if n == 0:
                average.copy_(p)
            else:
                self._blend(average, p.detach().to(average), n)
        for buffer, live in zip(our_buffers, their_buffers, strict=True):
            buffer.copy_(live)
        self.n_averaged += 1

    update_parameters = update  # torch's name for it

    def _blend(self, average: Tensor, p: Tensor, n: int) -> None:
        """Move `average`, which holds n >= 1 models, towards the weights p of the next."""
        raise NotImplementedError


class ExponentialMovingAverage(_AveragedModel):
    """Weights averaged with a memory of about 1 / (1 - decay) updates.

        average <- p                                   first update
        average <- decay * average + (1 - decay) * p   every later one: `ewma` with start="first"

    Evaluate with `average(x)` or `average.module`; call `average.eval()` first where the mode matters.
    Buffers (batch-norm statistics) are copied from the model at each update, not averaged, as torch does by
    default: they belong to the live weights, and `update_batch_norm` makes them fit the averaged ones.
    `update_parameters` is torch's name for `update`. `state_dict()` holds the copy and the count, under
    torch's names, but not `decay`, so that a state does not tell which average it is of. In half precision
    small steps are rounded away: average in float32, `ExponentialMovingAverage(model).float()`.

    Args:
        model: the model that is trained; it is copied, never changed.
        decay: in [0, 1).
    Raises: ValueError if `decay` is out of range.
    Source: Polyak & Juditsky (1992) for averaging iterates; Tarvainen & Valpola (2017) for this form.
        Agrees with: `torch.optim.swa_utils.AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(decay))`.
    """

    def __init__(self, model: nn.Module, decay: float = 0.999) -> None:
        require(0 <= decay < 1, "0 <= decay < 1", decay=decay, cure="at 1 the average would never move")
        super().__init__(model)
        self.decay = decay

    def _blend(self, average: Tensor, p: Tensor, n: int) -> None:
        if average.is_floating_point() or average.is_complex():
            average.lerp_(p, 1 - self.decay)
        else:  # lerp has no whole numbers; cut off, as in torch
            average.copy_(self.decay * average + (1 - self.decay) * p)

    def extra_repr(self) -> str:
        return f"decay={self.decay}"


class StochasticWeightAverage(_AveragedModel):
    """The plain mean of all the weights it has been shown.

        average <- average + (p - average) / (n + 1)     n: models averaged so far

    Show it one set of weights per epoch or cycle, late in training, at a rate that still moves the weights;
    then call `update_batch_norm`. Buffers, evaluation and `state_dict` as in `ExponentialMovingAverage`.

    Args:
        model: the model that is trained; it is copied, never changed.
    Source: Izmailov et al. (2018), Algorithm 1. Agrees with: `torch.optim.swa_utils.AveragedModel(model)`.
    """

    def _blend(self, average: Tensor, p: Tensor, n: int) -> None:
        average.add_((p - average) / (n + 1))


@torch.no_grad()
def update_batch_norm(
    model: nn.Module, batches: Iterable[Any], *, device: torch.device | str | None = None
) -> None:
    """Recompute the running statistics of batch norm for the weights that the model has now.

    Each statistic becomes the plain mean of its values over the batches: a short last batch counts like a
    full one. The pass runs in train mode, dropout included; afterwards each module has its own mode and
    momentum back. Without batch-norm layers nothing is read or changed. A layer counts as batch norm if it
    has `running_mean`, `num_batches_tracked`, `momentum` (None meaning a plain mean) and
    `reset_running_stats()`: torch's and the course's do. Instance norm does not count.

    Args:
        model: a model, or an average of one.
        batches: inputs, or tuples or lists that begin with the input, such as (x, y).
        device: where to move each input; None leaves it where it is.
    Raises: ValueError if there is no batch, if batches are a Dataset, whose examples are no batches, or if
        the two come in torch's order. After any error, one of the model's or the loader's too, the statistics
        are as they were.
    Source: Izmailov et al. (2018). Agrees with: `torch.optim.swa_utils.update_bn(batches, model)`.
    """
    cure = "pass the model first: update_batch_norm(model, batches)"
    require(isinstance(model, nn.Module), "a model", cure=cure, model=type(model).__name__)
    single = isinstance(batches, Dataset) and not isinstance(batches, IterableDataset)
    cure = "put a DataLoader around it"
    require(not single, "batches", cure=cure, batches=type(batches).__name__)
    # Typed Any: momentum is a plain attribute that only batch norm has.
    norms: list[Any] = [module for module in model.modules() if _is_batch_norm(module)]
    if not norms:
        return
    momenta = [norm.momentum for norm in norms]
    modes = [(module, module.training) for module in model.modules()]
    before = [(buffer, buffer.clone()) for norm in norms for buffer in norm.buffers(recurse=False)]
    seen = 0
    try:
        model.train()
        for norm in norms:
            norm.momentum = None
        for batch in batches:
            if seen == 0:
                for norm in norms:
                    norm.reset_running_stats()
            x = batch[0] if isinstance(batch, (tuple, list)) else batch
            model(x if device is None else x.to(device))
            seen += 1
    except BaseException:
        for buffer, value in before:
            buffer.copy_(value)
        raise
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
        for module, mode in modes:
            module.training = mode
    require(seen > 0, "at least one batch", batches=seen, cure="pass a list or loader, not a spent generator")


def _is_batch_norm(module: nn.Module) -> bool:
    tracked = getattr(module, "running_mean", None) is not None
    needed = ("num_batches_tracked", "momentum", "reset_running_stats")
    instance_norm = isinstance(module, nn.modules.instancenorm._InstanceNorm)
    return tracked and not instance_norm and all(hasattr(module, name) for name in needed)
