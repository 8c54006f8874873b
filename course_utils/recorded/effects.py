"""The course's one table: technique -> effect here -> when to use.

Each row names the claim that measured it. The numbers are not written here: they are read from claim records,
of a run of your own or of the one that was recorded with the course.

    table()                          the recorded ledger
    table(Path("build/records/standard"))
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from course_utils import claim_records
from course_utils._checks import require
from course_utils.recorded.record import newest

UNITS = {"points": 100.0, "loss": 1.0}  # what a measured number is multiplied by


@dataclass(frozen=True)
class Effect:
    """One row.

    Args:
        technique, against: what is compared with what.
        where: the setting in which it was measured.
        claim: id of the claim, whose first two digits are the lesson.
        when, when_not: when to use it, and when it does little or harm.
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


_NOISY, _CLEAN = "digits, a fifth of the labels wrong", "digits, clean labels"
_NOISY_CONVNET = "digits, a fifth of the labels wrong, a convnet"

EFFECTS = (
    Effect(
        "momentum", "gradient descent, each at its best rate", "digits, full batches", "05.best-validation",
        "longer steps than plain gradient descent can take: bad conditioning, large batches",
        "short steps are enough: it is a longer step", unit="loss", sign=-1,
    ),
    Effect(
        "AdaGrad", "SGD, both tuned, rates falling", "digits", "06.digits-loss",
        "rare features: embeddings, counts of words", "one rate suits all coordinates", unit="loss", sign=-1,
    ),
    Effect(
        "Adam", "momentum, both tuned", "digits", "07.digits-tuned",
        "parts of the model see gradients of very different size or frequency", "all parts are alike",
        unit="loss", sign=-1,
    ),
    Effect(
        "AdamW's decay", "no decay, each at its best rate", _NOISY_CONVNET, "08.convnet-helps",
        "the net can fit the noise", "biases and norms; nets far from overfitting",
    ),
    Effect(
        "AdamW", "Adam with L2, both tuned", _NOISY_CONVNET, "08.convnet-alike",
        "decay and rate are to be tuned apart", "you expect accuracy from it alone",
    ),
    Effect(
        "cosine decay", "best constant rate", "digits", "09.digits-tuned-accuracy",
        "long runs, large rates", "short runs at a rate tuned for them",
    ),
    Effect(
        "warm-up", "none, each at its best peak", "digits, large initial weights", "10.best-large",
        "the start is sharper than what follows", "the default initialisation of a small net",
    ),
    Effect(
        "warm-up", "none, each at its best peak", "digits, PyTorch's initial weights", "10.best-default",
        "the start is sharper than what follows", "the default initialisation of a small net",
    ),
    Effect(
        "twice the images", "plain net", _NOISY, "11.more-noisy",
        "there are any (about half of this comes from fewer rounds)", "the plain net is stopped in time",
    ),
    Effect(
        "weight decay", "plain net", _NOISY, "11.decay-noisy",
        "labels are wrong, or few", "labels are clean and enough",
    ),
    Effect(
        "L2", "no penalty, after 800 steps", _NOISY, "12.net-l2-late",
        "the net trains until it fits wrong labels", "it stops in time",
    ),
    Effect(
        "dropout", "plain net, each at its best rate", _NOISY, "13.gain-tuned-noisy",
        "the rate cannot be tuned; few examples seen many times", "examples seen once",
    ),
    Effect(
        "dropout", "plain net, each at its best rate", _CLEAN, "13.gain-tuned-clean",
        "the rate cannot be tuned; few examples seen many times", "examples seen once",
    ),
    Effect(
        "batch norm", "plain net, each at its best rate", _CLEAN, "14.gain-clean",
        "depth; rates that must not be tuned", "small batches; one hidden layer",
    ),
    Effect(
        "batch norm", "plain net, each at its best rate", _NOISY, "14.gain-noisy",
        "depth; rates that must not be tuned", "as a remedy for wrong labels",
    ),
    Effect(
        "random shifts", "no augmentation", "digits that move, 300 steps", "15.moving-shift",
        "the change occurs in the data", "the data are aligned",
    ),
    Effect(
        "random shifts", "no augmentation", "digits that stay, 300 steps", "15.still-shift",
        "the change occurs in the data", "the data are aligned",
    ),
    Effect(
        "horizontal flips", "no augmentation", "digits that stay, 900 steps", "15.still-flip",
        "left and right do not matter, as in photographs", "they tell classes apart, as in digits",
    ),
    Effect(
        "rotation by up to 45°", "no augmentation", "digits turned by up to 45°", "15.turned-rotation",
        "the change occurs in the data", "the data are upright",
    ),
    Effect(
        "mixup", "plain net, each at its best rate", _NOISY, "15.mixup-fair",
        "the rate cannot be tuned; long runs", "short runs at a tuned rate",
    ),
    Effect(
        "CutMix", "plain net, each at its best rate", _NOISY, "15.cutmix-fair",
        "the rate cannot be tuned; long runs", "short runs at a tuned rate",
    ),
    Effect(
        "label smoothing", "plain net, each at its best rate", _NOISY, "15.smoothing-fair",
        "the rate cannot be tuned; a net that is too sure", "probabilities are wanted and ε is not tuned",
    ),
    Effect(
        "early stopping", "the last step, each at its best rate", _NOISY, "16.stop-tuned",
        "the rate is not tuned; it is almost free", "so few validation images that the best step is luck",
    ),
    Effect(
        "early stopping", "the last step, each at its best rate", _CLEAN, "16.stop-tuned-clean",
        "the rate is not tuned; it is almost free", "so few validation images that the best step is luck",
    ),
    Effect(
        "EMA of weights", "live weights, each at its best rate", _NOISY, "16.ema-tuned",
        "the rate is not tuned; a short run", "after a decay to zero",
    ),
    Effect(
        "EMA of weights", "live weights, each at its best rate", f"{_NOISY}, batches of 4", "16.ema-fours",
        "the rate is not tuned; a short run", "after a decay to zero",
    ),
    Effect(
        "EMA, stopped", "the last step, each at its best rate", _NOISY, "16.both-tuned",
        "the rate is not tuned: it hardly matters then", "after a decay to zero",
    ),
    Effect(
        "SWA", "live weights, each at its best rate", _NOISY, "16.swa-tuned",
        "as EMA; batch norm needs its update", "after a decay to zero",
    ),
    Effect(
        "model soup", "one of its nets, tuned rate", _NOISY, "16.soup-tuned",
        "several runs from one start are there anyway", "runs with other starts: it ruins them",
    ),
    Effect(
        "bfloat16 products", "float32", "digits", "17.bfloat16-trains",
        "the device is faster at it", "weights are kept in it as well", unit="loss", sign=-1,
    ),
    Effect(
        "SAM", "momentum, equal gradients, both tuned", _NOISY, "18.sam-tuned",
        "wrong labels, and time for two gradients a step", "the rival is tuned: little is left",
    ),
    Effect(
        "Muon", "Adam, each at its best rate", "digits, batches of 32", "18.muon-points",
        "hidden matrices, gradients of small batches", "full batches; a rate that is not tuned",
    ),
    Effect(
        "Schedule-Free", "planned cosine, both tuned", "digits, 300 steps", "18.free-digits",
        "the length of the run is not known", "it is: plan the decay",
    ),
    Effect(
        "clipping", "no clipping", "digits, a rate that is too large", "18.clip-large",
        "rare huge gradients", "as a cure for a wrong rate",
    ),
)  # fmt: skip

