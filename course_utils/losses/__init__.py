"""Loss functions of (prediction, target), written out from log and exp.

    regression        mse_loss l1_loss smooth_l1_loss huber_loss
    two classes       binary_cross_entropy binary_cross_entropy_with_logits
    many classes      softmax log_softmax nll_loss cross_entropy focal_loss
    margins           hinge_loss multi_margin_loss

Names, defaults and values are those of `torch.nn.functional` wherever it has the loss, and so are the
positions of arguments up to torch's deprecated `size_average` and `reduce`, which are not taken; what comes
after them is keyword-only. Every loss takes `reduction`: "mean", "sum" or "none".

Precision: sixteen-bit inputs are computed with in float32, and the result rounds once to the wider dtype of
prediction and target (weights do not widen it; of dtypes that differ torch refuses some). Inside
`torch.autocast` the result stays float32, as torch's does.

Departures, in all of them: nothing broadcasts but weights, and targets of whole numbers are converted by
hand, because most that do either are mistakes. Targets and probabilities out of range are errors, except
where there are no numbers to read: inside a `vmap` over them, under `torch.compile`, `torch.export` and
`make_fx`, and for fake and meta tensors.

All work under `torch.func` (vmap, grad, jvp), as one graph of `torch.compile` and as one node of `torch.fx`.
TorchScript, which torch has retired, cannot read them.
"""

from .binary import binary_cross_entropy, binary_cross_entropy_with_logits
from .classification import cross_entropy, focal_loss, log_softmax, nll_loss, softmax
from .margins import hinge_loss, multi_margin_loss
from .regression import huber_loss, l1_loss, mse_loss, smooth_l1_loss

__all__ = [
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "cross_entropy",
    "focal_loss",
    "hinge_loss",
    "huber_loss",
    "l1_loss",
    "log_softmax",
    "mse_loss",
    "multi_margin_loss",
    "nll_loss",
    "smooth_l1_loss",
    "softmax",
]
