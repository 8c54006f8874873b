"""Data sets, fair splits of them, and downloads on request.

datasets       small real data and synthetic sets, all offline; `Dataset.split` and `splits`
downloads      Fashion-MNIST and CIFAR-10, fetched when asked for
teacher        a random net that labels examples without end
text           Python's language reference, for language models
"""

from course_utils.data.datasets import (
    Dataset,
    Examples,
    Split,
    Splits,
    Stacked,
    breast_cancer,
    daily_temperature,
    diabetes,
    digits,
    markov_chains,
    mnist1d,
    noisy_labels,
    rare_features,
    sample_images,
)
from course_utils.data.teacher import Teachers, tanh_net
from course_utils.data.text import Text, Words, language_reference, words

__all__ = [
    "Dataset",
    "Examples",
    "Split",
    "Splits",
    "Stacked",
    "Teachers",
    "Text",
    "Words",
    "breast_cancer",
    "daily_temperature",
    "diabetes",
    "digits",
    "language_reference",
    "markov_chains",
    "mnist1d",
    "noisy_labels",
    "rare_features",
    "sample_images",
    "tanh_net",
    "words",
]
