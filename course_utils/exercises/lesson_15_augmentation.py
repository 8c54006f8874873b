"""Exercises of lesson 15: which changes leave the label alone?"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from course_utils.exercises.engine.model import Exercise, Inputs, Quiz, Wrong


def _rand(seed: int, *shape: int) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


# --- 1 · smoothed labels ---------------------------------------------------------------------------


def smooth_labels(y: Tensor, classes: int, eps: float) -> Tensor:
    rows = torch.nn.functional.one_hot(y, classes).double()
    return (1 - eps) * rows + eps / classes


def _smooth_inputs() -> Inputs:
    return (
        (torch.tensor([0, 2, 1]), 3, 0.1),
        (torch.tensor([4, 4]), 5, 0.4),
        (torch.tensor([1]), 2, 0.0),
    )


def _only_others(y: Tensor, classes: int, eps: float) -> Tensor:
    rows = torch.nn.functional.one_hot(y, classes).double()
    return (1 - eps) * rows + eps / (classes - 1) * (1 - rows)


def _not_divided(y: Tensor, classes: int, eps: float) -> Tensor:
    rows = torch.nn.functional.one_hot(y, classes).double()
    return (1 - eps) * rows + eps


def _true_kept(y: Tensor, classes: int, eps: float) -> Tensor:
    rows = torch.nn.functional.one_hot(y, classes).double()
    return rows + eps / classes


def _nothing_given(y: Tensor, classes: int, eps: float) -> Tensor:
    return (1 - eps) * torch.nn.functional.one_hot(y, classes).double()


def _smooth_swapped(y: Tensor, classes: int, eps: float) -> Tensor:
    rows = torch.nn.functional.one_hot(y, classes).double()
    return eps * rows + (1 - eps) / classes


# --- 2 · one shift per image -----------------------------------------------------------------------


def shift_each(x: Tensor, down: Tensor, right: Tensor, fill: float, training: bool) -> Tensor:
    if not training:
        return x
    out = torch.full_like(x, fill)
    height, width = x.shape[1:]
    for n, (d, r) in enumerate(zip(down.tolist(), right.tolist(), strict=True)):
        source = x[n, max(0, -d) : height - d, max(0, -r) : width - r]
        out[n, max(0, d) : height + d, max(0, r) : width + r] = source
    return out


def _shift_inputs() -> Inputs:
    down, right = torch.tensor([1, 0, -2, 0]), torch.tensor([0, -1, 1, 0])
    x = _rand(0, 4, 4, 5)
    return (
        (x, down, right, 0.0, True),
        (x, down, right, -0.8, True),
        (x, down, right, -0.8, False),
        (x[1:2], torch.tensor([2]), torch.tensor([-3]), 0.25, True),
    )


def _one_shift(x: Tensor, down: Tensor, right: Tensor, fill: float, training: bool) -> Tensor:
    return shift_each(x, down[:1].expand(len(x)), right[:1].expand(len(x)), fill, training)


def _rolled(x: Tensor, down: Tensor, right: Tensor, fill: float, training: bool) -> Tensor:
    if not training:
        return x
    pairs = zip(x, down.tolist(), right.tolist(), strict=True)
    return torch.stack([torch.roll(image, (d, r), (0, 1)) for image, d, r in pairs])


def _other_way(x: Tensor, down: Tensor, right: Tensor, fill: float, training: bool) -> Tensor:
    return shift_each(x, -down, -right, fill, training)


def _axes_swapped(x: Tensor, down: Tensor, right: Tensor, fill: float, training: bool) -> Tensor:
    return shift_each(x, right, down, fill, training)


def _filled_with_zero(x: Tensor, down: Tensor, right: Tensor, fill: float, training: bool) -> Tensor:
    return shift_each(x, down, right, 0.0, training)


def _shifts_in_eval(x: Tensor, down: Tensor, right: Tensor, fill: float, training: bool) -> Tensor:
    return shift_each(x, down, right, fill, True)


# --- 3 · rotation ----------------------------------------------------------------------------------


def rotation_source(i: float, j: float, degrees: float, height: int, width: int) -> tuple[float, float]:
    a = math.radians(degrees)
    y, x = i - (height - 1) / 2, j - (width - 1) / 2
    row = math.sin(a) * x + math.cos(a) * y + (height - 1) / 2
    column = math.cos(a) * x - math.sin(a) * y + (width - 1) / 2
    return row, column


def _about_corner(i: float, j: float, degrees: float, height: int, width: int) -> tuple[float, float]:
    a = math.radians(degrees)
    return math.sin(a) * j + math.cos(a) * i, math.cos(a) * j - math.sin(a) * i


def _clockwise(i: float, j: float, degrees: float, height: int, width: int) -> tuple[float, float]:
    return rotation_source(i, j, -degrees, height, width)


def _not_radians(i: float, j: float, degrees: float, height: int, width: int) -> tuple[float, float]:
    return rotation_source(i, j, math.degrees(degrees), height, width)


def _half_pixel(i: float, j: float, degrees: float, height: int, width: int) -> tuple[float, float]:
    a = math.radians(degrees)
    y, x = i - height / 2, j - width / 2
    return (
        math.sin(a) * x + math.cos(a) * y + height / 2,
        math.cos(a) * x - math.sin(a) * y + width / 2,
    )


def _sheared(i: float, j: float, degrees: float, height: int, width: int) -> tuple[float, float]:
    """The rotation matrix on coordinates from -1 to 1, as affine_grid has them."""
    a = math.radians(degrees)
    y, x = (2 * i - (height - 1)) / height, (2 * j - (width - 1)) / width
    row, column = math.sin(a) * x + math.cos(a) * y, math.cos(a) * x - math.sin(a) * y
    return (row * height + height - 1) / 2, (column * width + width - 1) / 2


# --- 4 · brightness, then contrast -----------------------------------------------------------------


def jitter(x: Tensor, brightness: Tensor, contrast: Tensor) -> Tensor:
    b, c = brightness.view(-1, 1, 1), contrast.view(-1, 1, 1)
    x = (b * x).clamp(0, 1)
    mean = x.mean((1, 2), keepdim=True)
    return (mean + c * (x - mean)).clamp(0, 1)


def _jitter_inputs() -> Inputs:
    return (
        (_rand(1, 3, 4, 4), torch.tensor([1.8, 0.6, 1.0]).double(), torch.tensor([0.5, 1.7, 1.4]).double()),
        (_rand(2, 2, 3, 5), torch.tensor([1.3, 0.9]).double(), torch.tensor([1.0, 2.0]).double()),
    )


def _unclamped(x: Tensor, brightness: Tensor, contrast: Tensor) -> Tensor:
    x = brightness.view(-1, 1, 1) * x
    mean = x.mean((1, 2), keepdim=True)
    return mean + contrast.view(-1, 1, 1) * (x - mean)


def _clamped_at_the_end(x: Tensor, brightness: Tensor, contrast: Tensor) -> Tensor:
    return _unclamped(x, brightness, contrast).clamp(0, 1)


def _other_order(x: Tensor, brightness: Tensor, contrast: Tensor) -> Tensor:
    mean = x.mean((1, 2), keepdim=True)
    x = (mean + contrast.view(-1, 1, 1) * (x - mean)).clamp(0, 1)
    return (brightness.view(-1, 1, 1) * x).clamp(0, 1)


def _batch_mean(x: Tensor, brightness: Tensor, contrast: Tensor) -> Tensor:
    x = (brightness.view(-1, 1, 1) * x).clamp(0, 1)
    return (x.mean() + contrast.view(-1, 1, 1) * (x - x.mean())).clamp(0, 1)


def _one_draw(x: Tensor, brightness: Tensor, contrast: Tensor) -> Tensor:
    return jitter(x, brightness[:1], contrast[:1])


def _old_mean(x: Tensor, brightness: Tensor, contrast: Tensor) -> Tensor:
    mean = x.mean((1, 2), keepdim=True)
    x = (brightness.view(-1, 1, 1) * x).clamp(0, 1)
    return (mean + contrast.view(-1, 1, 1) * (x - mean)).clamp(0, 1)


# --- 5 · the labels of CutMix ----------------------------------------------------------------------


def cutmix_labels(y: Tensor, partner: Tensor, boxes: Tensor, height: int, width: int) -> Tensor:
    top, bottom = boxes[:, 0].clamp(0, height), boxes[:, 2].clamp(0, height)
    left, right = boxes[:, 1].clamp(0, width), boxes[:, 3].clamp(0, width)
    given = ((bottom - top) * (right - left) / (height * width)).double()[:, None]
    return (1 - given) * y + given * y[partner]


def _cutmix_inputs() -> Inputs:
    y, partner = torch.eye(3, dtype=torch.float64), torch.tensor([1, 2, 0])
    inside = torch.tensor([[1, 2, 4, 8], [0, 0, 6, 3], [2, 2, 2, 5]])
    outside = torch.tensor([[-2, -2, 3, 4], [4, 5, 9, 12], [0, 1, 6, 8]])
    beyond = torch.tensor([[-3, 2, -1, 5], [0, -4, 6, -2], [7, 2, 9, 5]])
    return (y, partner, inside, 6, 8), (y, partner, outside, 6, 8), (y, partner, beyond, 6, 8)


def _share(boxes: Tensor, height: int, width: int) -> Tensor:
    inside = torch.stack([boxes[:, k].clamp(0, (height, width)[k % 2]) for k in range(4)], dim=1)
    sides = inside[:, 2:] - inside[:, :2]
    return (sides.prod(1) / (height * width)).double()[:, None]


def _not_mixed(y: Tensor, partner: Tensor, boxes: Tensor, height: int, width: int) -> Tensor:
    return y


def _not_clipped(y: Tensor, partner: Tensor, boxes: Tensor, height: int, width: int) -> Tensor:
    given = ((boxes[:, 2:] - boxes[:, :2]).prod(1) / (height * width)).double()[:, None]
    return (1 - given) * y + given * y[partner]


def _shares_swapped(y: Tensor, partner: Tensor, boxes: Tensor, height: int, width: int) -> Tensor:
    given = _share(boxes, height, width)
    return given * y + (1 - given) * y[partner]


def _side_not_area(y: Tensor, partner: Tensor, boxes: Tensor, height: int, width: int) -> Tensor:
    given = _share(boxes, height, width).sqrt()
    return (1 - given) * y + given * y[partner]


def _one_share(y: Tensor, partner: Tensor, boxes: Tensor, height: int, width: int) -> Tensor:
    given = _share(boxes, height, width).mean()
    return (1 - given) * y + given * y[partner]


def _larger_wins(y: Tensor, partner: Tensor, boxes: Tensor, height: int, width: int) -> Tensor:
    return torch.where(_share(boxes, height, width) > 0.5, y[partner], y)


# --- 6 · towards research: augmentation as a penalty -----------------------------------------------


def augmentation_penalty(w: Tensor, views: Tensor) -> float:
    outputs = views @ w  # (V, N)
    spread = outputs - outputs.mean(0)
    return float((spread**2).mean())


def _penalty_inputs() -> Inputs:
    return (_rand(3, 6) - 0.5, _rand(4, 5, 7, 6)), (_rand(5, 3) - 0.5, _rand(6, 2, 4, 3))


def _total_variance(w: Tensor, views: Tensor) -> float:
    return float((views @ w).var(correction=0))


def _unbiased(w: Tensor, views: Tensor) -> float:
    return float((views @ w).var(0, correction=1).mean())


def _about_first(w: Tensor, views: Tensor) -> float:
    outputs = views @ w
    return float(((outputs - outputs[0]) ** 2).mean())


def _uncorrelated(w: Tensor, views: Tensor) -> float:
    return float((views.var(0, correction=0) @ w**2).mean())


def _mean_square(w: Tensor, views: Tensor) -> float:
    return float(((views @ w) ** 2).mean())


def _summed(w: Tensor, views: Tensor) -> float:
    return float((views @ w).var(0, correction=0).sum())


EXERCISES = (
    Exercise(
        "15.smooth_labels",
        title="Smoothed labels",
        prompt="Return probability rows: the true class keeps 1 - eps, and eps is spread evenly over all "
        "classes, the true one included.",
        kind="core",
        minutes=5,
        inputs=_smooth_inputs,
        solution=smooth_labels,
        wrong=(
            Wrong(
                _only_others,
                "You spread eps over the other classes only. PyTorch and the paper spread it over all K, so that "
                "the true class ends with 1 - eps + eps / K.",
            ),
            Wrong(_not_divided, "Each class gets the whole of eps: your rows sum to more than one."),
            Wrong(
                _true_kept,
                "What the others get was not taken from the true class: your rows sum to 1 + eps.",
            ),
            Wrong(
                _nothing_given, "eps was taken from the true class and given to nobody: rows sum to 1 - eps."
            ),
            Wrong(
                _smooth_swapped, "The shares are swapped: 1 - eps of your label is the uniform distribution."
            ),
        ),
        hints=(
            "Begin with one-hot rows. Which multiple of them stays?",
            "Every entry, the true one too, is then raised by the same amount. The row must sum to one.",
            "(1 - eps) * one_hot + eps / classes, in float64.",
        ),
        stub='''def smooth_labels(y, classes, eps):
    """Probability rows (N, classes), float64, from class indices y (N,)."""
    ...
''',
        note="`F.cross_entropy(logits, y, label_smoothing=eps)` is the cross-entropy with these rows.",
    ),
    Exercise(
        "15.shift_each",
        title="One shift per image",
        prompt="In training, move each image by its own number of pixels and fill what comes in with `fill`; in "
        "eval, return x as it is.",
        kind="core",
        minutes=10,
        inputs=_shift_inputs,
        solution=shift_each,
        wrong=(
            Wrong(
                _one_shift,
                "The whole batch moves by the first image's shift. Each image has its own entry of down and right.",
            ),
            Wrong(
                _rolled,
                "torch.roll brings back on one side what left on the other. What comes in should be `fill`.",
            ),
            Wrong(_other_way, "The images move the wrong way: down > 0 is towards larger row numbers."),
            Wrong(
                _axes_swapped, "Rows and columns are swapped: `down` moves along dimension 1 of (N, H, W)."
            ),
            Wrong(
                _filled_with_zero,
                "You fill with 0. In standardised images 0 is the mean, a grey, and not the background.",
            ),
            Wrong(
                _shifts_in_eval,
                "Your images move in eval too, so that validation measures another, harder task.",
            ),
        ),
        hints=(
            "Begin with torch.full_like(x, fill), and copy into it, image by image, what stays visible.",
            "For d > 0 rows 0 ... H - d - 1 go to rows d ... H - 1; for d < 0 the other way round.",
            "out[n, max(0, d):H + d, max(0, r):W + r] = x[n, max(0, -d):H - d, max(0, -r):W - r]",
        ),
        stub='''def shift_each(x, down, right, fill, training):
    """x (N, H, W), each image moved by its own down[n] and right[n] (whole numbers)."""
    ...
''',
        note="`RandomShift` does this without a loop, by one `gather` along each dimension.",
    ),
    Exercise(
        "15.rotation_source",
        title="Where a rotated pixel comes from",
        prompt="The picture turns counter-clockwise by `degrees` about its centre. Return the (row, column) of the "
        "input that the output pixel (i, j) reads. Rows count downwards.",
        kind="core",
        minutes=10,
        inputs=(
            (0.0, 0.0, 90.0, 5, 5),
            (1.0, 3.0, 30.0, 6, 9),
            (2.0, 0.0, -45.0, 4, 3),
            (3.0, 5.0, 0.0, 8, 8),
        ),
        solution=rotation_source,
        wrong=(
            Wrong(
                _about_corner,
                "You turn about pixel (0, 0), the corner: most of the picture leaves the frame.",
            ),
            Wrong(
                _clockwise,
                "This turns clockwise: it says where the input pixel goes, and you were asked where the output "
                "pixel comes from.",
            ),
            Wrong(_not_radians, "The sine and cosine want radians."),
            Wrong(
                _half_pixel,
                "The centre of pixels 0 ... H - 1 is at (H - 1) / 2. At H / 2 the picture also moves by up to a "
                "pixel.",
            ),
            Wrong(
                _sheared,
                "You turn in coordinates from -1 to 1. Where height and width differ these have different "
                "units, and the picture is sheared.",
            ),
        ),
        hints=(
            "Go to coordinates from the centre, turn, and go back.",
            "With y = i - (H - 1)/2 and x = j - (W - 1)/2: at 90° the output's top left corner shows the input's "
            "top right corner. Which signs give that?",
            "row = sin(a) x + cos(a) y + (H - 1)/2, column = cos(a) x - sin(a) y + (W - 1)/2.",
        ),
        stub='''def rotation_source(i, j, degrees, height, width):
    """(row, column), floats, of the input point that the output pixel (i, j) shows."""
    ...
''',
        note="Reading backwards, output by output, leaves no holes. Writing forwards would.",
    ),
    Exercise(
        "15.jitter",
        title="Brightness, then contrast",
        prompt="For grey images x (N, H, W) in [0, 1], each with its own factors: multiply by the brightness, then "
        "stretch about the image's mean by the contrast. Clamp to [0, 1] after each step.",
        kind="core",
        minutes=8,
        inputs=_jitter_inputs,
        solution=jitter,
        wrong=(
            Wrong(_unclamped, "Your pixels leave [0, 1]. Clamp after each of the two steps."),
            Wrong(
                _clamped_at_the_end,
                "You clamp once, at the end. Then the contrast takes its mean from pixels brighter than white.",
            ),
            Wrong(
                _other_order, "Contrast comes before brightness here. As each step clamps, the order matters."
            ),
            Wrong(
                _batch_mean,
                "Your mean is that of the whole batch: an image's contrast depends on the others.",
            ),
            Wrong(_one_draw, "All images get the first one's factors. Each has its own."),
            Wrong(_old_mean, "You stretch about the mean from before the brightness changed it."),
        ),
        hints=(
            "The factors have shape (N,): make them (N, 1, 1).",
            "Two lines of the form x = (...).clamp(0, 1), and the mean is taken between them.",
            "x = (b * x).clamp(0, 1); m = x.mean((1, 2), keepdim=True); return (m + c * (x - m)).clamp(0, 1)",
        ),
        stub='''def jitter(x, brightness, contrast):
    """x (N, H, W) in [0, 1] with its own brightness and contrast factor (N,) for each image."""
    ...
''',
        note="`ColorJitter` goes on with saturation and hue. Its order is fixed; torchvision draws the order too.",
    ),
    Exercise(
        "15.cutmix_labels",
        title="The labels of CutMix",
        prompt="Each image got its partner's pixels inside a box (top, left, bottom, right; ends excluded), which may "
        "reach outside the image. Return the mixed label rows.",
        kind="core",
        minutes=8,
        inputs=_cutmix_inputs,
        solution=cutmix_labels,
        wrong=(
            Wrong(
                _not_mixed,
                "The images are mixed and the labels are not: the pasted part is called by the wrong name.",
            ),
            Wrong(
                _not_clipped,
                "You count the part of the box that lies outside the image. Nothing was pasted there.",
            ),
            Wrong(_shares_swapped, "The shares are swapped: the area of the box belongs to the partner."),
            Wrong(_side_not_area, "This is the side of the box. Labels follow the area."),
            Wrong(_one_share, "All rows are mixed by the batch's mean share. Each image has its own box."),
            Wrong(
                _larger_wins,
                "You name the image after its larger part. The label keeps both shares.",
            ),
        ),
        hints=(
            "Clip the box to the image first.",
            "The share of the partner is the clipped area over height * width, one number per image.",
            "given = (bottom - top) * (right - left) / (height * width) after clamp; "
            "(1 - given) * y + given * y[partner]",
        ),
        stub='''def cutmix_labels(y, partner, boxes, height, width):
    """Label rows (N, K) for y (N, K), partner (N,) and boxes (N, 4) of whole numbers."""
    ...
''',
        note="With λ as drawn, half of the label is the partner's on average; its pixels are only about a third.",
    ),
    Exercise(
        "15.augmentation_penalty",
        title="Augmentation as a penalty",
        prompt="A linear model w sees each example in V equally likely views. Return what this adds to the mean "
        "squared error, beyond the error at each example's mean view.",
        kind="extra",
        minutes=15,
        inputs=_penalty_inputs,
        solution=augmentation_penalty,
        wrong=(
            Wrong(
                _total_variance,
                "This is the variance of all outputs. Examples may differ; only the views of one example should not.",
            ),
            Wrong(
                _unbiased,
                "Divide by V, not V - 1: these views are all there are, not a sample of them.",
            ),
            Wrong(_about_first, "Deviations are taken from the first view, not from the mean of the views."),
            Wrong(
                _uncorrelated,
                "You add up the variances of the features. When an image moves its pixels change together, so "
                "their covariances count.",
            ),
            Wrong(
                _mean_square, "This is the mean square of the outputs. Subtract each example's mean first."
            ),
            Wrong(_summed, "The variances are summed over the examples. The loss is a mean."),
        ),
        hints=(
            "E (t - z)² = (t - E z)² + Var z, where z is the output on a random view.",
            "views @ w has shape (V, N): the variance over dimension 0, then the mean over examples.",
            "(views @ w).var(0, correction=0).mean(), as a float.",
        ),
        stub='''def augmentation_penalty(w, views):
    """The penalty, a float, for weights w (D,) and views (V, N, D) of N examples."""
    ...
''',
        note="It is wᵀ Cov w, a ridge along the directions in which views differ, and nothing in the others.",
    ),
)

QUIZZES = (
    Quiz(
        "15.more_images",
        "Digits, all centred, fill their frame. A small dense net learns them from 100 images. Now each image is moved "
        "by up to one pixel, at random, whenever it is used. The validation images stay as they are. What happens to "
        "the accuracy?",
        (
            (
                "It rises: 100 images have become 900",
                "They have, but of a harder task: digits that move. The net spends itself on places where no "
                "validation image is.",
                False,
            ),
            (
                "It falls",
                "The label is left alone, and the images still change in a way that never happens here. The net "
                "pays for an invariance that nobody asks for.",
                True,
            ),
            (
                "Nothing that could be measured",
                "One pixel is an eighth of the width here: for a dense net this is another image.",
                False,
            ),
        ),
    ),
    Quiz(
        "15.nine_views",
        "A net was trained on centred digits, without augmentation. To predict, you average its probabilities over nine "
        "views of each image, moved by -1, 0 or 1 pixels. Against one pass over the image itself?",
        (
            (
                "Never worse: an average has less noise",
                "The average is never worse than its members on average. But the members are: eight of the nine "
                "views are images that this net cannot read.",
                False,
            ),
            (
                "Worse",
                "The net has not learned the change, so its answers to the other views are bad, and they have eight "
                "votes of nine.",
                True,
            ),
            (
                "The same: shifts leave the label alone",
                "They leave the true label alone. That does not say that the net does.",
                False,
            ),
        ),
    ),
)
