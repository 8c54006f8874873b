"""The course's site: lessons, ledger, gallery, map and API reference as pages that work offline.

    python -m course_utils site       docs/ + notebooks/  ->  build/site-source/  ->  build/site/

    reading      what a stored lesson says of itself: question, needs, sections, claims, figures
    lesson_page  a lesson as the site shows it: figures as files with alt text, verdicts as links, folds
    folds        hints, solution and known wrong answers of an exercise
    ledger       every claim with value, bounds, seeds and a link to its cell
    collected    home's list of lessons, gallery, mistakes, reading list
    needs        the map: which lesson needs which
    api          reference pages; docstrings as reStructuredText
    build        puts the source folder together and calls Sphinx

Nothing is executed: the site shows the committed outputs.
"""
