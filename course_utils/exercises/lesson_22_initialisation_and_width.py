"""Exercises of lesson 22: why does the same rate suit a net of any width?"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from course_utils.exercises.engine.model import Exercise, Inputs, Quiz, Wrong

Shape = tuple[int, ...]
Report = dict[str, Any]

# --- 1 · the size of the weights -------------------------------------------------------------------


def spread_of_weights(shape: Shape, slope: float, way: str) -> float:
    field = 1
    for size in shape[2:]:
        field *= size
    fan = field * (shape[1] if way == "forward" else shape[0])
    kept = (1 + slope**2) / 2  # of the mean square, by the activation
    return math.sqrt(1 / (kept * fan))


def _std(shape: Shape, slope: float, way: str, *, kernel: bool = True, swap: bool = False, gain: float | None = None) -> float:  # fmt: skip
    """`spread_of_weights` with one thing otherwise."""
    field = math.prod(shape[2:]) if kernel else 1
    fan = field * shape[(way == "forward") != swap]
    return math.sqrt((2 / (1 + slope**2) if gain is None else gain) / fan)


def _fans_exchanged(shape: Shape, slope: float, way: str) -> float:
    return _std(shape, slope, way, swap=True)


def _variance(shape: Shape, slope: float, way: str) -> float:
    return spread_of_weights(shape, slope, way) ** 2


def _no_gain(shape: Shape, slope: float, way: str) -> float:
    return _std(shape, slope, way, gain=1.0)


def _slope_ignored(shape: Shape, slope: float, way: str) -> float:
    return _std(shape, slope, way, gain=2.0)


def _kernel_left_out(shape: Shape, slope: float, way: str) -> float:
    return _std(shape, slope, way, kernel=False)


def _mean_of_fans(shape: Shape, slope: float, way: str) -> float:
    both = _std(shape, slope, "forward") ** -2 + _std(shape, slope, "back") ** -2
    return math.sqrt(2 / both)


def _always_forward(shape: Shape, slope: float, way: str) -> float:
    return _std(shape, slope, "forward")


def _bound(shape: Shape, slope: float, way: str) -> float:
    return math.sqrt(3) * spread_of_weights(shape, slope, way)


# --- 2 · name the fault ----------------------------------------------------------------------------


def name_fault(widths: list[int], squares: list[float]) -> str:
    def gap(fault: str) -> float:
        total, expected = 0.0, 1.0
        for layer, seen in enumerate(squares):
            n, out = widths[layer], widths[layer + 1]
            variance = {
                "none": 2 / n,
                "no gain": 1 / n,
                "variance for deviation": (2 / n) ** 2,
                "fans exchanged": 2 / out,
                "deviation as bound": 2 / n / 3,
            }[fault]
            # the first layer reads the inputs, each later one what ReLU left: half
            expected *= variance * n * (1 if layer == 0 else 0.5)
            total += abs(math.log(seen / expected))
        return total

    faults = ["none", "no gain", "variance for deviation", "fans exchanged", "deviation as bound"]
    return min(faults, key=gap)


def _faults(
    widths: list[int], squares: list[float], *, first: float = 1.0, later: float = 0.5, log: bool = True,
    layers: slice = slice(None), names: str = "none, no gain, variance for deviation, fans exchanged, deviation as bound",
) -> str:  # fmt: skip
    """`name_fault` with one thing otherwise."""

    def gap(fault: str) -> float:
        seen_and_expected, expected = [], 1.0
        for layer, seen in enumerate(squares):
            n, out = widths[layer], widths[layer + 1]
            variance = {
                "none": 2 / n, "no gain": 1 / n, "variance for deviation": (2 / n) ** 2,
                "fans exchanged": 2 / out, "deviation as bound": 2 / n / 3,
            }[fault]  # fmt: skip
            expected *= variance * n * (first if layer == 0 else later)
            seen_and_expected.append((seen, expected))
        kept = seen_and_expected[layers]
        return sum(abs(math.log(a / b)) if log else abs(a - b) for a, b in kept)

    return min(names.split(", "), key=gap)


def _half_from_the_first(widths: list[int], squares: list[float]) -> str:
    return _faults(widths, squares, first=0.5)


def _relu_forgotten(widths: list[int], squares: list[float]) -> str:
    return _faults(widths, squares, later=1.0)


def _last_alone(widths: list[int], squares: list[float]) -> str:
    return _faults(widths, squares, layers=slice(-1, None))


def _first_alone(widths: list[int], squares: list[float]) -> str:
    return _faults(widths, squares, layers=slice(0, 1))


def _plain_differences(widths: list[int], squares: list[float]) -> str:
    return _faults(widths, squares, log=False)


def _fans_not_asked(widths: list[int], squares: list[float]) -> str:
    return _faults(widths, squares, names="none, no gain, variance for deviation, deviation as bound")


def _traces() -> Inputs:
    def trace(widths: list[int], factor: Callable[[int, int], float], *noise: float) -> tuple[object, ...]:
        now, found = 1.0, []
        for layer in range(len(widths) - 1):
            n, out = widths[layer], widths[layer + 1]
            now *= factor(n, out) * n * (0.5 if layer else 1.0)
            found.append(now * noise[layer % len(noise)])
        return widths, found

    def he(n: int, out: int) -> float:
        return 2 / n

    def no_gain(n: int, out: int) -> float:
        return 1 / n

    def squared(n: int, out: int) -> float:
        return 4 / n**2

    def exchanged(n: int, out: int) -> float:
        return 2 / out

    def bound(n: int, out: int) -> float:
        return 2 / (3 * n)

    return (
        trace([64, 64, 64, 64, 64], he, 1.1, 0.9, 0.8),
        trace([64, 128, 32, 256], he, 0.8, 1.3, 1.2),
        trace([50, 50, 50, 50], no_gain, 1.0, 1.2, 0.9),
        trace([100, 100, 100, 100], bound, 1.1, 0.9, 1.0),
        trace([64, 32, 128, 16, 64], exchanged, 1.1, 1.0, 0.9),
        trace([32, 256, 64], exchanged, 1.0, 1.1),
        trace([20, 40, 40], squared, 1.2, 0.9),
        trace([128, 128, 128], squared, 1.0, 1.0),
        # ends where another fault would end
        trace([64, 32, 64], exchanged, 1.0, 1.05),
        trace([64, 128, 64], exchanged, 0.95, 1.0),
        trace([30, 60, 30, 60, 30], exchanged, 1.1, 1.1),
        # one layer only; early layers agree, later ones do not
        trace([64, 20], no_gain, 1.1),
        trace([12, 12, 12, 12, 12, 12], he, 0.9, 0.7, 0.6, 0.5, 0.45),
        trace([24, 24, 24, 24, 24, 24], no_gain, 1.5, 1.5, 1.4, 1.3, 1.2),
        trace([16, 64, 64, 64], bound, 1.3, 1.2, 1.5),
        # two units wide: a square is larger than the variance
        trace([2, 4, 8], he, 1.0, 0.9),
        trace([2, 2, 3], squared, 1.0, 1.0),
        trace([3, 3, 3, 3], squared, 1.0),
        # wide: the differences of small numbers say nothing
        trace([3, 3, 300, 300], no_gain, 1.9, 1.0, 1.0),
        trace([10, 10, 10, 10], bound, 2.6, 1.1, 1.0),
        # the sum of the logarithms' sizes: not their largest, nor squares, nor factors layer by layer
        ([16, 128, 32, 32], [1.3, 0.77, 0.71]),
        ([16, 128, 48, 128], [0.63, 0.28, 0.17]),
        ([48, 48, 32, 16], [3.4, 2.0, 3.7]),
    )


# --- 3 · carry the recipe to another width ---------------------------------------------------------


def for_width(
    fans: tuple[int, int], base: tuple[int, int], std: float, lr: float, optimizer: str
) -> tuple[float, float]:
    m_in, m_out = fans[0] / base[0], fans[1] / base[1]
    std = std / math.sqrt(m_in) * math.sqrt(min(1, m_out / m_in))
    return (std, lr / m_in) if optimizer == "adam" else (std, lr * m_out / m_in)


def _ratios(fans: tuple[int, int], base: tuple[int, int]) -> tuple[float, float]:
    return fans[0] / base[0], fans[1] / base[1]


def _standard(fans: Any, base: Any, std: float, lr: float, optimizer: str) -> tuple[float, float]:
    return std / math.sqrt(fans[0] / base[0]), lr


def _multiplier_forgotten(fans: Any, base: Any, std: float, lr: float, optimizer: str) -> tuple[float, float]:
    return std / math.sqrt(fans[0] / base[0]), for_width(fans, base, std, lr, optimizer)[1]


def _weights_alone(fans: Any, base: Any, std: float, lr: float, optimizer: str) -> tuple[float, float]:
    return for_width(fans, base, std, lr, optimizer)[0], lr


def _last_layer_alone(fans: Any, base: Any, std: float, lr: float, optimizer: str) -> tuple[float, float]:
    """Adam's rate is not divided between the hidden layers."""
    m_in, m_out = _ratios(fans, base)
    new = for_width(fans, base, std, lr, optimizer)
    return (new[0], lr) if optimizer == "adam" and m_out == m_in else new


