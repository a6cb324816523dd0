"""Device and mixed precision: pick CPU, CUDA or MPS, and run networks under autocast in bf16 or fp16.

Training uses it in `training/step/stepper.py`, applying a model in `inference/runtime/runner.py`.
"""

from __future__ import annotations

import copy
import platform
from dataclasses import dataclass

import torch
from torch import nn

from translate import distributed
from translate.errors import UsageError

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def pick_device(name: str = "auto") -> torch.device:
    """Return the device called `auto`, `cpu`, `cuda`, `cuda:1` or `mps`.

    Under torchrun, `auto` and `cuda` give each process of a machine a GPU of its own.

    Raises:
        UsageError: the machine has no such device, or fewer GPUs than processes.
    """
    if name == "auto":
        name = fastest_device()
    local_rank = distributed.local_rank()
    if local_rank is not None and name == "cuda" and torch.cuda.is_available():
        if local_rank >= (gpus := torch.cuda.device_count()):
            raise UsageError(
                f"{distributed.local_world_size()} processes on a machine with {gpus} GPUs, and each needs"
                f" one: use --nproc-per-node {gpus}"
            )
        name = f"cuda:{local_rank}"
    try:
        device = torch.device(name)
        if device.type not in ("cpu", "cuda", "mps"):
            raise ValueError(name)
        torch.empty(0, device=device)
    except Exception:  # torch raises exceptions of many types for a missing device.
        raise UsageError(f"no device {name!r} on this machine: use {_list_devices()}") from None
    return device


def _list_devices() -> str:
    """Return the names of the devices of this machine, in words."""
    gpus = ["cuda", *(f"cuda:{index}" for index in range(1, torch.cuda.device_count()))]
    names = ["auto", *(gpus if torch.cuda.is_available() else [])]
    names += ["mps"] if torch.backends.mps.is_available() else []
    return f"{', '.join(names)} or cpu"


def fastest_device() -> str:
    """Return the name of the device that `auto` stands for on this machine."""
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


@dataclass(frozen=True)
class Precision:
    """Mixed precision on a device: convolutions compute in `dtype`, weights and optimizers stay float32.

    Attributes:
        tf32: convolutions in float32 round their inputs to 10 bits (TF32), which NVIDIA GPUs are faster at.
    """

    device: torch.device
    dtype: torch.dtype
    tf32: bool = False

    def __str__(self) -> str:
        return "tf32" if self.tf32 else next(name for name, dtype in DTYPES.items() if dtype == self.dtype)

    def autocast(self) -> torch.autocast:
        """Return a context manager that runs convolutions in `dtype`; for float32 it does nothing.

        On a GPU, this also sets whether float32 is computed in TF32. That holds for the whole process, until
        a precision is entered that says otherwise.
        """
        if self.device.type == "cuda":
            _set_tf32(self.tf32)
        return torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32)

    def cast_weights(
        self, network: nn.Module, memory_format: torch.memory_format = torch.channels_last
    ) -> nn.Module:
        """Return a copy whose convolutions hold their weights in `dtype`; for float32, the network itself.

        For inference: the weights are then not cast again for each image. Their memory format makes the whole
        network run in it: channels_last is 10 % faster on a CPU with bf16.
        """
        if self.dtype == torch.float32:
            return network
        network = copy.deepcopy(network)
        for module in network.modules():
            if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
                module.to(self.dtype).to(memory_format=memory_format)
        return network


def pick_precision(name: str, device: torch.device) -> Precision:
    """Return the precision called `auto`, `fp32`, `tf32`, `bf16` or `fp16`.

    `auto` is bf16 if the hardware has it.

    Raises:
        UsageError: fp16 on a CPU, where its kernels are slow or missing; tf32 where the hardware lacks it.
    """
    if name == "auto":
        return Precision(device, torch.bfloat16 if _supports_bf16(device) else torch.float32)
    if name == "fp16" and device.type == "cpu":
        raise UsageError("precision 'fp16' needs a GPU: on a CPU use --precision bf16 or fp32")
    if name == "tf32":
        if device.type != "cuda" or not torch.cuda.is_tf32_supported():
            raise UsageError(
                f"precision 'tf32' needs an NVIDIA GPU of compute capability 8.0 or newer, which {device} is"
                " not: use --precision auto or fp32"
            )
        return Precision(device, torch.float32, tf32=True)
    return Precision(device, DTYPES[name])


def _set_tf32(enabled: bool) -> None:
    """Set whether CUDA computes float32 convolutions (cuDNN) and matrix products (cuBLAS) in TF32.

    By default, torch does so for convolutions.
    """
    # These setters also set the newer `fp32_precision`. Setting that alone would leave `allow_tf32` and
    # `get_float32_matmul_precision`, which Inductor reads, in contradiction to it, so that they raise (torch
    # 2.10 to 2.14).
    torch.backends.cudnn.allow_tf32 = enabled
    torch.backends.cuda.matmul.allow_tf32 = enabled


def _supports_bf16(device: torch.device) -> bool:
    """Return whether a device has bf16 instructions; without them, torch emulates bf16 slowly."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type != "cpu":
        return False
    if platform.machine().lower() in ("x86_64", "amd64"):
        return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
    return torch._C._has_mkldnn and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
