"""Reads generators of the reference, CycleGAN and pix2pix in PyTorch, from their `*_net_G*.pth`.

The only place that opens a pickle, and of that only tensors (`weights_only`).
"""

from __future__ import annotations

import re
import warnings
import zipfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from translate.config import ColorizationModelConfig, GeneratorSpec, ModelConfig, Route
from translate.errors import DataError, TranslateError, UsageError
from translate.models.model import Model
from translate.networks import Generator, create_generator, generator_spec
from translate.networks.blocks import InstanceNorm

State = dict[str, Tensor]

REMEDY = "give a generator's own state_dict, as latest_net_G.pth"
COUNTER = "num_batches_tracked"
FIRST = {"resnet": "model.1", "unet": "model.model.0"}
FIRST_OF_DISCRIMINATORS = ("model.0.weight", "net.0.weight")
OUTERMOST_BIAS = ("decoder.7.bias", "last.bias")
NORMS = {  # by whether the first convolution has a bias, and the first norm a weight
    (False, True): "batch",
    (True, True): "instance-affine",
    (True, False): "instance",
    (False, False): "none",
}
WORDS = {
    "resnet": "ResNet, {} blocks",
    "unet": "U-Net, {} levels",
    "batch": "batch norm",
    "instance-affine": "affine instance norm",
    "instance": "instance norm",
    "none": "no norm",
    "running": "running statistics",
    "picture": "each image's statistics",
}


def import_reference(path: Path | str, *, statistics: str = "running", direction: str | None = None) -> Model:
    """A model from a generator's checkpoint of the reference.

    Architecture, width, depth, channels, norm and dropout are read from keys and shapes. In a
    U-Net dropout leaves no trace. 1 -> 2 channels are the reference's colorization, in Lab.

    Args:
        statistics: what batch norm uses when applied: `running`, the training run's, as the
            reference's test with `--eval`, or `picture`, the image's own, as without.
        direction: `AtoB` or `BtoA`; None is as the file's name says, `*_net_G_B.pth` being `BtoA`.

    Raises:
        UsageError: there is no such file.
        DataError: it is damaged, or no generator of the reference; the first key that does not fit is named.
    """
    path = Path(path)
    direction = direction or ("BtoA" if path.name.endswith("_net_G_B.pth") else "AtoB")
    content = read_checkpoint(path)
    try:
        state = _state(content, path.stat().st_size)
        network = _filled(spec_of(state), state)
    except TranslateError as error:
        raise DataError(f"cannot import {path}: {error}") from None
    config = _config(network, direction, statistics, path.name)
    return Model(config, {direction: network}).requires_grad_(False)


def describe(config: ModelConfig) -> str:
    """What was found, as `ResNet, 9 blocks, 64 channels, instance norm, 3 -> 3 channels`."""
    color = " (Lab)" if config.color == "Lab" else ""
    statistics = f", {WORDS[config.statistics]}" if config.generator.args["norm"] == "batch" else ""
    return _outline(config.generator) + color + statistics


def _outline(spec: GeneratorSpec) -> str:
    args = spec.args
    dropout = ", dropout" if args["dropout"] else ""
    kind = (
        f"{WORDS[spec.name].format(args['depth'])}, {args['width']} channels, {WORDS[args['norm']]}{dropout}"
    )
    return f"{kind}, {args['in_channels']} -> {args['out_channels']} channels"


def read_checkpoint(path: Path) -> Any:
    """What a `.pth` file holds, if that is tensors.

    Raises:
        UsageError, DataError: it cannot be opened, is empty or damaged, or holds more than tensors.
    """
    try:
        with path.open("rb") as file:
            empty = not file.read(1)
    except OSError as error:
        raise UsageError(f"cannot read {str(path)!r}: {error.strerror}; {REMEDY}") from None
    if empty:
        raise DataError(f"{path} is empty: copy or download it again")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of old formats, which torch reads nevertheless
            _refuse_packed(path)
            return torch.load(path, weights_only=True, map_location="cpu")
    except Exception:  # torch's errors for a damaged or a hostile file are of many kinds
        reason = "it is damaged, or holds more than tensors, which could run code"
        raise DataError(f"cannot import {path}: {reason}; {REMEDY}") from None


