"""Import generators from the CycleGAN and pix2pix authors' PyTorch code: their checkpoints `*_net_G*.pth`.

"Reference" means that code (pytorch-CycleGAN-and-pix2pix). No other module opens a pickle, and this one only
loads tensors from it (`weights_only=True`).
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

StateDict = dict[str, Tensor]

REMEDY = "give a generator's own state_dict, such as latest_net_G.pth"
SAVE_AGAIN = "save it again with torch.save"
COUNTER = "num_batches_tracked"  # The last part of the key of a batch norm's step counter.
FIRST_LAYER = {"resnet": "model.1", "unet": "model.model.0"}
DISCRIMINATOR_KEYS = ("model.0.weight", "net.0.weight")  # The first layers of a PatchGAN and a PixelGAN.
OUTPUT_BIAS = ("decoder.7.bias", "last.bias")
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


def import_reference(path: Path | str, *, statistics: str = "running", direction: str | None = None) -> Model:
    """Import a generator checkpoint of the reference as a model.

    Architecture, width, depth, channels, norm and dropout are inferred from the keys and shapes of the state
    dict; the dropout of a U-Net leaves no trace there. A generator of 1 -> 2 channels is the reference's
    colorization in Lab.

    Args:
        statistics: the statistics that batch norm uses in inference: `running` for the running statistics of
            training, as the reference's test script with `--eval`, or `picture` for each image's own, as
            without `--eval`.
        direction: `AtoB` or `BtoA`; None infers it from the file's name: `BtoA` for `*_net_G_B.pth`.

    Raises:
        UsageError: the file cannot be read.
        DataError: it is damaged, or not a generator of the reference; the message names the first key that
            does not fit.
    """
    path = Path(path)
    direction = direction or ("BtoA" if path.name.endswith("_net_G_B.pth") else "AtoB")
    content = read_checkpoint(path)
    try:
        state = _check_state_dict(content, path.stat().st_size)
        network = _load_generator(infer_spec(state), state)
    except TranslateError as error:
        raise DataError(f"cannot import {path}: {error}") from None
    config = _create_config(network, direction, statistics, path.name)
    return Model(config, {direction: network}).requires_grad_(False)


def describe(config: ModelConfig) -> str:
    """Describe an imported model: `ResNet, 9 blocks, 64 channels, instance norm, 3 -> 3 channels`."""
    color = " (Lab)" if config.color == "Lab" else ""
    statistics = f", {LABELS[config.statistics]}" if config.generator.args["norm"] == "batch" else ""
    return _describe_generator(config.generator) + color + statistics


def _describe_generator(spec: GeneratorSpec) -> str:
    args = spec.args
    architecture = LABELS[spec.name].format(args["depth"])
    dropout = ", dropout" if args["dropout"] else ""
    channels = f"{args['in_channels']} -> {args['out_channels']} channels"
    return f"{architecture}, {args['width']} channels, {LABELS[args['norm']]}{dropout}, {channels}"


def read_checkpoint(path: Path) -> Any:
    """Read a `.pth` file that contains only tensors, nested in dicts and lists.

    Raises:
        UsageError: the file cannot be opened.
        DataError: it is empty or damaged, or contains other objects than tensors.
    """
    try:
        with path.open("rb") as file:
            is_empty = not file.read(1)
    except OSError as error:
        raise UsageError(f"cannot read {str(path)!r}: {error.strerror}; {REMEDY}") from None
    if is_empty:
        raise DataError(f"{path} is empty: copy or download it again")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch warns about old file formats, which it can read.
            _refuse_compression(path)
            return torch.load(path, weights_only=True, map_location="cpu")
    except Exception:  # torch raises exceptions of many types for a damaged or malicious file.
        reason = "it is damaged, or contains other objects than tensors, which could run code"
        raise DataError(f"cannot import {path}: {reason}; {REMEDY}") from None


def _refuse_compression(path: Path) -> None:
    """Refuse a zip archive with compressed members: torch never writes one, and it may be a zip bomb."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            if any(member.compress_type != zipfile.ZIP_STORED for member in archive.infolist()):
                raise zipfile.BadZipFile("compressed")


def _check_state_dict(content: Any, size: int) -> StateDict:
    """Check that a checkpoint of `size` bytes is a state dict; return it without DataParallel's `module.`."""
    if not isinstance(content, dict):
        raise DataError(f"it holds a {type(content).__name__}, not a dict of tensors; {REMEDY}")
    if "param_groups" in content:
        raise DataError(f"it is an optimizer's state (key 'param_groups'); {REMEDY}")
    for key, value in content.items():
        if not (isinstance(key, str) and isinstance(value, Tensor)):
            raise DataError(f"key {key!r} holds a {type(value).__name__}, not a tensor; {REMEDY}")
        if value.layout != torch.strided or value.is_meta or not _has_right_dtype(key, value):
            raise DataError(f"key {key!r} holds {value.dtype}, not dense floating-point numbers; {REMEDY}")
    if sum(value.nbytes for value in content.values()) > size:
        raise DataError("its tensors are larger than the file (views or repeated storage): " + SAVE_AGAIN)
    parallel = all(key.startswith("module.") for key in content)
    return {key.removeprefix("module.") if parallel else key: value for key, value in content.items()}


