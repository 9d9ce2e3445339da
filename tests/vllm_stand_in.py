"""A local stand-in for `vllm serve`: the same HTTP interface to a tiny policy."""

from __future__ import annotations

import base64
import json
import queue
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from typing import Any

import pytest
import torch
from PIL import Image
from trl.generation import vllm_client

from mstar.agents.policy.policy import Policy
from mstar.agents.sampling.base import Response
from mstar.agents.sampling.local import LocalSampler
from mstar.agents.sampling.vllm_client import Server
from mstar.envs.problem import Prompt

Json = dict[str, Any]


@dataclass
class StandIn:
    """Responds over HTTP from a policy of its own, whose weights can be replaced like vLLM's.

    Attributes:
        policy: that answers.
        logprobs_mode: as a server tells it.
        failures: statuses of the next requests to write, instead of answers.
        short: how many of the choices that were asked for it keeps back.
        paths: of all requests so far.
        asked: the bodies of the requests for responses.
        sent: tensors that have come in by the other way, in order.
    """

    policy: Policy
    logprobs_mode: str = "raw_logprobs"
    failures: list[int] = field(default_factory=list)
    short: int = 0
    paths: list[str] = field(default_factory=list)
    asked: list[Json] = field(default_factory=list)
    sent: queue.SimpleQueue[tuple[str, torch.Tensor]] = field(default_factory=queue.SimpleQueue)
    lock: Any = field(default_factory=threading.Lock)
    incoming: dict[str, torch.Tensor] | None = None

    def get(self, path: str) -> Json | None:
        """What a request to read gets; None is a 404."""
        config = {"model_config": {"logprobs_mode": self.logprobs_mode}}
        answers: dict[str, Json] = {
            "/v1/models": {"data": [{"id": "tiny"}]},
            "/server_info?config_format=json": {
                "vllm_config": {**config, "weight_transfer_config": {"backend": "nccl"}}
            },
            "/get_world_size": {"world_size": 1},
        }
        return answers.get(path)

    def post(self, path: str, body: Json) -> Json | None:
        """What a request to do something gets; None is a 404."""
        if path == "/v1/chat/completions":
            with self.lock:  # one model
                return self.chat(body)
        if path == "/start_weight_update":
            self.incoming = {}
        elif path == "/update_weights":
            assert self.incoming is not None, "an update that was not started"
            info = body["update_info"]
            for name, dtype, shape in zip(
                info["names"], info["dtype_names"], info["shapes"], strict=True
            ):
                came, tensor = self.sent.get(timeout=10)
                assert (came, str(tensor.dtype), list(tensor.shape)) == (
                    name,
                    f"torch.{dtype}",
                    shape,
                )
                self.incoming[name] = tensor
        elif path == "/finish_weight_update":
            known = dict(self.policy.model.named_parameters())
            assert self.incoming is not None
            assert self.incoming.keys() == known.keys()
            self.policy.set_weights(self.incoming)
            self.incoming = None
        elif path == "/collective_rpc":
            assert body["method"] == "reload_weights"
            with self.lock:
                self.policy.load_weights(body["kwargs"]["weights_path"])
        elif path not in ("/reset_prefix_cache", "/reset_mm_cache", "/reset_encoder_cache"):
            return None
        return {}

    def chat(self, body: Json) -> Json:
        """Responses to one conversation, in the form of vLLM's chat completions."""
        assert self.incoming is None, "asked in the middle of an update"
        self.asked.append(body)
        assert body["return_token_ids"]
        assert body["return_tokens_as_token_ids"]
        assert body["logprobs"]
        assert body["temperature"] > 0 or body["n"] == 1, "vLLM refuses many greedy samples"
        (message,) = body["messages"]
        text, images, places = "", list[Image.Image](), list[tuple[int, int]]()
        for part in message["content"]:
            if part["type"] == "text":
                text += part["text"]
            else:
                images.append(picture(part))
                places.append((len(text), len(text)))
        prompt = Prompt(text, images, "", tuple(places))
        sampler = LocalSampler(self.policy, body["max_tokens"])
        (group,) = sampler.sample([prompt], body["n"], body["temperature"], body["seed"])
        read = self.policy.encode([prompt])["input_ids"][0].tolist()
        choices = [choice(response) for response in group]
        return {"prompt_token_ids": read, "choices": choices[: len(choices) - self.short]}


def choice(response: Response) -> Json:
    """A response in vLLM's form; its log-probability is spread evenly over the tokens."""
    each = response.logprob / len(response.tokens)
    content = [
        {"token": f"token_id:{token}", "logprob": each, "top_logprobs": []}
        for token in response.tokens
    ]
    return {"token_ids": list(response.tokens), "logprobs": {"content": content}}


def picture(part: Json) -> Image.Image:
    """The image of a data URL."""
    kind, data = part["image_url"]["url"].split(",")
    assert kind == "data:image/png;base64"
    return Image.open(BytesIO(base64.b64decode(data))).convert("RGB")


def wire(patch: pytest.MonkeyPatch, stand_in: StandIn) -> None:
    """Replace TRL's NCCL transfer by one to the stand-in within this process."""

    class Engine:
        @staticmethod
        def trainer_send_weights(iterator: Any, trainer_args: Any) -> None:
            for name, tensor in iterator:
                stand_in.sent.put((name, tensor.detach().clone()))

    patch.setattr(vllm_client, "NCCLWeightTransferEngine", Engine, raising=False)
    patch.setattr(vllm_client, "NCCLTrainerSendWeightsArgs", dict, raising=False)
    patch.setattr(Server, "join", lambda *_: None)
    patch.setattr(Server, "takes_nccl", lambda *_: True)


def serving(stand_in: StandIn) -> Iterator[str]:
    """Serve a stand-in; yields its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.tell(stand_in.get(self.path))

        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            body = json.loads(self.rfile.read(length))
            stand_in.paths.append(self.path)
            if stand_in.failures:
                return self.tell({"error": "not now"}, stand_in.failures.pop(0))
            return self.tell(stand_in.post(self.path, body))

        def tell(self, answer: Json | None, status: int = 200) -> None:
            self.send_response(404 if answer is None else status)
            self.end_headers()
            self.wfile.write(json.dumps(answer).encode())

        def log_message(self, *_: Any) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=http.serve_forever, args=[0.01])  # seconds until it may end
    thread.start()
    yield f"http://127.0.0.1:{http.server_port}"
    http.shutdown()
    thread.join()
    http.server_close()
