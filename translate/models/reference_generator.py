"""The generators of the CycleGAN, pix2pix and CUT authors' code ("the reference"): their keys in ours."""

from __future__ import annotations

import re

import torch
from torch import Tensor

from translate.config import GeneratorSpec
from translate.errors import DataError
from translate.models.checkpoint_file import REMEDY
from translate.models.state_dicts import StateDict
from translate.networks import Generator, create_generator, generator_spec
from translate.networks.blocks import InstanceNorm

COUNTER = "num_batches_tracked"  # The last part of the key of a batch norm's step counter.
FIRST_LAYER = {"resnet": "model.1", "unet": "model.model.0"}
OUTPUT_BIAS = ("decoder.7.bias", "last.bias")
# The filters of CUT's antialiased sampling, by the side of the kernel.
BLURS = {3: [1.0, 2.0, 1.0], 4: [1.0, 3.0, 3.0, 1.0]}
# The norm, by two facts: whether the first convolution has a bias, and whether the first norm has a weight.
NORMS = {
    (False, True): "batch",
    (True, True): "instance-affine",
    (True, False): "instance",
    (False, False): "none",
}
LABELS = {
    "resnet": "ResNet, {} blocks",
    "unet": "U-Net, {} levels",
    "batch": "batch norm",
    "instance-affine": "affine instance norm",
    "instance": "instance norm",
    "none": "no norm",
    "running": "running statistics",
    "picture": "each image's statistics",
}


def describe_generator(spec: GeneratorSpec) -> str:
    args = spec.args
    architecture = LABELS[spec.name].format(args["depth"])
    blur = ", antialiased" if "blur" in (args.get("downsample"), args["upsample"]) else ""
    dropout = ", dropout" if args["dropout"] else ""
    channels = f"{args['in_channels']} -> {args['out_channels']} channels"
    return f"{architecture}, {args['width']} channels, {LABELS[args['norm']]}{blur}{dropout}, {channels}"


def infer_spec(state: StateDict, *, dropout: bool = False) -> GeneratorSpec:
    """Infer the generator's architecture and arguments from a reference state dict.

    The reference's convolutions have a bias before instance norm and none before batch norm, which tells the
    norms apart. Running statistics do not: instance norm has them in old files, too.

    Args:
        dropout: whether a U-Net was trained with dropout.

    Raises:
        UsageError: the generator is larger than ours can be.
    """
    name = next(name for name, layer in FIRST_LAYER.items() if _is_convolution(state, layer))
    first = FIRST_LAYER[name]
    width, in_channels = state[f"{first}.weight"].shape[:2]
    sampling = {"upsample": "deconv"}
    if name == "resnet":
        depth = len({key.split(".")[1] for key in state if ".conv_block." in key})
        sampling = {
            "downsample": "blur" if "model.7.filt" in state else "strided",
            "upsample": "blur" if f"model.{_decoder_start(state, depth)}.filt" in state else "deconv",
        }
        norm, out_axis = "model.2", 0
        last = f"model.{_decoder_start(state, depth) + (9 if sampling['upsample'] == 'blur' else 7)}"
        dropout = _is_convolution(state, f"model.{_decoder_start(state, 0)}.conv_block.6")
    else:
        depth = 1 + max(key.count(".model.3") for key in state)
        norm, last, out_axis = "model.model.1.model.2", "model.model.3", 1
    arguments = {
        "in_channels": in_channels,
        "out_channels": state[f"{last}.weight"].shape[out_axis] if _is_convolution(state, last) else 3,
        "width": width,
        "depth": depth,
        "norm": NORMS[f"{first}.bias" in state, f"{norm}.weight" in state],
        "dropout": dropout,
        **sampling,
    }
    return generator_spec(name, arguments)


def _is_convolution(state: StateDict, layer: str) -> bool:
    return f"{layer}.weight" in state and state[f"{layer}.weight"].ndim == 4


def _decoder_start(state: StateDict, depth: int) -> int:
    """Return the number of a ResNet's layer after `depth` blocks; two blurs come before the first block."""
    return (12 if "model.7.filt" in state else 10) + depth


def reference_key(spec: GeneratorSpec, key: str) -> str:
    """Return the reference's key for a key of our generator's state dict.

    The reference's ResNet is one sequence of layers: our `blocks.0.body.1.weight` is its
    `model.10.conv_block.1.weight`. Its U-Net is nested: level n is `model.model.1` followed by n times
    `.model.3`, and contains `.model.1` (down convolution), `.2` (norm), `.3` (next level), `.5` (up
    convolution) and `.6` (norm). The innermost level has no first norm and no next level, so its up
    convolution and norm are `.3` and `.4`.
    """
    part, *number, tensor = key.split(".")
    if spec.name == "resnet":
        return _resnet_key(spec, part, [int(n) for n in number if n != "body"]) + f".{tensor}"
    if part in ("first", "last"):
        return f"model.model.{0 if part == 'first' else 3}.{tensor}"
    level = int(number[0])
    shift = 2 if level == spec.args["depth"] - 2 else 0
    layer = {"down": 1, "down_norm": 2, "up": 5 - shift, "up_norm": 6 - shift}[part]
    return f"model.model.1{'.model.3' * level}.model.{layer}.{tensor}"


