"""Load processors for images and text alone, and save them as they came.

Many processors contain a video processor, which cannot be built without torchvision. Nothing here
reads videos or sound, so those parts are left out, with torchvision or without.
"""

from __future__ import annotations

import importlib
import json
import os
import queue
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import transformers
from transformers import AutoImageProcessor, AutoTokenizer
from transformers.models.auto.processing_auto import (
    PROCESSOR_MAPPING_NAMES,
    processor_class_from_name,
)
from transformers.processing_utils import ProcessorMixin
from transformers.tokenization_utils_tokenizers import TokenizersBackend
from transformers.utils import PushToHubMixin, cached_file

from mstar.agents.policy.backends import TORCHVISION

# The files that may name a processor's class, the first of them first, as transformers reads them.
SETTINGS = ("processor_config.json", "preprocessor_config.json", "tokenizer_config.json")
# What else a processor may be made of; besides, a tokenizer names the files of its vocabulary.
OTHER_FILES = (
    "video_preprocessor_config.json",
    "chat_template.jinja",
    "chat_template.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "tokenizer.json",
    "tekken.json",
)


TEMPLATE_SECONDS = 20.0  # for the shortest turn; a template takes milliseconds


class LeftOut(PushToHubMixin):
    """In the place of a part that is not loaded: it takes no input, and no setting of it is set."""

    model_input_names: tuple[str, ...] = ()
    num_frames = fps = None  # SmolVLM's processor asks for them at every prompt

    def to_dict(self) -> dict[str, Any]:
        """Nothing: a processor that is printed prints its parts."""
        return {}


class KeptProcessor(ProcessorMixin):
    """What each processor is given in addition to the class of its model.

    Attributes:
        files: the files it was loaded from, by name.
    """

    files: Mapping[str, bytes]

    def __call__(self, images: Any = None, text: Any = None, **options: Any) -> Any:
        """Process as the model's class does, but give no text a second first token.

        A chat template writes that token itself, and a tokenizer would add one more.
        """
        first = self.tokenizer.bos_token
        if first and text:
            texts = [text] if isinstance(text, str) else text
            if texts[0].startswith(first):
                options.setdefault("add_special_tokens", False)
        return super().__call__(images=images, text=text, **options)

    def check_argument_for_proper_class(self, argument_name: str, argument: Any) -> Any:
        """Accept the parts that are left out."""
        if isinstance(argument, LeftOut):
            return LeftOut
        return super().check_argument_for_proper_class(argument_name, argument)

    def save_pretrained(
        self, save_directory: str | os.PathLike[str], push_to_hub: bool = False, **options: Any
    ) -> list[str]:
        """Write the files that the processor was loaded from, so that other programs read them."""
        folder = Path(save_directory)
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in self.files.items():
            (folder / name).write_bytes(content)
        return [str(folder / name) for name in self.files]


def load_processor(name: str, config: Any) -> Any:
    """Load the processor of a model, set to pad on the left.

    Args:
        name: folder or hub name of the model.
        config: its configuration.

    Raises:
        ValueError: it has none that reads images, it needs what is not installed, or its chat
            template cannot be used.
    """
    files = read_files(name, (*SETTINGS, *OTHER_FILES))
    whole = processor_class(name, config, files)
    try:
        images = AutoImageProcessor.from_pretrained(name, trust_remote_code=False)
    except (ImportError, ValueError) as error:
        if TORCHVISION:
            raise
        raise ValueError(needs_torchvision(name, config)) from error
    # Where transformers does not trust the name of a tokenizer's class, we do not either.
    if whole.__name__ == "PixtralProcessor":
        tokenizer = TokenizersBackend.from_pretrained(name, trust_remote_code=False)
    else:
        tokenizer = AutoTokenizer.from_pretrained(name, config=config, trust_remote_code=False)
    tokenizer.padding_side = "left"
    files |= read_files(name, tuple(tokenizer.vocab_files_names.values()))
    kept: Any = type(whole.__name__, (KeptProcessor, whole), {"files": files})
    parts = {"image_processor": images, "tokenizer": tokenizer}
    settings, _ = whole.get_processor_dict(name)
    processor = kept.from_args_and_dict(
        [parts.get(part, LeftOut()) for part in whole.get_attributes()], settings
    )
    check_template(name, processor)
    return processor


