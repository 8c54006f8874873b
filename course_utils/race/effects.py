"""The course's two tables: technique -> effect here -> when to use.

No number is written here. What the race can enter is read from the recorded race, as its distance from
tuned momentum; what it cannot (a penalty's place in Adam, a warm-up alone, fewer bits) from the claim of its
lesson.

    in_the_race()                               the recorded race
    in_lessons()                                the recorded ledger
    in_lessons(Path("build/records/standard"))
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from course_utils import claim_records
from course_utils._checks import require
from course_utils.race.protocol import Result, result_of
from course_utils.race.techniques import BASELINE, TWINS
from course_utils.recorded.record import newest

UNITS = {"points": 100.0, "loss": 1.0}  # what a measured number is multiplied by
TASKS = {"noisy digits": "noisy digits, points", "mnist1d": "MNIST-1D, points"}  # -> heading of its column
NOT_RECORDED, NOT_RACED = "not recorded", "not raced"
TWINS_ROW = f"{BASELINE} again (luck of the search)"


@dataclass(frozen=True)
class Raced:
    """A row of what the race has entered.

    Args:
        technique: what it is called. recipe: its name in the race.
        lesson: two digits, where it is taught.
        when, when_not: when to use it, and when it does little or harm.
    """

    technique: str
    recipe: str
    lesson: str
    when: str
    when_not: str


@dataclass(frozen=True)
class Claimed:
    """A row of what the race cannot enter: its lesson's own measurement.

    Args:
        technique, against: what is compared with what.
        where: the setting in which it was measured.
        claim: id of the claim, whose first two digits are the lesson.
        when, when_not: as for `Raced`.
        unit: "points" of accuracy, or "loss".
        sign: +1 where a positive measurement says that the technique helps, else -1.
    """

    technique: str
    against: str
    where: str
    claim: str
    when: str
    when_not: str
    unit: str = "points"
    sign: int = 1


RACED = (
    Raced(
        "no momentum", "SGD", "05",
        "short steps are enough", "long ones are needed: bad conditioning, large batches",
    ),
    Raced(
        "Nesterov momentum", "Nesterov", "05",
        "as momentum, with the safer proof", "you expect accuracy from it alone",
    ),
    Raced("AdaGrad", "Adagrad", "06", "rare features", "long runs: its steps shrink for good"),
    Raced(
        "RMSprop", "RMSprop", "06",
        "gradients of very different size", "Adam can be had, which adds momentum to it",
    ),
    Raced("Adadelta", "Adadelta", "06", "nothing measured here asks for it", "as a first choice"),
    Raced(
        "Adam", "Adam", "07",
        "gradients of very different size or frequency", "small batches, or parts that are alike",
    ),
    Raced(
        "AdamW", "AdamW", "08",
        "decay and rate are to be tuned apart", "you expect more than Adam on a small net",
    ),
    Raced(
        "Lion", "Lion", "18",
        "memory is short: one state, not Adam's two", "small batches: level here, or behind",
    ),
    Raced(
        "Muon", "Muon", "18",
        "hidden matrices, a rate that is tuned", "a step's price counts; the rate is a guess",
    ),
    Raced("Schedule-Free SGD", "Schedule-Free SGD", "18", "the run's length is not known", "it is known"),
    Raced("Schedule-Free AdamW", "Schedule-Free AdamW", "18", "the run's length is not known", "it is known"),
    Raced(
        "SAM, as many gradients", "SAM", "18",
        "wrong labels, both settings tuned: ahead in lesson 18", "few trials for its two settings",
    ),
    Raced(
        "SAM, twice the gradients", "SAM, twice the gradients", "18", "time for two gradients a step",
        "more steps of momentum gain as much",
    ),
    Raced(
        "cosine decay", "+ cosine", "09",
        "its peak is tuned with it", "very short runs; few noisy examples that come again: level here",
    ),
    Raced(
        "warm-up and cosine", "+ warm-up, cosine", "10",
        "the start is sharp", "it is not: level with the cosine alone here",
    ),
    Raced("clipping", "+ clipping", "18", "rare huge gradients", "in the place of a tuned rate"),
    Raced(
        "L2", "+ L2", "12",
        "wrong labels and time to fit them, a rate that is not tuned", "the rate is tuned; labels are clean",
    ),
    Raced("L1", "+ L1", "12", "few inputs matter", "many weak ones do"),
    Raced("dropout", "+ dropout", "13", "wrong labels, examples seen many times", "examples seen once"),
    Raced("batch norm", "+ batch norm", "14", "depth; rates that are not tuned", "small batches"),
    Raced("layer norm", "+ layer norm", "14", "depth, transformers", "one hidden layer"),
    Raced(
        "label smoothing", "+ label smoothing", "15",
        "wrong labels; on digits clean ones, too", "the confidence is to be believed",
    ),
    Raced("random shifts", "+ shifts", "15", "the shift occurs in the data", "the data are aligned"),
    Raced(
        "mixup", "+ mixup", "15",
        "wrong labels, a rate that is not tuned", "the rate is tuned: level here, or behind",
    ),
    Raced("CutMix", "+ CutMix", "15", "photographs, for which it was made", "small drawings at a tuned rate"),
    Raced(
        "early stopping", "+ early stopping", "16",
        "the rate is not tuned", "it is tuned; few validation examples",
    ),
    Raced("EMA of weights", "+ EMA", "16", "the rate stays high", "after a decay to zero"),
    Raced("SWA", "+ SWA", "16", "the rate stays high", "after a decay to zero"),
    Raced(
        "cosine, dropout and smoothing", "+ cosine, dropout, smoothing", "19", "wrong labels",
        "clean curves: level here",
    ),
)  # fmt: skip

_NOISY = "digits, a fifth of the labels wrong"
_NOISY_CONVNET = "digits, a fifth of the labels wrong, a convnet"

CLAIMED = (
    Claimed(
        "momentum", "gradient descent, each at its best rate", "digits, full batches", "05.best-validation",
        "longer steps than plain gradient descent can take: bad conditioning, large batches",
        "short steps are enough: it is a longer step", unit="loss", sign=-1,
    ),
    Claimed(
        "AdamW's decay", "no decay, each at its best rate", _NOISY_CONVNET, "08.convnet-helps",
        "the net can fit the noise", "biases and norms; nets far from overfitting",
    ),
    Claimed(
        "AdamW", "Adam with L2, both tuned", _NOISY_CONVNET, "08.convnet-alike",
        "decay and rate are to be tuned apart", "you expect accuracy from it alone",
    ),
    Claimed(
        "warm-up", "none, each at its best peak", "digits, large initial weights", "10.best-large",
        "the start is sharper than what follows", "the default initialisation of a small net",
    ),
    Claimed(
        "warm-up", "none, each at its best peak", "digits, PyTorch's initial weights", "10.best-default",
        "the start is sharper than what follows", "the default initialisation of a small net",
    ),
    Claimed(
        "twice the images", "plain net", _NOISY, "11.more-noisy",
        "there are any (a part of this comes from fewer rounds)", "the plain net is stopped in time",
    ),
    Claimed(
        "random shifts", "no augmentation", "digits that move, 300 steps", "15.moving-shift",
        "the change occurs in the data", "the data are aligned",
    ),
    Claimed(
        "horizontal flips", "no augmentation", "digits that stay, 900 steps", "15.still-flip",
        "left and right do not matter, as in photographs", "they tell classes apart, as in digits",
    ),
    Claimed(
        "rotation by up to 45°", "no augmentation", "digits turned by up to 45°", "15.turned-rotation",
        "the change occurs in the data", "the data are upright",
    ),
    Claimed(
        "EMA of weights", "live weights, each at its best rate", f"{_NOISY}, a short run in batches of 4",
        "16.ema-fours", "the rate is not tuned; a short run", "after a decay to zero",
    ),
    Claimed(
        "model soup", "one of its nets, tuned rate", _NOISY, "16.soup-tuned",
        "several runs from one start are there anyway", "runs with other starts: it ruins them",
    ),
    Claimed(
        "bfloat16 products", "float32", "digits, the loss times 2⁻²⁰", "17.small-loss-bfloat16",
        "the device is faster at it", "weights are kept in it as well", unit="loss", sign=-1,
    ),
    Claimed(
        "clipping", "no clipping", "digits, a rate that is too large", "18.clip-large",
        "rare huge gradients", "in the place of a tuned rate",
    ),
)  # fmt: skip


def in_the_race() -> pd.DataFrame:
    """What the race entered, one line per row of `RACED`: points of test accuracy ahead of tuned momentum.

    Above them the luck of the search: from the lowest to the highest of momentum and its twins.

    Returns: a row for each technique, with a column for each task of the race, when, when not, lesson. The
        race is the one that was recorded last.
    """
    boards = _boards()
    gaps = {task: board.against(BASELINE) for task, board in boards.items()}

    def row(technique: str, cells: dict[str, str], when: str, when_not: str, lesson: str) -> dict[str, str]:
        shown = {heading: cells.get(task, NOT_RECORDED) for task, heading in TASKS.items()}
        return {"technique": technique, **shown, "when": when, "when not": when_not, "lesson": lesson}

    rows = [row(TWINS_ROW, {task: _luck(board) for task, board in boards.items()}, "", "", "19")]
    for one in RACED:
        cells = {task: _raced(gap.get(one.recipe)) for task, gap in gaps.items()}
        rows.append(row(one.technique, cells, one.when, one.when_not, one.lesson))
    return _by_technique(rows)


def in_lessons(records: Path | None = None) -> pd.DataFrame:
    """What the race cannot enter, one line per row of `CLAIMED`; positive numbers are in favour of it.

    Args: records: a folder with `claims-NN.json`; None reads the newest recorded ledger.
    Returns: a row for each technique, with columns against, where, effect, when, when not, lesson.
    Raises: ValueError where the folder holds no claim.
    """
    known = _ledger() if records is None else claim_records.by_id(claim_records.read(records))
    require(
        records is None or bool(known), "claims in the folder", cure="run the lessons first", folder=records
    )
    return _by_technique(
        [
            {"technique": one.technique, "against": one.against, "where": one.where,
             "effect": _claimed(known.get(one.claim, {}), one), "when": one.when, "when not": one.when_not,
             "lesson": one.claim[:2]}
            for one in CLAIMED
        ]
    )  # fmt: skip


def luck(board: Result, *, twins: Sequence[str] = TWINS) -> tuple[float, float]:
    """The lowest and the highest of the baseline and its twins, in test accuracy less the baseline's."""
    means = [0.0, *(board.gap(twin, BASELINE).mean for twin in twins)]
    return min(means), max(means)


