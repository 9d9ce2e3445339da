"""Nothing is sent about what is trained, whatever was imported first."""

from __future__ import annotations

import subprocess
import sys

import pytest
from connections import plain_environment

SAYS = "print(huggingface_hub.constants.HF_HUB_DISABLE_TELEMETRY)"


@pytest.mark.parametrize(
    "first", ["huggingface_hub, mstar.agents", "mstar.agents, huggingface_hub"]
)
@pytest.mark.parametrize(
    ("chosen", "said"), [({}, "True"), ({"HF_HUB_DISABLE_TELEMETRY": "0"}, "False")]
)
def test_telemetry_is_off_in_any_order_of_imports_unless_the_user_has_chosen(
    first: str, chosen: dict[str, str], said: str
) -> None:
    code = f"import {first}, huggingface_hub.constants; {SAYS}"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        env=plain_environment() | chosen,
        check=True,
        text=True,
    )
    assert done.stdout.strip() == said
