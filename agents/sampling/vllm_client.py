"""A client for a vLLM server, based on TRL's.

    VLLM_SERVER_DEV_MODE=1 vllm serve MODEL --weight-transfer-config '{"backend": "nccl"}'
    mstar train --model MODEL --server http://localhost:8000 --rank reward

MODEL is the same in both commands. Before it samples, the server receives the policy's weights:
over NCCL, for which it needs GPUs of its own, the trainer a GPU too, and both
``pip install 'mstar-rl[vllm]'``; or by a folder that both can read, for which neither is needed.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from functools import lru_cache
from http.client import HTTPException
from pathlib import Path
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
# Of the group that transfers weights. TRL's 51216 may be taken by an outgoing connection of another
# program: systems use 32768 and up for those.
GROUP_PORT = 29600
RETRIED = (500, 502, 503, 504)  # HTTP statuses that may pass
PAUSES = (1.0, 2.0, 4.0, 8.0)  # seconds before each retry
TIMEOUT = 1800.0  # seconds for a reply


class Server(VLLMClient):
    """TRL's client over urllib, so that generation does not need vLLM on this machine.

    Requests for responses and the transfer of weights are TRL's. Replaced are the constructor,
    which would require vLLM, and the sending of requests, with retries and error messages.

    Args:
        url: such as ``http://localhost:8000``.
        pauses: seconds before each retry if the server is busy or cannot be reached.

    Raises:
        ConnectionError: there is no server, or it is not in vLLM's development mode.
        ValueError: it returns log-probabilities other than those at temperature 1.
    """

    def __init__(self, url: str, pauses: tuple[float, ...] = PAUSES) -> None:
        self.base_url, self.pauses = url.rstrip("/"), pauses
        self.host = urlparse(url).hostname
        self.group_port = GROUP_PORT
        self.communicator = None
        self._updating_weights = False
        self.model = self._get(f"{self.base_url}/v1/models")["data"][0]["id"]
        mode = self.get_server_info()["model_config"]["logprobs_mode"]
        if mode != "raw_logprobs":
            raise ValueError(
                f"the server at {self.base_url} returns {mode}, but log-probabilities are needed "
                "at temperature 1; start it with --logprobs-mode raw_logprobs, vLLM's default"
            )

    def get_server_info(self) -> dict[str, Any]:
        """The server's configuration, as a JSON tree."""
        info = self._get(f"{self.base_url}/server_info", params={"config_format": "json"})
        config: dict[str, Any] = info["vllm_config"]
        return config

    def reset_prefix_cache(self) -> None:
        """Drop what older weights have computed: of prompts, and of images."""
        for cache in ("prefix", "mm", "encoder"):
            self._post(f"{self.base_url}/reset_{cache}_cache")

    def load_folder(self, folder: Path) -> None:
        """Have the server load the weights of a folder, whose path it must know.

        Raises:
            ConnectionError: it cannot.
        """
        body = {"method": "reload_weights", "kwargs": {"weights_path": str(folder.absolute())}}
        self._post(f"{self.base_url}/collective_rpc", body)

    def takes_nccl(self, device: torch.device) -> bool:
        """Whether weights can go to the server over NCCL from a device of this machine."""
        ready = self.get_server_info().get("weight_transfer_config") is not None
        return ready and device.type == "cuda" and is_vllm_available()

    def join(self, device: torch.device) -> None:
        """Form the group over which the server receives weights; does nothing the second time.

        Raises:
            ValueError: this machine has no GPU, or vLLM is not installed.
        """
        if self.communicator is not None:
            return
        if device.type != "cuda" or not is_vllm_available():
            raise ValueError(
                "a server receives weights over NCCL, which needs a GPU and vLLM on this side too; "
                f"the policy is on {device}: pip install 'mstar-rl[vllm]', or give "
                "--weight-transfer folder"
            )
        self.init_communicator(device)

    def _get(self, url: str, params: Mapping[str, str] | None = None) -> Any:
        return self._send(Request(f"{url}?{urlencode(params)}" if params else url))

    def _post(self, url: str, json: Any = None) -> Any:
        return self._send(_post_request(url, json))

    def _send(self, request: Request) -> Any:
        for pause in (*self.pauses, None):
            try:
                with urlopen(request, timeout=TIMEOUT) as reply:
                    text = reply.read()
                    return json.loads(text) if text else {}
            except HTTPError as error:
                if error.code not in RETRIED or pause is None:
                    raise ConnectionError(self._error_message(request, error)) from error
            except (URLError, HTTPException, ConnectionError, TimeoutError) as error:
                if pause is None:
                    reason = getattr(error, "reason", error)
                    raise ConnectionError(
                        f"no vLLM server can be reached at {self.base_url} ({reason}); {START}"
                    ) from error
            time.sleep(pause)
        raise AssertionError("the last attempt returns or raises")

    def _error_message(self, request: Request, error: HTTPError) -> str:
        path = urlparse(request.full_url).path
        body = error.read().decode(errors="replace")[:500]
        hint = f"; {START}" if error.code == 404 else ""
        return f"the vLLM server at {self.base_url} answered {error.code} to {path}: {body}{hint}"


def _post_request(url: str, body: Any) -> Request:
    headers = {"Content-Type": "application/json"}
    return Request(url, json.dumps(body or {}).encode(), headers, method="POST")


@lru_cache(maxsize=1)  # a server receives weights from one group, shared by all policies
def server_at(url: str) -> Server:
    """The server at an address, the same object for every policy.

    Raises:
        ConnectionError: there is no server, or it is not in vLLM's development mode.
        ValueError: it returns log-probabilities other than those at temperature 1.
    """
    return Server(url)