def _has_right_dtype(key: str, tensor: Tensor) -> bool:
    return tensor.dtype == torch.int64 if key.endswith(COUNTER) else tensor.is_floating_point()


def infer_spec(state: StateDict) -> GeneratorSpec:
    """Infer the generator's architecture and arguments from a reference state dict.

    The reference's convolutions have a bias before instance norm and none before batch norm, which tells the
    norms apart. Running statistics do not: instance norm has them in old files, too.

    Raises:
        DataError: it is not the state dict of a generator.
        UsageError: the generator is larger than ours can be.
    """
    name = _infer_architecture(state)
    if name == "resnet":
        depth = len({key.split(".")[1] for key in state if ".conv_block." in key})
        norm, last, out_axis = "model.2", f"model.{depth + 17}", 0
    else:
        depth = 1 + max(key.count(".model.3") for key in state)
        norm, last, out_axis = "model.model.1.model.2", "model.model.3", 1
    first = FIRST_LAYER[name]
    width, in_channels = state[f"{first}.weight"].shape[:2]
    arguments = {
        "in_channels": in_channels,
        "out_channels": state[f"{last}.weight"].shape[out_axis] if _is_convolution(state, last) else 3,
        "width": width,
        "depth": depth,
        "norm": NORMS[f"{first}.bias" in state, f"{norm}.weight" in state],
        "dropout": _is_convolution(state, "model.10.conv_block.6"),
        "upsample": "deconv",
    }
    return generator_spec(name, arguments)


def _is_convolution(state: StateDict, layer: str) -> bool:
    return f"{layer}.weight" in state and state[f"{layer}.weight"].ndim == 4


def _infer_architecture(state: StateDict) -> str:
    for name, layer in FIRST_LAYER.items():
        if _is_convolution(state, layer):
            return name
    for key in DISCRIMINATOR_KEYS:
        if key in state:
            raise DataError(f"it is a discriminator (key {key!r}); {REMEDY}")
    expected = " or ".join(f"'{layer}.weight'" for layer in FIRST_LAYER.values())
    content = f"its first key is {next(iter(state))!r}" if state else "it is empty"
    raise DataError(f"{content}, but a generator has a convolution {expected}; {REMEDY}")


def _create_config(network: Generator, direction: str, statistics: str, file_name: str) -> ModelConfig:
    """Create the config of a model with one generator; 1 -> 2 channels predict a and b of Lab from L."""
    args = network.spec.args
    settings: dict[str, Any] = {
        "generator": network.spec,
        "in_channels": args["in_channels"],
        "out_channels": args["out_channels"],
        "statistics": statistics if args["norm"] == "batch" else "picture",
        "size_multiple": network.size_multiple,
        "trained_on": {"imported_from": file_name},
    }
    if (args["in_channels"], args["out_channels"]) == (1, 2):
        routes = {"colorize": Route(source="gray", target="color", generator=direction)}
        domains = ["gray", "color"]
        return ColorizationModelConfig(
            kind="colorization", domains=domains, routes=routes, color="Lab", **settings
        )
    source, _, target = direction.partition("to")
    routes = {direction: Route(source=source, target=target, generator=direction)}
    return ModelConfig(domains=["A", "B"], routes=routes, **settings)


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
    if part == "blocks":
        block, layer = number
        shift = 1 if layer > 4 and not spec.args["dropout"] else 0  # Our blocks always have a dropout layer.
        return f"model.{10 + block}.conv_block.{layer - shift}"
    return f"model.{number[0] + (10 + spec.args['depth'] if part == 'decoder' else 0)}"


def _load_generator(spec: GeneratorSpec, state: StateDict) -> Generator:
    """Create a generator and load the reference's weights into it, in float32."""
    with torch.device("meta"):
        network = create_generator(spec)
    expected = {reference_key(spec, key): weight for key, weight in network.state_dict().items()}
    optional = {reference_key(spec, key) for key in network.state_dict() if _is_optional(spec, key)}
    unused = _unused_statistics(spec, network)
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


def _check_keys_and_shapes(
    spec: GeneratorSpec, state: StateDict, expected: StateDict, optional: set[str]
) -> None:
    """Check a state dict against the generator's; report the first key that differs, in the file's order."""
    generator = f"a {_describe_generator(spec)}"
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
