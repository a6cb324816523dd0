"""The export formats of a generator: conversion to ONNX, OpenVINO IR and torch.export, and running them."""

from __future__ import annotations

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

from translate.errors import missing_packages, require_packages
from translate.inference.runtime.inputs import OUTPUT_NAMES
from translate.inference.runtime.settings_lock import settings_write_lock
from translate.inference.runtime.signal_stack import restored_signal_stack
from translate.inference.runtime.tracing import suppress_output

Files = dict[str, bytes]  # The content of each file of an exported model, by suffix.
Metadata = dict[str, str]
Forward = Callable[..., Tensor]  # Takes the inputs of a network, in their order.


@dataclass(frozen=True)
class ExportFormat:
    """A file format, and the library that runs it.

    Attributes:
        suffixes: the suffixes of its files; the user names the file with the first.
        packages: the packages that converting and running import.
        extra: the extra of this package (`pip install 'translate-images[extra]'`) that installs them.
        convert: converts a traced generator to the content of the files.
        load: loads the files as a function of the network's inputs, (N, C, H, W) float32 and a label if it
            takes one, that computes in float32 or bfloat16; any number of threads may call it.
    """

    suffixes: tuple[str, ...]
    packages: tuple[str, ...]
    extra: str
    convert: Callable[[ExportedProgram, Metadata], Files]
    load: Callable[[Files, torch.dtype], Forward]

    def missing_packages(self) -> list[str]:
        """Return the packages that are not installed."""
        return missing_packages(*self.packages)

    def require_packages(self, purpose: str) -> None:
        """Check that all packages are installed.

        Raises:
            UsageError: one is not; the message has the command that installs it.
        """
        require_packages(self.extra, purpose, *self.packages)


def to_onnx(program: ExportedProgram, metadata: Metadata) -> Files:
    """Convert to a single ONNX file that contains the weights; the metadata go to its `metadata_props`."""
    names = input_names(program)
    with suppress_output(), settings_write_lock():
        _use_instance_norms(program)
        onnx_program = torch.onnx.export(
            program,
            input_names=names,
            output_names=[OUTPUT_NAMES[names[0]]],
            verbose=False,
            external_data=False,
        )
        assert onnx_program is not None
        onnx_program.model.metadata_props.update(metadata)
        return {".onnx": onnx_program.model_proto.SerializeToString()}


def input_names(program: ExportedProgram) -> list[str]:
    """Return the names of a program's inputs: the image or the noise, then the label if it takes one."""
    return [str(name) for name in program.graph_signature.user_inputs]


def _use_instance_norms(program: ExportedProgram) -> None:
    """Replace each group norm with one channel per group by an instance norm, which is one ONNX operator."""
    for node in program.graph_module.graph.nodes:
        if node.target is torch.ops.aten.group_norm.default:
            args = dict(zip(("x", "groups", "weight", "bias", "eps"), node.args, strict=False))
            use_input_stats, momentum, eps = True, 0.1, args.get("eps", 1e-5)
            node.target = torch.ops.aten.instance_norm.default
            node.args = (args["x"], args.get("weight"), args.get("bias"), None, None)
            node.args += (use_input_stats, momentum, eps, False)
    program.graph_module.recompile()


def load_onnx(files: Files, dtype: torch.dtype) -> Forward:
    """Load a model into ONNX Runtime on the CPU, which computes in float32 whatever `dtype` is."""
    with suppress_output():
        import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # Fatal errors only.
    options.enable_cpu_mem_arena = False  # The arena would keep the memory of the largest image.
    options.intra_op_num_threads = torch.get_num_threads()
    # Threads that spin while they wait would take the cores from torch's threads.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(files[".onnx"], options, providers=["CPUExecutionProvider"])

    names = [session_input.name for session_input in session.get_inputs()]

    def forward(*inputs: Tensor) -> Tensor:
        arrays = {name: x.contiguous().numpy() for name, x in zip(names, inputs, strict=True)}
        return torch.from_numpy(session.run(None, arrays)[0])

    return forward