def _adams_for_both(fans: Any, base: Any, std: float, lr: float, optimizer: str) -> tuple[float, float]:
    return for_width(fans, base, std, lr, "adam")


def _sgds_for_both(fans: Any, base: Any, std: float, lr: float, optimizer: str) -> tuple[float, float]:
    return for_width(fans, base, std, lr, "sgd")


def _variance_divided(fans: Any, base: Any, std: float, lr: float, optimizer: str) -> tuple[float, float]:
    m_in, m_out = _ratios(fans, base)
    return std / m_in * min(1, m_out / m_in), for_width(fans, base, std, lr, optimizer)[1]


def _by_the_square_root(fans: Any, base: Any, std: float, lr: float, optimizer: str) -> tuple[float, float]:
    new = for_width(fans, base, std, lr, optimizer)
    return new[0], lr * math.sqrt(new[1] / lr)


def _fans_the_other_way(fans: Any, base: Any, std: float, lr: float, optimizer: str) -> tuple[float, float]:
    return for_width(fans[::-1], base[::-1], std, lr, optimizer)


# --- 4 · which report may be believed? -------------------------------------------------------------


def carries_over(report: Report) -> bool:
    rates, widths, losses = report["rates"], report["widths"], report["losses"]
    if max(widths) < 8 * min(widths):
        return False
    best = []
    for row in losses:
        finite = [math.inf if math.isnan(loss) else loss for loss in row]
        k = finite.index(min(finite))
        if k == 0 or k == len(rates) - 1:
            return False
        best.append(k)
    lowest = [row[k] for row, k in zip(losses, best, strict=True)]
    falls = lowest[widths.index(max(widths))] < lowest[widths.index(min(widths))]
    return bool(rates[max(best)] <= 2 * rates[min(best)] and falls)