def _refuse_packed(path: Path) -> None:
    """torch never compresses: a packed member is there to fill the memory."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            if any(member.compress_type != zipfile.ZIP_STORED for member in archive.infolist()):
                raise zipfile.BadZipFile("compressed")


def _state(content: Any, size: int) -> State:
    """The tensors of a checkpoint of `size` bytes, without DataParallel's `module.`."""
    if not isinstance(content, dict):
        raise DataError(f"it holds a {type(content).__name__}, not a dict of tensors; {REMEDY}")
    if "param_groups" in content:
        raise DataError(f"it is an optimizer's state (key 'param_groups'); {REMEDY}")
    for key, value in content.items():
        if not (isinstance(key, str) and isinstance(value, Tensor)):
            raise DataError(f"key {key!r} holds a {type(value).__name__}, not a tensor; {REMEDY}")
        if value.layout != torch.strided or value.is_meta or not _has_right_type(key, value):
            raise DataError(f"key {key!r} holds {value.dtype}, not dense floating-point numbers; {REMEDY}")
    if sum(value.nbytes for value in content.values()) > size:
        raise DataError("its tensors claim more values than the file holds: save it again by torch.save")
    parallel = all(key.startswith("module.") for key in content)
    return {key.removeprefix("module.") if parallel else key: value for key, value in content.items()}


def _has_right_type(key: str, tensor: Tensor) -> bool:
    return tensor.dtype == torch.int64 if key.endswith(COUNTER) else tensor.is_floating_point()


def spec_of(state: State) -> GeneratorSpec:
    """The generator that a reference state dict seems to be of.

    The reference gives convolutions a bias only before instance norm. That tells it from batch
    norm; running statistics do not, for old files of instance norm hold them too.

    Raises:
        DataError: it is of none.
        UsageError: it is of one larger than any that is known.
    """
    name = _architecture(state)
    if name == "resnet":
        depth = len({key.split(".")[1] for key in state if ".conv_block." in key})
        norm, last, axis = "model.2", f"model.{depth + 17}", 0
    else:
        depth = 1 + max(key.count(".model.3") for key in state)
        norm, last, axis = "model.model.1.model.2", "model.model.3", 1
    width, in_channels = state[f"{FIRST[name]}.weight"].shape[:2]
    arguments = {
        "in_channels": in_channels,
        "out_channels": state[f"{last}.weight"].shape[axis] if _is_convolution(state, last) else 3,
        "width": width,
        "depth": depth,
        "norm": NORMS[f"{FIRST[name]}.bias" in state, f"{norm}.weight" in state],
        "dropout": _is_convolution(state, "model.10.conv_block.6"),
        "upsample": "deconv",
    }
    return generator_spec(name, arguments)


def _is_convolution(state: State, name: str) -> bool:
    return f"{name}.weight" in state and state[f"{name}.weight"].ndim == 4


def _architecture(state: State) -> str:
    for name, first in FIRST.items():
        if _is_convolution(state, first):
            return name
    for key in FIRST_OF_DISCRIMINATORS:
        if key in state:
            raise DataError(f"it is a discriminator (key {key!r}); {REMEDY}")
    known = " or ".join(f"'{first}.weight'" for first in FIRST.values())
    found = f"its first key is {next(iter(state))!r}" if state else "it is empty"
    raise DataError(f"{found}, where a generator has a convolution {known}; {REMEDY}")


def _config(network: Generator, direction: str, statistics: str, name: str) -> ModelConfig:
    """Return the config of a model whose one generator is `network`; 1 -> 2 channels are a and b for L."""
    args = network.spec.args
    known: dict[str, Any] = {
        "generator": network.spec,
        "in_channels": args["in_channels"],
        "out_channels": args["out_channels"],
        "statistics": statistics if args["norm"] == "batch" else "picture",
        "size_multiple": network.size_multiple,
        "trained_on": {"imported_from": name},
    }
    if (args["in_channels"], args["out_channels"]) == (1, 2):
        routes = {"colorize": Route(source="gray", target="color", generator=direction)}
        domains = ["gray", "color"]
        return ColorizationModelConfig(
            kind="colorization", domains=domains, routes=routes, color="Lab", **known
        )
    source, _, target = direction.partition("to")
    routes = {direction: Route(source=source, target=target, generator=direction)}
    return ModelConfig(domains=["A", "B"], routes=routes, **known)


