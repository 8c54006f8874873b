"""Optimizers, one per file; each has one `update` that holds all of its mathematics.

In teaching order:

    SGD                                 the step, momentum, Nesterov          sgd.py
    Adagrad, RMSprop, Adadelta          a rate per coordinate                 adagrad.py to adadelta.py
    Adam, AdamW                         both, and decay done right            adam.py adamw.py
    Lion                                the sign alone                        lion.py
    Muon                                a matrix as a matrix                  muon.py
    Shampoo, SOAP                       a valley across the coordinates       shampoo.py soap.py
    SAM                                 flat minima                           sam.py
    ScheduleFreeSGD, ScheduleFreeAdamW  averaging instead of a schedule       schedule_free.py
    FlatParameters                      one buffer for all, to step fast      flat.py

What they share (groups, state, missing gradients, closures) is in base.py; what a hyperparameter may be,
and a loaded state, in _hyperparameters.py and _loading.py.
"""

from course_utils.optimizers.adadelta import Adadelta
from course_utils.optimizers.adagrad import Adagrad
from course_utils.optimizers.adam import Adam
from course_utils.optimizers.adamw import AdamW
from course_utils.optimizers.base import Optimizer
from course_utils.optimizers.flat import FlatParameters
from course_utils.optimizers.lion import Lion
from course_utils.optimizers.muon import Muon, newton_schulz
from course_utils.optimizers.rmsprop import RMSprop
from course_utils.optimizers.sam import SAM
from course_utils.optimizers.schedule_free import ScheduleFreeAdamW, ScheduleFreeSGD
from course_utils.optimizers.sgd import SGD
from course_utils.optimizers.shampoo import Shampoo
from course_utils.optimizers.soap import SOAP

__all__ = [
    "SAM",
    "SGD",
    "SOAP",
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "FlatParameters",
    "Lion",
    "Muon",
    "Optimizer",
    "RMSprop",
    "ScheduleFreeAdamW",
    "ScheduleFreeSGD",
    "Shampoo",
    "newton_schulz",
]
