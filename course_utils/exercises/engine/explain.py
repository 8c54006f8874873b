"""An exception in a learner's code, explained: what it is, on which line, and what usually causes it."""

from __future__ import annotations

import linecache
import re
import traceback
from types import CodeType
from typing import Any

# (type name, pattern in the message) -> what it usually means. First match wins.
_NONE = "Something here is None: a function without `return`, or a `.grad` before backward."
_SHAPES = (
    "size of tensor a|shapes cannot be multiplied|must match|size mismatch|expand|inconsistent tensor size"
)
_DTYPES = "dtype|floating|not implemented for '(Long|Int)'|can't be cast|expected scalar type"
_USUAL = (
    (
        "RuntimeError",
        "leaf Variable that requires grad",
        "PyTorch refuses to change a parameter in place while it records: put the update under "
        "`with torch.no_grad():`, or build a new tensor.",
    ),
    (
        "RuntimeError",
        "modified by an inplace operation",
        "A tensor that backward still needed was changed in place (`+=`, `mul_`): write `a = a + b`.",
    ),
    (
        "RuntimeError",
        "does not require grad",
        "Nothing here was recorded for backward: was a tensor detached, or made under no_grad?",
    ),
    (
        "RuntimeError",
        "backward through the graph a second time",
        "A graph is freed by its first backward: compute the result again before the second one.",
    ),
    (
        "RuntimeError",
        "implicitly created only for scalar",
        "backward starts from one number: take the mean or the sum first.",
    ),
    (
        "RuntimeError",
        "is invalid for input of size",
        "view and reshape need the same number of elements before and after.",
    ),
    (
        "RuntimeError",
        "numpy",
        "NumPy records nothing for backward: stay with torch's functions, or use `.detach()`.",
    ),
    (
        "RuntimeError",
        "ambiguous",
        "An `if` needs one True or False and this tensor has many: torch.where, `.any()` or `.all()`.",
    ),
    (
        "RuntimeError",
        _DTYPES,
        "The dtypes do not fit: make integer tensors floating (`.double()`) and keep one dtype throughout.",
    ),
    (
        "RuntimeError",
        _SHAPES,
        "The shapes do not fit: print `.shape` of both sides, look for a missing or extra dimension.",
    ),
    ("ValueError", "values to unpack", "Names on the left and items on the right differ in number."),
    ("ValueError", "math domain", "A root or a logarithm of a number outside its domain."),
    ("TypeError", "ellipsis", "A `...` of the stub is still in your code."),
    ("TypeError", "NoneType", _NONE),
    (
        "TypeError",
        "positional argument|unexpected keyword|keyword-only",
        "The arguments do not fit: keep the stub's first line as it is.",
    ),
    (
        "TypeError",
        "not callable",
        "A value is called like a function: is an operator missing before a bracket?",
    ),
    ("TypeError", "must be Tensor, not", "This torch function takes tensors; for plain numbers use math."),
    ("AttributeError", "NoneType", _NONE),
    ("AttributeError", "'(float|int)' object", "A plain number has no such method: it is not a tensor."),
    (
        "UnboundLocalError",
        "",
        "This name is assigned in the function, so Python takes it as local: give it a value first.",
    ),
    (
        "NameError",
        "",
        "This name is not known to your answer: a typing slip, a missing import, a cell not yet run?",
    ),
    ("ModuleNotFoundError", "", "The answer imports something that is not installed here."),
    ("ZeroDivisionError", "", "A denominator is zero for this input: does a count start at 0?"),
    ("IndexError", "Dimension out of range", "This tensor has fewer dimensions than the `dim` asked for."),
    ("IndexError", "", "An index runs past the end: indices go from 0 to length - 1."),
    ("KeyError", "", "The dictionary has no such key."),
    ("RecursionError", "", "The function calls itself without an end."),
    ("EOFError", "", "There is no keyboard here: use the arguments instead of input()."),
    ("SystemExit", "", "Give the answer by `return`; exit() ends the whole program."),
    ("NotImplementedError", "", "A part of the stub is still to be written."),
)
_ADDRESS = re.compile(r"0x[0-9a-fA-F]+")


def explain(error: BaseException, code: CodeType | None) -> list[str]:
    """Lines that name the exception, the learner's own line, and the usual cause.

    Args:
        error: what was raised.
        code: the answer's code; of the traceback, the last line that was typed in is quoted: in the same
            file, or in another cell.
    """
    name, text = type(error).__name__, _message(error)
    message = _ADDRESS.sub("0x...", (text.strip().splitlines() or [""])[0])[:200]
    lines = [f"raised {name}{_place(error, code)}{': ' + message if message else '.'}"]
    kinds = {kind.__name__ for kind in type(error).__mro__}
    for kind, pattern, words in _USUAL:
        if kind in kinds and re.search(pattern, text):
            return [*lines, words]
    return lines


def _message(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # of an exception class of the answer's own
        return ""


def _place(error: BaseException, code: CodeType | None) -> str:
    if isinstance(error, SyntaxError) or code is None:
        return ""
    frames = traceback.walk_tb(error.__traceback__)
    own = [(frame.f_code, line) for frame, line in frames if _typed_in(frame.f_code.co_filename, code)]
    if not own:
        return " when it was called"
    inner, line = own[-1]
    source = linecache.getline(inner.co_filename, line).strip()
    where = "" if inner.co_filename == code.co_filename else f" of `{inner.co_name}`"
    return f" in line {line}{where}" + (f", `{source}`" if source else "")


def of_cell(entry: Any) -> bool:
    """Whether an entry of linecache is the text of a cell: complete, and of no file."""
    return isinstance(entry, tuple) and len(entry) == 4 and entry[1] is None


def _typed_in(file: str, code: CodeType) -> bool:
    """Whether code is the learner's: in the answer's file, or in a cell."""
    return file == code.co_filename or of_cell(linecache.cache.get(file))
