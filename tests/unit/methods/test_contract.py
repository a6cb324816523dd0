"""The step of every registered method can be captured as a graph, compiled and recomputed.

`test_graph.py` captures and replays them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from tests.images import demo, training_data
from tests.recorder import NoHostReads
from tests.variants import ATTENTION
from translate.config import TrainConfig
from translate.data.datasets.samples import SampleKey
from translate.images import to_tensor
from translate.methods.registry import METHODS, find_method
from translate.methods.task import Task, TaskData
from translate.methods.trainer import StepProgress, Trainer
from translate.training.memory import estimate_memory, move_to_meta
from translate.training.step.stepper import Stepper

SMALL: dict[str, Any] = {
    "image_size": 32,
    "batch_size": 2,
    "workers": 0,
    "device": "cpu",
    "precision": "fp32",
}
NETWORKS = {"ngf": 16, "ndf": 4, "blocks": 2, "d_layers": 2, "fmap_base": 64, "fmap_max": 8}
STEPS = 20
VARIANTS = [*((name, {}) for name in METHODS), ("inpaint", ATTENTION)]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return demo(tmp_path_factory.mktemp("contract") / "data")


def load_task(name: str, data: Path, **settings: Any) -> tuple[Task, TrainConfig, TaskData]:
    """Return the task of a method, its config, and its dataset."""
    method = find_method(name)
    config_class = method.config_class()
    own = {key: value for key, value in NETWORKS.items() if key in config_class.__dataclass_fields__}
    c = config_class(data=str(training_data(name, data)), cache_size=0, **{**SMALL, **own, **settings})
    task = method.load_task()
    task_data = task.data(c)
    return task, c.replace(**task_data.settings), task_data


def new_stepper(name: str, data: Path, **settings: Any) -> tuple[Stepper, Callable[[int], dict[str, Tensor]]]:
    """Return a stepper, and a function that returns its batch of a step, on the device."""
    task, c, task_data = load_task(name, data, **settings)
    torch.manual_seed(0)

    def batch(number: int) -> dict[str, Tensor]:
        stage = c.replace(**task.settings_at(c, StepProgress(number, 0, number / STEPS)))
        images = task_data.train if stage == c else task.data(stage).train
        count = stage.batch_size * stage.batches_per_step
        samples = [images[SampleKey(number, index % len(images))] for index in range(count)]
        tensors = {name: torch.stack([sample[name] for sample in samples]) for name in samples[0]}
        return {name: to_tensor(x) if x.dtype == torch.uint8 else x for name, x in tensors.items()}

    return Stepper(task.trainer(c), c), batch


def prepare(stepper: Stepper, step: int) -> None:
    stepper.prepare(steps_done=step, fraction=step / STEPS, learning_rate_factor=1 - step / (STEPS + 5))


@pytest.mark.parametrize(("name", "settings"), VARIANTS)
def test_gradient_checkpointing_lowers_the_memory_of_a_step(
    name: str, settings: dict[str, Any], data: Path
) -> None:
    # With this batch size, activations take more memory than weights.
    task, c, task_data = load_task(name, data, batch_size=256, **settings)
    sample = task_data.train[SampleKey(0, 0)]
    plain, recomputed = (
        estimate_memory(task.trainer(c), c.replace(recompute=recompute), sample, half=False)
        for recompute in (False, True)
    )
    assert recomputed < plain


@pytest.fixture
def fresh_dynamo() -> Iterator[None]:
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


# Dynamo itself reads .grad.
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")
@pytest.mark.usefixtures("fresh_dynamo")
@pytest.mark.parametrize(("name", "settings"), VARIANTS)
def test_a_step_calls_every_network_so_that_it_can_be_compiled(
    name: str, settings: dict[str, Any], data: Path
) -> None:
    stepper, batch = new_stepper(name, data, **settings)
    compiled: set[str] = set()

    def backend(network: str) -> Callable[..., Any]:
        def compile_graph(graph: torch.fx.GraphModule, inputs: Any) -> Any:
            compiled.add(network)
            return graph.forward

        return compile_graph

    for network, module in stepper.trainer.networks.items():
        module.compile(backend=backend(network), dynamic=False)
    stepper.step(batch(0))
    assert compiled == set(stepper.trainer.networks)


@pytest.mark.parametrize(("name", "settings"), VARIANTS)
def test_no_variant_of_a_step_reads_a_tensor_on_the_host(
    name: str, settings: dict[str, Any], data: Path
) -> None:
    stepper, batch = new_stepper(name, data, **settings)
    variants = {}
    for step in reversed(range(STEPS)):
        progress = StepProgress(step, 0, step / STEPS)
        variants[stepper.trainer.variant(progress)] = step
    for step in variants.values():
        prepare(stepper, step)
        images = batch(step)
        with NoHostReads():
            stepper.run(images)


class NoHostTensors(TorchDispatchMode):
    """A dispatch mode that refuses tensors on the CPU: a CUDA graph would not see them change."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        for leaf in tree_leaves((args, kwargs)):
            assert not isinstance(leaf, Tensor) or leaf.device.type == "meta", f"{func} reads a host tensor"
        return func(*args, **(kwargs or {}))


class NoHostData(TorchFunctionMode):
    """A mode that refuses tensors made of Python values, which a CUDA graph cannot copy to the device."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        from_values = (torch.tensor, torch.as_tensor, torch.from_numpy, torch.asarray, Tensor.new_tensor)
        assert func not in from_values, f"{func} copies from the host"
        return func(*args, **(kwargs or {}))


class Gradients:
    """An `update` that computes gradients only."""

    def __init__(self, trainer: Trainer) -> None:
        self.trainer = trainer

    def __call__(self, name: str, loss: Tensor, *, when: Tensor | None = None) -> None:
        self.accumulate(name, loss)

    def accumulate(self, name: str, loss: Tensor) -> None:
        groups = self.trainer.optimizers[name].param_groups
        weights = [weight for group in groups for weight in group["params"] if weight.requires_grad]
        torch.autograd.backward(loss, inputs=weights)


@pytest.mark.parametrize(("name", "settings"), VARIANTS)
def test_a_step_uses_tensors_of_its_device_only(name: str, settings: dict[str, Any], data: Path) -> None:
    task, c, task_data = load_task(name, data, **settings)
    trainer = task.trainer(c)
    move_to_meta(trainer)
    meta = {"device": "meta"}
    batch = {
        part: torch.empty(
            c.batch_size * c.batches_per_step,
            *tensor.shape,
            dtype=torch.float32 if tensor.dtype == torch.uint8 else tensor.dtype,
            **meta,
        )
        for part, tensor in task_data.train[SampleKey(0, 0)].items()
    }
    progress = StepProgress.on(torch.device("meta"))
    trainer.step(batch, Gradients(trainer), progress)  # Constants may be copied, and kept, before a capture.
    with NoHostTensors(), NoHostData():
        trainer.step(batch, Gradients(trainer), progress)