def to_openvino(program: ExportedProgram, metadata: Metadata) -> Files:
    """Convert to OpenVINO IR in float32; the metadata go to its `rt_info`, nested at the dots of the keys."""
    openvino = import_openvino()
    with suppress_output(), settings_write_lock(), tempfile.TemporaryDirectory() as folder:
        model = openvino.convert_model(program)
        _replace_group_norms(model, openvino.opset13)
        names = input_names(program)
        for model_input, name in zip(model.inputs, names, strict=True):
            model_input.get_tensor().set_names({name})
        model.outputs[0].get_tensor().set_names({OUTPUT_NAMES[names[0]]})
        for key, value in metadata.items():
            model.set_rt_info(value, key.split("."))
        path = Path(folder) / "model.xml"
        openvino.save_model(model, path, compress_to_fp16=False)
        return {suffix: path.with_suffix(suffix).read_bytes() for suffix in (".xml", ".bin")}


def _replace_group_norms(model: Any, ops: Any) -> None:
    """Replace each group norm with one channel per group by OpenVINO's MVN over height and width.

    MVN keeps the memory layout of the convolutions. It also avoids a crash of OpenVINO 2026.4: compiling the
    group norms of a ResNet for a fixed size in float32 ends in a segmentation fault.
    """
    for op in model.get_ordered_ops():
        if op.get_type_name() == "GroupNormalization":
            x, weight, bias = (op.input_value(n) for n in range(3))
            out = ops.mvn(x, [2, 3], True, op.get_attributes()["epsilon"], "inside_sqrt")
            for operation, parameter in ((ops.multiply, weight), (ops.add, bias)):
                out = operation(out, ops.reshape(parameter, [1, -1, 1, 1], False))
            op.output(0).replace(out.output(0))


def load_openvino(files: Files, dtype: torch.dtype) -> Forward:
    """Load a model into OpenVINO on the CPU; concurrent calls run one after the other."""
    openvino = import_openvino()
    settings = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "f32" if dtype == torch.float32 else "bf16",
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        # With pinned threads, two processes would share the same cores and leave the others idle.
        "ENABLE_CPU_PINNING": False,
    }
    with restored_signal_stack():
        core = openvino.Core()
        model = core.read_model(files[".xml"], files[".bin"])
        request = core.compile_model(model, "CPU", settings).create_infer_request()
    lock = threading.Lock()  # An infer request holds the input and output tensors of one call.

    def forward(*inputs: Tensor) -> Tensor:
        with lock:
            return torch.from_numpy(request.infer([x.contiguous().numpy() for x in inputs])[0].copy())

    return forward


def import_openvino() -> Any:
    """Import OpenVINO without `openvino_telemetry`, which reports each import and conversion to Intel."""
    telemetry = "openvino_telemetry"
    with suppress_output():
        original = sys.modules.get(telemetry)
        sys.modules[telemetry] = None  # type: ignore[assignment]
        try:
            import openvino
        finally:
            del sys.modules[telemetry]
            if original is not None:
                sys.modules[telemetry] = original
    return openvino


def to_torch(program: ExportedProgram, metadata: Metadata) -> Files:
    """Convert to a file for `torch.export.load`; the metadata go to its `extra_files`."""
    buffer = io.BytesIO()
    with suppress_output():
        torch.export.save(program, buffer, extra_files=dict(metadata))
    return {".pt2": buffer.getvalue()}


def load_torch(files: Files, dtype: torch.dtype) -> Forward:
    """Load a torch.export program, which computes in float32 whatever `dtype` is."""
    with suppress_output():
        module = torch.export.load(io.BytesIO(files[".pt2"])).module()

    def forward(*inputs: Tensor) -> Tensor:
        out: Tensor = module(*inputs)
        return out

    return forward


def first_line(error: BaseException) -> str:
    """Return the first line of an exception's message, or its type if the message is empty."""
    return (str(error).strip() or type(error).__name__).splitlines()[0][:300]


EXPORT_FORMATS = {
    "onnx": ExportFormat((".onnx",), ("onnx", "onnxscript", "onnxruntime"), "onnx", to_onnx, load_onnx),
    "openvino": ExportFormat((".xml", ".bin"), ("openvino",), "openvino", to_openvino, load_openvino),
    "torch": ExportFormat((".pt2",), (), "", to_torch, load_torch),
}
