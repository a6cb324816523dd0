"""Generate images from noise: the same number of the same seed is the same image, whatever is beside it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from translate.config import GenerationModelConfig
from translate.errors import UsageError, nearest
from translate.images import Pixels, to_pixels
from translate.inference.runtime.gate import running_network
from translate.inference.runtime.runner import move_to_device
from translate.models import Model, pick_device, pick_precision

MIN_TRUNCATION = 0.1  # with less, drawing anew takes long, and all images are alike
CODE_REACH = 1.0  # of continuous codes, which are trained on U(-1, 1)


class Sampler:
    """A model that generates images from noise. Any number of threads may call it.

    Args:
        device, precision: as for `load_predictor`.

    Raises:
        UsageError: the model makes images from images.
    """

    def __init__(self, model: Model, *, device: str = "auto", precision: str = "auto") -> None:
        if not isinstance(model.config, GenerationModelConfig):
            raise UsageError("this model translates images, it makes none from noise: use translate apply")
        self.config = model.config
        self.device = pick_device(device)
        self.precision = pick_precision(precision, self.device)
        self.generator: nn.Module = move_to_device(model.generator(), self.device)

    def draw(
        self, count: int, seed: int = 0, *, truncation: float | None = None, asked: str | None = None
    ) -> Tensor:
        """Draw the inputs of as many images, as `draw` of this module does."""
        return draw(self.config, count, seed, truncation=truncation, asked=asked)

    def __call__(self, inputs: Tensor) -> list[Pixels]:
        """Generate N images, (H, W, 3) uint8, from (N, inputs), each by itself.

        Raises:
            UsageError: the inputs have another shape, or are no numbers.
        """
        wanted = self.config.in_channels
        if inputs.ndim != 2 or inputs.shape[1] != wanted or not inputs.isfinite().all():
            shape = " x ".join(map(str, inputs.shape))
            raise UsageError(f"inputs of {shape}: give N x {wanted} finite numbers, as `draw` makes them")
        return [self._one(row) for row in inputs.to(self.device)]

    @torch.inference_mode()
    def _one(self, row: Tensor) -> Pixels:
        with running_network(), self.precision.autocast():
            image = self.generator(row[None])[0]
        return to_pixels(image.expand(3, -1, -1))


def draw(
    c: GenerationModelConfig,
    count: int,
    seed: int,
    *,
    truncation: float | None = None,
    asked: str | None = None,
) -> Tensor:
    """Draw inputs of the generator, (count, latent + classes + categories + codes).

    Classes and categories go round where none is asked for.

    Args:
        truncation: noise beyond it is drawn again (arXiv:1809.11096, section 3.1), at least 0.1.
        asked: the class that all are to be of.

    Raises:
        UsageError: the model knows no such class, or a number is out of its range.
    """
    if count < 1 or seed < 0:
        raise UsageError(f"count {count}, seed {seed}: give a count of 1 or more and a seed of 0 or more")
    if truncation is not None and not truncation >= MIN_TRUNCATION:  # NaN is not
        raise UsageError(f"truncation {truncation} is less than {MIN_TRUNCATION}: give more, or leave it out")
    kinds = len(c.classes)
    asked_class = class_number(c, asked) if asked is not None else None
    rows = []
    for number in range(count):
        random = np.random.default_rng([seed, number])
        noise = _draw_noise(random, c.latent, truncation)
        label = asked_class if asked_class is not None else number % max(1, kinds)
        category = np.eye(c.categories)[number % c.categories] if c.categories else np.empty(0)
        codes = random.uniform(-CODE_REACH, CODE_REACH, c.codes)
        rows.append(np.concatenate([noise, np.eye(kinds)[label] if kinds else np.empty(0), category, codes]))
    return torch.from_numpy(np.stack(rows)).float()


def _draw_noise(random: np.random.Generator, count: int, truncation: float | None) -> npt.NDArray[np.float64]:
    """Draw numbers of N(0, 1), those beyond the truncation anew."""
    noise = random.standard_normal(count)
    while truncation is not None and (beyond := np.abs(noise) > truncation).any():
        noise[beyond] = random.standard_normal(int(beyond.sum()))
    return noise


def class_number(c: GenerationModelConfig, name: str) -> int:
    """Return the number of a class by its name.

    Raises:
        UsageError: the model knows no such class, or none at all.
    """
    if not c.classes:
        raise UsageError(f"class {name!r}: this model was trained without classes (recipe {c.method})")
    if name not in c.classes:
        raise UsageError(f"no class {name!r}{nearest(name, c.classes)}")
    return c.classes.index(name)


def walk(stops: Tensor, latent: int, steps: int) -> Tensor:
    """Walk from each stop to the next and from the last to the first, (stops * steps, inputs).

    Noise goes along the arc between its ends, whose length is that of noise everywhere (arXiv:1609.04468,
    section 2.1); what is asked for besides goes straight.

    Args:
        stops: (N, inputs), N at least 2.
        latent: how many of the inputs are noise, the first ones.
    """
    ways = zip(stops, stops.roll(-1, dims=0), strict=True)
    return torch.stack(
        [
            torch.cat([slerp(a[:latent], b[:latent], share), torch.lerp(a[latent:], b[latent:], share)])
            for a, b in ways
            for share in np.arange(steps) / steps
        ]
    )


def slerp(a: Tensor, b: Tensor, share: float) -> Tensor:
    """Return the point at that share of the arc from a to b, (D,) each."""
    cosine = torch.dot(a, b) / (a.norm() * b.norm()).clamp_min(1e-12)
    angle = torch.arccos(cosine.clamp(-1, 1))
    if angle.sin().abs() < 1e-4:  # on one line
        return torch.lerp(a, b, share)
    return (torch.sin((1 - share) * angle) * a + torch.sin(share * angle) * b) / angle.sin()


def traversals(c: GenerationModelConfig, samples: int, seed: int, *, steps: int = 10) -> dict[str, Tensor]:
    """Return inputs that show what each code does, by its name: (samples, values of the code, inputs).

    All but the code is equal in a row.

    Args:
        samples: rows.
        steps: values of a continuous code, from -1 to 1.

    Raises:
        UsageError: the model has no codes.
    """
    if not c.categories and not c.codes:
        raise UsageError(f"this model has no codes (recipe {c.method}): infogan finds some")
    rows = draw(c, samples, seed)
    before = c.latent + len(c.classes)
    found = {}
    if c.categories:
        found["category"] = rows[:, None].repeat(1, c.categories, 1)
        found["category"][..., before : before + c.categories] = torch.eye(c.categories)
    for code in range(c.codes):
        name = f"code-{code + 1}"
        found[name] = rows[:, None].repeat(1, steps, 1)
        found[name][..., before + c.categories + code] = torch.linspace(-CODE_REACH, CODE_REACH, steps)
    return found
