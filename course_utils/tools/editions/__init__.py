"""Editions of the course for a room: answer key, hand-outs, slides, a zip for each.

    python -m course_utils editions [--pdf] [LESSON]...

    minutes     reading, exercises and computing, section by section
    answers     solutions, known wrong answers and what to say, as pages that print
    handouts    the lessons with outputs cleared
    slides      reveal.js, by a rule that turns sections, figures, claims and exercises into slides
    pdf         the same pages printed by Chromium, where there is one
    build       one folder and one zip for each
    instructor  the tables of docs/instructor.md, from the exercises

All of it comes from notebooks/ and course_utils/exercises/, the one source of each lesson, and none of it is
committed. Nothing is executed, nothing is fetched; the pages and slides work without a network.
"""
