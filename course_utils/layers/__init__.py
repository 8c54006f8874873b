"""Layers, in teaching order: torch.nn's classes with their forward pass written out.

dropout         Dropout                                      lesson 13
normalization   BatchNorm1d BatchNorm2d BatchNormByHand      lesson 14
                LayerNorm GroupNorm RMSNorm
attention       causal_weights causal_attention              lesson 23

Each class is a subclass of torch's layer of its name, with its constructor, parameters, buffers and
checkpoints, so that tools that look for a class find it (`update_bn`, `convert_sync_batchnorm`, weight decay
by class).
Each is one graph of `torch.compile` and `torch.export` and one node of `torch.fx`; TorchScript, which torch
has retired, runs it as Python and cannot save it. A `Dropout` with a generator of its own is no one graph.
"""

from course_utils.layers.attention import causal_attention, causal_weights
from course_utils.layers.dropout import Dropout
from course_utils.layers.normalization import (
    BatchNorm1d,
    BatchNorm2d,
    BatchNormByHand,
    GroupNorm,
    LayerNorm,
    RMSNorm,
)

__all__ = [
    "BatchNorm1d",
    "BatchNorm2d",
    "BatchNormByHand",
    "Dropout",
    "GroupNorm",
    "LayerNorm",
    "RMSNorm",
    "causal_attention",
    "causal_weights",
]