def _believed(
    report: Report, *, span: bool = True, inside: bool = True, near: bool = True, falls: bool = True,
    nan: float = math.inf, order: bool = True, ends: bool = False,
) -> bool:  # fmt: skip
    """`carries_over` with one thing otherwise."""
    rates, widths, losses = report["rates"], report["widths"], report["losses"]
    rows = [[nan if math.isnan(loss) else loss for loss in row] for row in losses]
    best = [row.index(min(row)) for row in rows]
    wide, narrow = widths.index(max(widths)), widths.index(min(widths))
    if not order:
        wide, narrow = len(widths) - 1, 0
    chosen = [rates[best[wide]], rates[best[narrow]]] if ends else [rates[k] for k in best]
    ok = max(widths) >= 8 * min(widths) or not span
    ok = ok and (all(0 < k < len(rates) - 1 for k in best) or not inside)
    ok = ok and (max(chosen) <= 2 * min(chosen) or not near)
    return bool(ok and (rows[wide][best[wide]] < rows[narrow][best[narrow]] or not falls))


def _any_span(report: Report) -> bool:
    return _believed(report, span=False)


def _edges_pass(report: Report) -> bool:
    return _believed(report, inside=False)


def _wherever_best(report: Report) -> bool:
    return _believed(report, near=False)


def _no_gain_asked(report: Report) -> bool:
    return _believed(report, falls=False)


def _lost_is_best(report: Report) -> bool:
    return _believed(report, nan=-math.inf)


def _listed_in_order(report: Report) -> bool:
    return _believed(report, order=False)


def _ends_alone(report: Report) -> bool:
    return _believed(report, ends=True)


