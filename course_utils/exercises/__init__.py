"""Exercises that say what is wrong: check, hint, solution, progress, reset, and quizzes to predict first."""

from course_utils.exercises import _process, _progress
from course_utils.exercises._engine import check, hint, progress, quiz, reset, solution
from course_utils.markup import in_notebook

__all__ = ["check", "hint", "progress", "quiz", "reset", "solution"]

if in_notebook() and not _progress.headless():
    _process.start()  # importing torch takes the child a second or two: it begins now, for the first check
