"""Mixup and CutMix: two examples become one, and so do their labels."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from course_utils._checks import is_whole, require
from course_utils._tensors import check_range, check_tensor
from course_utils.augmentation._transform import (
    Random,
    check_examples,
    check_images,
    from_working,
    per_sample,
    to_working,
)
from course_utils.augmentation.erasing import box_mask, check_boxes
from course_utils.augmentation.geometry import whole


def mixup(x: Tensor, y: Tensor, partner: Tensor, lam: float | Tensor) -> tuple[Tensor, Tensor]:
    """lam of each sample and 1 - lam of its partner, in image and label alike.

        x_new = lam * x + (1 - lam) * x[partner]
        y_new = lam * y + (1 - lam) * y[partner]

    Args:
        x: (N, ...), images or examples of any other shape, floating or uint8.
        y: floating rows (N, K): probabilities, or several labels or targets of a regression.
        partner: indices (N,) into the batch.
        lam: in [0, 1], one number or one per sample.
    Raises: ValueError for anything else: of whole numbers, as `F.one_hot` makes them, a share is 0.
    """
    check_examples(x)
    _check_batch(x, y, partner)
    own = to_working(x)
    check_range("lam", torch.as_tensor(lam), 0, 1, cure="it is the share of the sample itself")
    weight = per_sample(lam, own).reshape(-1, *[1] * (x.ndim - 1))
    return from_working(weight * own + (1 - weight) * own[partner], x.dtype), mix_labels(y, partner, lam)


def cutmix(x: Tensor, y: Tensor, partner: Tensor, boxes: Tensor) -> tuple[Tensor, Tensor]:
    """The partner's pixels inside the box, and the labels by the area that was really exchanged.

        x_new = x[partner] inside the box, x outside
        lam   = 1 - (pixels in the box) / (H * W)
        y_new = lam * y + (1 - lam) * y[partner]

    Args:
        x, y, partner: as for `mixup`.
        boxes: integers (N, 4), top, left, bottom, right, ends excluded; parts outside the image do not count.
    Raises: ValueError for anything else.
    """
    check_images(x)
    _check_batch(x, y, partner)
    check_boxes(boxes, x)
    inside = box_mask(boxes, *x.shape[-2:])
    lam = 1 - inside.to(y.dtype).mean(dim=(1, 2, 3))
    return torch.where(inside, x[partner], x), mix_labels(y, partner, lam)


def _check_batch(x: Tensor, y: Tensor, partner: Tensor) -> None:
    for name, values in (("y", y), ("partner", partner)):
        check_tensor(name, values)
        require(len(values) == len(x), f"as many rows of {name} as images", images=len(x), rows=len(values))
    require(
        y.is_floating_point() and y.ndim == 2,
        "floating rows y (N, K)",
        cure="to_probabilities(y, num_classes) makes them of class indices, y.float() of one-hot rows",
        shape=tuple(y.shape),
        dtype=y.dtype,
    )
    require(
        partner.dtype == torch.int64 and partner.ndim == 1,
        "int64 indices partner (N,)",
        shape=tuple(partner.shape),
        dtype=partner.dtype,
    )


def mix_labels(y: Tensor, partner: Tensor, lam: float | Tensor) -> Tensor:
    weight = torch.as_tensor(lam, dtype=y.dtype, device=y.device).reshape(-1, 1)
    return weight * y + (1 - weight) * y[partner]


def to_probabilities(y: Tensor, num_classes: int | None = None, *, multi_label: bool = False) -> Tensor:
    """Labels as probability rows (N, K), float32 at least.

    Args:
        y: class indices (N,), which need `num_classes`, or rows (N, K) of numbers in [0, 1] that sum to one.
        num_classes: K.
        multi_label: rows need not sum to one: each number is the share of one label among several.
    Raises: ValueError for other labels.
    """
    check_tensor("y", y)
    if y.is_floating_point():
        require(y.ndim == 2, "class indices (N,) or probability rows (N, K)", shape=tuple(y.shape))
        rows = y if y.dtype == torch.float64 else y.float()
        check_range("y", rows, 0, 1, slack=1e-2, cure="these look like logits; use softmax(y, dim=1)")
        if not multi_label:
            cure = "for several labels at a time give multi_label=True"
            check_range("sum of a row of y", rows.sum(dim=1), 1, 1, slack=1e-2, cure=cure)
        require(
            num_classes in (None, y.shape[1]),
            "num_classes columns",
            num_classes=num_classes,
            shape=tuple(y.shape),
        )
        return rows
    require(
        y.ndim == 1 and not multi_label,
        "floating rows (N, K) for several labels"
        if multi_label
        else "class indices (N,) or floating rows (N, K)",
        cure="y.float()",
        shape=tuple(y.shape),
        dtype=y.dtype,
    )
    if num_classes is None:
        raise ValueError(
            "need num_classes for class indices, got num_classes=None; give num_classes=10, or one-hot rows"
        )
    check_range("y", y, 0, num_classes - 1, cure=f"num_classes={num_classes} counts from 0")
    return F.one_hot(y.long(), num_classes).float()


class _Mix(Random):
    """Partners from one permutation of the batch, lam ~ Beta(alpha, alpha) anew for each sample."""

    takes_labels = True
    check: Callable[[Tensor], None]

    def __init__(
        self,
        alpha: float = 1.0,
        num_classes: int | None = None,
        *,
        p: float = 1.0,
        multi_label: bool = False,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__(generator)
        require(0 <= alpha < float("inf"), "alpha >= 0 and finite", alpha=alpha)
        require(
            num_classes is None or (is_whole(num_classes) and num_classes >= 1),
            "a whole number num_classes >= 1",
            num_classes=num_classes,
        )
        require(0 <= p <= 1, "0 <= p <= 1", p=p)
        self.alpha = alpha
        self.num_classes = None if num_classes is None else int(num_classes)
        self.p = p
        self.multi_label = multi_label

    def rows(self, y: Tensor) -> Tensor:
        """Labels as rows (N, K); see `to_probabilities`."""
        return to_probabilities(y, self.num_classes, multi_label=self.multi_label)

    def forward(
        self, x: Tensor, y: Tensor, *, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        self.check(x)
        rows = self.rows(y)
        require(len(x) == len(y), "as many labels as images", images=len(x), labels=len(y))
        if not self.training or len(x) == 0:
            return x, rows
        changed: tuple[Tensor, Tensor] = self.transform(x, rows, *self.draw(x, generator=generator))
        return changed

    def partners_and_lam(self, x: Tensor, generator: torch.Generator | None) -> tuple[Tensor, Tensor]:
        """Partner indices (N,) and lam (N,), which is 1 where a sample is left as it is."""
        partner = self.uniform(x, generator=generator).argsort()
        ones = torch.ones(len(x), dtype=torch.float64, device=x.device)
        if self.alpha == 0:
            return partner, ones
        # Gamma(alpha) = Gamma(alpha + 1) * u**(1 / alpha); in logarithms, because for small
        # alpha both Gammas underflow and their share, the Beta, would be 0/0. torch has no public Gamma with
        # a generator.
        source, device = self.source(x, generator)
        shape = torch.full((len(x), 2), self.alpha + 1, dtype=torch.float64, device=device)
        bulk = torch._standard_gamma(shape, generator=source).to(x.device)
        log_gamma = bulk.log() + self.uniform(x, 2, generator=generator).double().log() / self.alpha
        lam = torch.sigmoid(log_gamma[:, 0] - log_gamma[:, 1])
        if self.p < 1:
            lam = torch.where(self.uniform(x, generator=generator) < self.p, lam, ones)
        return partner, lam


class Mixup(_Mix):
    """Every sample mixed with a random partner, lam ~ Beta(alpha, alpha); see `mixup`.

    `Mixup(0.2, num_classes=10)(x, y) -> (x_new, y_new)`, with probability rows y_new of sum one for a
    cross-entropy that takes probabilities. The loss on them is the mix of the two losses. Rows of several
    labels (`multi_label=True`) are for `binary_cross_entropy_with_logits`. For mixup or CutMix at random,
    sample by sample: `RandomChoice([Mixup(0.2, 10), CutMix(1.0, 10)])`.

    Departs from the authors' code, which draws one lam for the whole batch: here, as everywhere in this
    package, one per sample. Each sample has the same distribution either way; within a batch they differ.

    Args:
        alpha: >= 0. Small alpha leaves most samples nearly pure, 1 is uniform, 0 changes nothing.
        num_classes: needed where y holds class indices.
        p: in [0, 1], the probability with which a sample is mixed at all.
        multi_label: y are rows of numbers in [0, 1], one for each label, whatever their sum.
    Shape: x (N, ...): images, or examples of any other shape.
    Source: Zhang et al. (2018), mixup.
    """

    check = staticmethod(check_examples)

    def draw(self, x: Tensor, *, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """Partner indices (N,) and lam (N,)."""
        return self.partners_and_lam(x, generator)

    def transform(self, x: Tensor, y: Tensor, partner: Tensor, lam: Tensor) -> tuple[Tensor, Tensor]:
        return mixup(x, y, partner, lam)


class CutMix(_Mix):
    """A box of a random partner pasted into every sample, labels by area; see `cutmix`.

        lam ~ Beta(alpha, alpha)
        box     sides H sqrt(1 - lam) and W sqrt(1 - lam), rounded down; centre uniform over the pixels;
                clipped to the image
        lam  <- 1 - (area of the clipped box) / (H W)    the labels follow what is left

    Box and lam are drawn per sample (the authors' code: per batch).

    Args:
        alpha: >= 0; 1 is the paper's choice, 0 changes nothing.
        num_classes: needed where y holds class indices.
        p: in [0, 1], the probability with which a sample gets a box at all (the authors' code: a batch).
        multi_label: y are rows of numbers in [0, 1], one for each label, whatever their sum.
    Shape: x (N, C, H, W).
    Source: Yun et al. (2019), CutMix.
    """

    check = staticmethod(check_images)

    def draw(self, x: Tensor, *, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """Partner indices (N,) and clipped boxes (N, 4)."""
        partner, lam = self.partners_and_lam(x, generator)
        centre = self.uniform(x, 2, generator=generator)
        ends = []
        for side, place in zip(x.shape[-2:], centre.unbind(1), strict=True):
            length = (side * (1 - lam).sqrt()).long()
            start = whole(place, side) - length // 2
            ends.append((start.clamp(0, side), (start + length).clamp(0, side)))
        (top, bottom), (left, right) = ends
        return partner, torch.stack([top, left, bottom, right], dim=1)

    def transform(self, x: Tensor, y: Tensor, partner: Tensor, boxes: Tensor) -> tuple[Tensor, Tensor]:
        return cutmix(x, y, partner, boxes)
