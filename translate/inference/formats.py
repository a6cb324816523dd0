"""The file formats of a generator outside this package: how each is written, and how it is run."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import logging
import sys
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.fx.experimental._config as shapes_config
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from translate.config import ModelConfig
from translate.errors import UsageError

NAMES = {"picture": "translated", "noise": "picture"}  # an input's name, and that of its output
SMALLEST = 8  # pixels a side, the least that a network's mirrored borders work with
Files = dict[str, bytes]  # the content of each file of a model, by suffix
Facts = dict[str, str]
Run = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Format:
    """A kind of file, and the library that runs it.

    Args:
        suffixes: of its files; the first is the one that a person names.
        packages: what writing and running it imports.
        extra: how this package's extra with them is called.
        convert: from a traced generator to the content of the files.
        load: from those to a function of (N, C, H, W) float32, computed in float32 or bfloat16.
    """

    suffixes: tuple[str, ...]
    packages: tuple[str, ...]
    extra: str
    convert: Callable[[ExportedProgram, Facts], Files]
    load: Callable[[Files, torch.dtype], Run]

    def missing(self) -> list[str]:
        """The packages that are not installed."""
        return [name for name in self.packages if importlib.util.find_spec(name) is None]

    def require(self, purpose: str) -> None:
        """Refuse what needs a package that is not installed.

        Raises:
            UsageError: with the command that installs it.
        """
        if missing := self.missing():
            raise UsageError(
                f"{purpose} needs {' and '.join(missing)}: pip install 'translate-images[{self.extra}]'"
            )


class Named(nn.Module):
    """A generator under the name that exported files give its input; never the input itself."""

    def __init__(self, generator: nn.Module) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, picture: Tensor) -> Tensor:
        out: Tensor = self.generator(picture)
        return out.clone()


class NamedFromNoise(Named):
    """The same for a generator that starts from noise."""

    def forward(self, noise: Tensor) -> Tensor:
        return super().forward(noise)


def trace(generator: nn.Module, config: ModelConfig) -> ExportedProgram:
    """A generator's graph, for any batch size and all sides that are multiples of its size multiple."""
    if config.noise:
        example = torch.zeros(2, config.generator.in_channels)
        with quiet():
            named = NamedFromNoise(generator).eval()
            return torch.export.export(named, (example,), dynamic_shapes=({0: Dim("batch")},))
    multiple, channels = config.size_multiple, config.generator.in_channels
    least = smallest(multiple) // multiple
    rows, columns = (Dim(name, min=least) for name in ("rows", "columns"))
    shapes = {0: Dim("batch"), 2: multiple * rows, 3: multiple * columns}
    example = torch.zeros(2, channels, (least + 2) * multiple, (least + 3) * multiple)
    # Or a U-Net's file would refuse pictures of the smallest side, where its inmost layer has one pixel.
    with quiet(), shapes_config.patch(backed_size_oblivious=True):  # type: ignore[attr-defined]
        return torch.export.export(Named(generator).eval(), (example,), dynamic_shapes=(shapes,))


