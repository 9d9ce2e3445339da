"""Problems of picture and text as Gymnasium environments; importing it registers their ids."""

from mstar.envs.choice_form import as_choice, choice_form
from mstar.envs.dataset import DatasetSource
from mstar.envs.examiner import INSTRUCTION, Examiner, Setting
from mstar.envs.families import FAMILIES
from mstar.envs.family import Family, Knob
from mstar.envs.open import open_source, register_dataset
from mstar.envs.phrasing import Phrasing, phrase
from mstar.envs.problem import Problem, Split, Step
from mstar.envs.problem_env import ProblemEnv
from mstar.envs.registration import register_all as _register_all
from mstar.envs.registration import register_family
from mstar.envs.response_space import ResponseSpace
from mstar.envs.source import Mixture, ProblemSource
from mstar.envs.stepwise import Stepwise
from mstar.envs.trl_adapter import TrlProblem, trl_environment, trl_rewards
from mstar.envs.unlabelled import is_right, oracle, unlabelled
from mstar.envs.vector_env import ProblemVectorEnv
from mstar.envs.wrappers import Blank, Caption, CaptionOnly, ImageOnly, VectorReward

_register_all()

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
    "register_family",
    "trl_environment",
    "trl_rewards",
    "unlabelled",
]
