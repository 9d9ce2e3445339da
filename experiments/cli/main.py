"""The command line: ``mstar train | evaluate | envs | report | compare | ...``."""

from __future__ import annotations

import gc
import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console

from mstar.agents.config import Recipe
from mstar.agents.registry import unknown
from mstar.experiments.cli.options import current_names, read_recipe, recipe_text, start_recipe
from mstar.experiments.cli.train_help import first_page
from mstar.experiments.run.recipes import RECIPES
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


@dataclass(frozen=True)
class TrainOptions:
    """Train a policy on its own best answers.

    Attributes:
        recipe: every setting of the run.
        out: the run's folder; give the folder of a killed run to resume it.
        base_test: file of the base's test rows, shared by runs of one seed that differ only in how
            they train; the first of them writes it.
        track: experiment trackers that get every round's figures and some responses:
            ``tensorboard``, ``trackio``, ``wandb``, ``mlflow``, ... or ``module:Class`` of your
            own. TensorBoard and trackio stay on this machine.
        dry_run: print what would be done, in numbers, and do nothing.
        json: print the result as JSON.
    """

    recipe: Annotated[Recipe, tyro.conf.arg(name="")]
    out: Path = Path("runs/default")
    base_test: Path | None = None
    track: tuple[str, ...] = ()
    dry_run: bool = False
    json: bool = False


def train_command(arguments: list[str]) -> None:
    """``mstar train [RECIPE|FILE.yaml] [--SETTING VALUE ...]``."""
    if {"-h", "--help"} & set(arguments):
        recipe, name = start_recipe([a for a in arguments if a not in ("-h", "--help")])
        print(first_page(recipe, f"runs/{name}"))
        return
    options = train_options(["--help" if a == "--help-all" else a for a in arguments])
    # Torch loads only once the arguments are right.
    if options.dry_run:
        from mstar.experiments.run.dry_run import describe_run

        print_folded(describe_run(options.recipe, options.out))
        return
    from mstar.experiments.report.summary import summarise
    from mstar.experiments.run.train import train

    gc.freeze()  # trainers call the collector often, and would have it visit all that was imported
    console = Console(stderr=True)
    folder = train(options.recipe, options.out, console, options.base_test, options.track)
    summary = summarise(folder)
    if options.json:
        print(json.dumps(summary.as_json()))
    else:
        print_folded(summary.text())
        print(f"report: {folder.path / 'report.html'}")


def train_options(arguments: list[str]) -> TrainOptions:
    """The options of ``mstar train``."""
    arguments = current_names(arguments)
    recipe, name = start_recipe(arguments)
    return tyro.cli(
        TrainOptions,
        args=arguments,
        prog="mstar train [RECIPE|FILE.yaml]",
        description=(
            f"Recipes: {', '.join(RECIPES)}.\n\nAny setting below can be changed; "
            "`mstar config RECIPE` prints them all as a file."
        ),
        default=TrainOptions(recipe=recipe, out=Path("runs") / name),
        config=(tyro.conf.OmitArgPrefixes,),
    )


def config_command(arguments: list[str]) -> None:
    """``mstar config [RECIPE|FILE.yaml] [--SETTING VALUE ...]``."""
    arguments = current_names(arguments)
    recipe, _ = start_recipe(arguments)
    options = tyro.cli(
        ConfigOptions,
        args=arguments,
        prog="mstar config [RECIPE|FILE.yaml]",
        description="Print a recipe as a YAML file that `mstar train FILE.yaml` reads.",
        default=ConfigOptions(recipe=recipe),
        config=(tyro.conf.OmitArgPrefixes,),
    )
    print(recipe_text(options.recipe), end="")


@dataclass(frozen=True)
class ConfigOptions:
    """Print a recipe as a file.

    Attributes:
        recipe: every setting of the run.
    """

    recipe: Annotated[Recipe, tyro.conf.arg(name="")]


def estimate_command(arguments: list[str]) -> None:
    """``mstar estimate [RECIPE|FILE.yaml] [--SETTING VALUE ...]``."""
    from mstar.experiments.cli.estimate import run

    run(arguments)


