"""StyleGAN2: its settings, style mixing, lazy regularization, and adaptive augmentation."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from tests.updates import Updates, plain_updates
from translate.errors import UsageError
from translate.methods.stylegan2.config import StyleGAN2Config
from translate.methods.stylegan2.trainer import StyleGAN2
from translate.methods.trainer import StepProgress
from translate.networks.generators.noise.stylegan2 import SynthesisLayer

SMALL = {"image_size": 16, "latent": 8, "fmap_base": 32, "channels": 3, "batch_size": 4, "mapping_depth": 2}


def new(**settings: Any) -> StyleGAN2:
    torch.manual_seed(0)
    return StyleGAN2(StyleGAN2Config(**{**SMALL, **settings}))


def images() -> dict[str, Tensor]:
    return {"image": 2 * torch.rand(4, 3, 16, 16, generator=torch.Generator().manual_seed(1)) - 1}


def test_each_network_is_regularized_in_steps_of_its_own() -> None:
    trainer, names = new(path_every=2, r1_every=3), list[str]()
    for step in range(7):
        names.clear()
        trainer.step(images(), Updates(lambda name, loss, last: names.append(name)), StepProgress(step))
        assert names == ["g", *["g"] * (step % 2 == 0), "d", *["d"] * (step % 3 == 0)]


def test_lazy_regularization_adapts_adam() -> None:
    c = StyleGAN2Config(**SMALL, path_every=4, r1_every=16)
    for name, share in {"g": 4 / 5, "d": 16 / 17}.items():
        lr, (beta1, beta2) = c.learning_rate_and_betas(name)
        assert (lr, beta1, beta2) == pytest.approx((0.0025 * share, 0, 0.99**share))
    plain = StyleGAN2Config(**SMALL, lambda_path=0, lambda_r1=0)
    assert plain.learning_rate_and_betas("g") == plain.learning_rate_and_betas("d") == (0.0025, (0.0, 0.99))


def test_the_default_weight_of_r1_grows_with_the_image() -> None:
    assert StyleGAN2Config(**SMALL).r1_gamma == pytest.approx(0.0002 * 16**2 / 4)
    assert StyleGAN2Config(**SMALL, lambda_r1=3).r1_gamma == 3


@pytest.mark.parametrize(("probability", "mixed"), [(0.0, False), (1.0, True)])
def test_styles_are_mixed_from_a_layer_on(probability: float, mixed: bool) -> None:
    styles = new(style_mixing=probability).draw_styles(4)
    assert styles.shape == (4, 6, 8)
    assert styles[:, 0].equal(styles[:, -1]) is not mixed
    starts = [layer for layer in range(1, 6) if not styles[0, layer].equal(styles[0, layer - 1])]
    assert len(starts) == int(mixed)


def test_the_mean_of_w_follows_that_of_training() -> None:
    trainer = new()
    w = trainer.g.mapping(torch.randn(4, 8))
    trainer.g.mapping.track_mean(w)
    torch.testing.assert_close(trainer.g.mapping.w_mean, 0.005 * w.mean(dim=0))


def test_each_image_of_training_has_noise_of_its_own_and_none_afterwards() -> None:
    g = new().g
    with torch.no_grad():
        for layer in (module for module in g.modules() if isinstance(module, SynthesisLayer)):
            layer.noise_strength.fill_(1.0)
        z = torch.randn(1, 8).expand(2, -1)
        first, second = g(z)
        assert not first.equal(second)
        g.eval()
        first, second = g(z)
        torch.testing.assert_close(first, second)
        assert g(z).equal(g(z))


def test_adaptive_augmentation_is_on_unless_another_is_chosen() -> None:
    trainer = new()
    losses = trainer.step(images(), plain_updates(trainer), StepProgress())
    assert "ada_p" in losses
    trainer = new(ada=False, diffaugment=True)
    assert "ada_p" not in trainer.step(images(), plain_updates(trainer), StepProgress())
    with pytest.raises(UsageError, match="ada and diffaugment both augment what the discriminator sees"):
        new(diffaugment=True)


def test_a_batch_must_consist_of_whole_groups() -> None:
    with pytest.raises(UsageError, match=r"batch_size 6 is no multiple of std_group 4.*--std-group 3, or"):
        StyleGAN2Config(**{**SMALL, "batch_size": 6})
    assert StyleGAN2Config(**{**SMALL, "batch_size": 3}).batch_size == 3
