"""The gradient reducer: averages gradients over all processes while the backward pass still runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

from translate.training.step.distributed import ProcessGroup

BUCKET_SIZE = 2**22  # Gradient values in one all-reduce.


class GradientReducer:
    """Replaces the gradients of one optimizer's weights by their means over all processes.

    It all-reduces them in buckets, as the reducer of DistributedDataParallel does. During a backward pass
    inside `overlap`, each bucket is sent as soon as its gradients are complete.

    All processes must send the same buckets in the same order. So the first pass sends nothing before its
    end, and the order in which it completes gradients in the first process is the order of the buckets from
    then on; a bucket that is complete early waits for those before it.

    Args:
        weights: the same in all processes.
    """

    def __init__(self, weights: Sequence[Tensor], group: ProcessGroup) -> None:
        self.weights, self.group = list(weights), group
        self.buckets: list[list[Tensor]] = []
        # The buckets that were sent: their gradients, (n,), and what waits for the sum over all processes.
        self.in_flight: list[tuple[Tensor, Callable[[], None]]] = []

    @contextmanager
    def overlap(self) -> Iterator[None]:
        """Send the gradients during the backward pass inside, which must be the last one before `reduce`."""
        if self.buckets:
            unsent = _Countdown(self.buckets, self._send)
            with when_gradient_is_complete(self.weights, unsent.count):
                yield
            unsent.finish()
        else:
            order: list[Tensor] = []
            with when_gradient_is_complete(self.weights, order.append):
                yield
            self._plan(order)
            self._send_all()

    def reduce(self) -> None:
        """Wait until the gradients are their means; send them now if `overlap` has not."""
        if not self.in_flight:
            self._send_all()
        self.wait()

    def wait(self) -> None:
        """Wait for the gradients that were sent. On a GPU, its stream waits, and the host goes on."""
        for gradients, wait in self.in_flight:
            wait()
            gradients /= self.group.size
        self.in_flight.clear()

    def _plan(self, order: Sequence[Tensor]) -> None:
        """Divide the weights into buckets, in the order in which the first process completes their gradients.

        Weights without a gradient in that pass come last.
        """
        index = {weight: number for number, weight in enumerate(self.weights)}
        first = [self.weights[number] for number in self.group.all_gather([index[w] for w in order])[0]]
        others = set(self.weights).difference(first)
        self.buckets = list(_buckets([*first, *(w for w in reversed(self.weights) if w in others)]))

    def _send_all(self) -> None:
        if not self.buckets:
            self._plan([])
        for bucket in self.buckets:
            self._send(bucket)

    def _send(self, bucket: Sequence[Tensor]) -> None:
        """Start the all-reduce of a bucket; the gradients become views of the tensor that is reduced."""
        weights = [weight for weight in bucket if weight.grad is not None]
        if not weights:
            return
        gradients = weights[0].new_empty(sum(weight.numel() for weight in weights))
        views, start = [], 0
        for weight in weights:
            # In the memory format of the weight, which fused optimizers require.
            views.append(gradients.as_strided(weight.shape, weight.stride(), start))
            start += weight.numel()
        torch._foreach_copy_(views, [weight.grad for weight in weights if weight.grad is not None])
        for weight, view in zip(weights, views, strict=True):
            weight.grad = view
        self.in_flight.append((gradients, self.group.start_all_reduce(gradients)))


class _Countdown:
    """Sends buckets in their order, each once all of its gradients are complete."""

    def __init__(self, buckets: Sequence[list[Tensor]], send: Callable[[list[Tensor]], None]) -> None:
        self.buckets, self.send, self.sent = buckets, send, 0
        self.bucket_of = {weight: number for number, bucket in enumerate(buckets) for weight in bucket}
        # A weight that is frozen now may have a gradient of an earlier pass, which is complete.
        self.missing = [sum(weight.requires_grad for weight in bucket) for bucket in buckets]

    def count(self, weight: Tensor) -> None:
        """Count a weight whose gradient is complete."""
        self.missing[self.bucket_of[weight]] -= 1
        while self.sent < len(self.buckets) and not self.missing[self.sent]:
            self._send_next()

    def finish(self) -> None:
        """Send the other buckets: some of their weights got no gradient in this pass."""
        while self.sent < len(self.buckets):
            self._send_next()

    def _send_next(self) -> None:
        self.sent += 1
        self.send(self.buckets[self.sent - 1])


@contextmanager
def when_gradient_is_complete(weights: Sequence[Tensor], act: Callable[[Tensor], None]) -> Iterator[None]:
    """Call `act` with each weight during the backward pass inside, once its gradient is complete."""
    hooks = [
        weight.register_post_accumulate_grad_hook(act)  # type: ignore[no-untyped-call]
        for weight in weights
        if weight.requires_grad
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _buckets(weights: Sequence[Tensor]) -> Iterator[list[Tensor]]:
    """Yield the weights in buckets: few all-reduces, the first of which need not wait for many gradients."""
    bucket: list[Tensor] = []
    for weight in weights:
        bucket.append(weight)
        if sum(each.numel() for each in bucket) >= BUCKET_SIZE:
            yield bucket
            bucket = []
    if bucket:
        yield bucket
