"""The discriminator of StarGAN, which also classifies the domain of an image (arXiv:1711.09020)."""

from __future__ import annotations

from torch import Tensor, nn


class StarGANDiscriminator(nn.Module):
    """A PatchGAN without norms, with a second head that classifies (appendix).

    Args:
        image_size: the side of the images, in pixels, which the head of the classes sees whole.
        domains: domains or attributes, one logit each.
        width: channels of the first layer (conv_dim), which double in each further one.
        layers: strided convolutions; at least one pixel must remain of the image.
    """

    def __init__(
        self, in_channels: int = 3, *, image_size: int, domains: int, width: int = 64, layers: int = 6
    ) -> None:
        super().__init__()
        body: list[nn.Module] = []
        channels = in_channels
        for layer in range(layers):
            before, channels = channels, width * 2**layer
            body += [nn.Conv2d(before, channels, 4, stride=2, padding=1), nn.LeakyReLU(0.01, inplace=True)]
        self.body = nn.Sequential(*body)
        self.score = nn.Conv2d(channels, 1, 3, padding=1, bias=False)
        self.classify = nn.Conv2d(channels, domains, image_size >> layers, bias=False)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Score and classify (N, in_channels, S, S) images in [-1, 1], S = `image_size`.

        Returns:
            The scores of patches, (N, 1, h, w), and the logits of the domains or attributes, (N, domains).
        """
        features = self.body(x)
        return self.score(features), self.classify(features).flatten(1)
