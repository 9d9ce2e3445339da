"""Images of any number and shape on one square canvas."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

Pixels = NDArray[np.uint8]  # (H, W, 3)


def on_canvas(images: Sequence[Image.Image], size: int) -> Pixels:
    """Letterbox images onto a white square; a new (size, size, 3) uint8 array.

    A single image is scaled to fit the canvas. Several are placed row by row in the smallest
    square grid of cells that holds them.

    Args:
        images: RGB images; without any, the canvas is white.
        size: side of the canvas, in pixels.
    """
    if len(images) == 1 and images[0].size == (size, size):
        return np.array(images[0], dtype=np.uint8)
    columns = max(1, math.ceil(math.sqrt(len(images))))
    rows = math.ceil(len(images) / columns)
    cell = size // columns
    top = (size - rows * cell) // 2
    canvas = Image.new("RGB", (size, size), (255, 255, 255))
    for number, image in enumerate(images):
        row, column = divmod(number, columns)
        fitted = ImageOps.contain(image.convert("RGB"), (cell, cell))
        left = column * cell + (cell - fitted.width) // 2
        canvas.paste(fitted, (left, top + row * cell + (cell - fitted.height) // 2))
    return np.array(canvas, dtype=np.uint8)
