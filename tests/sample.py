"""Small lessons for the tests of the tools."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from course_utils import claim_lines
from course_utils.tools.template import lesson as template

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


# A lesson in the form of course_utils/tools/template/lesson.txt, with the exercises of
# lesson_98_made_up.py.
FORM = """
%% markdown title
# 98 · Made up

**How much faster?**

Between rates of 0.1 and 0.5 it is [four times](#claim-98-faster) as fast.

After this lesson you can

- read;
- count;
- compare.

About 10 minutes. Before this one: 97 (numbers).

%% code parameters [parameters]
PROFILE = "standard"
SEED = 0
DEVICE = "cpu"

%% code sizes
size = run.sizes(steps=(30, 300, 3000))
rates = [0.1, 0.5]

%% markdown predict
## Predict first

%% markdown idea
## The idea

Words.

%% code figure
show(figure)

%% markdown mathematics
## The mathematics

%% markdown scratch
## From scratch

%% markdown agreement
## Agreement

%% markdown experiment
## Experiment

### At one rate

%% code faster
claim("98.faster", "It needs a quarter of the steps.", ratio, at_most=0.3)

%% markdown experiment-2
### At another

%% code gain
claim("98.gain", "It is better by 23 points.", gain, at_least=0.1)

%% code also
with also_checked("Rates"):
    claim("98.folded", "It is 7.", 7, about=7, tol=0)

%% markdown try
## Try it

%% markdown stops
## Where it stops

%% code limit
claim("98.limit", "At a rate of 0.5 it is as fast.", ratio, about=1, tol=0.1)

%% markdown wrong
## What goes wrong

**The lost minus.** Words.

| mistake | what you see | cure |
|---|---|---|
| a | b | c |

%% markdown exercises
## Exercises

%% code exercise-mean
def mean(x):
    \"\"\"The mean.\"\"\"
    n = len(x)
    return ...


check("98.mean", mean)

%% code exercise-step
def step_(p, g, lr):
    ...


check("98.step_in_place", step_)

%% code exercise-scale
def scale(x):
    pass


check("98.scale", scale)

%% code exercise-noisy
def noisy(n):
    ...


check("98.noisy", noisy)

%% code exercise-pair
def pair(x):
    ...


check("98.pair", pair)

%% code exercise-answer
answer = ...


check("98.answer", answer)

%% markdown saw
## What we saw

- It needs [a quarter of the steps](#claim-98-faster), over 300 of them.
- It is ahead by [23 points [15, 32], 64 seeds](#claim-98-gain) at 0.1. It is [not alone](#claim-98-gain).
- The ratio is [0.25](#claim-98-faster).
- It is [less than 5 times](#claim-98-faster) as fast.

%% markdown practice
## In practice

%% markdown reading
## Further reading

- Someone (1999).

Next: [99](99_the_next.ipynb), which asks why.
"""
GAIN = {"mean": 0.23, "low": 0.15, "high": 0.32}
MEASURED = {  # and over how many seeds
    "98.faster": (0.25, None), "98.gain": (GAIN, 64), "98.folded": (7.0, None), "98.limit": (1.0, None),
}  # fmt: skip
FIGURE = {"alt": "The blue line falls to 0.25 within 300 steps.", "titles": ["It falls by 23 points"]}


def in_form() -> nbformat.NotebookNode:
    """A stored lesson that keeps the rules of form.py, too."""
    notebook = template.notebook(FORM)
    for count, cell in enumerate((one for one in notebook.cells if one.cell_type == "code"), start=1):
        cell.execution_count = count
        made = [id for id in MEASURED if f'claim("{id}"' in cell.source]
        cell.outputs = [_claims(made, "Rates" if "also_checked" in cell.source else None)] if made else []
        if cell.id == "figure":
            data = {"image/png": "iVBORw0KGgo=", "text/plain": "Figure"}
            cell.outputs = [new_output("display_data", data=data, metadata={"image/png": dict(FIGURE)})]
    return notebook


def _claims(ids: list[str], topic: str | None) -> nbformat.NotebookNode:
    """What a cell shows of its claims, with their records, rounded, in the metadata."""
    claims = [
        {
            "id": id, "sentence": "It is so.", "kind": "exact", "bounds": {"at_most": 9.0}, "reference": None,
            "measured": MEASURED[id][0], "seeds": MEASURED[id][1], "verdict": "holds",
            "unit": "", "shown": "so", "visible": topic is None,
        }
        for id in ids
    ]  # fmt: skip
    data = {"text/plain": "".join(f"✓ It is so: so (asked ≤ 9)  {id}\n" for id in ids)}
    return new_output("display_data", data=data, metadata={"claims": [{"topic": topic, "claims": claims}]})
