"""The training loop, once.

loop           fit(): the loop that every lesson knows
stepping       one step of it; arguments: what fit() takes, checked
batches        batches of examples, with and without replacement
evaluation     evaluate(), accuracy(): over a whole set; modes: what trains, what is evaluated
history        what fit() returns
checkpoint     a run saved whole and resumed; randomness: the generators that belong to it, which
               variables finds by name
progress_bar   a bar in a terminal or a notebook
"""

from course_utils.training.batches import minibatches
from course_utils.training.evaluation import accuracy, evaluate
from course_utils.training.history import History
from course_utils.training.loop import fit
from course_utils.training.stepping import TrainingDiverged, set_lr

__all__ = ["History", "TrainingDiverged", "accuracy", "evaluate", "fit", "minibatches", "set_lr"]
