"""The features that a ResNet returns from its forward pass, as contrastive methods need them."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from torch.utils.checkpoint import checkpoint

from translate.errors import UsageError
from translate.networks import ResNet

LAYERS = {
    "CUT's layers": (0, 4, 8, 12, 13),
    "norms in front of an activation": (2, 5, 8, 12),
    "an activation, and a block": (3, 13),
    "the last one is a norm": (1, 5),
    "the encoder alone": (0,),
}
NETWORKS = {
    "antialiased": {"downsample": "blur", "upsample": "blur"},
    "strided": {},
    "no norm": {"norm": "none"},
}


def random_resnet(**settings) -> ResNet:
    torch.manual_seed(0)
    return ResNet(width=2, depth=4, **settings).double()


@pytest.mark.parametrize("layers", LAYERS.values(), ids=LAYERS)
@pytest.mark.parametrize("settings", NETWORKS.values(), ids=NETWORKS)
def test_features_come_beside_the_same_output_and_no_later_layer_changes_them(
    settings: dict[str, str], layers: tuple[int, ...]
) -> None:
    network, x = random_resnet(**settings), torch.randn(2, 3, 16, 12, dtype=torch.float64)
    expected = network(x)
    output, features = network(x, layers)
    assert output.equal(expected)
    encoded = network(x, layers, decode=False)
    assert len(features) == len(layers)
    for feature, same in zip(features, encoded, strict=True):
        assert feature.equal(same)
    assert [feature.shape[1] for feature in features] == network.feature_channels(layers)
    # A feature that a later layer changed in place would have another gradient, or an error.
    (output.sum() + sum(feature.square().sum() for feature in features)).backward()
    gradients = [weight.grad for weight in network.parameters()]
    network.zero_grad()
    network.segment = partial(checkpoint, use_reentrant=False)
    output, features = network(x, layers)
    (output.sum() + sum(feature.square().sum() for feature in features)).backward()
    for gradient, weight in zip(gradients, network.parameters(), strict=True):
        torch.testing.assert_close(weight.grad, gradient)


def test_without_decoding_no_layer_after_the_last_feature_is_computed() -> None:
    network, called = random_resnet(), []
    for name, module in network.named_modules():
        module.register_forward_hook(lambda *_, name=name: called.append(name))
    network(torch.randn(1, 3, 16, 16, dtype=torch.float64), (0, 4, 10), decode=False)
    assert "blocks.0" in called
    assert not any(name.startswith(("blocks.1", "decoder")) for name in called)


@pytest.mark.parametrize(("layers", "key"), [((4, 0), "0,4"), ((4, 4), "4"), ((0, 16), "16"), ((-1,), "-1")])
def test_layers_that_do_not_exist_or_do_not_ascend_are_refused(layers: tuple[int, ...], key: str) -> None:
    with pytest.raises(UsageError, match=key):
        random_resnet(downsample="blur").feature_channels(layers)
