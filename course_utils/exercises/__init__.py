"""Exercises that say what is wrong: check, hint, solution, progress, reset, and quizzes to predict first."""

from course_utils.exercises.engine import process, progress_file
from course_utils.exercises.engine.commands import check, hint, progress, quiz, reset, solution
from course_utils.markup import in_notebook

__all__ = ["check", "hint", "progress", "quiz", "reset", "solution"]

if in_notebook() and not progress_file.headless():
    process.start()  # importing torch takes the child a second or two: it begins now, for the first check
