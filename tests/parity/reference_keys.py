"""Load state dicts of the CycleGAN, pix2pix and CUT authors' code (the reference) into our networks."""

from __future__ import annotations

import re

from torch import Tensor, nn

from translate.models.reference_generator import infer_spec, reference_key
from translate.networks import PatchGAN, PixelDiscriminator

StateDict = dict[str, Tensor]

ORDER = ["weight", "bias", "running_mean", "running_var", "num_batches_tracked"]


def load_reference(network: nn.Module, state: StateDict) -> None:
    """Load a reference state dict into our network."""
    network.load_state_dict(rename_keys(network, state))


def rename_keys(network: nn.Module, state: StateDict) -> StateDict:
    """Return the reference's tensors under the keys of our network."""
    our_keys = list(network.state_dict())
    # The filters of CUT's antialiased sampling are constants here.
    weights = [key for key in state if not key.endswith(".filt")]
    assert len(our_keys) == len(weights), (our_keys, weights)
    if isinstance(network, (PatchGAN, PixelDiscriminator)):
        in_order = sorted(weights, key=_position)
        return dict(zip(our_keys, (state[key] for key in in_order), strict=True))
    spec = infer_spec(state)
    return {key: state[reference_key(spec, key)] for key in our_keys}


def _position(key: str) -> tuple[list[int], int]:
    return [int(n) for n in re.findall(r"\d+", key)], ORDER.index(key.rsplit(".", 1)[1])


def head_weights(tensors: StateDict, prefix: str) -> StateDict:
    """Return the reference's projection head (`mlp_0.2.weight`) under the keys of a `PatchProjection`."""
    start = f"{prefix}mlp_"
    return {f"mlps.{key.removeprefix(start)}": x for key, x in tensors.items() if key.startswith(start)}
