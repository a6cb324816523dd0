"""The file formats of a generator outside this package: how each is written, and how it is run."""

from __future__ import annotations

import importlib.util
import io
import sys
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.export import ExportedProgram

from translate.errors import UsageError
from translate.inference.runtime.gate import changing_settings
from translate.inference.runtime.inputs import OUTPUT_NAMES
from translate.inference.runtime.tracing import suppress_output

Files = dict[str, bytes]  # the content of each file of a model, by suffix
Metadata = dict[str, str]
Run = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class ExportFormat:
    """A kind of file, and the library that runs it.

    Attributes:
        suffixes: of its files; the first is the one that a person names.
        packages: what writing and running it imports.
        extra: how this package's extra with them is called.
        convert: from a traced generator to the content of the files.
        load: from those to a function of (N, C, H, W) float32, computed in float32 or bfloat16; any
            number of threads may call it.
    """

    suffixes: tuple[str, ...]
    packages: tuple[str, ...]
    extra: str
    convert: Callable[[ExportedProgram, Metadata], Files]
    load: Callable[[Files, torch.dtype], Run]

    def missing(self) -> list[str]:
        """Return the packages that are not installed."""
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


def to_onnx(program: ExportedProgram, metadata: Metadata) -> Files:
    """Convert to one ONNX file with its weights inside, the metadata among its `metadata_props`."""
    (given,) = program.graph_signature.user_inputs
    with suppress_output(), changing_settings():
        _name_instance_norms(program)
        found = torch.onnx.export(
            program,
            input_names=[given],
            output_names=[OUTPUT_NAMES[given]],
            verbose=False,
            external_data=False,
        )
        assert found is not None
        found.model.metadata_props.update(metadata)
        return {".onnx": found.model_proto.SerializeToString()}


def _name_instance_norms(program: ExportedProgram) -> None:
    """Replace each group norm of one channel a group by an instance norm, which ONNX has a name for."""
    for node in program.graph_module.graph.nodes:
        if node.target is torch.ops.aten.group_norm.default:
            given = dict(zip(("x", "groups", "weight", "bias", "eps"), node.args, strict=False))
            own_statistics, momentum, eps = True, 0.1, given.get("eps", 1e-5)
            node.target = torch.ops.aten.instance_norm.default
            node.args = (given["x"], given.get("weight"), given.get("bias"), None, None)
            node.args += (own_statistics, momentum, eps, False)
    program.graph_module.recompile()


def load_onnx(files: Files, dtype: torch.dtype) -> Run:
    """Load ONNX Runtime on the CPU, whose arithmetic is float32 whatever is asked for."""
    with suppress_output():
        import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.enable_cpu_mem_arena = False  # it would keep the memory of the largest image
    options.intra_op_num_threads = torch.get_num_threads()
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # torch's threads need the cores
    session = onnxruntime.InferenceSession(files[".onnx"], options, providers=["CPUExecutionProvider"])

    (given,) = session.get_inputs()

    def run(x: Tensor) -> Tensor:
        return torch.from_numpy(session.run(None, {given.name: x.contiguous().numpy()})[0])

    return run


def to_openvino(program: ExportedProgram, metadata: Metadata) -> Files:
    """Convert to an IR in float32, the metadata in its `rt_info`, a dot of a name being a step into it."""
    openvino = import_openvino()
    with suppress_output(), changing_settings(), tempfile.TemporaryDirectory() as folder:
        found = openvino.convert_model(program)
        _normalize_in_place(found, openvino.opset13)
        (given,) = program.graph_signature.user_inputs
        found.inputs[0].get_tensor().set_names({given})
        found.outputs[0].get_tensor().set_names({OUTPUT_NAMES[given]})
        for key, value in metadata.items():
            found.set_rt_info(value, key.split("."))
        path = Path(folder) / "model.xml"
        openvino.save_model(found, path, compress_to_fp16=False)
        return {suffix: path.with_suffix(suffix).read_bytes() for suffix in (".xml", ".bin")}


def _normalize_in_place(model: Any, ops: Any) -> None:
    """Replace each group norm of one channel a group by a normalisation over height and width, in place.

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


def load_openvino(files: Files, dtype: torch.dtype) -> Run:
    """Load OpenVINO on the CPU; it runs one batch at a time."""
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
    lock = threading.Lock()  # a request holds the tensors of one inference

    def run(x: Tensor) -> Tensor:
        with lock:
            return torch.from_numpy(request.infer([x.contiguous().numpy()])[0].copy())

    return run


def import_openvino() -> Any:
    """Import OpenVINO without the package that reports each import and conversion to its maker."""
    reporter = "openvino_telemetry"
    with suppress_output():
        known = sys.modules.get(reporter)
        sys.modules[reporter] = None  # type: ignore[assignment]
        try:
            import openvino
        finally:
            del sys.modules[reporter]
            if known is not None:
                sys.modules[reporter] = known
    return openvino


def to_torch(program: ExportedProgram, metadata: Metadata) -> Files:
    """Convert to what `torch.export.load` reads, the metadata among its `extra_files`."""
    buffer = io.BytesIO()
    with suppress_output():
        torch.export.save(program, buffer, extra_files=dict(metadata))
    return {".pt2": buffer.getvalue()}


def load_torch(files: Files, dtype: torch.dtype) -> Run:
    """Load the graph for torch to run, in float32."""
    with suppress_output():
        module = torch.export.load(io.BytesIO(files[".pt2"])).module()

    def run(x: Tensor) -> Tensor:
        out: Tensor = module(x)
        return out

    return run


def first_line(error: Exception) -> str:
    """Return the first line of what a library's exception says."""
    return (str(error).strip() or type(error).__name__).splitlines()[0][:300]


EXPORT_FORMATS = {
    "onnx": ExportFormat((".onnx",), ("onnx", "onnxscript", "onnxruntime"), "onnx", to_onnx, load_onnx),
    "openvino": ExportFormat((".xml", ".bin"), ("openvino",), "openvino", to_openvino, load_openvino),
    "torch": ExportFormat((".pt2",), (), "", to_torch, load_torch),
}
