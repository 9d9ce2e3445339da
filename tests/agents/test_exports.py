"""What the package exports exists, and is imported only when it is used."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import import_module

import pytest

ROOMS = [
    "mstar.agents",
    "mstar.agents.explore",
    "mstar.agents.monitor",
    "mstar.agents.sampling",
    "mstar.experiments",
]


@pytest.mark.parametrize("room", ROOMS)
def test_every_exported_name_exists(room: str) -> None:
    module = import_module(room)
    assert all(getattr(module, name) is not None for name in module.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'Nothing'"):
        module.Nothing  # noqa: B018


@pytest.mark.parametrize("light", ["mstar.agents.config", "mstar.agents.types"])
def test_settings_and_types_load_no_torch(light: str) -> None:
    code = f"import json, sys, {light}; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert {"torch", "transformers", "trl"} & set(json.loads(done.stdout)) == set()
