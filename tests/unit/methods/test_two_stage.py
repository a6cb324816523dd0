"""The steps of two-stage inpainting: what losses consist of, which networks they train, and the settings."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from tests.updates import Updates, plain_updates
from tests.variants import ATTENTION
from translate.errors import UsageError
from translate.methods.inpaint.config import InpaintConfig
from translate.methods.registry import find_method
from translate.methods.trainer import StepProgress, Trainer

SIZE, BOX = 32, 16
PLACES = [(0, 3), (16, 16), (9, 0), (5, 11)]  # Row and column of the box of each image.
SHRINKAGE = [(0, 0), (2, 1), (1, 2), (0, 2)]  # Pixels that the hole lacks at each side of its box.


def new(**settings: Any) -> Trainer:
    torch.manual_seed(0)
    own = {"lambda_hole": 1.2, "lambda_valid": 1.2, "initialization": "xavier", "init_gain": 1}
    c = InpaintConfig(**{**ATTENTION, **own, "image_size": SIZE, "ngf": 4, "ndf": 4, **settings})
    return find_method("inpaint").load_task().trainer(c).double()


def batch(count: int = 4) -> dict[str, Tensor]:
    photo = torch.rand(count, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(1)) * 2 - 1
    mask = torch.full((count, 1, SIZE, SIZE), -1.0)
    for n in range(count):
        mask[n, 0][hole(n)] = 1
    return {"photo": photo.double(), "mask": mask.double()}


def box(n: int) -> tuple[slice, slice]:
    top, left = PLACES[n]
    return slice(top, top + BOX), slice(left, left + BOX)


def hole(n: int) -> tuple[slice, slice]:
    (top, left), (y, x) = PLACES[n], SHRINKAGE[n]
    return slice(top + y, top + BOX - y), slice(left + x, left + BOX - x)


def losses(trainer: Trainer) -> list[tuple[str, float]]:
    """Take a step without updates; return the losses, each with the name of its optimizer."""
    torch.manual_seed(2)
    found: list[tuple[str, float]] = []
    trainer.step(batch(), Updates(lambda name, loss, step: found.append((name, loss.item()))), StepProgress())
    return found


def fill(trainer: Trainer, part: slice) -> tuple[Tensor, Tensor, Tensor]:
    """Return the photos, the coarse images and the refined images of a part of the batch."""
    x, mask = (tensor[part] for tensor in batch().values())
    with torch.no_grad():
        refined, coarse = trainer.g(torch.cat([x, mask], dim=1), coarse=True)
    return x, coarse, refined


def paste(x: Tensor, image: Tensor, first: int) -> Tensor:
    """Return the photos with the pixels of other images in the holes; `first` numbers the first photo."""
    z = x.clone()
    for n in range(len(x)):
        z[n][:, *hole(first + n)] = image[n][:, *hole(first + n)]
    return z


def critic_scores(trainer: Trainer, images: Tensor, first: int) -> float:
    """Return the sum of the mean scores of the boxes and of the images by the critics."""
    boxes = torch.stack([image[:, *box(first + n)] for n, image in enumerate(images)])
    with torch.no_grad():
        return (trainer.d_local(boxes).mean() + trainer.d_global(images).mean()).item()


def discount(gamma: float = 0.9) -> Tensor:
    distances = [[min(i, BOX - i, j, BOX - j) for j in range(BOX)] for i in range(BOX)]
    return gamma ** torch.tensor(distances, dtype=torch.float64)


def test_the_generator_loss_equals_the_formula() -> None:
    trainer = new()
    x, coarse, refined = fill(trainer, slice(2, 4))
    expected = -0.001 * critic_scores(trainer, paste(x, refined, 2), 2)
    for weight, image in ((1.2, coarse), (1, refined)):
        for n in range(2):
            error = (image[n] - x[n]).abs()
            known = torch.ones(SIZE, SIZE, dtype=torch.bool)
            known[hole(2 + n)] = False
            in_box = (error[:, *box(2 + n)] * discount()).mean()
            outside = error[:, known].mean()
            expected += weight * (1.2 * in_box + 1.2 * outside).item() / 2
    name, loss = losses(trainer)[-1]
    assert name == "g"
    assert loss == pytest.approx(expected, rel=1e-6)  # The weights inside the box are float32.


def test_the_loss_of_each_critic_step_is_on_photos_of_its_own() -> None:
    trainer = new(lambda_gp=0)
    found = losses(trainer)
    assert [name for name, _ in found] == ["d", "d", "g"]
    for step in range(2):
        x, _, refined = fill(trainer, slice(2 * step, 2 * step + 2))
        fake = critic_scores(trainer, paste(x, refined, 2 * step), 2 * step)
        assert found[step][1] == pytest.approx(fake - critic_scores(trainer, x, 2 * step), rel=1e-9)


def test_the_gradient_penalty_is_that_of_both_critics_in_the_hole() -> None:
    without, once, twice = (losses(new(d_steps=1, lambda_gp=weight))[0][1] for weight in (0, 10, 20))
    assert once - without > 1
    assert twice - without == pytest.approx(2 * (once - without))
    trainer = new(d_steps=1)  # The gradients of constant critics are 0, so each of both penalties is 1.
    for critic in (trainer.d_local, trainer.d_global):
        torch.nn.init.zeros_(critic.head.weight)
    assert losses(trainer)[0][1] == pytest.approx(20)


@pytest.mark.parametrize("lambda_gan", [0, 0.001])
def test_a_loss_has_gradients_in_the_networks_of_its_optimizer_only(lambda_gan: float) -> None:
    trainer = new(lambda_gan=lambda_gan, d_steps=1)
    weights = {
        name: {id(weight) for group in optimizer.param_groups for weight in group["params"]}
        for name, optimizer in trainer.optimizers.items()
    }
    assert list(weights) == (["g", "d"] if lambda_gan else ["g"])
    assert set.union(*weights.values()) == {id(weight) for weight in trainer.parameters()}

    def backward(name: str, loss: Tensor, step: bool) -> None:
        trainer.zero_grad()
        loss.backward()
        with_gradient = {id(w) for w in trainer.parameters() if w.grad is not None and w.grad.any()}
        assert with_gradient <= weights[name]
        # The last bias of a critic raises the scores of all images alike.
        assert len(with_gradient) >= len(weights[name]) - (2 if name == "d" else 0)

    trainer.step(batch(), Updates(backward), StepProgress())
    assert all(weight.requires_grad for weight in trainer.parameters())


def test_it_learns_to_fill_holes_with_the_color_around_them() -> None:
    trainer, images = new(lambda_gan=0, d_steps=1, lr=3e-3), batch()
    images["photo"] = images["photo"][..., :1, :1].expand(-1, -1, SIZE, SIZE)
    first, *_, last = (
        trainer.step(images, plain_updates(trainer), StepProgress())["hole"].item() for _ in range(30)
    )
    assert last < 0.5 * first


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"holes": "all"}, ["holes is all", "--holes half-box"]),
        ({"discriminator": "patch"}, ["discriminator is patch", "--discriminator local-global"]),
        ({"gan_loss": "hinge"}, ["gan_loss is hinge", "--gan-loss wgan-gp"]),
        ({"preprocess": "none"}, ["preprocess is none", "--preprocess random_resized_crop"]),
        ({"image_size": 36}, ["image_size 36", "multiple of 8", "--image-size 32 or 40"]),
        ({"lambda_features": 1}, ["lambda_features 1", "--lambda-features"]),
        ({"d_layers": 2}, ["d_layers 2", "--d-layers"]),
        ({"spectral": True}, ["spectral on", "--spectral"]),
        ({"diffaugment": True}, ["diffaugment on", "--diffaugment"]),
        ({"d_steps": 5, "accumulate": 2}, ["accumulate 2", "d_steps 5", "--accumulate 1"]),
        ({"lambda_gan": 0}, ["d_steps 2", "--lambda-gan"]),
        (
            {"generator": "inpainter", "d_steps": 1},
            ["local-global", "generator is inpainter", "--generator attention"],
        ),
        (
            {"generator": "inpainter", "discriminator": "patch", "d_steps": 5},
            ["d_steps 5", "--discriminator local-global"],
        ),
    ],
    ids=str,
)
def test_settings_that_do_not_fit_together_are_refused(settings: dict[str, Any], words: list[str]) -> None:
    assert InpaintConfig(**ATTENTION).size_multiple == 8
    with pytest.raises(UsageError) as error:
        InpaintConfig(**{**ATTENTION, **settings})
    message = str(error.value)
    assert [word for word in words if word not in message] == []
    assert "\n" not in message
