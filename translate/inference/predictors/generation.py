"""Generate images from noise: latent sampling, truncation, latent interpolation and traversals of codes.

Sample k of a seed is the same image, however many are drawn and whatever is generated beside it.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from translate.config import GenerationModelConfig
from translate.errors import UsageError, nearest
from translate.images import Pixels, to_pixels
from translate.inference.runtime.graphs import GraphedForwards, find_capture
from translate.inference.runtime.runner import move_to_device
from translate.inference.runtime.settings_lock import settings_read_lock
from translate.models import Model, pick_device, pick_precision
from translate.networks import StyleGAN2Generator

MAX_PSI = 2.0  # Beyond it, no image is like those of the training.
MIN_TRUNCATION = 0.1  # With less, resampling takes long, and all images are alike.
MAX_CODE = 1.0  # Continuous codes are trained on U(-1, 1).


class Sampler:
    """A model that generates images from noise. Any number of threads may call it at the same time.

    Args:
        device, precision: as for `load_predictor`.

    Raises:
        UsageError: the model translates images.
    """

    def __init__(self, model: Model, *, device: str = "auto", precision: str = "auto") -> None:
        if not isinstance(model.config, GenerationModelConfig):
            raise UsageError("this model translates images and takes no noise: use translate apply")
        self.config = model.config
        self.device = pick_device(device)
        self.precision = pick_precision(precision, self.device)
        self.generator: nn.Module = move_to_device(model.generator(), self.device)
        capture = find_capture(self.device)
        self._graphs = GraphedForwards(capture) if capture else None

    def draw(
        self, count: int, seed: int = 0, *, truncation: float | None = None, class_name: str | None = None
    ) -> Tensor:
        """Draw the inputs of `count` images: those of `draw_inputs`, or their styles if the model has such.

        Args:
            truncation: with styles, the share of the way from the mean w to that of the noise
                (arXiv:1812.04948, appendix B): 0 for the mean image, 1 for all the variety; otherwise as of
                `draw_inputs`.

        Returns:
            (count, inputs), or styles w, (count, layers, w).
        """
        if not self.config.styles:
            return draw_inputs(self.config, count, seed, truncation=truncation, class_name=class_name)
        psi = 1.0 if truncation is None else truncation
        if not 0 <= psi <= MAX_PSI:
            raise UsageError(f"truncation is {psi:g}, but must be between 0 and {MAX_PSI:g}: try 0.7")
        return self._map(draw_inputs(self.config, count, seed, class_name=class_name), psi)

    @torch.inference_mode()
    def _map(self, noise: Tensor, psi: float) -> Tensor:
        """Return the styles of noise, each in a forward pass of its own, so that they do not depend on N."""
        assert isinstance(self.generator, StyleGAN2Generator)
        mapping = self.generator.mapping
        w = torch.cat([mapping(z[None].to(self.device)) for z in noise])
        styles = torch.lerp(mapping.w_mean, w, psi)[:, None].expand(-1, self.config.styles, -1)
        return styles.cpu().clone()

    def __call__(self, inputs: Tensor) -> list[Pixels]:
        """Generate N images, (H, W, 3) uint8, from what `draw` returns; each in a forward pass of its own.

        Raises:
            UsageError: the inputs have another shape, or contain NaN or Inf.
        """
        styles, size = self.config.styles, self.config.in_channels
        expected = (styles, size) if styles else (size,)
        if inputs.shape[1:] != expected or not inputs.isfinite().all():
            found, needed = (" x ".join(map(str, shape)) for shape in (inputs.shape, ("N", *expected)))
            raise UsageError(f"inputs of {found}: give {needed} finite numbers, as `draw` returns them")
        return [self._generate(x) for x in inputs.to(self.device)]

    @torch.inference_mode()
    def _generate(self, x: Tensor) -> Pixels:
        with settings_read_lock():
            images = self._graphs("", self._forward, x[None]) if self._graphs else self._forward(x[None])
        return to_pixels(images[0].expand(3, -1, -1))

    def _forward(self, inputs: Tensor) -> Tensor:
        with self.precision.autocast():
            images: Tensor = self.generator(w=inputs) if self.config.styles else self.generator(inputs)
        return images


def draw_inputs(
    config: GenerationModelConfig,
    count: int,
    seed: int,
    *,
    truncation: float | None = None,
    class_name: str | None = None,
) -> Tensor:
    """Draw inputs of the generator: noise, one-hot class and category, and continuous codes.

    Args:
        truncation: the truncation trick: noise beyond this value is drawn again (BigGAN, arXiv:1809.11096,
            section 3.1); at least 0.1.
        class_name: the class of all images; by default the classes take turns, like the categories.

    Returns:
        (count, latent + classes + categories + codes).

    Raises:
        UsageError: the model has no such class, or a number is out of its range.
    """
    if count < 1 or seed < 0:
        raise UsageError(f"count {count}, seed {seed}: give a count of 1 or more and a seed of 0 or more")
    if truncation is not None and not truncation >= MIN_TRUNCATION:  # Written so that NaN is refused, too.
        raise UsageError(f"truncation is {truncation}, but must be at least {MIN_TRUNCATION}")
    classes = len(config.classes)
    fixed_class = class_index(config, class_name) if class_name is not None else None
    rows = []
    for index in range(count):
        random = np.random.default_rng([seed, index])
        noise = _draw_noise(random, config.latent, truncation)
        label = fixed_class if fixed_class is not None else index % max(1, classes)
        one_hot = np.eye(classes)[label] if classes else np.empty(0)
        category = np.eye(config.categories)[index % config.categories] if config.categories else np.empty(0)
        codes = random.uniform(-MAX_CODE, MAX_CODE, config.codes)
        rows.append(np.concatenate([noise, one_hot, category, codes]))
    return torch.from_numpy(np.stack(rows)).float()


def _draw_noise(random: np.random.Generator, count: int, truncation: float | None) -> npt.NDArray[np.float64]:
    """Draw numbers from N(0, 1); draw those beyond the truncation again until none is left."""
    noise = random.standard_normal(count)
    while truncation is not None and (beyond := np.abs(noise) > truncation).any():
        noise[beyond] = random.standard_normal(int(beyond.sum()))
    return noise


def class_index(config: GenerationModelConfig, name: str) -> int:
    """Return the index of a class by its name.

    Raises:
        UsageError: the model has no such class, or no classes at all.
    """
    if not config.classes:
        raise UsageError(
            f"class {name!r}: this model was trained without classes (recipe {config.method}):"
            " leave --class out, or train cgan or biggan"
        )
    if name not in config.classes:
        raise UsageError(f"no class {name!r}{nearest(name, config.classes)}")
    return config.classes.index(name)


def interpolate_latents(keyframes: Tensor, latent: int, steps: int) -> Tensor:
    """Interpolate from each input to the next and from the last to the first: latent interpolation.

    Noise is interpolated spherically, which keeps its norm (arXiv:1609.04468, section 2.1); classes,
    categories and codes are interpolated linearly.

    Styles are interpolated linearly, too (arXiv:1812.04948, section 4.1).

    Args:
        keyframes: inputs of the generator, (N, inputs), N at least 2; or styles, (N, layers, w).
        latent: how many of the inputs are noise; they come first.
        steps: the number of images from one keyframe to the next.

    Returns:
        (N * steps, ...).
    """
    pairs = list(zip(keyframes, keyframes.roll(-1, dims=0), strict=True))
    if keyframes.ndim == 3:
        return torch.stack([torch.lerp(a, b, t) for a, b in pairs for t in np.arange(steps) / steps])
    return torch.stack(
        [
            torch.cat([slerp(a[:latent], b[:latent], t), torch.lerp(a[latent:], b[latent:], t)])
            for a, b in pairs
            for t in np.arange(steps) / steps
        ]
    )


def slerp(a: Tensor, b: Tensor, t: float) -> Tensor:
    """Interpolate spherically between two vectors, (D,) each; t is in [0, 1]."""
    cosine = torch.dot(a, b) / (a.norm() * b.norm()).clamp_min(1e-12)
    angle = torch.arccos(cosine.clamp(-1, 1))
    if angle.sin().abs() < 1e-4:  # The vectors are parallel: the formula would divide by 0.
        return torch.lerp(a, b, t)
    return (torch.sin((1 - t) * angle) * a + torch.sin(t * angle) * b) / angle.sin()


def traversals(
    config: GenerationModelConfig, samples: int, seed: int, *, steps: int = 10
) -> dict[str, Tensor]:
    """Return inputs that traverse each code: within a row of its grid, only this code changes.

    They show what the codes of InfoGAN mean (arXiv:1606.03657, figure 2).

    Args:
        samples: the number of rows.
        steps: the number of values of a continuous code, from -1 to 1.

    Returns:
        (samples, values of the code, inputs) by the name of each code.

    Raises:
        UsageError: the model has no codes.
    """
    if not config.categories and not config.codes:
        raise UsageError(f"this model has no codes (recipe {config.method}): train one with infogan")
    rows = draw_inputs(config, samples, seed)
    first_category = config.latent + len(config.classes)
    first_code = first_category + config.categories
    grids = {}
    if config.categories:
        grids["category"] = rows[:, None].repeat(1, config.categories, 1)
        grids["category"][..., first_category:first_code] = torch.eye(config.categories)
    for code in range(config.codes):
        name = f"code-{code + 1}"
        grids[name] = rows[:, None].repeat(1, steps, 1)
        grids[name][..., first_code + code] = torch.linspace(-MAX_CODE, MAX_CODE, steps)
    return grids
