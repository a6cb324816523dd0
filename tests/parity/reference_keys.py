"""The reference implementation's state-dict keys, put into the order of our own networks."""

from __future__ import annotations

import re

from torch import Tensor, nn

State = dict[str, Tensor]


def load_reference(network: nn.Module, state: State) -> None:
    """Load a reference state dict into our network."""
    network.load_state_dict(rename(network, state))


def rename(network: nn.Module, state: State) -> State:
    """The reference's tensors under our names."""
    ours, theirs = list(network.state_dict()), sorted(state, key=_place)
    assert len(ours) == len(theirs), (ours, theirs)
    if any(".model.3" in key for key in theirs):
        theirs = _unet_order(theirs)
    return dict(zip(ours, (state[key] for key in theirs), strict=True))


ORDER = ["weight", "bias", "running_mean", "running_var", "num_batches_tracked"]


def _place(key: str) -> tuple[list[int], int]:
    return [int(n) for n in re.findall(r"\d+", key)], ORDER.index(key.rsplit(".", 1)[1])


def _unet_order(keys: list[str]) -> list[str]:
    """Our U-Net lists all down convolutions, their norms, all up convolutions, their norms, the last one.

    In the reference each level holds the next: `.model.1` is the level's down convolution, `.2` its
    norm, `.3` the inner level, `.5` the up convolution, `.6` its norm; the innermost level has no norm
    and no inner level, so that its up convolution is `.3` and that one's norm `.4`.
    """
    depth = max(key.count(".model.3") for key in keys) + 1

    def prefix(level: int) -> str:
        return "model.model.1" + ".model.3" * (level - 1)

    def tensors(name: str) -> list[str]:
        return sorted((key for key in keys if key.rsplit(".", 1)[0] == name), key=_place)

    inner = depth - 1
    names = ["model.model.0"]
    names += [f"{prefix(level)}.model.1" for level in range(1, depth)]
    names += [f"{prefix(level)}.model.2" for level in range(1, inner)]
    names += [f"{prefix(level)}.model.{5 if level < inner else 3}" for level in range(1, depth)]
    names += [f"{prefix(level)}.model.{6 if level < inner else 4}" for level in range(1, depth)]
    names += ["model.model.3"]
    return [key for name in names for key in tensors(name)]