def reference_key(spec: GeneratorSpec, key: str) -> str:
    """The reference's name of a tensor of ours.

    A ResNet is one list of layers there, `blocks.0.body.1.weight` being `model.10.conv_block.1.weight`.
    In a U-Net each level holds the next: of level n in `model.model.1`, n times `.model.3`, are
    `.model.1` its down convolution, `.2` the norm, `.3` the next level, `.5` the up convolution,
    `.6` the norm; the innermost has no `.2` and no next level, so that `.3` and `.4` end it.
    """
    part, *number, tensor = key.split(".")
    if spec.name == "resnet":
        return _resnet_key(spec, part, [int(n) for n in number if n != "body"]) + f".{tensor}"
    if part in ("first", "last"):
        return f"model.model.{0 if part == 'first' else 3}.{tensor}"
    level = int(number[0])
    short = 2 if level == spec.args["depth"] - 2 else 0
    layer = {"down": 1, "down_norm": 2, "up": 5 - short, "up_norm": 6 - short}[part]
    return f"model.model.1{'.model.3' * level}.model.{layer}.{tensor}"


def _resnet_key(spec: GeneratorSpec, part: str, number: list[int]) -> str:
    if part == "blocks":
        block, layer = number
        gap = 1 if layer > 4 and not spec.args["dropout"] else 0  # we hold a dropout that may do nothing
        return f"model.{10 + block}.conv_block.{layer - gap}"
    return f"model.{number[0] + (10 + spec.args['depth'] if part == 'decoder' else 0)}"


def _filled(spec: GeneratorSpec, state: State) -> Generator:
    """The generator with the reference's weights, in float32."""
    with torch.device("meta"):
        network = create_generator(spec)
    expected = {reference_key(spec, key): weight for key, weight in network.state_dict().items()}
    optional = {reference_key(spec, key) for key in network.state_dict() if _may_lack(spec, key)}
    old = _old_statistics(spec, network)
    state = {key: value for key, value in state.items() if key not in old}
    _refuse_misfit(spec, state, expected, optional)
    weights = {key: _weight(key, value) for key, value in state.items()}
    for key in optional - set(state):
        weights[key] = torch.zeros_like(expected[key], device="cpu")
    network.load_state_dict(
        {key: weights[reference_key(spec, key)] for key in network.state_dict()}, assign=True
    )
    return network


def _may_lack(spec: GeneratorSpec, key: str) -> bool:
    """Batch norm's counter, younger than the format; without norms, all biases but the outermost."""
    bias = spec.args["norm"] == "none" and key.endswith(".bias") and key not in OUTERMOST_BIAS
    return bias or key.endswith(COUNTER)


def _old_statistics(spec: GeneratorSpec, network: Generator) -> set[str]:
    """The keys of running statistics, which instance norm once kept and never used."""
    norms = [name for name, module in network.named_modules() if isinstance(module, InstanceNorm)]
    statistics = ("running_mean", "running_var", COUNTER)
    return {reference_key(spec, f"{name}.{statistic}") for name in norms for statistic in statistics}


def _refuse_misfit(spec: GeneratorSpec, state: State, expected: State, optional: set[str]) -> None:
    """Name the first key, in the file's order, that is not what the generator has there."""
    seen = f"read as {_outline(spec)}"
    in_order = sorted(expected, key=lambda key: [int(number) for number in re.findall(r"\d+", key)])
    lacking = [repr(key) for key in in_order if key not in state and key not in optional]
    for key, tensor in state.items():
        if key not in expected:
            raise DataError(f"key {key!r} does not fit, {[*lacking, 'no more'][0]} is expected; {seen}")
        if tensor.shape != (shape := expected[key].shape):
            raise DataError(f"key {key!r} has shape {tuple(tensor.shape)}, not {tuple(shape)}; {seen}")
    if lacking:
        raise DataError(f"key {lacking[0]} is missing; {seen}")


def _weight(key: str, tensor: Tensor) -> Tensor:
    if key.endswith(COUNTER):
        return tensor
    weight = tensor.to(torch.float32, copy=True, memory_format=torch.contiguous_format)
    if not weight.isfinite().all():
        raise DataError(f"key {key!r} holds values that are no numbers: take the file of an earlier epoch")
    return weight
