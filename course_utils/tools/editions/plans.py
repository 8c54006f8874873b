"""Workshop plans: half a day, a day, two days. What is done when; the minutes of exercises are looked up."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Session:
    """One row: minutes, what is done, the exercises done in it, and what goes first when time runs short."""

    minutes: int
    what: str
    exercises: tuple[str, ...] = ()
    cut: str = ""


@dataclass(frozen=True)
class Plan:
    """A workshop of one or more days; each day begins at `start`."""

    title: str
    about: str
    days: tuple[tuple[Session, ...], ...]
    start: int = 9 * 60  # minutes after midnight


BREAK = Session(15, "Break")
LUNCH = Session(60, "Lunch")
ARRIVE = Session(
    15, "Arrive; `make doctor` on every laptop; who sits with whom", (), "nothing: it saves the rest"
)

HALF = Plan(
    "Half a day",
    "For people who train networks and want to know what the optimizer does.",
    (
        (
            ARRIVE,
            Session(
                35, "00 · How do we know? One seed against many", ("00.paired_difference",), "the second quiz"
            ),
            Session(
                60,
                "05 · Momentum, to the end of Agreement; then Try it",
                ("05.momentum_step", "05.averaged_rate", "05.nesterov_step"),
                "`05.nesterov_step`",
            ),
            BREAK,
            Session(
                65,
                "07 · Adam: the idea, From scratch, What goes wrong",
                ("07.first_step", "07.adam_step", "07.uncorrected_factor"),
                "`07.uncorrected_factor`",
            ),
            Session(15, "What we saw in both; where to go on: the map of lessons"),
        ),
    ),
)

DAY = Plan(
    "One day",
    "Optimisation before lunch, regularisation after it.",
    (
        (
            ARRIVE,
            Session(
                35, "00 · How do we know? One seed against many", ("00.paired_difference",), "the second quiz"
            ),
            Session(
                55,
                "02 · Gradient descent: step size, edge of stability",
                ("02.line_step", "02.train_step", "02.best_step"),
                "line search",
            ),
            BREAK,
            Session(
                70,
                "05 · Momentum",
                ("05.momentum_step", "05.averaged_rate", "05.nesterov_step", "05.best_momentum"),
                "`05.best_momentum`, noise amplification",
            ),
            LUNCH,
            Session(
                70,
                "07 · Adam; then 08 · AdamW up to Agreement",
                ("07.first_step", "07.adam_step", "08.adamw_step"),
                "AMSGrad",
            ),
            BREAK,
            Session(
                60,
                "13 · Dropout, with label noise",
                ("13.dropout_forward", "13.dropout_backward", "13.unit_variance"),
                "Monte-Carlo dropout",
            ),
            Session(15, "What helped where; questions"),
        ),
    ),
)

TWO = Plan(
    "Two days",
    "The first day descends, the second generalises.",
    (
        (
            ARRIVE,
            Session(
                40,
                "00 · How do we know?",
                ("00.paired_difference", "00.paired_standard_error"),
                "the second quiz",
            ),
            Session(
                55, "02 · Gradient descent", ("02.line_step", "02.train_step", "02.best_step"), "line search"
            ),
            BREAK,
            Session(
                60,
                "03 · Stochastic gradients",
                ("03.epoch_batches", "03.batch_gradient", "03.epoch_loss"),
                "critical batch size",
            ),
            LUNCH,
            Session(
                70,
                "05 · Momentum",
                ("05.momentum_step", "05.averaged_rate", "05.nesterov_step", "05.best_momentum"),
                "`05.best_momentum`",
            ),
            BREAK,
            Session(65, "07 · Adam", ("07.first_step", "07.adam_step", "07.uncorrected_factor"), "AMSGrad"),
            Session(15, "What we saw today"),
        ),
        (
            Session(10, "Arrive; a question from yesterday"),
            Session(
                55, "08 · AdamW", ("08.adamw_step", "08.half_life", "08.torch_decay"), "`08.torch_decay`"
            ),
            Session(
                50,
                "10 · Cycles, restarts, warm-up",
                ("10.warmup", "10.triangle", "10.clock"),
                "the range test",
            ),
            BREAK,
            Session(
                55,
                "11 · Overfitting",
                ("11.scale_parts", "11.reported", "11.clean_accuracy"),
                "double descent",
            ),
            LUNCH,
            Session(
                55,
                "13 · Dropout",
                ("13.dropout_forward", "13.dropout_backward", "13.unit_variance"),
                "Monte-Carlo dropout",
            ),
            Session(
                65,
                "14 · Batch normalisation",
                ("14.batch_norm", "14.track", "14.batch_norm_backward"),
                "`14.batch_norm_backward`: show its solution",
            ),
            BREAK,
            Session(
                45,
                "19 · Capstone: a fair race",
                ("19.log_uniform", "19.choose_trial"),
                "the exercises: run the race together",
            ),
            Session(15, "What helped where; questions"),
        ),
    ),
)

PLANS = (HALF, DAY, TWO)