def smallest(multiple: int) -> int:
    """The least side, in pixels, that a model with this size multiple is applied to."""
    return -(-SMALLEST // multiple) * multiple


def to_onnx(program: ExportedProgram, facts: Facts) -> Files:
    """One ONNX file with its weights inside, the facts among its `metadata_props`."""
    (given,) = program.graph_signature.user_inputs
    with quiet():
        _call_instance_norms_so(program)
        found = torch.onnx.export(
            program, input_names=[given], output_names=[NAMES[given]], verbose=False, external_data=False
        )
        assert found is not None
        found.model.metadata_props.update(facts)
        return {".onnx": found.model_proto.SerializeToString()}


def _call_instance_norms_so(program: ExportedProgram) -> None:
    """Make each norm of one channel a group what it is, which ONNX has a name for, in place."""
    for node in program.graph_module.graph.nodes:
        if node.target is torch.ops.aten.group_norm.default:
            given = dict(zip(("x", "groups", "weight", "bias", "eps"), node.args, strict=False))
            own_statistics, momentum, eps = True, 0.1, given.get("eps", 1e-5)
            node.target = torch.ops.aten.instance_norm.default
            node.args = (given["x"], given.get("weight"), given.get("bias"), None, None)
            node.args += (own_statistics, momentum, eps, False)
    program.graph_module.recompile()


def run_onnx(files: Files, dtype: torch.dtype) -> Run:
    """ONNX Runtime on the CPU, whose arithmetic is float32 whatever is asked for."""
    with quiet():
        import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.enable_cpu_mem_arena = False  # which would keep the memory of the largest picture
    options.intra_op_num_threads = torch.get_num_threads()
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # torch's threads want the cores
    session = onnxruntime.InferenceSession(files[".onnx"], options, providers=["CPUExecutionProvider"])

    (given,) = session.get_inputs()

    def run(x: Tensor) -> Tensor:
        return torch.from_numpy(session.run(None, {given.name: x.contiguous().numpy()})[0])

    return run


def to_openvino(program: ExportedProgram, facts: Facts) -> Files:
    """An IR in float32, the facts in its `rt_info`, a dot of a name being a step into it."""
    openvino = import_openvino()
    with quiet(), tempfile.TemporaryDirectory() as folder:
        found = openvino.convert_model(program)
        _normalize_in_place(found, openvino.opset13)
        (given,) = program.graph_signature.user_inputs
        found.inputs[0].get_tensor().set_names({given})
        found.outputs[0].get_tensor().set_names({NAMES[given]})
        for key, value in facts.items():
            found.set_rt_info(value, key.split("."))
        path = Path(folder) / "model.xml"
        openvino.save_model(found, path, compress_to_fp16=False)
        return {suffix: path.with_suffix(suffix).read_bytes() for suffix in (".xml", ".bin")}


def _normalize_in_place(model: Any, ops: Any) -> None:
    """Make each norm of one channel a group a normalisation over height and width, in place.

    The tensors then keep the convolutions' layout in memory; and OpenVINO 2026.4 crashes when it
    compiles a ResNet's group norms for a fixed size, in float32, with a segmentation fault.
    """
    for op in model.get_ordered_ops():
        if op.get_type_name() == "GroupNormalization":
            x, weight, bias = (op.input_value(n) for n in range(3))
            out = ops.mvn(x, [2, 3], True, op.get_attributes()["epsilon"], "inside_sqrt")
            for apply, factor in ((ops.multiply, weight), (ops.add, bias)):
                out = apply(out, ops.reshape(factor, [1, -1, 1, 1], False))
            op.output(0).replace(out.output(0))


def run_openvino(files: Files, dtype: torch.dtype) -> Run:
    """OpenVINO on the CPU; one picture, or batch, at a time."""
    openvino = import_openvino()
    core = openvino.Core()
    settings = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "f32" if dtype == torch.float32 else "bf16",
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        "ENABLE_CPU_PINNING": False,  # or two processes would share one core and leave the others idle
    }
    model = core.read_model(files[".xml"], files[".bin"])
    request = core.compile_model(model, "CPU", settings).create_infer_request()
    alone = threading.Lock()

    def run(x: Tensor) -> Tensor:
        with alone:
            return torch.from_numpy(request.infer([x.contiguous().numpy()])[0].copy())

    return run


def import_openvino() -> Any:
    """OpenVINO, without the package that reports each import and conversion to its maker."""
    reporter = "openvino_telemetry"
    known = sys.modules.get(reporter)
    sys.modules[reporter] = None  # type: ignore[assignment]
    try:
        with quiet():
            import openvino
    finally:
        del sys.modules[reporter]
        if known is not None:
            sys.modules[reporter] = known
    return openvino


def to_torch(program: ExportedProgram, facts: Facts) -> Files:
    """What `torch.export.load` reads, the facts among its `extra_files`."""
    buffer = io.BytesIO()
    with quiet():
        torch.export.save(program, buffer, extra_files=dict(facts))
    return {".pt2": buffer.getvalue()}


def run_torch(files: Files, dtype: torch.dtype) -> Run:
    """The graph as torch runs it, in float32."""
    with quiet():
        module = torch.export.load(io.BytesIO(files[".pt2"])).module()

    def run(x: Tensor) -> Tensor:
        out: Tensor = module(x)
        return out

    return run


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep what a library prints, logs and warns of from the terminal; its errors still raise."""
    disabled = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)


def reason(error: Exception) -> str:
    """The first line of what a library's exception says."""
    return (str(error).strip() or type(error).__name__).splitlines()[0][:300]


FORMATS = {
    "onnx": Format((".onnx",), ("onnx", "onnxscript", "onnxruntime"), "onnx", to_onnx, run_onnx),
    "openvino": Format((".xml", ".bin"), ("openvino",), "openvino", to_openvino, run_openvino),
    "torch": Format((".pt2",), (), "", to_torch, run_torch),
}
