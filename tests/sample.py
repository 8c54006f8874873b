"""Small lessons for the tests of the tools."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from course_utils import claim_lines

PARAMETERS = 'PROFILE = "standard"\nSEED = 0\nDEVICE = "cpu"'

# A record as claims.py writes it, made without importing torch, which takes longer than the rest.
RECORD = """
import json, os, pathlib
def record(lesson, verdict="holds", sizes=((8, 64, 256),), profile=None, id=None):
    sizes = {f"size{i}": dict(zip(("smoke", "standard", "full"), size)) for i, size in enumerate(sizes)}
    claim = {"id": id or f"{lesson}.one", "sentence": "One is <b>one</b>.", "kind": "exact", "measured": 1.0,
             "bounds": {"about": 1.0, "tol": 0.0}, "verdict": verdict, "seeds": None, "reference": None,
             "seconds": 0.5, "used": None}
    versions = {"python": "3.11", "torch": "2.13.0", "numpy": "2"}
    found = {"lesson": lesson, "profile": profile or PROFILE, "seed": SEED, "device": DEVICE,
             "versions": versions, "sizes": sizes, "claims": [claim]}
    path = pathlib.Path(os.environ["COURSE_RECORD_DIR"]) / f"claims-{lesson}.json"
    path.write_text(json.dumps(found))
"""


def lesson(path: Path, *cells: str, parameters: str | None = PARAMETERS) -> Path:
    """A lesson whose code cells are `cells`, not executed, with record() from `RECORD` at hand."""
    notebook = new_notebook()
    notebook.metadata.kernelspec = {"display_name": "Python 3", "name": "python3", "language": "python"}
    notebook.cells.append(new_markdown_cell(f"# The title of {path.stem}"))
    if parameters is not None:
        notebook.cells.append(new_code_cell(parameters, metadata={"tags": ["parameters"]}))
    notebook.cells += [new_code_cell(source.strip()) for source in cells]
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)
    return path


def claim(id: str, sentence: str, measured: Any = 1.0, **changed: Any) -> dict[str, Any]:
    """A claim as its record and the output that shows it hold it: exact, and true unless it is changed."""
    found = {
        "id": id, "sentence": sentence, "kind": "exact", "measured": measured,
        "bounds": {"about": 1.0, "tol": 0.0}, "verdict": "holds", "seeds": None, "reference": None,
        "unit": "", "visible": True,
    }  # fmt: skip
    found |= changed
    shown, rounded = claim_lines.rounded(found["measured"], found["bounds"], unit=found["unit"])
    return found | {"shown": shown, "rounded": rounded}


def claims(*claimed: dict[str, Any], topic: str | None = None) -> nbformat.NotebookNode:
    """The output of a cell that makes these claims, in the open or folded under a topic."""
    block = claim_lines.Block(claimed, topic)
    data = {"text/plain": claim_lines.text(block), "text/html": claim_lines.page([block])}
    return new_output("display_data", data=data, metadata=claim_lines.about([block]))


def stored(headings: list[str], number: str = "01") -> nbformat.NotebookNode:
    """A lesson as it is committed: executed, every rule kept. Tests break one rule at a time."""
    notebook = new_notebook()
    notebook.metadata.kernelspec = {"display_name": "Python 3", "name": "python3", "language": "python"}
    figure = new_output(
        "display_data",
        data={"image/png": "iVBORw0KGgo=", "text/plain": "<Figure size 640x480 with 1 Axes>"},
        metadata={"image/png": {"alt": "Two lines fall from one; the blue line falls four times as fast."}},
    )
    page = '<p>A filmstrip</p><img alt="A ball rolls into a ravine" src="data:image/gif;base64,AAAA">'
    said = claims(claim(f"{number}.one", "One is one."))
    code = [
        (PARAMETERS, [], ["parameters"]),
        ("show(figure)", [figure], []),
        ("animate()", [new_output("display_data", data={"text/html": page})], []),
        (f'claim("{number}.one", "One is one.", 1.0, about=1, tol=0)', [said], []),
    ]
    notebook.cells.append(new_markdown_cell("# A question?"))
    for count, (source, outputs, tags) in enumerate(code, start=1):
        cell = new_code_cell(source, execution_count=count, outputs=outputs)
        cell.metadata = nbformat.from_dict({"tags": tags} if tags else {})
        notebook.cells.append(cell)
    for heading in headings:
        body = f"- One is one. `{number}.one`" if heading == "What we saw" else "Words."
        notebook.cells.append(new_markdown_cell(f"## {heading}\n\n{body}"))
    for position, cell in enumerate(notebook.cells):
        cell.id = f"cell-{position}"
    return notebook
