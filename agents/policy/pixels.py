"""Bounds on the pixels of images, and the tokens that an image costs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from PIL import Image


@dataclass(frozen=True, slots=True)
class PixelBounds:
    """The fewest and the most pixels of an image, width times height; 0 is no bound.

    Attributes:
        least: smaller images are enlarged.
        most: larger images are made smaller.
    """

    least: int = 0
    most: int = 0

    def fitted(self, image: Image.Image, unit: int = 1) -> Image.Image:
        """The image within the bounds, its aspect ratio kept as far as whole units allow.

        Sides are chosen as by ``smart_resize`` of Qwen2-VL (arXiv 2409.12191).

        Args:
            image: of any size; without bounds it is returned as it is.
            unit: sides become multiples of it, at least one.
        """
        if not self.least and not self.most:
            return image
        width, height = (max(unit, round(side / unit) * unit) for side in image.size)
        area = image.width * image.height
        if self.most and width * height > self.most:
            scale = math.sqrt(self.most / area)
            width, height = (
                max(unit, math.floor(side * scale / unit) * unit) for side in image.size
            )
        elif width * height < self.least:
            scale = math.sqrt(self.least / area)
            width, height = (math.ceil(side * scale / unit) * unit for side in image.size)
        if (width, height) == image.size:
            return image
        return image.resize((width, height), Image.Resampling.BICUBIC)

    def allow(self, processor: Any) -> None:
        """Set an image processor so that it leaves images within the bounds as they are.

        Processors that count pixels (Qwen-VL) get wider bounds where theirs are narrower. Those
        that enlarge every image to one longest side and cut it into tiles (Idefics3) get the side
        of the largest square of whole tiles. Others bring all images to sizes of their own.
        """
        given = [bound for bound in (self.least, self.most) if bound]
        size = dict(getattr(processor, "size", None) or {})
        tile = dict(getattr(processor, "max_image_size", None) or {}).get("longest_edge")
        if given and pixel_unit(processor) > 1:
            frames = getattr(processor, "temporal_patch_size", 1)  # GLM-4V counts them as pixels
            size["shortest_edge"] = min(size["shortest_edge"], *given)
            size["longest_edge"] = max(size["longest_edge"], frames * max(given))
        elif self.most and tile and "longest_edge" in size:
            side = max(tile, math.isqrt(self.most) // tile * tile)
            size["longest_edge"] = min(size["longest_edge"], side)
        else:
            return
        processor.size = type(processor.size)(**size)


UNBOUNDED = PixelBounds()


def pixel_unit(processor: Any) -> int:
    """The pixels of a side that become one token, of an image processor that counts pixels; or 1.

    Such a processor has the fewest and the most pixels as ``shortest_edge`` and ``longest_edge``.
    """
    merged = getattr(processor, "merge_size", None)
    counts = {"shortest_edge", "longest_edge"} <= dict(
        getattr(processor, "size", None) or {}
    ).keys()
    return int(processor.patch_size * merged) if merged and counts else 1


def image_tokens(processor: Any, bounds: PixelBounds, size: tuple[int, int]) -> int:
    """How many tokens longer an image makes a prompt, those around the image included.

    Args:
        processor: of a model, after ``allow``.
        bounds: which the image is brought into first.
        size: width and height of the image, in pixels.
    """
    image = bounds.fitted(Image.new("RGB", size), pixel_unit(processor.image_processor))
    text = {"type": "text", "text": "?"}

    def length(*parts: dict[str, Any]) -> int:
        turn = {"role": "user", "content": [*parts, text]}
        encoded = processor.apply_chat_template(
            [[turn]], tokenize=True, return_dict=True, return_tensors="pt"
        )
        return int(encoded["input_ids"].shape[1])

    return length({"type": "image", "image": image}) - length()
