"""Exercises of lesson 04: how long is the memory of an average?

The average is m <- beta m + (1 - beta) x from m_0 = 0 throughout; its reading is m_t / (1 - beta**t).
"""

from __future__ import annotations

import math
from collections.abc import Callable

from course_utils.exercises.engine.model import Exercise, Inputs, Quiz, Wrong

# --- 1 · days without a reading --------------------------------------------------------------------


def average_with_gaps(values: list[float], beta: float) -> list[float]:
    m = total = 0.0  # total: the sum of the weights that are in m
    readings = []
    for x in values:
        m, total = beta * m, beta * total
        if not math.isnan(x):
            m, total = m + (1 - beta) * x, total + 1 - beta
        readings.append(m / total if total > 0 else math.nan)
    return readings


def _gaps_left_out(values: list[float], beta: float) -> list[float]:
    """A day without a reading is no step at all."""
    m, t, readings = 0.0, 0, []
    for x in values:
        if not math.isnan(x):
            m, t = beta * m + (1 - beta) * x, t + 1
        readings.append(m / (1 - beta**t) if t else math.nan)
    return readings


def _divided(values: list[float], beta: float, *, count_gaps: bool) -> list[float]:
    """Weights fade on all days, but the divisor is 1 - beta**t, t counting all days or the readings only."""
    m, t, readings = 0.0, 0, []
    for x in values:
        there = not math.isnan(x)
        m = beta * m + ((1 - beta) * x if there else 0.0)
        t += there or count_gaps
        readings.append(m / (1 - beta**t) if t else math.nan)
    return readings


def _gap_as_zero(values: list[float], beta: float) -> list[float]:
    return _divided(values, beta, count_gaps=True)


def _gap_as_zero_nan_first(values: list[float], beta: float) -> list[float]:
    """The same with NaN before the first reading, as asked."""
    readings = _gap_as_zero(values, beta)
    return [a if math.isnan(a) else b for a, b in zip(average_with_gaps(values, beta), readings, strict=True)]


def _from_first_value(values: list[float], beta: float) -> list[float]:
    m, readings = math.nan, []
    for x in values:
        if not math.isnan(x):
            m = x if math.isnan(m) else beta * m + (1 - beta) * x
        readings.append(m)
    return readings


def _readings_counted(values: list[float], beta: float) -> list[float]:
    return _divided(values, beta, count_gaps=False)


def _nan_kept(values: list[float], beta: float) -> list[float]:
    m, readings = 0.0, []
    for t, x in enumerate(values, start=1):
        m = beta * m + (1 - beta) * x
        readings.append(m / (1 - beta**t))
    return readings


def _last_value_repeated(values: list[float], beta: float) -> list[float]:
    m = total = 0.0
    last, readings = math.nan, []
    for x in values:
        last = last if math.isnan(x) else x
        m, total = beta * m, beta * total
        if not math.isnan(last):
            m, total = m + (1 - beta) * last, total + 1 - beta
        readings.append(m / total if total > 0 else math.nan)
    return readings


def _silent_on_gaps(values: list[float], beta: float) -> list[float]:
    readings = average_with_gaps(values, beta)
    return [math.nan if math.isnan(x) else reading for x, reading in zip(values, readings, strict=True)]


def _state_given_out(values: list[float], beta: float) -> list[float]:
    m, readings = 0.0, []
    for x in values:
        m = beta * m + (0.0 if math.isnan(x) else (1 - beta) * x)
        readings.append(m)
    return readings


# --- 2 · name the fault ----------------------------------------------------------------------------


def name_fault(values: list[float], readings: list[float], beta: float) -> str:
    def average(beta: float, shown: str) -> list[float]:
        m, found = values[0] if shown == "first value" else 0.0, []
        for t, x in enumerate(values, start=1):
            m = beta * m + (1 - beta) * x
            if shown == "state corrected":
                m = m / (1 - beta**t)
            weights = {"right": 1 - beta**t, "t too large": 1 - beta ** (t + 1)}.get(shown, 1.0)
            found.append(m / weights)
        return found

    expected = {
        "none": average(beta, "right"),
        "uncorrected": average(beta, "uncorrected"),
        "state corrected": average(beta, "state corrected"),
        "t too large": average(beta, "t too large"),
        "swapped": average(1 - beta, "right"),
        "first value": average(beta, "first value"),
    }

    def gap(fault: str) -> float:
        return sum(abs(a - b) for a, b in zip(readings, expected[fault], strict=True))

    return min(expected, key=gap)