def _reports() -> Inputs:
    nan = math.nan

    def report(widths: list[int], *rows: list[float], rates: list[float] | None = None) -> tuple[Report]:
        return ({"widths": widths, "rates": rates or [0.001, 0.002, 0.004, 0.008], "losses": list(rows)},)

    good = [0.5, 0.3, 0.4, 0.6]
    better = [0.4, 0.2, 0.3, nan]
    shifted = [0.4, 0.3, 0.2, nan]
    return (
        report([32, 256], good, better),
        report([32, 256], good, shifted),  # a factor of two is near
        report([32, 128], good, better),  # too small a span
        report([32, 240], good, better),  # nearly
        report([32, 256], good, [0.4, 0.2, 0.3, 0.9]),  # nothing diverged
        report([16, 256], [0.5, 0.4, 0.35, 0.3], [0.4, 0.3, 0.25, 0.2]),  # both at the upper edge
        report([16, 256], [0.5, 0.4, 0.3, 0.35], [0.4, 0.3, 0.2, 0.25]),  # both beside it
        report([32, 64, 256], good, [0.3, 0.28, 0.29, nan], better),
        report([32, 256], [0.5, 0.4, 0.35, 0.3], better),  # the narrow one at an edge
        report([32, 256], good, [0.1, 0.2, 0.3, nan]),  # the wide one at the other
        report([32, 256], good, [0.5, 0.35, 0.4, 0.6]),  # wider, and worse
        report([32, 256], good, [0.5, 0.3, 0.4, 0.6]),  # no better
        report([256, 32], better, good),  # listed from the widest on
        report([256, 32], good, better),  # the same, and the wide one is worse
        report([32, 128, 512], good, [0.4, 0.3, 0.25, 0.2], better),  # the middle one at an edge
        report([32, 512], good, [nan, 0.2, nan, nan]),
        report([32, 512], [nan, nan, nan, 0.5], better),
        report([16, 512], [0.6, 0.3, 0.5, 0.7, 0.9], [0.5, 0.4, 0.3, 0.1, nan], rates=[0.1, 0.2, 0.3, 0.39, 0.9]),
        report([16, 512], [0.6, 0.3, 0.5, 0.7, 0.9], [0.5, 0.4, 0.3, 0.1, nan], rates=[0.1, 0.2, 0.3, 0.5, 0.9]),
        # the ends agree, the middle does not
        report(
            [16, 64, 512], [0.6, 0.3, 0.5, 0.7, 0.9], [0.6, 0.5, 0.5, 0.2, 0.9], [0.5, 0.1, 0.3, 0.4, nan],
            rates=[0.1, 0.2, 0.4, 0.8, 1.6],
        ),
        report([64, 64, 600], good, good, better),
        report([300, 30, 100], better, good, shifted),
    )  # fmt: skip


# --- 5 · a branch that ends in ReLU ----------------------------------------------------------------


def branch_scale(layers: int, growth: float) -> float:
    def grown(s: float) -> float:
        mean, square = 0.0, 1.0
        for _ in range(layers):
            step = s * math.sqrt(square / math.pi)  # the mean of s ReLU(z), z of variance 2 square
            mean, square = mean + step, square + 2 * mean * step + s**2 * square
        return square

    low, high = 0.0, math.sqrt(growth)
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if grown(middle) < growth else (low, middle)
    return low


def _without_means(layers: int, growth: float) -> float:
    return math.sqrt(growth ** (1 / layers) - 1)


def _root_of_layers(layers: int, growth: float) -> float:
    return 1 / math.sqrt(layers)


def _one_over_layers(layers: int, growth: float) -> float:
    return 1 / layers


def _first_order(layers: int, growth: float) -> float:
    return math.sqrt(math.log(growth) / layers)


def _of_the_branch(layers: int, growth: float) -> float:
    """The growth is taken for that of the root mean square."""
    return branch_scale(layers, growth**2)


def _linear_branch(layers: int, growth: float) -> float:
    """No ReLU at the branch's end, with He's weights: it adds twice the mean square."""
    return math.sqrt((growth ** (1 / layers) - 1) / 2)


def _all_add_up(layers: int, growth: float) -> float:
    return float((growth ** (1 / (2 * layers))) - 1)


