"""The training loop, once.

loop           fit(): the loop that every lesson knows
stepping       one step of it; arguments: what fit() takes, checked
batches        batches of examples, with and without replacement
evaluation     evaluate(), accuracy(): over a whole set, in eval mode
history        what fit() returns
checkpoint     a run saved whole and resumed; randomness: the generators that belong to it
progress_bar   a bar for those who look on
"""

from course_utils.training.batches import minibatches
from course_utils.training.evaluation import accuracy, evaluate
from course_utils.training.history import History
from course_utils.training.loop import fit
from course_utils.training.stepping import TrainingDiverged, set_rate

__all__ = ["History", "TrainingDiverged", "accuracy", "evaluate", "fit", "minibatches", "set_rate"]