def _rounded(numbers: list[float]) -> list[float]:
    return [float(f"{number:.6g}") for number in numbers]


def _by_first_reading(values: list[float], readings: list[float], beta: float) -> str:
    return name_fault(values[:1], _rounded(readings[:1]), beta)


def _swapped_passes(values: list[float], readings: list[float], beta: float) -> str:
    found = name_fault(values, readings, beta)
    return "none" if found == "swapped" else found


def _first_value_passes(values: list[float], readings: list[float], beta: float) -> str:
    found = name_fault(values, readings, beta)
    return "none" if found == "first value" else found


def _small_is_uncorrected(values: list[float], readings: list[float], beta: float) -> str:
    found = name_fault(values, readings, beta)
    return "uncorrected" if found == "t too large" else found


def _large_is_state_corrected(values: list[float], readings: list[float], beta: float) -> str:
    x, reading = abs(values[-1]), abs(readings[-1])
    if reading > 1.05 * x:
        return "state corrected"
    return "uncorrected" if reading < 0.95 * x else "none"


def _traces() -> Inputs:
    def rule(values: list[float], beta: float, fault: str) -> tuple[list[float], list[float], float]:
        b = 1 - beta if fault == "swapped" else beta
        m, readings = values[0] if fault == "first value" else 0.0, []
        for t, x in enumerate(values, start=1):
            m = b * m + (1 - b) * x
            if fault == "state corrected":
                m /= 1 - b**t
            divisors = {"none": 1 - b**t, "swapped": 1 - b**t, "t too large": 1 - b ** (t + 1)}
            readings.append(m / divisors.get(fault, 1.0))
        return list(values), readings, beta

    days = [14.0, 11.5, 17.0, 12.0, 13.5, 16.0]
    cold = [-3.0, -8.0, 1.0, -4.5, -6.0]
    return (
        rule(days, 0.9, "none"),
        rule(days, 0.9, "swapped"),
        rule(days, 0.9, "first value"),
        rule(days, 0.9, "state corrected"),
        rule(days, 0.9, "uncorrected"),
        rule(days, 0.9, "t too large"),
        rule(cold, 0.6, "first value"),
        rule(cold, 0.6, "state corrected"),
        rule(cold, 0.3, "swapped"),  # the average forgets too little
        rule(cold, 0.3, "none"),
        rule([2e-4, -5e-4, 3e-4, 1e-4], 0.98, "uncorrected"),
        rule([2e-4, -5e-4, 3e-4, 1e-4], 0.98, "none"),
        rule([400.0, 380.0], 0.8, "t too large"),
        rule([400.0, 380.0], 0.8, "swapped"),
        rule(cold, 0.2, "uncorrected"),
        rule(cold, 0.2, "t too large"),
        rule(days, 0.2, "state corrected"),
        rule(days, 0.2, "first value"),
    )


# --- 3 · choose β ----------------------------------------------------------------------------------


def choose_beta(share: float, late: float) -> float | None:
    if share >= 1:
        return 0.0
    beta = (1 - share**2) / (1 + share**2)
    return beta if beta / (1 - beta) <= late else None


def _chosen(
    share: float,
    late: float,
    *,
    beta: Callable[[float], float] = lambda share: (1 - share**2) / (1 + share**2),
    lag: Callable[[float], float] = lambda beta: beta / (1 - beta),
) -> float | None:
    if share >= 1:
        return 0.0
    found = beta(share)
    return found if lag(found) <= late else None


def _variance_for_deviation(share: float, late: float) -> float | None:
    return _chosen(share, late, beta=lambda share: (1 - share) / (1 + share))


def _memory_for_lag(share: float, late: float) -> float | None:
    return _chosen(share, late, lag=lambda beta: 1 / (1 - beta))


def _window_for_lag(share: float, late: float) -> float | None:
    return _chosen(share, late, lag=lambda beta: (1 + beta) / (1 - beta))


def _half_life_for_lag(share: float, late: float) -> float | None:
    return _chosen(share, late, lag=lambda beta: math.log(0.5) / math.log(beta))


def _one_over_memory(share: float, late: float) -> float | None:
    return _chosen(share, late, beta=lambda share: 1 - share**2)


def _memory_for_lag_at_zero(share: float, late: float) -> float | None:
    """Without a case of its own for share >= 1: at beta = 0 the memory is 1, and that counts as late."""
    beta = max(0.0, (1 - share**2) / (1 + share**2))
    return beta if 1 / (1 - beta) <= late else None


