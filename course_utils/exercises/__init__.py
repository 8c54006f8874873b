"""Exercises that say what is wrong: check, failing, hint, solution, progress, reset, and quizzes."""

from course_utils import markup, profiles
from course_utils.exercises.engine import process
from course_utils.exercises.engine.commands import check, failing, hint, progress, quiz, reset, solution

__all__ = ["check", "failing", "hint", "progress", "quiz", "reset", "solution"]

if markup.in_notebook() and not profiles.headless():
    process.start()  # importing torch takes the child a second or two: it begins now, for the first check
