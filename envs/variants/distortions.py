"""Distorted images: the same image with noise over it."""

from __future__ import annotations

import numpy as np
from PIL import Image


def noisy(image: Image.Image, strength: float, rng: np.random.Generator) -> Image.Image:
    """An image with Gaussian noise in the manner of a diffusion model's forward process.

    With pixel values x scaled to [-1, 1], it is sqrt(1 - s) x + sqrt(s) e, e ~ N(0, 1), cut to the
    range (Ho et al. 2020, arXiv 2006.11239, equation 4, with s for 1 minus the product of alphas).

    Args:
        image: of any mode; what is transparent becomes opaque.
        strength: s, in [0, 1]; 0 changes nothing, at 1 nothing is left of the image.
        rng: draws the noise.

    Returns:
        An RGB image of the same size.

    Raises:
        ValueError: the strength is out of range.
    """
    if not 0 <= strength <= 1:
        raise ValueError(f"the strength of a distortion must lie in [0, 1], got {strength}")
    clean = np.asarray(image.convert("RGB"), np.float32) / 127.5 - 1
    noise = rng.standard_normal(clean.shape, np.float32)
    mixed = np.sqrt(1 - strength) * clean + np.sqrt(strength) * noise
    return Image.fromarray(np.rint((mixed.clip(-1, 1) + 1) * 127.5).astype(np.uint8))
