"""Averaging gradients over processes during the backward pass. The processes are threads, joined by gloo."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch import Tensor, nn

from translate.errors import TranslateError
from translate.methods.registry import find_method
from translate.methods.trainer import StepProgress, Trainer, Update, freeze_weights
from translate.training.step import reducer
from translate.training.step.distributed import ProcessGroup
from translate.training.step.stepper import Stepper

PROCESSES = 2


class ThreadGroup(ProcessGroup):
    """A group of processes that are threads; `events` notes what happens in this one, in order."""

    def __init__(self, rank: int, store: dist.Store, objects: list[Any], barrier: threading.Barrier) -> None:
        super().__init__()
        self.rank, self.size = rank, PROCESSES
        self.gloo = dist.ProcessGroupGloo(store, rank, PROCESSES, timedelta(seconds=20))
        self.objects, self.barrier, self.events = objects, barrier, list[str]()

    def start_all_reduce(self, tensor: Tensor) -> Callable[[], None]:
        self.events.append("sent")
        work = self.gloo.allreduce([tensor])

        def wait() -> None:
            self.events.append("waited")
            work.wait()

        return wait

    def all_gather(self, value: Any) -> list[Any]:
        self.objects[self.rank] = value
        self.barrier.wait()
        values = list(self.objects)
        self.barrier.wait()
        return values


def in_processes(run: Callable[[ThreadGroup], Any]) -> list[Any]:
    """Return what `run` returns in each of the processes, by rank."""
    store, objects, barrier = dist.HashStore(), [None] * PROCESSES, threading.Barrier(PROCESSES, timeout=20)

    def run_one(rank: int) -> Any:
        try:
            return run(ThreadGroup(rank, store, objects, barrier))
        except BaseException:
            barrier.abort()
            raise

    with ThreadPoolExecutor(PROCESSES) as threads:
        return list(threads.map(run_one, range(PROCESSES)))


@pytest.fixture(autouse=True)
def _small_buckets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reducer, "BUCKET_SIZE", 100)


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch) -> threading.local:
    """Return what each process has of its own: its `group`, and its `random` numbers.

    The begin and the end of a backward pass become events of the group.
    """
    own, backward, rand = threading.local(), torch.autograd.backward, torch.rand

    def note_backward(*args: Any, **options: Any) -> None:
        own.group.events.append("begin")
        backward(*args, **options)
        own.group.events.append("end")

    monkeypatch.setattr(torch.autograd, "backward", note_backward)
    monkeypatch.setattr(torch, "rand", lambda *args, **kw: rand(*args, **kw, generator=own.random))
    return own


def sent_during_backward(events: list[str]) -> int:
    """Return how many buckets were sent between the begin and the end of a backward pass."""
    sent, inside = 0, False
    for event in events:
        inside = event == "begin" or (inside and event != "end")
        sent += inside and event == "sent"
    return sent


@pytest.mark.parametrize(
    ("method", "settings"),
    [
        ("pix2pix", {"accumulate": 2, "recompute": True, "dropout": False}),
        ("pix2pix", {"clip_grad": 0.1, "gan_loss": "wgan-gp", "norm": "instance", "dropout": False}),
        ("cyclegan", {"blocks": 1}),
        ("cyclegan", {"blocks": 1, "accumulate": 2, "gan_loss": "wgan-gp"}),
    ],
)
def test_gradients_sent_during_the_backward_pass_give_the_same_weights_bit_for_bit(
    method: str, settings: dict[str, Any], own: threading.local
) -> None:
    recipe, images = find_method(method), 2 * settings.get("accumulate", 1)
    small = {"image_size": 32, "ngf": 4, "ndf": 4, "d_layers": 2, "batch_size": images, "device": "cpu"}
    c = recipe.config_class()(**small, precision="fp32", **settings)

    def train(overlaps: bool) -> list[dict[str, Tensor]]:
        torch.manual_seed(0)
        trainer = recipe.load_task().trainer(c)
        copies = [copy.deepcopy(trainer) for _ in range(PROCESSES)]

        def run(group: ThreadGroup) -> dict[str, Tensor]:
            own.group, own.random = group, torch.Generator().manual_seed(group.rank)
            stepper = Stepper(copies[group.rank], c, group)
            stepper.update.overlaps = overlaps
            for step in range(2):
                group.events.clear()
                batch = torch.randint(256, (2, images, 3, 32, 32), dtype=torch.uint8, generator=own.random)
                stepper.step({"a": batch[0], "b": batch[1]}, steps_done=step)
                assert step == 0 or (sent_during_backward(group.events) > 2) == overlaps, group.events
            return dict(stepper.trainer.named_parameters())

        return in_processes(run)

    overlapped, separate = train(True), train(False)
    for name, weight in separate[0].items():
        for other in (overlapped[0], overlapped[1], separate[1]):
            assert other[name].equal(weight), name


class Steps(Trainer):
    """A trainer of one optimizer, whose weights get their gradients in a way that `kind` names."""

    def __init__(self, kind: str, rank: int) -> None:
        super().__init__()
        self.kind, self.rank, self.generators = kind, rank, {}
        self.a, self.b, self.unused = (nn.Linear(8, 8) for _ in range(3))
        self.optimizers = {"g": torch.optim.Adam(self.parameters(), lr=0.1)}

    def step(self, batch: dict[str, Tensor], update: Update, progress: StepProgress) -> dict[str, Tensor]:
        a, b, x = self.a, self.b, batch["x"]
        if self.kind == "two passes":
            update.accumulate("g", a(x).square().mean())
            update("g", b(x).square().mean())
        elif self.kind == "frozen":
            update.accumulate("g", b(a(x)).square().mean())
            with freeze_weights(b):
                update("g", b(a(x) + 1).square().mean())
        elif self.kind == "two updates":
            update("g", a(x).square().mean())
            update("g", b(a(x)).square().mean())
        elif self.kind == "condition":
            update("g", b(a(x)).square().mean(), when=torch.tensor(progress.step != 1))
        else:  # The processes complete the gradients in different orders.
            parts = [layer(x).square().mean() for layer in ((a, b) if self.rank else (b, a))]
            update("g", parts[0] + parts[1])
        return {}


@pytest.mark.parametrize("accumulate", [1, 2])
@pytest.mark.parametrize("kind", ["two passes", "frozen", "two updates", "condition", "order"])
def test_two_processes_train_the_weights_of_one_with_twice_the_batch_size(kind: str, accumulate: int) -> None:
    def fit(group: ProcessGroup, trainer: Steps) -> dict[str, Tensor]:
        c = config(batch_size=accumulate, accumulate=accumulate)
        stepper = Stepper(trainer.double(), c, group)
        for step in range(4):
            random = torch.Generator().manual_seed(step)
            x = torch.rand(accumulate, PROCESSES, 1, 8, dtype=torch.float64, generator=random)
            own = x[:, group.rank] if group.size > 1 else x.flatten(1, 2)
            stepper.step({"x": own.reshape(-1, 8)}, steps_done=step)
        return stepper.trainer.state_dict()

    trainers = [Steps(kind, rank) for rank in (0, 1, 0)]
    for trainer in trainers:
        trainer.load_state_dict(trainers[0].state_dict())
    processes = in_processes(lambda group: fit(group, trainers[group.rank]))
    single = fit(ProcessGroup(), trainers[2])
    for name, weight in single.items():
        torch.testing.assert_close(processes[0][name], weight, rtol=0, atol=1e-9)
        assert processes[1][name].equal(processes[0][name]), name


def test_float16_gradients_are_averaged_before_they_are_unscaled(monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = Steps("two passes", 0)

    def fit(scale: float) -> dict[str, Tensor]:
        scaler = torch.amp.GradScaler
        with monkeypatch.context() as patch:
            enabled = scale != 1
            patch.setattr(
                torch.amp, "GradScaler", lambda *_, **__: scaler("cpu", init_scale=scale, enabled=enabled)
            )

            def run(group: ThreadGroup) -> dict[str, Tensor]:
                stepper = Stepper(trainers[group.rank], config(clip_grad=0.1), group)
                for step in range(3):
                    x = torch.rand(4, 8, generator=torch.Generator().manual_seed(2 * step + group.rank))
                    stepper.step({"x": x}, steps_done=step)
                return stepper.trainer.state_dict()

            trainers = [copy.deepcopy(trainer) for _ in range(PROCESSES)]
            return in_processes(run)[1]

    plain, scaled = fit(1.0), fit(2.0**16)
    for name, weight in plain.items():
        torch.testing.assert_close(scaled[name], weight, rtol=1e-6, atol=1e-7)


def test_a_process_that_ends_during_the_backward_pass_is_an_error_with_a_remedy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def all_reduce(*_: Any, **__: Any) -> None:
        raise RuntimeError("Connection closed by peer")

    group = ProcessGroup()
    group.size = 2
    monkeypatch.setattr(group, "all_gather", lambda value: [value])
    stepper = Stepper(Steps("order", 0), config(), group)
    monkeypatch.setattr(group, "start_all_reduce", lambda tensor: lambda: None)
    stepper.step({"x": torch.rand(4, 8)})
    monkeypatch.undo()
    monkeypatch.setattr(dist, "all_reduce", all_reduce)
    with pytest.raises(TranslateError, match="--resume"):
        stepper.step({"x": torch.rand(4, 8)})


def config(**settings: Any) -> Any:
    c = find_method("pix2pix").config_class()
    return c(**{"device": "cpu", "precision": "fp32", "batch_size": 4, "ema": 0, **settings})
