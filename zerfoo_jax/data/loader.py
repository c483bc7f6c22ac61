"""Batches on the device, in an order that can be resumed: one background thread stays a few batches ahead of training."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
import hashlib
from queue import SimpleQueue
import threading
from typing import Any, NamedTuple, Self
import weakref

import jax
import numpy as np

from zerfoo_jax.core.errors import ConfigError, DataError, Problem, ZerfooError
from zerfoo_jax.core.types import Batch
from zerfoo_jax.data.order import MAX_SIZE, index_batches
from zerfoo_jax.data.source import Source

Place = Callable[[dict[str, np.ndarray]], Any]
"""Puts a batch on the device or devices."""


@jax.jit
def to_device(batch: Any) -> Any:
    """`jax.device_put` on the default device, for a quarter of the host's time: a compiled call places its arguments itself."""
    return batch


class Loaded(NamedTuple):
    """A batch and where the stream stands after it."""

    step: int
    batch: Batch
    state: dict[str, Any]
    """`step`: the next step; `digest`: proof of every example index so far. Give both to a `Loader` to resume."""


class Loader:
    """Training batches of a source, endless or up to step `steps` (not counted from `start_step`).

    The order is a pure function of (seed, step): see `order.stream`. All batches have `batch_size` examples and straddle
    epochs. `digest` in the state is a SHA-256 chain over the example indices of the global batches, so two runs that have
    seen the same examples in the same order show the same digest, however often they were resumed.

    Of every global batch a process gets part `process_index` of `process_count`. `place` runs in the background thread, and
    `prefetch` batches wait on the device. Errors of the source are raised by `next`, with the step.

    Raises `ConfigError` for arguments that do not fit and `DataError` for a source without examples.

    >>> from zerfoo_jax.data.source import ArraySource
    >>> source = ArraySource(np.arange(10), np.arange(10))
    >>> with Loader(source, 4, shuffle=False, steps=3) as loader:
    ...     [loaded.batch["inputs"].tolist() for loaded in loader]
    [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 0, 1]]
    """

    def __init__(
        self,
        source: Source,
        batch_size: int,
        *,
        seed: int = 0,
        shuffle: bool = True,
        start_step: int = 0,
        steps: int | None = None,
        process_index: int = 0,
        process_count: int = 1,
        place: Place = to_device,
        prefetch: int = 2,
        digest: str = "",
    ):
        _check(source, batch_size, start_step, process_index, process_count, prefetch, digest)
        share = batch_size // process_count
        work = _Work(
            source,
            index_batches(len(source), batch_size, seed=seed, shuffle=shuffle, start=start_step, stop=steps),
            slice(process_index * share, (process_index + 1) * share),
            place,
            start_step,
            bytes.fromhex(digest),
        )
        for _ in range(prefetch):
            work.slots.put(None)
        self._work = work
        thread = threading.Thread(target=work.run, name="zerfoo-loader", daemon=True)
        # The thread knows only the work, so a forgotten Loader is collected and this stops the thread.
        self._stop = weakref.finalize(self, _stop, work, thread)
        thread.start()

    def __iter__(self) -> Iterator[Loaded]:
        return self

    def __next__(self) -> Loaded:
        if not self._stop.alive:
            raise StopIteration
        item = self._work.ready.get()
        if isinstance(item, Loaded):
            self._work.slots.put(None)
            return item
        self.close()
        raise item

    def close(self) -> None:
        """Stops the thread and waits for it; the batches that were waiting are dropped. May be called again."""
        self._stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


@dataclass
class _Work:
    """What the background thread does. A slot is taken before a batch is made and comes back when the batch is used."""

    source: Source
    indices: Iterator[np.ndarray]
    share: slice
    place: Place
    step: int
    digest: bytes
    slots: SimpleQueue[None] = field(default_factory=SimpleQueue)
    ready: SimpleQueue[Loaded | BaseException] = field(default_factory=SimpleQueue)
    stopped: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        while True:
            self.slots.get()
            if self.stopped.is_set():
                return
            try:
                self.ready.put(self.load(next(self.indices)))
            except StopIteration as end:
                self.ready.put(end)
                return
            except Exception as error:
                self.ready.put(_at_step(error, self.step))
                return

    def load(self, indices: np.ndarray) -> Loaded:
        step = self.step
        batch = self.place(self.source.batch(indices[self.share]))
        self.digest = hashlib.sha256(self.digest + indices.tobytes()).digest()
        self.step = step + 1
        return Loaded(step, batch, {"step": self.step, "digest": self.digest.hex()})


def _stop(work: _Work, thread: threading.Thread) -> None:
    work.stopped.set()
    work.slots.put(None)
    if thread is not threading.current_thread():  # garbage is collected in any thread, this one too
        thread.join(timeout=5)  # a source that hangs must not hang the program's end; the thread is a daemon


def _at_step(error: Exception, step: int) -> ZerfooError:
    if isinstance(error, ZerfooError):
        error.add_note(f"while loading the batch of step {step}")
        return error
    wrapped = DataError(f"loading the batch of step {step} failed: {type(error).__name__}: {error}")
    wrapped.__cause__ = error
    return wrapped


def _check(
    source: Source, batch_size: int, start_step: int, process_index: int, process_count: int, prefetch: int, digest: str
) -> None:
    problems = [
        Problem(f"{name} = {value!r}: should be at least {least}", name)
        for name, value, least in (
            ("batch_size", batch_size, 1),
            ("start_step", start_step, 0),
            ("process_count", process_count, 1),
            ("prefetch", prefetch, 1),
        )
        if value < least
    ]
    if process_count >= 1 and batch_size % process_count:
        problems.append(
            Problem(
                f"batch_size = {batch_size} does not divide among {process_count} processes",
                "batch_size",
                f"use a multiple of {process_count}",
            )
        )
    if process_count >= 1 and not 0 <= process_index < process_count:
        problems.append(
            Problem(f"process_index = {process_index} is not below process_count = {process_count}", "process_index")
        )
    if digest and not _is_digest(digest):
        problems.append(
            Problem(f"digest = {digest!r} is not a SHA-256 in hex", "digest", "give the digest of a Loader's state")
        )
    if problems:
        raise ConfigError(problems)
    if not 0 < len(source) <= MAX_SIZE:
        raise DataError(f"the source has {len(source)} examples, loadable are 1 to 2^40", fix="check the data's path and split")


def _is_digest(text: str) -> bool:
    return len(text) == 64 and set(text) <= set("0123456789abcdef")
