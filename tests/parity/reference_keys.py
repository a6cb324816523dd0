"""The reference implementation's state dicts under the names of our own networks."""

from __future__ import annotations

import re

from torch import Tensor, nn

from translate.models.reference import reference_key, spec_of
from translate.networks import PatchGAN, PixelDiscriminator

State = dict[str, Tensor]

ORDER = ["weight", "bias", "running_mean", "running_var", "num_batches_tracked"]


def load_reference(network: nn.Module, state: State) -> None:
    """Load a reference state dict into our network."""
    network.load_state_dict(rename(network, state))


def rename(network: nn.Module, state: State) -> State:
    """The reference's tensors under our names."""
    ours = list(network.state_dict())
    assert len(ours) == len(state), (ours, list(state))
    if isinstance(network, (PatchGAN, PixelDiscriminator)):
        return dict(zip(ours, (state[key] for key in sorted(state, key=_place)), strict=True))
    spec = spec_of(state)
    return {key: state[reference_key(spec, key)] for key in ours}


def _place(key: str) -> tuple[list[int], int]:
    return [int(n) for n in re.findall(r"\d+", key)], ORDER.index(key.rsplit(".", 1)[1])
