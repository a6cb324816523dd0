"""What every registered method keeps of the contract: its step can be captured, compiled and recomputed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from tests.images import demo
from translate.config import TrainConfig
from translate.data.datasets.samples import SampleKey
from translate.images import to_tensor
from translate.methods.registry import METHODS, find_method
from translate.methods.task import Task, TaskData
from translate.methods.trainer import StepProgress
from translate.training.memory import estimate
from translate.training.step.stepper import Stepper

SMALL: dict[str, Any] = {
    "image_size": 32,
    "batch_size": 2,
    "workers": 0,
    "device": "cpu",
    "precision": "fp32",
}
NETWORKS = {"ngf": 16, "ndf": 4, "blocks": 2, "d_layers": 2}
STEPS = 20
aten = torch.ops.aten
HOST_READS = {
    aten._local_scalar_dense.default,
    aten.item.default,
    aten.is_nonzero.default,
    aten.equal.default,
    aten.nonzero.default,
    aten.masked_select.default,
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return demo(tmp_path_factory.mktemp("contract") / "data")


def prepared(name: str, data: Path, **settings: Any) -> tuple[Task, TrainConfig, TaskData]:
    method = find_method(name)
    kind = method.config_class()
    own = {key: value for key, value in NETWORKS.items() if key in kind.__dataclass_fields__}
    c = kind(data=str(data), cache_size=0, **{**SMALL, **own, **settings})
    task = method.load_task()
    found = task.data(c)
    return task, c.replace(**found.settings), found


def new_stepper(name: str, data: Path, **settings: Any) -> tuple[Stepper, Callable[[int], dict[str, Tensor]]]:
    """A stepper, and its batches on the device, by number."""
    task, c, found = prepared(name, data, **settings)
    torch.manual_seed(0)
    count = c.batch_size * c.batches_per_step

    def batch(number: int) -> dict[str, Tensor]:
        samples = [found.train[SampleKey(number, index % len(found.train))] for index in range(count)]
        parts = {key: torch.stack([sample[key] for sample in samples]) for key in samples[0]}
        return {k: to_tensor(part) if part.dtype == torch.uint8 else part for k, part in parts.items()}

    return Stepper(task.trainer(c), c), batch


def prepare(stepper: Stepper, step: int) -> None:
    stepper.prepare(step=step, fraction=step / STEPS, rate=1 - step / (STEPS + 5))


@pytest.mark.parametrize("name", METHODS)
def test_recomputing_lowers_what_a_step_holds(name: str, data: Path) -> None:
    task, c, found = prepared(name, data, batch_size=256)  # so that activations outweigh weights
    sample = found.train[SampleKey(0, 0)]
    kept, recomputed = (
        estimate(task.trainer(c), c.replace(recompute=recompute), sample, half=False)
        for recompute in (False, True)
    )
    assert recomputed < kept


@pytest.fixture
def fresh_dynamo() -> Iterator[None]:
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


# Dynamo looks at .grad itself.
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")
@pytest.mark.usefixtures("fresh_dynamo")
@pytest.mark.parametrize("name", METHODS)
def test_a_compiler_sees_every_network_that_a_step_calls(name: str, data: Path) -> None:
    stepper, batch = new_stepper(name, data)
    seen: set[str] = set()

    def backend(network: str) -> Callable[..., Any]:
        def compile_graph(graph: torch.fx.GraphModule, inputs: Any) -> Any:
            seen.add(network)
            return graph.forward

        return compile_graph

    for network, module in stepper.trainer.networks.items():
        module.compile(backend=backend(network), dynamic=False)
    stepper.step(batch(0))
    assert seen == set(stepper.trainer.networks)


class NoHostReads(TorchDispatchMode):
    """Refuses operations whose answer the host must wait for."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        assert func not in HOST_READS, f"{func} reads a tensor on the host"
        if func in (aten.index.Tensor, aten.index_put_.default, aten.index_put.default):
            indices = [index for index in args[1] if index is not None]
            assert all(index.dtype != torch.bool for index in indices), "a mask's size is read on the host"
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("name", METHODS)
def test_no_variant_of_a_step_reads_a_tensor_on_the_host(name: str, data: Path) -> None:
    stepper, batch = new_stepper(name, data)
    variants = {}
    for step in reversed(range(STEPS)):
        progress = StepProgress(step, 0, step / STEPS)
        variants[stepper.trainer.variant(progress)] = step
    for step in variants.values():
        prepare(stepper, step)
        ready = batch(step)
        with NoHostReads():
            stepper.run(ready)


class Recorder(TorchDispatchMode):
    """Records the operations of a step, and replays them on the same storages, as a CUDA graph does."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[Any, Any, Any, Any]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        self.calls.append((func, args, kwargs or {}, out))
        return out

    @torch.no_grad()
    def replay(self) -> None:
        for func, args, kwargs, out in self.calls:
            again = func(*args, **kwargs)
            for old, new in zip(tree_leaves(out), tree_leaves(again), strict=True):
                if isinstance(old, Tensor) and old.data_ptr() != new.data_ptr():
                    old.copy_(new)


def tensors(stepper: Stepper) -> dict[str, Tensor]:
    """All that a step changes."""
    state = {**stepper.trainer.state_dict(), **stepper.ema.state_dict()}
    for name, optimizer in stepper.trainer.optimizers.items():
        for number, values in optimizer.state_dict()["state"].items():
            state |= {f"{name}.{number}.{key}": v for key, v in values.items() if isinstance(v, Tensor)}
    return state


@pytest.mark.parametrize("name", METHODS)
def test_a_recorded_step_replays_to_the_bits_of_eager_ones(name: str, data: Path) -> None:
    own = {"pool_size": 3} if name == "cyclegan" else {}
    eager, batch = new_stepper(name, data, **own)
    torch.manual_seed(1)
    for step in range(STEPS + 3):
        prepare(eager, step)
        eager.run(batch(step))

    captured, _ = new_stepper(name, data, **own)
    torch.manual_seed(1)
    static = batch(0)
    recorder = Recorder()
    for step in range(STEPS + 3):
        prepare(captured, step)
        for part, new in zip(static.values(), batch(step).values(), strict=True):
            part.copy_(new)
        if step < 2:  # the first steps make the optimizers' state
            captured.run(static)
        elif step == 2:
            with recorder:
                captured.run(static)
        else:
            recorder.replay()
    expected, found = tensors(eager), tensors(captured)
    assert expected.keys() == found.keys()
    assert [key for key, value in expected.items() if not value.equal(found[key])] == []
