"""Sixteen bits and fewer: what the formats hold, when gradients vanish in them, what to use where.

formats       float_format round_to      the number lines, and rounding to them
grad_scaler   GradScaler                 dynamic loss scaling, for float16
policy        autocast_policy            which type autocast should use on a device, and why
"""

from course_utils.mixed_precision.formats import FloatFormat, float_format, round_to
from course_utils.mixed_precision.grad_scaler import GradScaler
from course_utils.mixed_precision.policy import AutocastPolicy, autocast_policy

__all__ = ["AutocastPolicy", "FloatFormat", "GradScaler", "autocast_policy", "float_format", "round_to"]
