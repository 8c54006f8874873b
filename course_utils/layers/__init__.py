"""Layers, in teaching order, with the constructors, parameter and buffer names of torch.nn.

dropout         Dropout                                      lesson 13
normalization   BatchNorm1d BatchNorm2d BatchNormByHand      lesson 14
                LayerNorm GroupNorm RMSNorm
"""

from course_utils.layers.dropout import Dropout
from course_utils.layers.normalization import (
    BatchNorm1d,
    BatchNorm2d,
    BatchNormByHand,
    GroupNorm,
    LayerNorm,
    RMSNorm,
)

__all__ = ["BatchNorm1d", "BatchNorm2d", "BatchNormByHand", "Dropout", "GroupNorm", "LayerNorm", "RMSNorm"]
