"""Run a step again and again: eagerly the first time, and then as a captured CUDA graph."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Hashable

import torch


class StepGraphs:
    """CUDA graphs of steps: what the CPU launches kernel by kernel, the GPU replays in one go.

    A step is a function without arguments or result. All that it reads from outside and all that it
    leaves behind must lie in tensors that keep their place, and it must not wait for the GPU. Steps
    of one key do the same. The first is run eagerly, which also loads what its kernels need; the
    second is captured, which runs nothing, and replayed like all that follow. On other devices
    every step is run eagerly.

    The graphs share one pool of memory for what lies between input and output of a step. A model
    that cannot be captured, because its forward pass waits for the GPU, is run eagerly from then
    on, with a warning that says why.

    Args:
        device: on which the steps run.
    """

    def __init__(self, device: torch.device) -> None:
        self.capturing = device.type == "cuda"
        self._stream = torch.cuda.Stream(device) if self.capturing else None
        self.clear()

    def clear(self) -> None:
        """Forget all graphs, and free their memory."""
        self._graphs: dict[Hashable, torch.cuda.CUDAGraph | None] = {}
        self._pool = torch.cuda.graph_pool_handle() if self.capturing else None

    def run(self, key: Hashable, step: Callable[[], None]) -> None:
        """Run the step of a key once."""
        if self.capturing and key in self._graphs and self._graphs[key] is None:
            self._graphs[key] = self._captured(step)
        graph = self._graphs.setdefault(key, None)
        if graph is None:
            step()
        else:
            graph.replay()

    def _captured(self, step: Callable[[], None]) -> torch.cuda.CUDAGraph | None:
        graph = torch.cuda.CUDAGraph()
        try:
            # The outer context puts the stream back if the capture fails. Other threads may go on.
            with (
                torch.cuda.stream(self._stream),
                torch.cuda.graph(
                    graph,
                    pool=self._pool,
                    stream=self._stream,
                    capture_error_mode="thread_local",
                ),
            ):
                step()
        except RuntimeError as error:
            self.capturing = False
            reasons = [str(each) for each in (error.__context__, error) if each is not None]
            warnings.warn(
                "the model's forward pass cannot be captured as a CUDA graph, so sampling is "
                f"slower; tokens are the same ({'; '.join(reasons)})",
                stacklevel=2,
            )
            return None
        return graph
