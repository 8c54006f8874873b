"""Which sixteen-bit type to use on a device, if any."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch

from course_utils._checks import require


@dataclass(frozen=True)
class AutocastPolicy:
    """What autocast should use, whether a GradScaler is needed with it, and why."""

    device_type: str
    dtype: torch.dtype | None
    needs_scaler: bool
    reason: str

    def context(self) -> AbstractContextManager[Any]:
        """For the forward pass and the loss, `with policy.context(): ...`; does nothing for float32."""
        if self.dtype is None:
            return nullcontext()
        return torch.autocast(self.device_type, dtype=self.dtype)


def autocast_policy(device: str | torch.device) -> AutocastPolicy:
    """bfloat16 where the hardware computes in it, else float16 with a GradScaler, else float32.

        CUDA, compute capability >= 8.0 (Ampere), or ROCm     bfloat16
        CUDA, compute capability >= 7.0 (Volta, Turing)       float16 and a GradScaler
        CUDA, older                                           float32: no tensor cores
        CPU with avx512_bf16, amx_bf16 or ARM's bf16          bfloat16
        other CPUs and devices                                float32

    bfloat16 comes first because it has float32's range: nothing underflows that did not before, and no
    scaler is needed.

    Raises: ValueError for "cuda" without a GPU.
    """
    device = torch.device(device)
    if device.type == "cuda":
        return _cuda_policy(device)
    if device.type == "cpu":
        if _cpu_has_bf16():
            return AutocastPolicy("cpu", torch.bfloat16, False, "this CPU has bfloat16 instructions")
        return AutocastPolicy(
            "cpu", None, False, "this CPU has no bfloat16 instructions and would emulate them"
        )
    reason = f"no policy for {device.type}: float32 is safe everywhere"
    return AutocastPolicy(device.type, None, False, reason)


def _cuda_policy(device: torch.device) -> AutocastPolicy:
    require(torch.cuda.is_available(), "a GPU for device cuda", cure='use device="cpu"', device=str(device))
    if torch.version.hip:
        return AutocastPolicy("cuda", torch.bfloat16, False, "ROCm GPUs compute in bfloat16")
    major, minor = torch.cuda.get_device_capability(device)
    capability = f"compute capability {major}.{minor}"
    if major >= 8:
        return AutocastPolicy("cuda", torch.bfloat16, False, f"{capability} has bfloat16 tensor cores")
    if major == 7:
        reason = f"{capability} has no bfloat16; float16 needs loss scaling, its range ends near 6e-8"
        return AutocastPolicy("cuda", torch.float16, True, reason)
    return AutocastPolicy(
        "cuda", None, False, f"{capability} has no tensor cores: sixteen bits would not be faster"
    )


def _cpu_has_bf16() -> bool:
    capabilities: Mapping[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()  # newer torch only
    return any(capabilities.get(name, False) for name in ("avx512_bf16", "amx_bf16", "bf16", "sve_bf16"))
