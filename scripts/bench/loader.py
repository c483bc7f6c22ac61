"""How fast the loader is beside others', and what it costs a training step. Prints ratios of times measured side by side.

python scripts/bench/loader.py
"""

import argparse
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from statistics import median
import time
from typing import Any

import jax
from models import cnn
import numpy as np
from timing import interleaved, ratio, row

from zerfoo_jax.core.layer import Layer
from zerfoo_jax.data.loader import Loader
from zerfoo_jax.data.source import ArraySource
from zerfoo_jax.losses import cross_entropy
from zerfoo_jax.models import mlp
from zerfoo_jax.optim import adam
from zerfoo_jax.training import TrainState, make_train_step

BATCH = 128


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


def compare_step(name: str, model: Layer, goal: str, repeats: int, steps: int) -> None:
    """Row: time of a training step fed by the loader over the time of the same step on one batch that stays."""
    inputs, targets = records(20_000)
    source = ArraySource(inputs[..., None].astype(np.float32) / 255, targets)
    optimizer = adam(1e-3)
    state = TrainState.create(model, optimizer, jax.random.key(0), jax.ShapeDtypeStruct((BATCH, 28, 28, 1), "float32"))
    step, box = make_train_step(model, cross_entropy, optimizer), [state]
    with Loader(source, BATCH) as loader:
        constant = next(loader).batch

        def block(batches: Callable[[], Any]) -> float:
            start = time.perf_counter()
            for _ in range(steps):
                box[0], values = step(box[0], batches())
            jax.block_until_ready((box[0], values))
            return (time.perf_counter() - start) / steps

        value, fed, fixed = ratio(partial(block, lambda: next(loader).batch), partial(block, lambda: constant), repeats)
    row(f"step time, {name}: fed by the loader / fixed batch", f"{value:.3f} ({fed * 1e3:.2f}/{fixed * 1e3:.2f} ms)", goal)


def main() -> None:
    """Runs both comparisons."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=15, help="turns of each side (default 15)")
    repeats = parser.parse_args().repeats
    compare_throughput(repeats)
    compare_step("CNN", cnn(), "<= 1.02", 2 * repeats, 10)
    compare_step("MLP 784-512-512-10", mlp(features=10), "(the least work to hide behind)", 4 * repeats, 50)


if __name__ == "__main__":
    main()
