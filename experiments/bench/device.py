"""What a GPU could do, and what was taken of it."""

from __future__ import annotations

import torch

# Dense bfloat16 operations a second, as the makers state them, by a part of torch's device name.
PEAKS = {
    "H200": 989e12,
    "H100 PCIe": 756e12,
    "H100": 989e12,
    "A100": 312e12,
    "L40S": 362e12,
    "L4": 121e12,
    "A10G": 70e12,
    "RTX 4090": 165e12,
    "MI300X": 1307e12,
}


def reset_peak_memory(device: torch.device) -> None:
    """Let ``peak_gigabytes`` count from now on."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()


def peak_gigabytes(device: torch.device) -> float | None:
    """The most memory that was taken of a GPU, in GB; None of another device."""
    return round(torch.cuda.max_memory_allocated() / 1e9, 2) if device.type == "cuda" else None


def peak_of(device: str) -> float | None:
    """The bfloat16 operations a second of a device of this name, if they are known."""
    words = f" {device.replace('-', ' ')} "
    return next((rate for name, rate in PEAKS.items() if f" {name} " in words), None)
