"""The settings of the discriminator and of the adversarial loss of an image-to-image method."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_type_hints

from translate.config.model import DOWNSAMPLINGS, NORMS
from translate.config.schema import convert, setting
from translate.config.training.base import TrainConfig
from translate.config.training.small_data import SmallDataConfig
from translate.errors import UsageError, nearest

# The weight of R1 and R2 with which R3GAN's preset for FFHQ at 64 px starts, about the size of a PatchGAN's
# patches, 70 px. The preset lowers it to 0.2 in the course of training; here it is constant.
R3GAN_GAMMA = 2.0
PROJECTED_LOSS = "hinge"  # The adversarial loss of a projected discriminator, if the user names none.
PATCHGANS = ("patch", "multiscale")  # The discriminators that consist of PatchGANs.
TORCHVISION_BACKBONES = ("mobilenet_v2", "efficientnet_b0")
TIMM = "timm:"  # What the names of timm's backbones begin with.


@dataclass(kw_only=True)
class AdversarialConfig(SmallDataConfig):
    """The settings of a discriminator of images, and of the losses between it and a generator."""

    ada: bool = setting(
        False,
        "adaptive augmentation of what the discriminator sees, stronger the more it overfits"
        " (arXiv:2006.06676)",
        group="augmentation",
    )
    ada_target: float = setting(
        0.6,
        "overfitting that --ada aims at: mean sign of the scores of training images, 0: none, 1: complete",
        low=0,
        high=1,
        group="augmentation",
    )
    discriminator: str = setting(
        "patch",
        "architecture of the discriminator: a PatchGAN, PatchGANs for an image and its smaller copies, one"
        " that scores single pixels, or one that judges by the features of a frozen pretrained network"
        " (arXiv:2111.01007), the output alone, without its input, and with gan_loss hinge by default",
        choices=("patch", "multiscale", "pixel", "projected"),
        group="networks",
    )
    backbone: str = setting(
        TORCHVISION_BACKBONES[0],
        f"pretrained network of a projected discriminator: {' or '.join(TORCHVISION_BACKBONES)} of"
        f" torchvision, or {TIMM}NAME, such as {TIMM}tf_efficientnet_lite0, if timm is installed",
        metavar="NAME",
        group="networks",
    )
    d_layers: int = setting(3, "strided layers of a PatchGAN", low=1, high=6, group="networks")
    d_downsample: str = setting(
        "strided",
        "downsampling of a PatchGAN: strided convolutions, or antialiased by a blur, as in CUT",
        choices=DOWNSAMPLINGS,
        group="networks",
    )
    d_scales: int = setting(
        3,
        "PatchGANs of a multiscale discriminator, each for images of half the side; their losses add up",
        low=2,
        high=6,
        group="networks",
    )
    spectral: bool = setting(
        False,
        "spectral normalization of the discriminator (arXiv:1802.05957); a projected one always has it",
        group="networks",
    )
    ndf: int = setting(64, "channels of the discriminator's first layer", low=1, high=1024, group="networks")
    norm: str = setting("instance", "normalization layers", choices=NORMS, group="networks")
    gan_loss: str = setting(
        "lsgan",
        "adversarial loss; hinge-real: the generator, too, minimizes the hinge of real images, as in DCLGAN;"
        " relativistic: compares pairs of a real and a generated image, with R1 and R2 in each step, as in"
        " R3GAN",
        choices=("vanilla", "lsgan", "hinge", "hinge-real", "wgan-gp", "relativistic"),
        group="losses",
    )
    lambda_gp: float = setting(10.0, "weight of the gradient penalty of wgan-gp", low=0, group="losses")
    lambda_r1: float | None = setting(
        None,
        "weight gamma of R1, the gradient penalty on real images (arXiv:1801.04406) [default: 0; for"
        f" relativistic {R3GAN_GAMMA:g}, with which R3GAN starts at 64 px]",
        low=0,
        group="losses",
    )
    lambda_r2: float | None = setting(
        None,
        "weight gamma of R2, the gradient penalty on generated images [default: 0; for relativistic, as R1]",
        low=0,
        group="losses",
    )
    r1_every: int | None = setting(
        None,
        "steps from one R1 and R2 to the next, each weighted by this number (lazy regularization,"
        " arXiv:1912.04958); more steps save time, most of all with a projected discriminator [default: 16;"
        " for relativistic 1]",
        low=1,
        high=1000,
        group="losses",
    )

    @classmethod
    def complete(cls, given: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
        settings, lines = super().complete(given)
        settings, more = choose_adversarial_loss(cls, settings)
        return settings, lines + more

    def check(self) -> None:
        super().check()
        self._check_backbone()
        self._check_unused()
        self._check_penalties()
        self._check_adaptive_augmentation()
        self._check_discriminator_size()

    def _check_backbone(self) -> None:
        if self.backbone not in TORCHVISION_BACKBONES and not self.backbone.startswith(TIMM):
            names = (*TORCHVISION_BACKBONES, f"{TIMM}NAME")
            raise UsageError(f"no backbone {self.backbone!r}{nearest(self.backbone, names)}")
        if self.discriminator == "projected" and not self.has_discriminator:
            raise UsageError(
                "discriminator projected is for an adversarial loss, and lambda_gan 0 trains without one:"
                " use --lambda-gan 0.1, or leave --discriminator out"
            )

    def _check_unused(self) -> None:
        """Refuse a setting that differs from its default and would have no effect."""
        is_patch = self.discriminator in PATCHGANS
        for name, is_used, needs in (
            ("backbone", self.discriminator == "projected", "--discriminator projected"),
            ("d_layers", self.discriminator != "projected", "--discriminator patch or multiscale"),
            ("d_downsample", is_patch, "--discriminator patch or multiscale"),
            ("d_scales", self.discriminator == "multiscale", "--discriminator multiscale"),
            ("spectral", self.discriminator != "projected", "--discriminator patch, multiscale or pixel"),
            ("r1_every", any(self.penalty_weights), "--lambda-r1"),
        ):
            value = getattr(self, name)
            if not is_used and value != type(self).__dataclass_fields__[name].default:
                raise _no_effect(name, value, needs)

    def _check_penalties(self) -> None:
        lambdas = {"lambda_r1": self.lambda_r1, "lambda_r2": self.lambda_r2}
        given = [f"{name} {value:g}" for name, value in lambdas.items() if value]
        if self.gan_loss == "wgan-gp" and given:
            raise UsageError(
                f"{given[0]} draws gradients to length 0, and the penalty of gan_loss wgan-gp draws them to"
                " length 1: give only one of them"
            )
        if self.norm == "batch" and (self.gan_loss == "wgan-gp" or any(self.penalty_weights)):
            cause = given[0] if given else f"gan_loss {self.gan_loss}"
            raise UsageError(
                f"{cause} needs the gradient of each image alone, and norm batch mixes the images of a batch:"
                " use --norm instance"
            )

    def _check_adaptive_augmentation(self) -> None:
        if self.ada and self.diffaugment:
            raise UsageError(
                "ada and diffaugment both augment what the discriminator sees: give only one of them"
            )
        self.check_discriminator("ada")
        if self.ada and self.gan_loss in ("wgan-gp", "relativistic"):
            raise UsageError(
                f"ada measures overfitting by the sign of a score, and the scores of gan_loss {self.gan_loss}"
                " have no zero: use --diffaugment, or another --gan-loss"
            )

    def _check_discriminator_size(self) -> None:
        if self.image_size < self.min_image_size:
            patch = f"a PatchGAN of {self.d_layers} layers"
            is_multiscale = self.discriminator == "multiscale"
            raise UsageError(
                f"image_size {self.image_size} is below {self.min_image_size}, the minimum for"
                f" {f'{self.d_scales} scales of ' if is_multiscale else ''}{patch}: use a larger --image-size"
                f"{', fewer --d-scales' if is_multiscale else ''} or fewer --d-layers"
            )

    @property
    def min_image_size(self) -> int:
        """Return the smallest side that the networks can be trained on, in pixels."""
        if self.discriminator not in PATCHGANS:
            return 8
        halvings = self.d_scales - 1 if self.discriminator == "multiscale" else 0
        return 3 << (self.d_layers + halvings)

    @property
    def sees_condition(self) -> bool:
        """Return whether the discriminator of a conditional method sees the condition beside the image."""
        return self.discriminator != "projected"

    @property
    def discriminator_backbone(self) -> str | None:
        """Return the pretrained network of the discriminator, which must not score the finished model."""
        return self.backbone if self.discriminator == "projected" else None

    @property
    def compares_images(self) -> bool:
        """Return whether the adversarial loss takes real and generated images of one size only."""
        return self.gan_loss in ("wgan-gp", "relativistic")

    @property
    def penalty_weights(self) -> tuple[float, float]:
        """Return the weights gamma of R1 and R2."""
        default = R3GAN_GAMMA if self.gan_loss == "relativistic" else 0.0
        r1, r2 = (default if weight is None else weight for weight in (self.lambda_r1, self.lambda_r2))
        return r1, r2

    @property
    def penalty_interval(self) -> int:
        """Return the number of steps from one R1 and R2 to the next."""
        return self.r1_every or (1 if self.gan_loss == "relativistic" else 16)


def _no_effect(name: str, value: Any, needs: str) -> UsageError:
    """Return the error for a setting that has no effect without another one."""
    text, flag = "on" if value is True else value, f"--{name.replace('_', '-')}"
    return UsageError(f"{name} {text} has no effect without {needs}: add it, or leave {flag} out")


def _refuse_without_adversarial_loss(config_class: type[TrainConfig], given: Mapping[str, Any]) -> None:
    """Refuse a discriminator or an adversarial loss that a user chose for a run without any.

    Only new runs are checked: older versions accepted such settings, and their runs must resume.
    """
    fields, hints = config_class.__dataclass_fields__, get_type_hints(config_class)

    def value_of(name: str) -> Any:
        return convert(fields[name], hints[name], given.get(name, fields[name].default))

    if "lambda_gan" not in fields or value_of("lambda_gan") > 0:
        return
    for name in ("discriminator", "spectral", "gan_loss", "lambda_r1", "lambda_r2"):
        if (value := value_of(name)) not in (fields[name].default, 0.0):
            raise _no_effect(name, value, "--lambda-gan, such as 0.1")


def choose_adversarial_loss(
    config_class: type[AdversarialConfig], given: Mapping[str, Any]
) -> tuple[dict[str, Any], list[str]]:
    """Add the adversarial loss of a projected discriminator to the settings of a user who named none.

    Returns:
        The settings, and lines for the log; for other discriminators, the same settings and no line.

    Raises:
        UsageError: a discriminator or an adversarial loss is given, and the run has none.
    """
    _refuse_without_adversarial_loss(config_class, given)
    if given.get("discriminator") != "projected":
        return dict(given), []
    backbone = given.get("backbone", config_class.__dataclass_fields__["backbone"].default)
    lines = [
        f"the projected discriminator judges the output alone, without its input, by features of {backbone},"
        " which are then no fair judge of the model"
    ]
    if "gan_loss" not in given:
        lines.append(f"--discriminator projected sets gan_loss {PROJECTED_LOSS}")
    return {"gan_loss": PROJECTED_LOSS, **given}, lines