def _window_for_lag_at_zero(share: float, late: float) -> float | None:
    beta = max(0.0, (1 - share**2) / (1 + share**2))
    return beta if (1 + beta) / (1 - beta) <= late else None


def _lag_passed(share: float, late: float) -> float | None:
    return _chosen(share, late, lag=lambda beta: 0.0)


def _as_late_as_allowed(share: float, late: float) -> float | None:
    return None if choose_beta(share, late) is None else late / (1 + late)


def _negative_beta(share: float, late: float) -> float | None:
    beta = (1 - share**2) / (1 + share**2)
    return beta if beta / (1 - beta) <= late else None


def _nothing_where_calm(share: float, late: float) -> float | None:
    return None if share >= 1 else choose_beta(share, late)


def _less_than_late(share: float, late: float) -> float | None:
    beta = max(0.0, (1 - share**2) / (1 + share**2))
    return beta if beta / (1 - beta) < late else None


# --- 4 · continue an average -----------------------------------------------------------------------


def continued(values: list[float], beta: float, reading: float, t: int) -> list[float]:
    m = reading * (1 - beta**t)
    readings = []
    for x in values:
        t = t + 1
        m = beta * m + (1 - beta) * x
        readings.append(m / (1 - beta**t))
    return readings


def _went_on(values: list[float], beta: float, m: float, t: int, *, corrected: bool = True) -> list[float]:
    readings = []
    for x in values:
        m, t = beta * m + (1 - beta) * x, t + 1
        readings.append(m / (1 - beta**t) if corrected else m)
    return readings


def _begun_anew(values: list[float], beta: float, reading: float, t: int) -> list[float]:
    return _went_on(values, beta, 0.0, 0)


def _reading_as_state(values: list[float], beta: float, reading: float, t: int) -> list[float]:
    return _went_on(values, beta, reading, t)


def _reading_as_state_anew(values: list[float], beta: float, reading: float, t: int) -> list[float]:
    return _went_on(values, beta, reading, 0)


def _state_with_new_clock(values: list[float], beta: float, reading: float, t: int) -> list[float]:
    return _went_on(values, beta, reading * (1 - beta**t), 0)


def _clock_one_behind(values: list[float], beta: float, reading: float, t: int) -> list[float]:
    return _went_on(values, beta, reading * (1 - beta**t), t - 1)


def _from_the_reading(values: list[float], beta: float, reading: float, t: int) -> list[float]:
    return _went_on(values, beta, reading, t, corrected=False)


def _states_given_out(values: list[float], beta: float, reading: float, t: int) -> list[float]:
    return _went_on(values, beta, reading * (1 - beta**t), t, corrected=False)


# --- 5 · towards research: noise that remembers ----------------------------------------------------


def correlated_variance(beta: float, phi: float) -> float:
    with_newest = (1 - beta) / (1 - beta * phi)  # Cov(m_t, x_t) at rest
    return ((1 - beta) ** 2 + 2 * beta * (1 - beta) * phi * with_newest) / (1 - beta**2)


def _cross_term_once(beta: float, phi: float) -> float:
    with_newest = (1 - beta) / (1 - beta * phi)
    return ((1 - beta) ** 2 + beta * (1 - beta) * phi * with_newest) / (1 - beta**2)


def _only_newest_pair(beta: float, phi: float) -> float:
    """As if m_{t-1} and x_t had the covariance phi * (1 - beta): older values are left out."""
    return ((1 - beta) ** 2 + 2 * beta * (1 - beta) * phi * (1 - beta)) / (1 - beta**2)


def _newest_with_itself(beta: float, phi: float) -> float:
    """Takes Cov(m_t, x_t) where Cov(m_{t-1}, x_t) belongs: a factor phi is missing."""
    with_newest = (1 - beta) / (1 - beta * phi)
    return ((1 - beta) ** 2 + 2 * beta * (1 - beta) * with_newest) / (1 - beta**2)


_NAN = math.nan

