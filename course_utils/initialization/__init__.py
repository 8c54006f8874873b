"""How large the first weights are, and the learning rate of each tensor as a net is made wider.

initializers    Xavier's and He's weights, in place, as `torch.nn.init` has them
mup             the maximal update parametrisation: scales that let a learning rate go from width to width
"""

from course_utils.initialization.initializers import (
    calculate_gain,
    fans,
    kaiming_normal_,
    kaiming_uniform_,
    xavier_normal_,
    xavier_uniform_,
)
from course_utils.initialization.mup import Scales, lr_groups, mup_scales, scale_init_

__all__ = [
    "Scales",
    "calculate_gain",
    "fans",
    "kaiming_normal_",
    "kaiming_uniform_",
    "lr_groups",
    "mup_scales",
    "scale_init_",
    "xavier_normal_",
    "xavier_uniform_",
]
