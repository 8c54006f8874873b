"""A fair comparison of methods: equal budgets, random search, test once.

protocol       race(): what is tuned, what is chosen, what is compared
recipe         a method with the range of its settings, and the task it is measured on
techniques     the course's techniques as recipes
trials         each trial once, over processes or a cluster, kept in a file
optimizers     several optimizers in one
search         what a random search leaves to luck
effects        two tables: technique, effect here, when to use
baseline       the noisy digits' fair baseline, tuned once and recorded
"""

from course_utils.race.protocol import Entry, Result, expected_best, race, result_of
from course_utils.race.recipe import Choice, LogUniform, Recipe, Task, Uniform, measure

__all__ = [
    "Choice",
    "Entry",
    "LogUniform",
    "Recipe",
    "Result",
    "Task",
    "Uniform",
    "expected_best",
    "measure",
    "race",
    "result_of",
]
