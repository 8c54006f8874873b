"""Linear models in closed form, or to the last digit by iteration.

lines          a line through points under a loss: least squares, absolute, Huber, Cauchy
penalized      ridge, elastic net
minimum_norm   least squares with more parameters than points, and its risk
scikit_learn   the same solutions by scikit-learn, strengths mapped
random_features   classifiers on a hidden layer that is never trained
"""

from course_utils.linear_models.lines import (
    cauchy_line,
    huber_line,
    huber_mean,
    least_absolute_line,
    least_squares_line,
)
from course_utils.linear_models.minimum_norm import least_squares, minimum_norm_risk
from course_utils.linear_models.penalized import elastic_net, ridge, ridge_zeros, strongest_l1
from course_utils.linear_models.random_features import random_feature_answers
from course_utils.linear_models.scikit_learn import scikit_learn_path

__all__ = [
    "cauchy_line",
    "elastic_net",
    "huber_line",
    "huber_mean",
    "least_absolute_line",
    "least_squares",
    "least_squares_line",
    "minimum_norm_risk",
    "random_feature_answers",
    "ridge",
    "ridge_zeros",
    "scikit_learn_path",
    "strongest_l1",
]
