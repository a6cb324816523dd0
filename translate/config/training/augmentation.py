"""The settings by which an image becomes a training crop."""

from __future__ import annotations

from dataclasses import dataclass

from translate.config.schema import setting
from translate.config.training.base import TrainConfig
from translate.errors import UsageError

PREPROCESSING = (
    *("resize_and_crop", "random_resized_crop", "crop"),
    *("scale_width", "scale_width_and_crop", "none"),
)
# The modes of --preprocess that give every image one size before the crop.
RESIZING_PREPROCESSES = ("resize_and_crop", "scale_width", "scale_width_and_crop")
RESIZE_MARGIN = 286 / 256  # The reference implementation resizes to 286 and crops 256.


@dataclass(kw_only=True)
class AugmentationConfig(TrainConfig):
    """The settings of the data augmentation of images."""

    preprocess: str = setting(
        "resize_and_crop", "how an image becomes a training crop", choices=PREPROCESSING, group="augmentation"
    )
    load_size: int | None = setting(
        None,
        "side to resize to before the crop, in pixels [default: image size x 286/256]",
        low=8,
        high=8192,
        group="augmentation",
    )
    flip: bool = setting(True, "flip images horizontally at random", group="augmentation")
    color_jitter: float = setting(
        0.0, "strength of random colour jitter", low=0, high=1, group="augmentation"
    )
    affine: float = setting(0.0, "largest random rotation, in degrees", low=0, high=180, group="augmentation")

    def check_size(self, network: str, remedy: str = "") -> None:
        """Refuse an image size that is no multiple of what a network needs.

        Args:
            remedy: what else may help, after the sizes that fit.
        """
        size, multiple = self.image_size, self.size_multiple
        if size % multiple:
            below = size // multiple * multiple
            sizes = " or ".join(str(fit) for fit in (below, below + multiple) if fit)
            raise UsageError(
                f"image_size {size} is not a multiple of {multiple}, which the {network} needs:"
                f" use --image-size {sizes}{remedy}"
            )

    @property
    def resize_to(self) -> int:
        """Return the side to which an image is resized before the crop, in pixels."""
        return self.load_size or round(self.image_size * RESIZE_MARGIN)

    @property
    def size_multiple(self) -> int:
        """Return the number of which each side of an image must be a multiple, in pixels."""
        raise NotImplementedError

    @property
    def min_image_size(self) -> int:
        """Return the smallest side that the networks can be trained on, in pixels."""
        raise NotImplementedError
