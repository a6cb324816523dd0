"""Pictures from noise: the same number of the same seed is the same picture, whatever is made beside it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from translate.config import ModelConfig
from translate.errors import UsageError, nearest
from translate.images import Pixels, to_pixels
from translate.models import Model, pick_device, pick_precision

LEAST_TRUNCATION = 0.1  # under which drawing anew takes long, and all pictures are alike
CODE_REACH = 1.0  # of continuous codes, which are trained on U(-1, 1)


class Sampler:
    """A model that makes pictures from noise.

    Args:
        device, precision: as the flags of the command line.

    Raises:
        UsageError: the model makes pictures from pictures.
    """

    def __init__(self, model: Model, *, device: str = "auto", precision: str = "auto") -> None:
        self.config: ModelConfig = model.config
        if not self.config.noise:
            raise UsageError("this model translates pictures, it makes none from noise: use translate apply")
        self.device = pick_device(device)
        self.precision = pick_precision(precision, self.device)
        self.generator: nn.Module = model.generator().to(self.device)

    def draw(
        self, count: int, seed: int = 0, *, truncation: float | None = None, asked: str | None = None
    ) -> Tensor:
        """Inputs for as many pictures, as `draw` of this module has them."""
        return draw(self.config, count, seed, truncation=truncation, asked=asked)

    def __call__(self, inputs: Tensor) -> list[Pixels]:
        """(N, inputs) -> N pictures, (H, W, 3) uint8, each made by itself.

        Raises:
            UsageError: the inputs have another shape, or are no numbers.
        """
        wanted = self.config.generator.in_channels
        if inputs.ndim != 2 or inputs.shape[1] != wanted or not inputs.isfinite().all():
            shape = " x ".join(map(str, inputs.shape))
            raise UsageError(f"inputs of {shape}: give N x {wanted} finite numbers, as `draw` makes them")
        return [self._one(row) for row in inputs.to(self.device)]

    @torch.inference_mode()
    def _one(self, row: Tensor) -> Pixels:
        with self.precision.autocast():
            picture = self.generator(row[None])[0]
        return to_pixels(picture.expand(3, -1, -1))


def draw(
    c: ModelConfig, count: int, seed: int, *, truncation: float | None = None, asked: str | None = None
) -> Tensor:
    """Inputs of the generator, (count, noise + classes + categories + codes).

    Classes and categories go round where none is asked for.

    Args:
        truncation: noise beyond it is drawn again (arXiv:1809.11096, section 3.1), at least 0.1.
        asked: the class that all are to be of.

    Raises:
        UsageError: the model knows no such class, or a number is out of its range.
    """
    if count < 1 or seed < 0:
        raise UsageError(f"count {count}, seed {seed}: give a count of 1 or more and a seed of 0 or more")
    if truncation is not None and not truncation >= LEAST_TRUNCATION:  # NaN is not
        raise UsageError(
            f"truncation {truncation} is less than {LEAST_TRUNCATION}: give more, or leave it out"
        )
    kinds = len(c.classes)
    number = class_number(c, asked) if asked is not None else None
    rows = []
    for place in range(count):
        random = np.random.default_rng([seed, place])
        noise = _noise(random, c.noise, truncation)
        label = number if number is not None else place % max(1, kinds)
        category = np.eye(c.categories)[place % c.categories] if c.categories else np.empty(0)
        codes = random.uniform(-CODE_REACH, CODE_REACH, c.codes)
        rows.append(np.concatenate([noise, np.eye(kinds)[label] if kinds else np.empty(0), category, codes]))
    return torch.from_numpy(np.stack(rows)).float()


def _noise(random: np.random.Generator, count: int, truncation: float | None) -> npt.NDArray[np.float64]:
    noise = random.standard_normal(count)
    while truncation is not None and (beyond := np.abs(noise) > truncation).any():
        noise[beyond] = random.standard_normal(int(beyond.sum()))
    return noise


def class_number(c: ModelConfig, name: str) -> int:
    """The number of a class by its name.

    Raises:
        UsageError: the model knows no such class, or none at all.
    """
    if not c.classes:
        raise UsageError(f"class {name!r}: this model was trained without classes (recipe {c.recipe})")
    if name not in c.classes:
        raise UsageError(f"no class {name!r}{nearest(name, c.classes)}")
    return c.classes.index(name)


def walk(stops: Tensor, noise: int, steps: int) -> Tensor:
    """From each stop to the next and from the last to the first, (stops * steps, inputs).

    Noise goes along the arc between its ends, whose length is that of noise everywhere (arXiv:1609.04468,
    section 2.1); what is asked for besides goes straight.

    Args:
        stops: (N, inputs), N at least 2.
        noise: how many of the inputs are noise, the first ones.
    """
    ways = zip(stops, stops.roll(-1, dims=0), strict=True)
    return torch.stack(
        [
            torch.cat([slerp(a[:noise], b[:noise], share), torch.lerp(a[noise:], b[noise:], share)])
            for a, b in ways
            for share in np.arange(steps) / steps
        ]
    )


def slerp(a: Tensor, b: Tensor, share: float) -> Tensor:
    """The point at that share of the arc from a to b, (D,) each."""
    cosine = torch.dot(a, b) / (a.norm() * b.norm()).clamp_min(1e-12)
    angle = torch.arccos(cosine.clamp(-1, 1))
    if angle.sin().abs() < 1e-4:  # on one line
        return torch.lerp(a, b, share)
    return (torch.sin((1 - share) * angle) * a + torch.sin(share * angle) * b) / angle.sin()


def traversals(c: ModelConfig, samples: int, seed: int, *, steps: int = 10) -> dict[str, Tensor]:
    """What each code does, by its name: (samples, values of the code, inputs), all else of a row being equal.

    Args:
        samples: rows.
        steps: values of a continuous code, from -1 to 1.

    Raises:
        UsageError: the model has no codes.
    """
    if not c.categories and not c.codes:
        raise UsageError(f"this model has no codes (recipe {c.recipe}): infogan finds some")
    rows = draw(c, samples, seed)
    before = c.noise + len(c.classes)
    found = {}
    if c.categories:
        found["category"] = rows[:, None].repeat(1, c.categories, 1)
        found["category"][..., before : before + c.categories] = torch.eye(c.categories)
    for code in range(c.codes):
        name = f"code-{code + 1}"
        found[name] = rows[:, None].repeat(1, steps, 1)
        found[name][..., before + c.categories + code] = torch.linspace(-CODE_REACH, CODE_REACH, steps)
    return found
