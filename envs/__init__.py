"""Problems of images and text: where they come from, how they are asked, how responses score.

A `ProblemSource` supplies problems by split, seed and index: a procedural family (`families/`) or
a data set (`datasets/`), optionally changed by a variant (`variants/`). A `Task` draws problems
from a source, builds their prompts, and scores responses with a panel of `mstar.rewards`; agents
work with it. `ProblemEnv` and `ProblemVectorEnv` adapt a task to Gymnasium; wrappers change what
they show. Importing this package registers an id per family with Gymnasium.

What plugs in: a family (subclass `Family`, then `register_family` or an entry point of the group
``mstar.envs``), a data set (`register_dataset`, or its path), or any object with the methods of
`ProblemSource`.
"""

from mstar.envs.datasets.source import DatasetSource
from mstar.envs.env import ProblemEnv
from mstar.envs.families.base import Difficulty, Family, Knob
from mstar.envs.families.catalog import FAMILIES
from mstar.envs.families.solution import Solution
from mstar.envs.problem import Problem, Prompt, Split, Step
from mstar.envs.registry import open_source, register_dataset, register_family
from mstar.envs.registry import register_all as _register_all
from mstar.envs.source import Mixture, ProblemSource
from mstar.envs.spaces import ResponseSpace
from mstar.envs.stepwise import Stepwise
from mstar.envs.task import INSTRUCTION, Examiner, Setting, Task, TaskConfig
from mstar.envs.trl import TrlProblem, trl_environment, trl_rewards
from mstar.envs.variants.multiple_choice import as_choice, choice_form
from mstar.envs.variants.phrasing import Phrasing, phrase
from mstar.envs.variants.unlabelled import is_right, oracle, unlabelled
from mstar.envs.vector_env import ProblemVectorEnv
from mstar.envs.wrappers import Blank, ImageOnly, VectorReward

_register_all()

__all__ = [
    "FAMILIES",
    "INSTRUCTION",
    "Blank",
    "DatasetSource",
    "Difficulty",
    "Examiner",
    "Family",
    "ImageOnly",
    "Knob",
    "Mixture",
    "Phrasing",
    "Problem",
    "ProblemEnv",
    "ProblemSource",
    "ProblemVectorEnv",
    "Prompt",
    "ResponseSpace",
    "Setting",
    "Solution",
    "Split",
    "Step",
    "Stepwise",
    "Task",
    "TaskConfig",
    "TrlProblem",
    "VectorReward",
    "as_choice",
    "choice_form",
    "is_right",
    "open_source",
    "oracle",
    "phrase",
    "register_dataset",
    "register_family",
    "trl_environment",
    "trl_rewards",
    "unlabelled",
]
