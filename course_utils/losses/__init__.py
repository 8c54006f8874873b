"""Loss functions of (prediction, target), written out from log and exp.

    regression        mse_loss l1_loss smooth_l1_loss huber_loss
    two classes       binary_cross_entropy binary_cross_entropy_with_logits
    many classes      softmax log_softmax nll_loss cross_entropy focal_loss
    margins           hinge_loss multi_margin_loss

Names, defaults and values are those of `torch.nn.functional` wherever it has the loss; options are
keyword-only. Every loss takes `reduction`: "mean", "sum" or "none". All work under `torch.func`: vmap,
grad, jvp.
Targets and probabilities out of range are errors, except where no value can be read: inside a `vmap` over
them and under `torch.compile`. In float16 and bfloat16 every line rounds: pass `logits.float()`.
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