EXERCISES = (
    Exercise(
        "22.spread_of_weights",
        title="The size of the weights",
        prompt="Weights of shape (out, in), or (out, in, kernel height, kernel width) of a convolution, and a leaky ReLU of this slope "
        "below zero (0 is ReLU, 1 is linear). Return the standard deviation that keeps the mean square from layer to layer: of "
        'the sums for way "forward", of the gradients for way "back".',
        kind="core",
        minutes=8,
        inputs=(
            ((30, 50), 0.0, "forward"),
            ((30, 50), 0.0, "back"),
            ((200, 10), 1.0, "forward"),
            ((200, 10), 0.3, "back"),
            ((16, 3, 5, 5), 0.0, "forward"),
            ((16, 8, 3, 5), 0.1, "back"),
            ((1, 9), -0.5, "forward"),
            ((7, 7, 1, 3), 2.0, "back"),
        ),
        solution=spread_of_weights,
        wrong=(
            Wrong(
                _fans_exchanged,
                "The fans are exchanged. Forward a unit sums over its inputs, back an input sums over the units that read it.",
            ),
            Wrong(_variance, "This is the variance. Asked for is the standard deviation."),
            Wrong(
                _no_gain,
                "This keeps the mean square of a linear net. The activation takes a share away at each layer.",
            ),
            Wrong(_slope_ignored, "This is right for ReLU. With a slope, what is below zero counts as well."),
            Wrong(
                _kernel_left_out,
                "Of a convolution a unit sums over all entries of the kernel, not over the channels alone.",
            ),
            Wrong(_mean_of_fans, "This is a compromise between both ways. Asked for is one of them."),
            Wrong(
                _always_forward,
                "The way back is not treated on its own: there the sum runs over the units that read.",
            ),
            Wrong(_bound, "This is the bound of a uniform draw with that standard deviation."),
        ),
        hints=(
            "A sum of fan terms has fan times the variance of the weights times the mean square of what it sums.",
            "A leaky ReLU keeps a share of (1 + slope²) / 2 of the mean square: half of the numbers pass, half are multiplied by the slope.",
            "math.sqrt(2 / ((1 + slope**2) * fan)), where fan is in or out, times the entries of the kernel.",
        ),
        stub='''def spread_of_weights(shape, slope, way):
    """The standard deviation; shape: (out, in) or (out, in, h, w); way: "forward" or "back"."""
    ...
''',
        note="`torch.nn.init.kaiming_normal_(w, a=slope, mode=...)` draws with it.",
    ),
    Exercise(
        "22.name_fault",
        title="This net is broken: find why",
        prompt="A ReLU net without biases, from inputs of mean square 1: squares[k] is the mean square of the sums (before ReLU) of layer "
        "k, which leads from widths[k] to widths[k + 1] units. Its weights should have a variance of 2 / fan_in. Compute what each "
        'fault gives and return the nearest (smallest sum of |ln(seen / expected)|): "none", "no gain" (1 / fan_in), "variance for '
        'deviation" (a standard deviation of 2 / fan_in), "fans exchanged" (2 / fan_out), "deviation as bound" (uniform between '
        "plus and minus the right standard deviation).",
        kind="core",
        minutes=12,
        inputs=_traces,
        solution=name_fault,
        wrong=(
            Wrong(
                _half_from_the_first,
                "The first layer reads the inputs, which went through no ReLU. Nothing is halved there.",
            ),
            Wrong(
                _relu_forgotten,
                "ReLU takes half of the mean square between two layers. You compare with a linear net.",
            ),
            Wrong(_last_alone, "Only the last layer counts here. Two faults may end at the same place."),
            Wrong(
                _first_alone,
                "Only the first layer counts here, where luck is as large as some of the faults.",
            ),
            Wrong(
                _plain_differences,
                "You add plain differences. The largest numbers drown the others: compare logarithms.",
            ),
            Wrong(
                _fans_not_asked,
                "Fans that are exchanged are not found here. Look at nets whose widths change.",
            ),
        ),
        hints=(
            "For each fault write down the variance of the weights; then expected *= variance * fan_in, and times one half from the second layer on.",
            "A uniform draw between -a and a has variance a² / 3.",
            "min(faults, key=gap), where gap(fault) sums abs(math.log(seen / expected)) over the layers.",
        ),
        stub='''def name_fault(widths, squares):
    """The fault, a string; widths: ints, one more than squares, which are floats > 0."""
    ...
''',
        note="Print the mean square per layer before the first step. It takes a minute and finds each of these.",
    ),
    Exercise(
        "22.for_width",
        title="Carry the recipe to another width",
        prompt="At the base width a tensor has the fans `base` = (fan_in, fan_out), first weights with standard deviation std, and the rate "
        "lr. In the wider net its fans are `fans`. Return (std, lr) there under μP, table 3: variance / fan_in, for the last layer "
        '/ fan_in²; the rates as in the table of the lesson, for optimizer "sgd" or "adam".',
        kind="core",
        minutes=10,
        inputs=(
            ((64, 256), (64, 32), 0.1, 0.01, "adam"),
            ((64, 256), (64, 32), 0.1, 0.01, "sgd"),
            ((256, 256), (32, 32), 0.2, 0.003, "adam"),
            ((256, 256), (32, 32), 0.2, 0.3, "sgd"),
            ((256, 10), (32, 10), 0.15, 0.02, "adam"),
            ((256, 10), (32, 10), 0.15, 0.5, "sgd"),
            ((48, 10), (32, 10), 1.0, 1.0, "adam"),
            ((32, 10), (32, 10), 0.3, 0.7, "sgd"),
            ((100, 100), (50, 50), 0.4, 0.05, "adam"),
        ),
        solution=for_width,
        wrong=(
            Wrong(_standard, "This is the standard form: weights by fan_in, and one rate for every width."),
            Wrong(
                _multiplier_forgotten,
                "The last layer's weights are too large: there the variance falls as 1 / fan_in².",
            ),
            Wrong(_weights_alone, "The weights are right. The rates still wait for their factors."),
            Wrong(
                _last_layer_alone,
                "Adam's rate must be divided between the hidden layers, too, not at the last one alone.",
            ),
            Wrong(
                _adams_for_both,
                "These are Adam's rates. SGD's steps grow with the gradient, and want others.",
            ),
            Wrong(
                _sgds_for_both,
                "These are SGD's rates. Adam divides by the gradient's size, and wants others.",
            ),
            Wrong(
                _variance_divided,
                "You divide the standard deviation by what the variance is to be divided by.",
            ),
            Wrong(_by_the_square_root, "The rates are scaled by the square root of their factors."),
            Wrong(_fans_the_other_way, "fan_in and fan_out are exchanged: the first number is fan_in here."),
        ),
        hints=(
            "m_in = fans[0] / base[0], m_out = fans[1] / base[1]. The first layer has m_in = 1, the last m_out = 1.",
            "std / sqrt(m_in) in every layer; at the last once more / sqrt(m_in).",
            "Adam: lr / m_in. SGD: lr * m_out / m_in. Last layer or not: min(1, m_out / m_in) tells.",
        ),
        stub='''def for_width(fans, base, std, lr, optimizer):
    """(std, lr) for the wider net, floats; fans, base: (fan_in, fan_out), optimizer: "sgd" or "adam"."""
    ...
''',
        note="The package's `mup_scales` reads both fans off the shapes of two nets and gives the factors.",
    ),
    Exercise(
        "22.carries_over",
        title="Which report may be believed?",
        prompt="A report says: the best rate is the same at every width. It has widths, rates (rising) and losses, one row for each width, a "
        "NaN for a run that diverged. Believe it if (a) the largest width is at least 8 times the smallest, (b) at each width the best "
        "rate is inside the grid, not at an edge, (c) the largest of the best rates is at most twice the smallest, and (d) the lowest "
        "loss of the widest net is below that of the narrowest. Return True or False.",
        kind="core",
        minutes=10,
        inputs=_reports,
        solution=carries_over,
        wrong=(
            Wrong(
                _any_span, "Widths that are hardly apart pass here. Over so short a way any rule looks right."
            ),
            Wrong(
                _edges_pass,
                "A best rate at the edge of its grid passes here. The true one may be far outside.",
            ),
            Wrong(_wherever_best, "The best rates are not compared here."),
            Wrong(
                _no_gain_asked,
                "A wider net that is no better passes here. A rate that suits because nothing is learned is no rule.",
            ),
            Wrong(
                _lost_is_best,
                "A run that diverged counts as the best here. NaN is below nothing: make it infinite.",
            ),
            Wrong(
                _listed_in_order,
                "Widths need not be listed from the narrowest on: look for the largest and the smallest.",
            ),
            Wrong(
                _ends_alone,
                "Only the narrowest and the widest are compared here. The ones between may be elsewhere.",
            ),
        ),
        hints=(
            "For each row: replace NaN by math.inf, then k = row.index(min(row)).",
            "Three lists: widths, the k of each width, the lowest loss of each width. Four questions joined by and.",
            "rates[max(best)] <= 2 * rates[min(best)], since the rates rise.",
        ),
        stub='''def carries_over(report):
    """True or False; report: a dict with widths (ints), rates (rising), losses (a list for each width)."""
    ...
''',
        note="Point (d) is the cheapest alarm of a wrong parametrisation: under μP, Adam's wider nets were better at each rate that we tried.",
    ),
    Exercise(
        "22.branch_scale",
        title="A branch that ends in ReLU",
        prompt="Here the residual branch ends in ReLU: h ← h + s·ReLU(Wh), W of variance 2/n, drawn anew in each layer. The first h has mean 0 and "
        "mean square 1. Return the s for which the mean square after `layers` layers is `growth`, in the limit of very many units, to 0.1 %.",
        kind="extra",
        minutes=25,
        inputs=(
            (1, 2.0),
            (2, 3.0),
            (10, 2.0),
            (30, math.e),
            (30, 1.2),
            (100, math.e),
            (400, 10.0),
            (5, 50.0),
        ),
        solution=branch_scale,
        rtol=1e-3,
        atol=1e-7,
        wrong=(
            Wrong(
                _without_means,
                "Nearly: s² is added in each layer, but that is not all. What does ReLU do to the mean?",
            ),
            Wrong(
                _root_of_layers, "1/√layers is for branches whose output has the mean 0. Simulate this one."
            ),
            Wrong(_one_over_layers, "It is nearer to 1/layers than to its root, but growth must come in."),
            Wrong(_first_order, "That is a formula for small s and a branch of mean 0."),
            Wrong(
                _of_the_branch,
                "You let the root of the mean square grow by this factor. Asked is the mean square.",
            ),
            Wrong(_linear_branch, "That is for a branch without ReLU at its end."),
            Wrong(
                _all_add_up, "That would be right if branch and h pointed the same way. They do so in part."
            ),
        ),
        hints=(
            "Simulate first: n = 2,000, s = 1/√30, 30 layers, and print the mean and the mean square of h in each.",
            "Each number of Wh is normal with variance 2q, where q is the mean square of h. ReLU of it has mean √(q/π) and mean square q.",
            "mean ← mean + s√(q/π), q ← q + 2 s mean √(q/π) + s² q (with the old mean); then bisect for s.",
        ),
        stub='''def branch_scale(layers, growth):
    """The scale s > 0, a float, right to 0.1 %; layers: an int >= 1, growth: a float > 1."""
    ...
''',
        note="ReLU's outputs are never negative, so all branches push h the same way, and s must fall nearly as 1/layers. End the branch with a "
        "matrix, and 1/√layers is enough.",
    ),
)

QUIZZES = (
    Quiz(
        "22.wider",
        "You tuned Adam's rate for 40 steps under the squared error, on a net with 32 units in each hidden layer. Now the layers get 256 "
        "units; the first weights are again those of He. Where is the best rate of the wide net?",
        (
            (
                "About where it was",
                "He's weights keep the size of the signal. They say nothing about the size of a step.",
                False,
            ),
            (
                "Several times lower",
                "Each weight moves by about η, whatever the width. A unit sums the moves of all its inputs, and these pull together.",
                True,
            ),
            (
                "Several times higher: more weights share the work",
                "They do share it, and so each should move less.",
                False,
            ),
        ),
    ),
    Quiz(
        "22.alike",
        "All units of a hidden layer begin alike: with the same weights to read by, and read with the same weights. "
        "What parts them?",
        (
            (
                "Small batches: each step sees other images",
                "It does, but all units see the same ones.",
                False,
            ),
            ("Adam: it has a rate for each weight", "It has, but equal gradients give equal rates.", False),
            (
                "Dropout: it leaves other units out at each step",
                "Then two units see different gradients.",
                True,
            ),
            ("Nothing", "Whatever treats the units differently parts them.", False),
        ),
    ),
)
