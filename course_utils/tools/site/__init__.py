"""The course's site: lessons, ledger, gallery, map and API reference as pages that work offline.

    python -m course_utils site       docs/ + notebooks/  ->  build/site-source/  ->  build/site/

    lesson_page  a lesson as the site shows it: figures as files with alt text, verdicts as links, folds
    narrow       a figure's panels one below the other, for a phone
    folds        hints, solution and known wrong answers of an exercise
    claims_page  every claim with value, bounds, seeds and a link to its cell
    pages        home's list of lessons, gallery, mistakes, reading list
    lesson_map   the map: which lesson needs which
    api          reference pages; docstrings as reStructuredText
    text_links   lessons by number, terms of the glossary and papers as links
    formulas     mathematics, set as the site is built
    icons        of the theme's icons those that the pages show
    search       the text of each section, for the search in the page
    build        puts the source folder together and calls Sphinx

Nothing is executed: the site shows the committed outputs.
"""