EXERCISES = (
    Exercise(
        "04.average_with_gaps",
        title="Days without a reading",
        prompt="NaN is a day without a reading. On every day the weights of all older values fade by beta; a reading "
        "enters with 1 - beta. Return the corrected average after each day, the weighted sum over the sum of the weights: "
        "a list of floats, NaN before the first reading.",
        kind="core",
        minutes=8,
        inputs=(
            ([14.0, 11.5, 17.0, 12.0], 0.9),
            ([14.0, _NAN, 17.0, _NAN, _NAN, 12.0], 0.9),
            ([_NAN, _NAN, -3.0, 4.0, _NAN, -1.0], 0.5),
            ([2e-4, -5e-4, _NAN, 3e-4], 0.98),
            ([400.0, *[_NAN] * 9, 100.0, 90.0], 0.7),
            ([_NAN, _NAN], 0.9),
            ([], 0.9),
        ),
        solution=average_with_gaps,
        wrong=(
            Wrong(
                _gaps_left_out,
                "These are the readings that come out if a day without a reading is no step at all. The days go on, "
                "and older values fade on each of them.",
            ),
            Wrong(
                _gap_as_zero,
                "After a gap your average is drawn to zero. A day without a reading adds no weight, so the divisor "
                "is not 1 - beta**t there.",
            ),
            Wrong(
                _gap_as_zero_nan_first,
                "You divide by 1 - beta**t with t the number of days. A day without a reading adds no weight, so "
                "after it the weights add up to less.",
            ),
            Wrong(
                _from_first_value,
                "These start at the first reading, which then has too much weight, and a day without one is no step.",
            ),
            Wrong(
                _readings_counted,
                "These are divided by 1 - beta**t with t the number of readings. That is the sum of the weights "
                "only as long as no day was missed.",
            ),
            Wrong(
                _nan_kept,
                "One NaN makes all later averages NaN. Add a value only where there is one (math.isnan tells).",
            ),
            Wrong(
                _last_value_repeated,
                "The last value counts again on each day without a reading. It was measured once: only let it fade.",
            ),
            Wrong(
                _silent_on_gaps,
                "You say NaN on each day without a reading. There is an average on those days, too: that of the day "
                "before.",
            ),
            Wrong(_state_given_out, "These are weighted sums. Divide each by the sum of its weights."),
        ),
        hints=(
            "Without gaps 1 - beta**t is the sum of the weights. With gaps it is not, but you can keep that sum beside m.",
            "Each day: m and total fade by beta. With a reading: m gets (1 - beta) * x, total gets 1 - beta.",
            "readings.append(m / total if total > 0 else math.nan)",
        ),
        stub='''def average_with_gaps(values, beta):
    """A list of floats, one a day; values: a list of floats, NaN where none was read; 0 < beta < 1."""
    ...
''',
        note="pandas does this in `Series(values).ewm(alpha=1 - beta).mean()`.",
    ),
    Exercise(
        "04.name_fault",
        title="This average is broken: find why",
        prompt='Return the fault that made these readings: "none", "uncorrected", "state corrected" (the corrected '
        'reading is kept as the state), "t too large" (divides by 1 - beta**(t + 1)), "swapped" (beta and 1 - beta '
        'exchanged everywhere) or "first value" (m starts there, nothing is corrected). Floats are not exact: return the '
        "fault whose readings are nearest.",
        kind="core",
        minutes=8,
        inputs=_traces,
        solution=name_fault,
        wrong=(
            Wrong(
                _by_first_reading,
                "These are the names that the first reading suggests. On day 1 four of the six read the first value: "
                "compare whole series.",
            ),
            Wrong(
                _swapped_passes,
                '"none" came out where beta and 1 - beta are exchanged. That average is corrected, too; its memory '
                "is another.",
            ),
            Wrong(
                _first_value_passes,
                '"none" came out where m starts at the first value. It begins alike, and then the first value keeps '
                "more weight.",
            ),
            Wrong(
                _small_is_uncorrected,
                '"uncorrected" came out where the correction is there and has a t that is one too large.',
            ),
            Wrong(
                _large_is_state_corrected,
                "These names go by the last reading being too large or too small. Compute what each fault gives.",
            ),
        ),
        hints=(
            "Write the average once with a switch for each fault, and run it on the values you are given.",
            "You have six lists of readings then. Add up the distances between each and `readings`.",
            "return min(expected, key=gap), where expected is a dict from names to lists.",
        ),
        stub='''def name_fault(values, readings, beta):
    """The fault as a string; values, readings: lists of floats of one length; 0 < beta < 1."""
    ...
''',
        note="A constant series would hide two of these faults: test an average on values that vary.",
    ),
    Exercise(
        "04.choose_beta",
        title="Choose β",
        prompt="Noise is independent from step to step. Once t is large its standard deviation in the reading shall be at "
        "most `share` of what it is in one value. Return the smallest beta that does it, or None where that average would "
        "be more than `late` steps late on a steady rise.",
        kind="core",
        minutes=6,
        inputs=(
            (0.5, 10.0),
            (0.1, 60.0),
            (0.1, 45.0),
            (0.3, 5.5),  # its lag is 5.06, its memory 6.06
            (0.3, 4.0),
            (0.3, 3.6),
            (0.9, 0.12),
            (1.0, 0.0),
            (1.7, 3.0),
            (0.02, 1e4),
        ),
        solution=choose_beta,
        wrong=(
            Wrong(
                _variance_for_deviation,
                "These betas bring the *variance* down to the share. Its root, the deviation, is still too large.",
            ),
            Wrong(
                _memory_for_lag,
                "None came out too often. The lag on a steady rise is beta / (1 - beta), one less than the memory.",
            ),
            Wrong(
                _window_for_lag,
                "None came out too often. The window is the number of values in a plain mean that is equally late; that "
                "mean is late by the mean age of its values, about half of their number.",
            ),
            Wrong(
                _memory_for_lag_at_zero,
                "None came out too often, for share >= 1, too. You compare the memory 1 / (1 - beta); the lag on a steady "
                "rise is beta / (1 - beta), one less.",
            ),
            Wrong(
                _window_for_lag_at_zero,
                "None came out too often, for share >= 1, too. You compare the window (1 + beta) / (1 - beta); a plain "
                "mean of so many values is late by the mean age of its values, about half of their number.",
            ),
            Wrong(
                _half_life_for_lag,
                "None came out too seldom. A half-life is shorter than the lag on a rise, which is the mean age.",
            ),
            Wrong(
                _one_over_memory,
                "These are the betas whose memory 1 / (1 - beta) is 1 / share². The variance that is left is "
                "(1 - beta) / (1 + beta): a shorter memory does it.",
            ),
            Wrong(_lag_passed, "A beta came out where its average is later than allowed."),
            Wrong(
                _as_late_as_allowed,
                "These are the largest betas that are not too late. Asked is the smallest that calms the noise.",
            ),
            Wrong(
                _negative_beta, "A beta below zero came out. Where nothing need be calmed, 0 is the smallest."
            ),
            Wrong(
                _nothing_where_calm,
                "None came out where nothing need be calmed. There 0 is the smallest beta, and it is not late at all.",
            ),
            Wrong(
                _less_than_late,
                "None came out where the average is exactly as late as allowed. None is for those that are later.",
            ),
        ),
        hints=(
            "Solve (1 - beta) / (1 + beta) = share² for beta.",
            "On a steady rise the average is late by the mean age of its weights, beta / (1 - beta).",
            "beta = (1 - share**2) / (1 + share**2), at least 0; None if beta / (1 - beta) > late.",
        ),
        stub='''def choose_beta(share, late):
    """The smallest such beta in [0, 1) as a float, or None; share: a float > 0, late: a float >= 0."""
    ...
''',
        note="A tenth of the noise costs 49 steps of lag: between noise and lag there is no free choice of β.",
    ),
    Exercise(
        "04.continued",
        title="Repair a log",
        prompt="A run stopped after t values, and its log holds only the last corrected reading. Return the corrected "
        "readings after each of the new values, as if it had never stopped: a list of floats.",
        kind="extra",
        minutes=5,
        inputs=(
            ([12.0, 13.5, 16.0], 0.9, 14.2, 3),
            ([-3.0, 4.0], 0.5, 1.5, 1),
            ([2e-4, -5e-4, 3e-4], 0.98, -1e-4, 20),
            ([400.0] * 6, 0.999, 100.0, 40),
            ([], 0.9, 14.2, 3),
        ),
        solution=continued,
        wrong=(
            Wrong(_begun_anew, "These are the readings of an average that begins anew: the old one is lost."),
            Wrong(
                _reading_as_state,
                "These come out if the logged reading is taken for the state m. The state was smaller, by 1 - beta**t.",
            ),
            Wrong(
                _reading_as_state_anew,
                "The first reading is far too large: the logged reading was corrected already, and t begins at 1 "
                "again.",
            ),
            Wrong(
                _state_with_new_clock,
                "The state is right, but t begins at 1 again, so that the divisor is too small.",
            ),
            Wrong(
                _clock_one_behind,
                "t is one behind: with the first new value t + 1 values have been seen.",
            ),
            Wrong(
                _from_the_reading,
                "These come out if the average goes on from the logged reading without correction, as a start at a "
                "first value does: the old values get too much weight.",
            ),
            Wrong(_states_given_out, "These are the states. The log holds corrected readings."),
        ),
        hints=(
            "What was m when the run stopped? The reading was m / (1 - beta**t).",
            "m = reading * (1 - beta**t); from then on the rule and the correction as ever.",
            "The first new value is number t + 1.",
        ),
        stub='''def continued(values, beta, reading, t):
    """A list of floats; values: the new ones, a list of floats; t: an int >= 1, values seen before them."""
    ...
''',
        note="This is why an optimizer's `state_dict()` holds the step count beside the averages.",
    ),
    Exercise(
        "04.correlated_variance",
        title="Noise that remembers",
        prompt="The values have variance 1 and covariance phi**k when k steps apart. Return the variance of the "
        "average once t is large.",
        kind="extra",
        minutes=25,
        inputs=((0.9, 0.8), (0.98, 0.5), (0.5, -0.6), (0.7, 0.0), (0.0, 0.9), (0.95, -0.9), (0.99, 0.99)),
        solution=correlated_variance,
        wrong=(
            Wrong(
                lambda beta, phi: (1 - beta) / (1 + beta),
                "This is for independent values, phi = 0. Positive correlation leaves more, negative less.",
            ),
            Wrong(
                lambda beta, phi: (1 - beta) * (1 + phi) / ((1 + beta) * (1 - phi)),
                "This is the limit of a memory much longer than the noise's, by the rule of the effective sample "
                "size. At beta = 0 it is not even 1.",
            ),
            Wrong(
                _cross_term_once,
                "The cross term is there once, and counts twice: Var(a + b) = Var a + Var b + 2 Cov(a, b).",
            ),
            Wrong(
                _only_newest_pair,
                "This comes out if only the newest two values are correlated. The covariance of m with the newest "
                "value sums over all ages: (1 - beta) / (1 - beta phi).",
            ),
            Wrong(
                _newest_with_itself,
                "The cross term is of m_{t-1} with x_t, one step apart: the covariance of m with the newest value "
                "times phi.",
            ),
        ),
        hints=(
            "Take variances on both sides of the rule, with V = Var m_t = Var m_{t-1}. Which covariance do you need?",
            "D = Cov(m_t, x_t) obeys D = beta phi D + (1 - beta), because x_t passes on a share phi of itself.",
            "V = beta² V + (1 - beta)² + 2 beta (1 - beta) phi D, with D = (1 - beta) / (1 - beta phi).",
        ),
        stub='''def correlated_variance(beta, phi):
    """The variance, once t is large, as a float; 0 <= beta < 1, -1 < phi < 1."""
    ...
''',
        note="Solved: (1 - beta)(1 + beta phi) / ((1 + beta)(1 - beta phi)). Gradients along a slow path are correlated, "
        "too.",
    ),
)