def _resnet_key(spec: GeneratorSpec, part: str, number: list[int]) -> str:
    args = spec.args
    blocks = 12 if args.get("downsample") == "blur" else 10
    if part == "blocks":
        block, layer = number
        shift = 1 if layer > 4 and not args["dropout"] else 0  # Our blocks always have a dropout layer.
        return f"model.{blocks + block}.conv_block.{layer - shift}"
    if part == "encoder":
        return f"model.{number[0]}"
    # An antialiased upsampling and its convolution are one layer here, and two in CUT.
    shift = (number[0] >= 0) + (number[0] >= 3) if args["upsample"] == "blur" else 0
    return f"model.{blocks + args['depth'] + number[0] + shift}"


def load_generator(spec: GeneratorSpec, state: StateDict) -> Generator:
    """Create a generator and load the reference's weights into it, in float32."""
    with torch.device("meta"):
        network = create_generator(spec)
    expected = {reference_key(spec, key): weight for key, weight in network.state_dict().items()}
    optional = {reference_key(spec, key) for key in network.state_dict() if _is_optional(spec, key)}
    unused = _unused_statistics(spec, network) | _blur_filters(spec, state)
    state = {key: value for key, value in state.items() if key not in unused}
    _check_keys_and_shapes(spec, state, expected, optional)
    weights = {key: _to_float32(key, value) for key, value in state.items()}
    for key in optional - set(state):
        weights[key] = torch.zeros_like(expected[key], device="cpu")
    network.load_state_dict(
        {key: weights[reference_key(spec, key)] for key in network.state_dict()}, assign=True
    )
    return network


def _is_optional(spec: GeneratorSpec, key: str) -> bool:
    """Return whether a file may lack a key: batch norm's counter in old files, inner biases without norms."""
    bias = spec.args["norm"] == "none" and key.endswith(".bias") and key not in OUTPUT_BIAS
    return bias or key.endswith(COUNTER)


def _unused_statistics(spec: GeneratorSpec, network: Generator) -> set[str]:
    """Return the keys of instance norms' running statistics, which are in old files and were never used."""
    norms = [name for name, module in network.named_modules() if isinstance(module, InstanceNorm)]
    statistics = ("running_mean", "running_var", COUNTER)
    return {reference_key(spec, f"{name}.{statistic}") for name in norms for statistic in statistics}


def _blur_filters(spec: GeneratorSpec, state: StateDict) -> set[str]:
    """Return the keys of the filters of antialiased sampling, which our layers have without storing them.

    Raises:
        DataError: a filter is another one than CUT's.
    """
    end = _decoder_start(state, spec.args.get("depth", 0))
    numbers = [*((7, 11) if spec.args.get("downsample") == "blur" else ())]
    numbers += (end, end + 4) if spec.args["upsample"] == "blur" else ()
    keys = {f"model.{number}.filt" for number in numbers} & set(state)
    for key in keys:
        line = torch.tensor(BLURS.get(state[key].shape[-1], [0.0]), dtype=torch.float64)
        expected = (line[:, None] * line / 16).expand(state[key].shape[0], 1, len(line), len(line))
        if state[key].shape != expected.shape or not torch.allclose(state[key].double(), expected, atol=1e-3):
            raise DataError(f"key {key!r} is another filter than CUT's [1, 2, 1] and [1, 3, 3, 1]; {REMEDY}")
    return keys


def _check_keys_and_shapes(
    spec: GeneratorSpec, state: StateDict, expected: StateDict, optional: set[str]
) -> None:
    """Check a state dict against the generator's; report the first key that differs, in the file's order."""
    generator = f"a {describe_generator(spec)}"
    in_order = sorted(expected, key=lambda key: [int(number) for number in re.findall(r"\d+", key)])
    missing = [repr(key) for key in in_order if key not in state and key not in optional]
    for key, tensor in state.items():
        if key not in expected:
            raise DataError(f"key {key!r} does not belong to {generator}; {REMEDY}")
        if tensor.shape != (shape := expected[key].shape):
            shapes = f"shape {tuple(tensor.shape)}, not {tuple(shape)}"
            raise DataError(f"key {key!r} has {shapes} as in {generator}; {REMEDY}")
    if missing:
        raise DataError(f"key {missing[0]} is missing, which belongs to {generator}; {REMEDY}")


def _to_float32(key: str, tensor: Tensor) -> Tensor:
    if key.endswith(COUNTER):
        return tensor
    weight = tensor.to(torch.float32, copy=True, memory_format=torch.contiguous_format)
    if not weight.isfinite().all():
        raise DataError(f"key {key!r} contains NaN or Inf: use the checkpoint of an earlier epoch")
    return weight
