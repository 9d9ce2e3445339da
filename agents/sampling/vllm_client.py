"""A vLLM server, spoken to by TRL's own client.

    VLLM_SERVER_DEV_MODE=1 vllm serve MODEL --weight-transfer-config '{"backend": "nccl"}'
    mstar train --model MODEL --server http://localhost:8000 --rank reward

MODEL is the same in both commands, and the server has GPUs of its own. Before each sampling it
takes the policy's weights over NCCL, for which the trainer needs a GPU too, and
``pip install 'mstar-rl[vllm]'``.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from functools import lru_cache
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode, urlparse
from urllib.request import Request, urlopen

import torch
from trl.generation.vllm_client import VLLMClient
from trl.import_utils import is_vllm_available

START = (
    "start it with\n  VLLM_SERVER_DEV_MODE=1 vllm serve MODEL --weight-transfer-config "
    '\'{"backend": "nccl"}\'\nand give its address, such as http://localhost:8000, as --server'
)
GROUP_PORT = 51216  # TRL's, of the group that takes the weights
BUSY = (500, 502, 503, 504)  # may be gone in a moment
PAUSES = (1.0, 2.0, 4.0, 8.0)  # seconds before another try
PATIENCE = 1800.0  # seconds for an answer


class Server(VLLMClient):
    """TRL's client over the standard library, so that generating needs no vLLM on this machine.

    What is generated, how messages and images travel and how weights do is TRL's; here are only the
    constructor, which would insist on vLLM, and the requests with their errors.

    Args:
        url: such as ``http://localhost:8000``.
        pauses: seconds before each further try, where the server is busy or cannot be reached.

    Raises:
        ConnectionError: there is no server, or it is not in vLLM's development mode.
        ValueError: its log-probabilities are not those of the policy.
    """

    def __init__(self, url: str, pauses: tuple[float, ...] = PAUSES) -> None:
        self.base_url, self.pauses = url.rstrip("/"), pauses
        self.host = urlparse(url).hostname
        self.group_port = GROUP_PORT
        self.communicator = None
        self._updating_weights = False
        self.model = self._get(f"{self.base_url}/v1/models")["data"][0]["id"]
        told = self.get_server_info()["model_config"]["logprobs_mode"]
        if told != "raw_logprobs":
            raise ValueError(
                f"the server at {self.base_url} tells {told}, but log-probabilities are kept at "
                "temperature 1; start it with --logprobs-mode raw_logprobs, vLLM's default"
            )

    def get_server_info(self) -> dict[str, Any]:
        """The server's configuration, as a JSON tree."""
        info = self._get(f"{self.base_url}/server_info", params={"config_format": "json"})
        config: dict[str, Any] = info["vllm_config"]
        return config

    def reset_prefix_cache(self) -> None:
        """Forget what prompts were read by older weights."""
        self._post(f"{self.base_url}/reset_prefix_cache")

    def join(self, device: torch.device) -> None:
        """Become the one that the server takes weights from; harmless twice.

        Raises:
            ValueError: there is no vLLM on this machine, or no GPU.
        """
        if self.communicator is not None:
            return
        if device.type != "cuda" or not is_vllm_available():
            raise ValueError(
                "a server takes weights over NCCL, which needs a GPU and vLLM on this side too; "
                f"the policy is on {device}: pip install 'mstar-rl[vllm]', or leave --server out"
            )
        self.init_communicator(device)

    def _get(self, url: str, params: Mapping[str, str] | None = None) -> Any:
        return self._ask(Request(f"{url}?{urlencode(params)}" if params else url))

    def _post(self, url: str, json: Any = None) -> Any:
        return self._ask(_posted(url, json))

    def _ask(self, request: Request) -> Any:
        for pause in (*self.pauses, None):
            try:
                with urlopen(request, timeout=PATIENCE) as answer:
                    text = answer.read()
                    return json.loads(text) if text else {}
            except HTTPError as error:
                if error.code not in BUSY or pause is None:
                    raise ConnectionError(self._refusal(request, error)) from error
            except (URLError, HTTPException, ConnectionError, TimeoutError) as error:
                if pause is None:
                    reason = getattr(error, "reason", error)
                    raise ConnectionError(
                        f"no vLLM server can be reached at {self.base_url} ({reason}); {START}"
                    ) from error
            time.sleep(pause)
        raise AssertionError("the last try returns or raises")

    def _refusal(self, request: Request, error: HTTPError) -> str:
        path, said = urlparse(request.full_url).path, error.read().decode(errors="replace")[:500]
        hint = f"; {START}" if error.code == 404 else ""
        return f"the vLLM server at {self.base_url} answered {error.code} to {path}: {said}{hint}"


def _posted(url: str, body: Any) -> Request:
    headers = {"Content-Type": "application/json"}
    return Request(url, json.dumps(body or {}).encode(), headers, method="POST")


@lru_cache(maxsize=1)  # it takes weights from one group, however many policies are sampled
def server_at(url: str) -> Server:
    """The server at an address."""
    return Server(url)