def _boards() -> dict[str, Result]:
    record = newest("race")
    there = {row["task"] for row in record.rows} if record else set()
    return {task: result_of(record.rows, task) for task in TASKS if record and task in there}


def _by_technique(rows: Sequence[dict[str, str]]) -> pd.DataFrame:
    """With its heading in the corner, where pandas would give the name of an index a line of its own."""
    return pd.DataFrame(rows).set_index("technique").rename_axis(index=None, columns="technique")


def _luck(board: Result) -> str:
    low, high = luck(board)
    return _unbroken(f"{100 * low:+.1f} to {100 * high:+.1f}")


def _raced(gap: Any) -> str:
    return NOT_RACED if gap is None else _written(100 * gap.mean, 100 * gap.low, 100 * gap.high)


def _ledger() -> dict[str, dict[str, Any]]:
    record = newest("claims")
    return claim_records.by_id(record.rows) if record else {}


def _claimed(claim: dict[str, Any], row: Claimed) -> str:
    value = claim.get("measured")
    if not isinstance(value, dict):  # absent, or no interval
        return NOT_RECORDED
    scale = row.sign * UNITS[row.unit]
    low, high = sorted(scale * float(value[name]) for name in ("low", "high"))
    digits = 1 if row.unit == "points" else 3
    return f"{_written(scale * float(value['mean']), low, high, digits)} {row.unit}"


def _written(mean: float, low: float, high: float, digits: int = 1) -> str:
    return _unbroken(f"{mean:+.{digits}f} [{low:+.{digits}f}, {high:+.{digits}f}]")


def _unbroken(numbers: str) -> str:
    """With the minus of the claims, and no end of a line inside."""
    return numbers.replace("-", "\N{MINUS SIGN}").replace(" ", "\N{NO-BREAK SPACE}")
