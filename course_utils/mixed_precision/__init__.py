"""Sixteen bits and fewer: what the formats hold, when gradients vanish in them, what to use where.

formats       float_format round_to      the number lines, rounding to them, what is lost by it
grad_scaler   GradScaler                 dynamic loss scaling, for float16
emulation     train_rounded              training with any rounding, forward and back
scale_trace   scale_trace                what a loss scaler does over a run
policy        autocast_policy            which type autocast should use on a device, and why
"""

from course_utils.mixed_precision.emulation import Arithmetic, rounded_outputs, train_rounded
from course_utils.mixed_precision.formats import FloatFormat, float_format, round_to, shares_lost
from course_utils.mixed_precision.grad_scaler import GradScaler
from course_utils.mixed_precision.policy import AutocastPolicy, autocast_policy
from course_utils.mixed_precision.scale_trace import scale_trace

__all__ = [
    "Arithmetic",
    "AutocastPolicy",
    "FloatFormat",
    "GradScaler",
    "autocast_policy",
    "float_format",
    "round_to",
    "rounded_outputs",
    "scale_trace",
    "shares_lost",
    "train_rounded",
]
