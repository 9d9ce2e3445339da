"""The command line: ``mstar train | evaluate | envs | report | compare | ...``."""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from importlib import import_module

from mstar.agents.registry import unknown
from mstar.experiments.terminal import help_page, print_folded, printable

USAGE = """mstar: multimodal self-evolving training

  mstar train [RECIPE|FILE]   train a policy on its own best answers
  mstar estimate [RECIPE|FILE]
                              memory, time, price and accuracy of a run before it starts
  mstar config [RECIPE]       print a recipe as a YAML file for mstar train
  mstar evaluate RUN|MODEL ...
                              accuracy of runs' policies and of models on test problems
  mstar make-vlm --language-model NAME --out DIR
                              a vision-language model from a language model
  mstar envs list|show|validate|solve-rate|blind|gallery
                              list environments, show problems and images, check a data set
  mstar runs [DIR]            the runs of a folder, and how far they are
  mstar report RUN            rewrite the report of a run; --beside RUN compares two
  mstar check RUN LIMITS      whether a run keeps the limits of a file, for a release
  mstar compare STUDY         run agents over several seeds at equal cost, and compare them
  mstar compare RUN ...       base against evolved over several seeds, with intervals
  mstar audit RUN|DATASET     look at responses or problems, and say which are right
  mstar panel fit RUN         a panel's weights and threshold fitted to what people said
  mstar rescore RUN           judge a run's stored responses with another panel
  mstar export RUN --out DIR  the policy as a folder for transformers and vLLM, with a model card
  mstar chat RUN|MODEL IMAGE QUESTION
                              ask the policy about an image
  mstar bench NAME            speed, as ratios within one run; regret of exploration controllers;
                              runs that are killed, and runs under strain

  mstar COMMAND --help        the options of a command
"""


RESUMED = ("train", "compare")
# Each is the function ``run`` of the module of that name in this folder.
COMMANDS = (
    *("train", "config", "estimate", "evaluate", "envs", "runs", "report", "check", "compare"),
    *("audit", "panel", "rescore", "export", "chat", "make-vlm", "bench"),
)


class Terminated(KeyboardInterrupt):
    """The process was asked to end, by a scheduler for example, and ends as by Ctrl-C."""


@contextmanager
def terminated_like_interrupted() -> Iterator[None]:
    """Raise ``Terminated`` on SIGTERM, so that the terminal and the run's folder are left in order.

    Without it the process ends at once, and the cursor stays hidden.
    """

    def terminate(*_: object) -> None:
        raise Terminated

    if threading.current_thread() is not threading.main_thread():  # others get no signals
        yield
        return
    before = signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def run_command(name: str, arguments: list[str]) -> None:
    """Run a command of ``COMMANDS``; what it needs is imported only now."""
    module = import_module(f"mstar.experiments.cli.{name.replace('-', '_')}")
    module.run(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; on failure, one readable message goes to stderr.

    Returns:
        0 on success; 1 if an argument cannot be used; 2 for options that do not exist or cannot be
        parsed; 130 when interrupted, 143 when terminated.
    """
    # Waiting threads must not spin: on shared cores that is ten times slower.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # Imports make half a million objects that stay: to look among them for garbage after every few
    # hundred takes a quarter of the start.
    gc.set_threshold(100_000, 20, 20)
    words = list(sys.argv[1:] if arguments is None else arguments)
    if not words or words[0] in ("-h", "--help"):
        with help_page():
            print(USAGE, end="")
        return 0
    try:
        if words[0] not in COMMANDS:
            raise ValueError(unknown("command", words[0], COMMANDS))
        asked = {"-h", "--help", "--help-all"} & set(words)
        with terminated_like_interrupted(), help_page() if asked else nullcontext():
            run_command(words[0], words[1:])
    except BrokenPipeError:  # the reader of the output has closed it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (ValueError, OSError, KeyError, ImportError, MemoryError, FloatingPointError) as error:
        message = error.args[0] if isinstance(error, KeyError) and error.args else error
        print_folded(f"mstar: {printable(str(message))}", sys.stderr)
        return 1
    except SystemExit as stopped:  # tyro has printed its help or an error
        return stopped.code if isinstance(stopped.code, int) else 1
    except KeyboardInterrupt as stopped:
        goes_on = "; the same command resumes after the last round" if words[0] in RESUMED else ""
        print(f"mstar: stopped{goes_on}", file=sys.stderr)
        return 143 if isinstance(stopped, Terminated) else 130
    return 0
