"""Mixup and CutMix: two examples become one, and so do their labels."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from course_utils._checks import require
from course_utils.augmentation._transform import (
    Random,
    check_examples,
    check_images,
    from_working,
    per_sample,
    to_working,
)
from course_utils.augmentation.erasing import box_mask
from course_utils.augmentation.geometry import whole


def mixup(x: Tensor, y: Tensor, partner: Tensor, lam: float | Tensor) -> tuple[Tensor, Tensor]:
    """lam of each sample and 1 - lam of its partner, in image and label alike.

        x_new = lam * x + (1 - lam) * x[partner]
        y_new = lam * y + (1 - lam) * y[partner]

    Args:
        x: (N, ...), images or examples of any other shape.
        y: probability rows (N, K).
        partner: indices (N,) into the batch.
        lam: in [0, 1], one number or one per sample.
    """
    own = to_working(x)
    weight = per_sample(lam, own).reshape(-1, *[1] * (x.ndim - 1))
    return from_working(weight * own + (1 - weight) * own[partner], x.dtype), mix_labels(y, partner, lam)


def cutmix(x: Tensor, y: Tensor, partner: Tensor, boxes: Tensor) -> tuple[Tensor, Tensor]:
    """The partner's pixels inside the box, and the labels by the area that was really exchanged.

        x_new = x[partner] inside the box, x outside
        lam   = 1 - (pixels in the box) / (H * W)
        y_new = lam * y + (1 - lam) * y[partner]

    Args:
        y: probability rows (N, K).
        partner: indices (N,) into the batch.
        boxes: integers (N, 4), top, left, bottom, right, ends excluded; parts outside the image do not count.
    """
    inside = box_mask(boxes, *x.shape[-2:])
    lam = 1 - inside.to(y.dtype).mean(dim=(1, 2, 3))
    return torch.where(inside, x[partner], x), mix_labels(y, partner, lam)


def mix_labels(y: Tensor, partner: Tensor, lam: float | Tensor) -> Tensor:
    weight = torch.as_tensor(lam, dtype=y.dtype, device=y.device).reshape(-1, 1)
    return weight * y + (1 - weight) * y[partner]


def to_probabilities(y: Tensor, num_classes: int | None = None) -> Tensor:
    """Labels as probability rows (N, K), float32 at least.

    Args:
        y: class indices (N,), which need `num_classes`, or rows (N, K) that sum to one.
        num_classes: K.
    """
    if y.is_floating_point():
        require(y.ndim == 2, "class indices (N,) or probability rows (N, K)", shape=tuple(y.shape))
        rows = y if y.dtype == torch.float64 else y.float()
        sums = rows.detach().sum(dim=1)
        require(bool(((sums - 1).abs() < 1e-2).all()), "rows of y that sum to 1", sums=sums.tolist()[:4])
        require(
            num_classes in (None, y.shape[1]),
            "num_classes columns",
            num_classes=num_classes,
            shape=tuple(y.shape),
        )
        return rows
    require(
        y.ndim == 1,
        "class indices (N,) or floating probability rows (N, K)",
        shape=tuple(y.shape),
        dtype=y.dtype,
    )
    if num_classes is None:
        raise ValueError(
            "need num_classes for class indices, got num_classes=None; give num_classes=10, or one-hot rows"
        )
    if len(y):
        least, most = int(y.min()), int(y.max())
        require(
            least >= 0 and most < num_classes,
            "0 <= y < num_classes",
            least=least,
            most=most,
            num_classes=num_classes,
        )
    return F.one_hot(y.long(), num_classes).float()


class _Mix(Random):
    """Partners from one permutation of the batch, lam ~ Beta(alpha, alpha) anew for each sample."""

    takes_labels: ClassVar[bool] = True
    check: Callable[[Tensor], None]

    def __init__(
        self, alpha: float = 1.0, num_classes: int | None = None, *, generator: torch.Generator | None = None
    ) -> None:
        super().__init__(generator)
        require(0 <= alpha < float("inf"), "alpha >= 0 and finite", alpha=alpha)
        require(num_classes is None or num_classes >= 1, "num_classes >= 1", num_classes=num_classes)
        self.alpha = alpha
        self.num_classes = num_classes

    def forward(
        self, x: Tensor, y: Tensor, *, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        self.check(x)
        require(len(x) == len(y), "as many labels as images", images=len(x), labels=len(y))
        rows = to_probabilities(y, self.num_classes)
        if not self.training or len(x) == 0:
            return x, rows
        changed: tuple[Tensor, Tensor] = self.transform(x, rows, *self.draw(x, generator=generator))
        return changed

    def partners_and_lam(self, x: Tensor, generator: torch.Generator | None) -> tuple[Tensor, Tensor]:
        partner = self.uniform(x, generator=generator).argsort()
        if self.alpha == 0:
            return partner, torch.ones(len(x), dtype=torch.float64, device=x.device)
        # Gamma(alpha) = Gamma(alpha + 1) * u**(1 / alpha); in logarithms, because for small
        # alpha both Gammas underflow and their share, the Beta, would be 0/0. torch has no public Gamma with
        # a generator.
        source = generator if generator is not None else self.generator
        device = x.device if source is None else source.device
        shape = torch.full((len(x), 2), self.alpha + 1, dtype=torch.float64, device=device)
        bulk = torch._standard_gamma(shape, generator=source).to(x.device)
        log_gamma = bulk.log() + self.uniform(x, 2, generator=generator).double().log() / self.alpha
        return partner, torch.sigmoid(log_gamma[:, 0] - log_gamma[:, 1])


class Mixup(_Mix):
    """Every sample mixed with a random partner, lam ~ Beta(alpha, alpha); see `mixup`.

    `Mixup(0.2, num_classes=10)(x, y) -> (x_new, y_new)`, with probability rows y_new of sum one for a
    cross-entropy that takes probabilities. The loss on them is the mix of the two losses.

    Departs from the authors' code, which draws one lam for the whole batch: here, as everywhere in this
    package, one per sample. Each sample has the same distribution either way; within a batch they differ.

    Args:
        alpha: >= 0. Small alpha leaves most samples nearly pure, 1 is uniform, 0 changes nothing.
        num_classes: needed where y holds class indices.
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
