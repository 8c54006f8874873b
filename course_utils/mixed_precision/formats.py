"""Floating-point formats as number lines, and rounding to them by arithmetic alone."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from course_utils._checks import require
from course_utils._torch.tensors import check_float


@dataclass(frozen=True)
class FloatFormat:
    """A binary format: a sign, `exponent` bits and `mantissa` stored bits.

        normal numbers      +-(1 + k / 2**mantissa) * 2**e     with min_exponent <= e <= max_exponent
        subnormal numbers   +-(k / 2**mantissa) * 2**min_exponent

    Two neighbours in [2**e, 2**(e+1)) lie 2**(e - mantissa) apart: `eps` apart in [1, 2).
    """

    name: str
    bits: int
    exponent: int
    mantissa: int
    max: float
    has_inf: bool = True

    @property
    def max_exponent(self) -> int:
        bias: int = 2 ** (self.exponent - 1) - 1
        return bias if self.has_inf else bias + 1  # e4m3fn spends its top exponent on numbers

    @property
    def min_exponent(self) -> int:
        bias: int = 2 ** (self.exponent - 1) - 1
        return 1 - bias

    @property
    def smallest_normal(self) -> float:
        return 2.0**self.min_exponent

    @property
    def smallest_subnormal(self) -> float:
        return 2.0 ** (self.min_exponent - self.mantissa)

    @property
    def eps(self) -> float:
        return 2.0**-self.mantissa


def _ieee(name: str, bits: int, exponent: int, mantissa: int) -> FloatFormat:
    largest = (2 - 2.0**-mantissa) * 2.0 ** (2 ** (exponent - 1) - 1)
    return FloatFormat(name, bits, exponent, mantissa, largest)


_FORMATS: dict[torch.dtype | str, FloatFormat] = {
    torch.float64: _ieee("float64", 64, 11, 52),
    torch.float32: _ieee("float32", 32, 8, 23),
    "tf32": _ieee("tf32", 19, 8, 10),
    torch.bfloat16: _ieee("bfloat16", 16, 8, 7),
    torch.float16: _ieee("float16", 16, 5, 10),
    torch.float8_e5m2: _ieee("float8_e5m2", 8, 5, 2),
    # no infinity and one NaN pattern per sign: 1.75 * 2**8 is the largest number
    torch.float8_e4m3fn: FloatFormat("float8_e4m3fn", 8, 4, 3, 448.0, has_inf=False),
}


def float_format(dtype: torch.dtype | str) -> FloatFormat:
    """Bits, range and spacing of a format.

    Args:
        dtype: torch.float64, float32, bfloat16, float16, float8_e5m2, float8_e4m3fn, or "tf32", which is
            what tensor cores read of a float32: its 8 exponent bits and the first 10 of the mantissa, 19
            bits of a 32-bit number.
    Raises: ValueError for other types.
    Agrees with: `torch.finfo` (max, eps, smallest_normal).
    """
    require(
        isinstance(dtype, (torch.dtype, str)) and dtype in _FORMATS,
        "one of " + ", ".join(fmt.name for fmt in _FORMATS.values()),
        cure='give a torch dtype, or "tf32"',
        dtype=dtype,
    )
    return _FORMATS[dtype]


def round_to(x: Tensor, dtype: torch.dtype | str, *, saturate: bool | None = None) -> Tensor:
    """The nearest number of the format, ties to the even mantissa, kept in the type of `x`.

        e  = max(floor(log2 |x|), min_exponent)     the binade; below the normal numbers it stays the last one
        q  = 2**(e - mantissa)                      spacing of the format there
        y  = round(x / q) * q                       half to even
        |y| > max:  overflow

    Overflow gives inf, as IEEE 754 says. float8_e4m3fn has no inf: it saturates at +-448, infinities too,
    as torch's cast does since 2.13 (earlier ones gave NaN). NaN stays NaN. The result carries no gradient.

    Tensor cores may round to tf32 differently (ties away from zero, or by truncation); this is the
    nearest-even rounding.

    Args:
        x: float32, or float64, which is rounded once (torch's casts of float64 to 8 or 16 bits go through
            float32 and so may round twice). Narrower types are widened to float32, which is exact.
        saturate: True clamps overflow to the largest number, False gives inf, or NaN where the format has
            none; None is the rule above.
    Source: IEEE 754-2019, 4.3.1; Micikevicius et al. (2022) for the 8-bit formats.
    Agrees with: `x.to(dtype)` from float32.
    """
    fmt = float_format(dtype)
    check_float("x", x, cure="convert it with x.float()")
    x = x.detach()
    if x.dtype not in (torch.float32, torch.float64):
        x = x.float()
    if fmt.name == "float64":
        return x.clone()
    wide = x.double()  # exact, and wide enough for x / q
    exponent = torch.frexp(wide).exponent - 1  # frexp has its mantissa in [1/2, 1)
    q = _power_of_two(exponent.clamp(min=fmt.min_exponent) - fmt.mantissa)
    y = torch.round(wide / q) * q
    if saturate is None:
        saturate = not fmt.has_inf
    largest = fmt.max if saturate else (float("inf") if fmt.has_inf else float("nan"))
    over = (y.abs() > fmt.max) | wide.isinf()
    y = torch.where(over, torch.copysign(torch.full_like(y, largest), wide), y)
    return torch.where(wide.isnan(), wide, y).to(x.dtype)


def shares_lost(x: Tensor, dtype: torch.dtype | str, *, scale: float = 1.0) -> tuple[float, float, float]:
    """Of the entries that are not zero, the shares that become zero, subnormal and infinite in a format.

    Args:
        scale: the entries are multiplied by it first.
    Raises: ValueError where all entries are zero.

    Example:
        >>> shares_lost(torch.tensor([0.0, 1e-9, 1e-6, 1.0, 1e6]), torch.float16)
        (0.25, 0.25, 0.25)
    """
    x = x[x != 0]
    require(x.numel() > 0, "an entry that is not zero", entries=x.numel())
    y = round_to(scale * x.double(), dtype)
    kinds = (y == 0, (y != 0) & (y.abs() < float_format(dtype).smallest_normal), y.isinf())
    zero, subnormal, infinite = (float(kind.double().mean()) for kind in kinds)
    return zero, subnormal, infinite


def _power_of_two(exponent: Tensor) -> Tensor:
    """2**exponent as float64, exactly, from the bits: the exponent field with bias 1023, mantissa zero."""
    return ((exponent.long() + 1023) << 52).view(torch.float64)