NOT_RECORDED = "not recorded"


def table(records: Path | None = None) -> pd.DataFrame:
    """The table, one line per row of `EFFECTS`, with the measured interval of each.

    Args:
        records: a folder with `claims-NN.json`; None reads the newest recorded ledger.
    Returns: columns technique, against, where, lesson, effect (text with its interval, positive where the
        technique helps, or "not recorded"), mean, low, high (NaN there), when, when not.
    Raises: ValueError where the folder holds no claim.
    """
    known = _ledger() if records is None else claim_records.by_id(claim_records.read(records))
    require(
        records is None or bool(known), "claims in the folder", cure="run the lessons first", folder=records
    )
    rows = []
    for effect in EFFECTS:
        mean, low, high = _measured(known.get(effect.claim, {}), effect)
        text = NOT_RECORDED if mean is None else _written(mean, low, high, effect.unit)
        rows.append(
            {
                "technique": effect.technique,
                "against": effect.against,
                "where": effect.where,
                "lesson": effect.claim[:2],
                "effect": text,
                "mean": mean,
                "low": low,
                "high": high,
                "when": effect.when,
                "when not": effect.when_not,
            }
        )
    return pd.DataFrame(rows).astype({"mean": float, "low": float, "high": float})


def _ledger() -> dict[str, dict[str, Any]]:
    record = newest("claims")
    return claim_records.by_id(record.rows) if record else {}


def _measured(claim: dict[str, Any], effect: Effect) -> tuple[Any, Any, Any]:
    value = claim.get("measured")
    if not isinstance(value, dict):  # absent, or no interval
        return None, None, None
    scale = effect.sign * UNITS[effect.unit]
    low, high = sorted(scale * float(value[name]) for name in ("low", "high"))
    return scale * float(value["mean"]), low, high


def _written(mean: float, low: float, high: float, unit: str) -> str:
    digits = 1 if unit == "points" else 3
    return f"{mean:+.{digits}f} {unit} [{low:+.{digits}f}, {high:+.{digits}f}]"
