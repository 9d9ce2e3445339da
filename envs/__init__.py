"""Problems of picture and text as Gymnasium environments; importing it registers their ids."""

from gymnasium.envs.registration import register as _register

from mstar.envs.choice_form import as_choice, choice_form
from mstar.envs.dataset import DatasetSource
from mstar.envs.examiner import INSTRUCTION, Examiner, Setting
from mstar.envs.families import FAMILIES
from mstar.envs.family import Family, Knob
from mstar.envs.open import open_source, register_dataset
from mstar.envs.phrasing import Phrasing, phrase
from mstar.envs.problem import Problem, Split, Step
from mstar.envs.problem_env import ProblemEnv
from mstar.envs.response_space import ResponseSpace
from mstar.envs.source import Mixture, ProblemSource
from mstar.envs.stepwise import Stepwise
from mstar.envs.trl_adapter import TrlProblem, trl_environment, trl_rewards
from mstar.envs.unlabelled import is_right, oracle, unlabelled
from mstar.envs.vector_env import ProblemVectorEnv
from mstar.envs.wrappers import Blank, Caption, CaptionOnly, ImageOnly, VectorReward

for _name, _family in FAMILIES.items():
    _register(
        f"mstar/{_name}-v{_family.version}",
        entry_point="mstar.envs.problem_env:ProblemEnv",
        vector_entry_point="mstar.envs.vector_env:ProblemVectorEnv",
        kwargs={"source": _name},
    )
_register(
    "mstar/Mixture-v0",
    entry_point="mstar.envs.problem_env:ProblemEnv",
    vector_entry_point="mstar.envs.vector_env:ProblemVectorEnv",
    kwargs={"families": list(FAMILIES)},
)

__all__ = [
    "FAMILIES",
    "INSTRUCTION",
    "Blank",
    "Caption",
    "CaptionOnly",
    "DatasetSource",
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
    "ResponseSpace",
    "Setting",
    "Split",
    "Step",
    "Stepwise",
    "TrlProblem",
    "VectorReward",
    "as_choice",
    "choice_form",
    "is_right",
    "open_source",
    "oracle",
    "phrase",
    "register_dataset",
    "trl_environment",
    "trl_rewards",
    "unlabelled",
]
