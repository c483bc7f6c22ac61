"""How fast the loader is beside others', and what it costs a training step. Prints ratios of times measured side by side.

python scripts/bench/loader.py
"""

import argparse
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import islice
from statistics import median
import time
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from zerfoo_jax.data.loader import Loader
from zerfoo_jax.data.source import ArraySource

BATCH = 128
Timed = Callable[[], float]
"""Runs one block and returns its seconds."""


def records(size: int = 20_000) -> tuple[np.ndarray, np.ndarray]:
    """Pictures (size, 28, 28) of noise, as uint8, and class ids (size,)."""
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (size, 28, 28), np.uint8), rng.integers(0, 10, size, np.int32)


def pulling(batches: Iterator[Any], count: int) -> float:
    """Seconds per batch over `count` batches."""
    start = time.perf_counter()
    for _ in islice(batches, count):
        pass
    return (time.perf_counter() - start) / count


def torch_batches(inputs: np.ndarray, targets: np.ndarray) -> Iterator[Any]:
    """torch's DataLoader in this process, shuffled, epoch after epoch."""
    import torch
    from torch.utils.data import DataLoader, TensorDataset

    data = TensorDataset(torch.from_numpy(inputs), torch.from_numpy(targets))
    loader = DataLoader(data, BATCH, shuffle=True, num_workers=0, drop_last=True)
    while True:
        yield from loader


def grain_batches(inputs: np.ndarray, targets: np.ndarray) -> Iterator[Any]:
    """Grain's per-record pipeline in this process without threads, shuffled, epoch after epoch."""
    import grain

    records = [{"inputs": x, "targets": y} for x, y in zip(inputs, targets, strict=True)]
    data = grain.MapDataset.source(records).shuffle(seed=0).repeat().batch(BATCH)
    return iter(data.to_iter_dataset(grain.ReadOptions(num_threads=0, prefetch_buffer_size=0)))


def interleaved(timed: Sequence[Timed], repeats: int) -> list[list[float]]:
    """Each block's times, run in turns so that a busy moment of the machine meets them all; the turns' order alternates."""
    times: list[list[float]] = [[] for _ in timed]
    for turn in range(repeats):
        for i in range(len(timed)) if turn % 2 else reversed(range(len(timed))):
            times[i].append(timed[i]())
    return times


def row(what: str, value: str, goal: str) -> None:
    """One line of the table."""
    print(f"{what:<46}{value:>22}  {goal}")


def compare_throughput(repeats: int) -> None:
    """Rows: samples per second of this loader over those of torch and of Grain."""
    inputs, targets = records()
    with Loader(ArraySource(inputs, targets), BATCH) as ours:
        for name, others, blocks, goal in (
            ("torch DataLoader", torch_batches, (1000, 200), 3),
            ("grain per record", grain_batches, (1000, 20), 30),
        ):
            try:
                theirs = others(inputs, targets)
                next(theirs)
            except ImportError:
                row(f"samples/s: loader over {name}", "not installed", "")
                continue
            next(ours)
            mine, other = interleaved([partial(pulling, ours, blocks[0]), partial(pulling, theirs, blocks[1])], repeats)
            rates = [BATCH / median(times) for times in (mine, other)]
            row(f"samples/s: loader over {name}", f"{rates[0] / rates[1]:.1f} ({rates[0]:,.0f}/{rates[1]:,.0f})", f">= {goal}")


def make_step() -> tuple[Callable[[Any, Any], Any], Any]:
    """A compiled, donated step of Adam for an MLP 784-1024-1024-10, and its first state."""
    widths = (784, 1024, 1024, 10)
    keys = jax.random.split(jax.random.key(0), 3)
    params = [jax.random.normal(k, (a, b)) / a**0.5 for k, a, b in zip(keys, widths, widths[1:], strict=False)]

    def loss(params: Any, batch: Any) -> jax.Array:
        x = batch["inputs"].reshape(BATCH, 784).astype(jnp.float32) / 255
        for kernel in params[:-1]:
            x = jax.nn.relu(x @ kernel)
        return -jnp.mean(jax.nn.log_softmax(x @ params[-1])[jnp.arange(BATCH), batch["targets"]])

    optimizer = optax.adam(1e-3)

    @partial(jax.jit, donate_argnums=0)
    def step(state: Any, batch: Any) -> Any:
        params, moments = state
        updates, moments = optimizer.update(jax.grad(loss)(params, batch), moments)
        return optax.apply_updates(params, updates), moments

    return step, (params, optimizer.init(params))


def compare_step(repeats: int, steps: int = 50) -> None:
    """Row: time of a training step fed by the loader over the time of the same step on one batch that stays."""
    inputs, targets = records()
    step, state = make_step()
    box = [state]
    with Loader(ArraySource(inputs, targets), BATCH) as loader:
        constant = next(loader).batch

        def block(batches: Callable[[], Any]) -> float:
            start = time.perf_counter()
            for _ in range(steps):
                box[0] = step(box[0], batches())
            jax.block_until_ready(box[0])
            return (time.perf_counter() - start) / steps

        timed = [partial(block, lambda: next(loader).batch), partial(block, lambda: constant)]
        interleaved(timed, 2)
        fed, fixed = interleaved(timed, repeats)
    row(
        "step time: fed by the loader over a fixed batch",
        f"{median(fed) / median(fixed):.3f} ({median(fixed) * 1e3:.2f} ms)",
        "<= 1.02",
    )
    row("  the same, fastest blocks", f"{min(fed) / min(fixed):.3f} ({min(fixed) * 1e3:.2f} ms)", "<= 1.02")


def main() -> None:
    """Runs both comparisons."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=15, help="turns of each side (default 15)")
    repeats = parser.parse_args().repeats
    compare_throughput(repeats)
    compare_step(4 * repeats)


if __name__ == "__main__":
    main()