def check_template(name: str, processor: Any) -> None:
    """Render the shortest turn, so that a chat template that never ends is found before a run.

    It is rendered on a thread of its own, which is left behind if it takes too long: a template is
    code of the model's makers, and its sandbox bounds one loop and not loops in loops.

    Raises:
        ValueError: the template cannot be used; the message says why.
    """
    failures: queue.SimpleQueue[Exception | None] = queue.SimpleQueue()
    turn = [{"role": "user", "content": [{"type": "text", "text": "?"}]}]

    def render() -> None:
        try:
            processor.apply_chat_template(turn, add_generation_prompt=True, tokenize=False)
            failures.put(None)
        except Exception as error:  # told below
            failures.put(error)

    threading.Thread(target=render, daemon=True).start()
    try:
        failed = failures.get(timeout=TEMPLATE_SECONDS)
        wrong = None if failed is None else f"cannot write a user turn ({failed})"
    except queue.Empty:
        wrong = f"has not written one user turn in {TEMPLATE_SECONDS:.0f} seconds"
    if wrong:
        raise ValueError(
            f"the chat template of model {name!r} {wrong}; mend chat_template.jinja in the model's "
            "folder, or give another model"
        )


def read_files(name: str, names: tuple[str, ...]) -> dict[str, bytes]:
    """The content of those of a model's files that exist."""
    paths = {
        file: cached_file(
            name,
            file,
            _raise_exceptions_for_missing_entries=False,
            _raise_exceptions_for_connection_errors=False,
        )
        for file in names
    }
    return {file: Path(path).read_bytes() for file, path in paths.items() if path is not None}


def processor_class(name: str, config: Any, files: Mapping[str, bytes]) -> Any:
    """The class of a model's processor: the one that its files name, else that of the model type.

    Raises:
        ValueError: there is none, or it cannot be imported.
    """
    named = [json.loads(files[file]).get("processor_class") for file in SETTINGS if file in files]
    names = [*filter(None, named), *filter(None, [PROCESSOR_MAPPING_NAMES.get(config.model_type)])]
    # Folders of mstar 0.1 name a class of its own for a Qwen-VL: the model type is asked last.
    found = next(filter(None, map(processor_class_from_name, names)), None)
    if found is None:
        raise ValueError(
            f"model {name!r} has no processor that transformers knows (asked for {names}); copy "
            "the processor's files of its base model into its folder"
        )
    if getattr(found, "is_dummy", False):
        found = read_by_pillow(found.__name__)
    if found is None:
        raise ValueError(needs_torchvision(name, config))
    module = importlib.import_module(found.__module__)
    if getattr(module, "num2words", module) is None:
        # SmolVLM's processor will not be built without the package, which writes out the number of
        # frames of a video.
        vars(module)["num2words"] = str
    return found


def read_by_pillow(name: str) -> Any:
    """A processor class that transformers hides without torchvision; None if it needs it.

    That of Mistral 3 and Pixtral takes one function from the file that reads images by torchvision.
    The file that reads them by Pillow has the same one.
    """
    module: str = getattr(transformers, name).__module__
    folder, _, family = module.rpartition(".processing_")
    hidden = f"{folder}.image_processing_{family}"
    try:
        sys.modules[hidden] = importlib.import_module(f"{folder}.image_processing_pil_{family}")
        return getattr(importlib.import_module(module), name)
    except ImportError:
        return None
    finally:
        sys.modules.pop(hidden, None)  # so that its other classes are not looked for there


def needs_torchvision(name: str, config: Any) -> str:
    """The message for a model whose images cannot be read without torchvision."""
    return (
        f"model {name!r} is a {config.model_type!r}, whose images transformers reads by "
        "torchvision alone; install the torchvision that belongs to this torch: "
        "pip install torchvision"
    )