def check_command(arguments: list[str]) -> None:
    """``mstar check RUN LIMITS``."""
    from mstar.experiments.cli.check import run

    run(arguments)


def evaluate_command(arguments: list[str]) -> None:
    """``mstar evaluate RUN|MODEL ...``."""
    from mstar.experiments.cli.evaluate import run

    run(arguments)


@dataclass(frozen=True)
class ReportOptions:
    """Rewrite report.html of a run from its stored rows, or write a page of two runs.

    Attributes:
        run: the run's folder.
        beside: the folder of another run; a page that compares the two is written instead.
    """

    run: tyro.conf.Positional[Path]
    beside: Path | None = None


def report_command(arguments: list[str]) -> None:
    """``mstar report RUN [--beside OTHER]``."""
    options = tyro.cli(ReportOptions, args=arguments, prog="mstar report")
    from mstar.experiments.report.beside import write_beside
    from mstar.experiments.report.run_report import write_report
    from mstar.experiments.run.run_folder import RunFolder

    if options.beside is not None:
        print(write_beside(RunFolder(options.run), RunFolder(options.beside)))
    else:
        print(write_report(RunFolder(options.run)))


def compare_command(arguments: list[str]) -> None:
    """``mstar compare STUDY|RUN ...``."""
    from mstar.experiments.cli.compare import run

    run(arguments)


def rescore_command(arguments: list[str]) -> None:
    """``mstar rescore RUN --panel NAME ...``."""
    from mstar.experiments.evaluation.rescore_options import RescoreOptions, with_recipe

    options = tyro.cli(RescoreOptions, args=arguments, prog="mstar rescore")
    if options.recipe is not None:
        options = with_recipe(options, read_recipe(options.recipe))
    from mstar.experiments.evaluation.rescore import rescore_run

    summary = rescore_run(options)
    print(json.dumps(summary.as_json()) if options.json else summary.text())


def audit_command(arguments: list[str]) -> None:
    """``mstar audit RUN|DATASET``."""
    from mstar.experiments.cli.audit import run

    run(arguments)


def panel_command(arguments: list[str]) -> None:
    """``mstar panel fit RUN``."""
    from mstar.experiments.cli.panel import run

    run(arguments)


def runs_command(arguments: list[str]) -> None:
    """``mstar runs [DIR]``."""
    from mstar.experiments.cli.runs import run

    run(arguments)


def export_command(arguments: list[str]) -> None:
    """``mstar export RUN --out DIR``."""
    from mstar.experiments.cli.export import run

    run(arguments)


def chat_command(arguments: list[str]) -> None:
    """``mstar chat RUN|MODEL IMAGE ... QUESTION``."""
    from mstar.experiments.cli.chat import run

    run(arguments)


def make_vlm_command(arguments: list[str]) -> None:
    """``mstar make-vlm --language-model NAME --out DIR``."""
    from mstar.experiments.cli.make_vlm import run

    run(arguments)


def bench_command(arguments: list[str]) -> None:
    """``mstar bench NAME``."""
    from mstar.experiments.cli.bench import run

    run(arguments)


def envs_command(arguments: list[str]) -> None:
    """``mstar envs list|show|validate|solve-rate|blind|gallery``."""
    from mstar.experiments.cli.envs import run

    run(arguments)


COMMANDS: dict[str, Callable[[list[str]], None]] = {
    "train": train_command,
    "config": config_command,
    "estimate": estimate_command,
    "evaluate": evaluate_command,
    "envs": envs_command,
    "runs": runs_command,
    "report": report_command,
    "check": check_command,
    "compare": compare_command,
    "audit": audit_command,
    "panel": panel_command,
    "rescore": rescore_command,
    "export": export_command,
    "chat": chat_command,
    "make-vlm": make_vlm_command,
    "bench": bench_command,
}


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
            COMMANDS[words[0]](words[1:])
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
        print("mstar: stopped; the same command resumes after the last round", file=sys.stderr)
        return 143 if isinstance(stopped, Terminated) else 130
    return 0
