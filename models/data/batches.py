"""A run's batches by step, and what every phase's own batch has in common: tensors that move together."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from models.data.order import Order, Place

Own = TypeVar("Own", bound="TensorBatch")
AnyBatch = TypeVar("AnyBatch")


@dataclass(frozen=True, slots=True)
class TensorBatch:
    """The base of a batch: a frozen dataclass whose tensors, whatever else it holds, move together."""

    def to(self: Own, device: torch.device | str, /) -> Own:
        """The same on a device."""
        return self._each(lambda tensor: tensor.to(device, non_blocking=True))

    def pin_memory(self: Own) -> Own:
        """The same in memory that a GPU reads directly; DataLoader asks for it."""
        return self._each(Tensor.pin_memory)

    def _each(self: Own, change: Callable[[Tensor], Tensor]) -> Own:
        parts: dict[str, Any] = {part.name: getattr(self, part.name) for part in fields(self)}
        return replace(self, **{n: change(p) for n, p in parts.items() if isinstance(p, Tensor)})


@dataclass(frozen=True)
class Steps(Dataset[AnyBatch], Generic[AnyBatch]):
    """A run's batches: `steps[n]` is a pure function of n. batch: of the samples at these places. size: of one batch
    on one rank. With gradients accumulated over k batches, step s of the optimizer has the batches s k to s k + k - 1.
    """

    batch: Callable[[Sequence[Place]], AnyBatch]
    order: Order
    size: int
    rank: int = 0
    ranks: int = 1

    def __getitem__(self, number: int) -> AnyBatch:
        return self.batch(self.order.batch(number, self.size, rank=self.rank, ranks=self.ranks))

    def stream(
        self, first: int, stop: int, *, workers: int = 0, pinned: bool = False
    ) -> DataLoader[AnyBatch]:
        """Batches [first, stop) in their order, made ahead by worker processes."""
        return DataLoader(
            self,
            batch_size=None,
            sampler=range(first, stop),
            num_workers=workers,
            pin_memory=pinned,
            prefetch_factor=4 if workers else None,
            worker_init_fn=leave_signals if workers else None,
        )


def leave_signals(worker: int) -> None:
    """A worker outlives the signal that stops a whole process group, so that its parent can save where it is."""
    import signal

    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, signal.SIG_IGN)
