"""How long a training step takes beside a hand-written JAX step, PyTorch, flax.nnx and Equinox. Prints ratios of times.

python scripts/bench/train_step.py            all rows; those whose other side is not installed say so
python scripts/bench/train_step.py mlp gpt    some of them
python scripts/bench/train_step.py --threads 1
"""

import argparse
from collections.abc import Callable
from functools import partial
import os
import time
from typing import Any

import jax
import jax.numpy as jnp
from models import cnn
import numpy as np
import optax
import step_others as others
from timing import Timed, ratio_row, row

from zerfoo_jax.core.layer import Layer
from zerfoo_jax.losses import cross_entropy
from zerfoo_jax.models import gpt, mlp
from zerfoo_jax.optim import adam
from zerfoo_jax.training import TrainState, make_train_step

Batch = dict[str, Any]


def threads() -> int:
    """How many threads each side has: as many as this process has processors."""
    return len(os.sched_getaffinity(0))


def our_step(model: Layer, batch: Batch, steps: int) -> Timed:
    """Blocks of our training step."""
    optimizer = adam(1e-3)
    spec = jax.ShapeDtypeStruct(batch["inputs"].shape, batch["inputs"].dtype)
    state = TrainState.create(model, optimizer, jax.random.key(0), spec)
    return block(make_train_step(model, cross_entropy, optimizer), state, jax.device_put(batch), steps)


def hand_written_step(model: Layer, batch: Batch, steps: int) -> Timed:
    """Blocks of the step a careful user would write for the same model: jitted, donated, nothing else."""
    optimizer = optax.adam(1e-3)
    params, layer_state = model.init(jax.random.key(0), jax.ShapeDtypeStruct(batch["inputs"].shape, batch["inputs"].dtype))

    @partial(jax.jit, donate_argnums=0)
    def step(state: Any, batch: Batch) -> Any:
        def loss(params: Any) -> jax.Array:
            logits, _ = model.apply(params, layer_state, batch["inputs"], key=None, train=True)
            return jnp.mean(optax.softmax_cross_entropy_with_integer_labels(logits, batch["targets"]))

        params, opt_state = state
        value, grads = jax.value_and_grad(loss)(params)
        updates, opt_state = optimizer.update(grads, opt_state, params)
        return (optax.apply_updates(params, updates), opt_state), value

    return block(step, (params, optimizer.init(params)), jax.device_put(batch), steps)


def block(step: Callable[[Any, Any], Any], state: Any, batch: Any, steps: int) -> Timed:
    """A function that runs `steps` steps and returns the seconds of one."""
    box = [state]

    def run() -> float:
        start = time.perf_counter()
        for _ in range(steps):
            box[0], value = step(box[0], batch)
        jax.block_until_ready((box[0], value))
        return (time.perf_counter() - start) / steps

    return run


def pictures(size: int, side: int) -> Batch:
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(size, side, side, 1)).astype(np.float32)
    return {"inputs": inputs, "targets": rng.integers(0, 10, size).astype(np.int32)}


def texts(size: int, length: int, vocabulary: int) -> Batch:
    tokens = np.random.default_rng(0).integers(0, vocabulary, (size, length + 1)).astype(np.int32)
    return {"inputs": tokens[:, :-1], "targets": tokens[:, 1:]}


def bench_mlp(repeats: int) -> None:
    model, batch = mlp(features=10, hidden=(512, 512)), pictures(128, 28)
    ours = our_step(model, batch, 100)
    ratio_row("MLP 784-512-512-10 b128: ours / hand-written JAX", ours, hand_written_step(model, batch, 100), repeats, 1.02)
    against_torch("MLP 784-512-512-10 b128", ours, lambda: others.torch_mlp(batch, 100, threads()), repeats, 0.90)


def bench_stack(repeats: int) -> None:
    model, batch = gpt(num_layers=24, features=128, num_heads=4), texts(4, 64, 256)
    ours, theirs = our_step(model, batch, 5), hand_written_step(model, batch, 5)
    ratio_row("24-layer transformer (Stack): ours / hand-written JAX", ours, theirs, repeats, 1.02)


def bench_cnn(repeats: int) -> None:
    batch = pictures(64, 28)
    against_torch("CNN b64", our_step(cnn(), batch, 20), lambda: others.torch_cnn(batch, 20, threads()), repeats, 0.80)


def bench_gpt(repeats: int) -> None:
    batch = texts(8, 128, 1024)
    ours = our_step(gpt(vocab_size=1024, num_layers=4, features=256, num_heads=4), batch, 3)
    against_torch("GPT 4 layers, 256 wide, 128 tokens, b8", ours, lambda: others.torch_gpt(batch, 3, threads()), repeats, 1.30)


def bench_host(repeats: int) -> None:
    """A model so small that what is measured is the host: 24 blocks, 144 parameters in the others' trees."""
    batch = {"inputs": np.ones((1, 4, 8), np.float32), "targets": np.zeros((1, 4), np.int32)}
    ours = our_step(others.tiny_stack(24), batch, 200)
    for name, make, goal in (("flax nnx.jit", others.nnx_tiny, 0.15), ("eqx.filter_jit", others.equinox_tiny, 0.30)):
        try:
            theirs = make(batch, 20, 24)
        except ImportError as error:
            row(f"host time, 24 layers: ours / {name}", f"{error.name} is not installed")
            continue
        ratio_row(f"host time, 24 layers: ours / {name}", ours, theirs, repeats, goal)


def against_torch(what: str, ours: Timed, make: Callable[[], Timed], repeats: int, goal: float) -> None:
    try:
        theirs = make()
    except ImportError:
        row(f"{what}: ours / PyTorch eager", "torch is not installed")
        return
    ratio_row(f"{what}: ours / PyTorch eager", ours, theirs, repeats, goal)


BENCHES = {"mlp": bench_mlp, "stack": bench_stack, "cnn": bench_cnn, "gpt": bench_gpt, "host": bench_host}


def main() -> None:
    """Runs the chosen comparisons."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", nargs="*", choices=[[], *BENCHES], help="which comparisons (default: all)")
    parser.add_argument("--repeats", type=int, default=15, help="turns of each side (default 15)")
    parser.add_argument("--threads", type=int, help="threads of each side (default: all processors)")
    arguments = parser.parse_args()
    if arguments.threads:  # before JAX makes its thread pool
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: arguments.threads])
    print(f"jax {jax.__version__} on {jax.devices()[0].device_kind}, {threads()} threads, median of {arguments.repeats} pairs")
    for name in arguments.rows or BENCHES:
        BENCHES[name](arguments.repeats)


if __name__ == "__main__":
    main()