QUIZZES = (
    Quiz(
        "04.older_than_memory",
        "An average with β = 0.98 is said to remember 1/(1 − β) = 50 values. How much of its weight lies on values older "
        "than that?",
        (
            (
                "None: after 50 steps a value drops out",
                "That is a window. Here nothing is ever dropped: each step multiplies every weight by 0.98.",
                False,
            ),
            (
                "About 2%, one part in 50",
                "The newest value alone weighs 2%. All older ones together are a long tail.",
                False,
            ),
            (
                "More than a third",
                "0.98 to the power 50 is 0.364: the tail is still there.",
                True,
            ),
            ("Exactly half", "Half of the weight is older than the half-life, 34 steps here.", False),
        ),
    ),
    Quiz(
        "04.which_start",
        "The level stands still at 10 °C, the noise is 3 °C. With β = 0.98, one average starts at zero and corrects its "
        "readings, another starts at the first value. On day 50, which of them is nearer to the level, as a rule?",
        (
            (
                "Neither: both are unbiased, and 50 days are enough to forget the start",
                "Unbiased, yes. But after 50 days the first value still has 37% of the weight, and its noise with it.",
                False,
            ),
            (
                "The one that starts at the first value: it begins at a real reading, not at a made-up zero",
                "The made-up zero is divided out again, exactly. The real reading is noisy, and has a large weight.",
                False,
            ),
            (
                "The corrected one",
                "None of the 50 values has more than 4% of its weight. The other gives one of them more than a third.",
                True,
            ),
        ),
    ),
)
