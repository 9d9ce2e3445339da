"""Versions, commit and hardware, which are stored with every run."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from mstar.agents.policy import distributed

PACKAGES = ("mstar-rl", "torch", "transformers", "trl", "peft", "gymnasium", "numpy", "pillow")


def environment_info() -> dict[str, Any]:
    """Versions, commit and hardware, as JSON values."""
    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"],
        cwd=Path(__file__).resolve().parent,
        capture_output=True,
        text=True,
        check=False,
    ).stdout.strip()
    return {
        "versions": {name: version(name) for name in PACKAGES},
        "python": platform.python_version(),
        "commit": commit or None,
        "hardware": {
            "machine": platform.machine(),
            "cores": os.cpu_count(),
            "accelerator": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
            "processes": distributed.count(),
        },
    }
