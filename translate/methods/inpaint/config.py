"""The settings of inpaint."""

from __future__ import annotations

from dataclasses import dataclass

from translate.config import ImageTrainConfig, PhotoTrainConfig, setting, with_default
from translate.errors import UsageError

HOLES = ("all", "strokes", "boxes", "blobs", "outlines", "half-box")
ATTENTION, LOCAL_GLOBAL = "attention", "local-global"
# The settings of the other generators that have no part in the losses of contextual attention.
UNUSED_BY_ATTENTION = ("lambda_l2", "lambda_features", "d_layers", "spectral", "diffaugment")
_DISCRIMINATOR = ImageTrainConfig.__dataclass_fields__["discriminator"].metadata


@dataclass(kw_only=True)
class InpaintConfig(PhotoTrainConfig):
    """The settings of inpainting.

    Losses of arXiv:1804.07723; context encoder, arXiv:1604.07379; contextual attention, arXiv:1801.07892.
    """

    generator: str = with_default(
        ImageTrainConfig, "generator", "inpainter", choices=("inpainter", "context", ATTENTION)
    )
    discriminator: str = with_default(
        ImageTrainConfig,
        "discriminator",
        "patch",
        help=f"{_DISCRIMINATOR['help']}; {LOCAL_GLOBAL}: a critic of the box around the hole and one of the"
        f" whole image, for generator {ATTENTION}",
        choices=(*_DISCRIMINATOR["choices"], LOCAL_GLOBAL),
    )
    image_size: int = with_default(ImageTrainConfig, "image_size", 128)
    ngf: int = with_default(ImageTrainConfig, "ngf", 32)
    holes: str = setting(
        "all",
        "shape of the holes that training masks have; half-box: one box of half the side of the crop",
        choices=HOLES,
        group="augmentation",
    )
    lambda_hole: float = setting(6.0, "weight of the L1 loss inside the hole", low=0, group="losses")
    lambda_valid: float = setting(1.0, "weight of the L1 loss outside the hole", low=0, group="losses")
    lambda_l2: float = setting(0.0, "weight of the L2 loss inside the hole", low=0, group="losses")
    lambda_features: float = setting(
        0.0, "weight of the perceptual loss (features of a backbone); 0: none", low=0, group="losses"
    )
    features: str = setting(
        "colorize",
        "model of colorize whose backbone computes the perceptual loss",
        metavar="MODEL",
        group="losses",
    )
    d_steps: int = setting(
        1, "steps of the local and global critic per generator step", low=1, high=100, group="optimization"
    )

    def check(self) -> None:
        super().check()
        if self.generator == "context" and self.batch_size == 1:
            raise UsageError(
                "batch_size 1 is too small for the batch norm of the context encoder:"
                " use --batch-size 2 or more"
            )
        if self.generator == ATTENTION:
            self._check_attention()
        elif self.discriminator == LOCAL_GLOBAL:
            raise UsageError(
                f"discriminator {LOCAL_GLOBAL} is for generator {ATTENTION}, but generator is"
                f" {self.generator}: use --generator {ATTENTION}, or another --discriminator"
            )
        if self.d_steps > 1:
            self._check_critic_steps()

    def _check_attention(self) -> None:
        needs = {"holes": "half-box"}
        if self.has_discriminator:
            needs |= {"discriminator": LOCAL_GLOBAL, "gan_loss": "wgan-gp"}
        if wrong := [name for name, value in needs.items() if getattr(self, name) != value]:
            found = ", ".join(f"{name} is {getattr(self, name)}" for name in wrong)
            flags = " ".join(f"--{name.replace('_', '-')} {needs[name]}" for name in wrong)
            raise UsageError(
                f"generator {ATTENTION} is trained on one box, by critics of it and of the whole image, but"
                f" {found}: use {flags}"
            )
        if not self.preprocess.endswith("crop"):
            raise UsageError(
                f"generator {ATTENTION} is trained on crops of one size, but preprocess is {self.preprocess}:"
                " use --preprocess random_resized_crop"
            )
        for name in UNUSED_BY_ATTENTION:
            if (value := getattr(self, name)) != type(self).__dataclass_fields__[name].default:
                text = "on" if value is True else value
                flag = f"--{name.replace('_', '-')}"
                raise UsageError(f"{name} {text} has no effect with generator {ATTENTION}: leave {flag} out")

    def _check_critic_steps(self) -> None:
        if not (self.has_discriminator and self.discriminator == LOCAL_GLOBAL):
            raise UsageError(
                f"d_steps {self.d_steps} is for the critics of --discriminator {LOCAL_GLOBAL} and"
                " --lambda-gan: add them, or leave --d-steps out"
            )
        if self.accumulate > 1:
            raise UsageError(
                f"accumulate {self.accumulate} splits an update into parts, and d_steps {self.d_steps} makes"
                " several in one step: use --accumulate 1, or --d-steps 1"
            )

    @property
    def batches_per_step(self) -> int:
        return self.d_steps

    @property
    def depth(self) -> int:
        return 3 if self.generator == ATTENTION else super().depth
