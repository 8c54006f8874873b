"""Batch transforms of images, in the order lesson 15 teaches them.

    geometry   hflip rotate shift crop            RandomHorizontalFlip RandomRotation RandomShift RandomCrop
    color      adjust_brightness ... adjust_hue   ColorJitter
    erasing    erase                              RandomErasing
    mixing     mixup cutmix to_probabilities      Mixup CutMix
    stacked    mix_within_seeds                   for a run over many seeds
               Compose chains them, RandomChoice takes one for each sample, Transform is what they share

On the left, plain functions of a batch and fixed parameters, one value per sample. On the right, modules
that draw those parameters and call the functions. Every module works on (N, C, H, W), draws once per
sample, takes `generator=` when built or when called, and is off in eval mode, as dropout is.
"""

from course_utils.augmentation._transform import Compose, RandomChoice, Transform
from course_utils.augmentation.color import (
    ColorJitter,
    adjust_brightness,
    adjust_contrast,
    adjust_hue,
    adjust_saturation,
)
from course_utils.augmentation.erasing import RandomErasing, erase
from course_utils.augmentation.geometry import (
    RandomCrop,
    RandomHorizontalFlip,
    RandomRotation,
    RandomShift,
    crop,
    hflip,
    rotate,
    shift,
)
from course_utils.augmentation.mixing import CutMix, Mixup, cutmix, mixup, to_probabilities
from course_utils.augmentation.stacked import mix_within_seeds

__all__ = [
    "ColorJitter",
    "Compose",
    "CutMix",
    "Mixup",
    "RandomChoice",
    "RandomCrop",
    "RandomErasing",
    "RandomHorizontalFlip",
    "RandomRotation",
    "RandomShift",
    "Transform",
    "adjust_brightness",
    "adjust_contrast",
    "adjust_hue",
    "adjust_saturation",
    "crop",
    "cutmix",
    "erase",
    "hflip",
    "mix_within_seeds",
    "mixup",
    "rotate",
    "shift",
    "to_probabilities",
]
