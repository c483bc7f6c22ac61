"""How fast products with codes are beside float32's: weight-only and integer, by size and number of rows.

Matrices lie in memory, as those of a model do that is larger than the cache: there a row times codes of int8 takes 0.6 to 0.8
of float32's time from 1024 x 1024 on (one core of an AMD EPYC, CPU time). A single matrix that stays in a cache is read faster
than codes are decoded: there they take 1.5 to 1.9 times float32's time at 1024 x 1024, as much as float32 at 2048 x 2048, and
0.6 to 0.7 of it at 4096 x 4096, which leaves the cache again. `--together 0` measures that.

python scripts/bench/quantized.py
taskset -c 0 python scripts/bench/quantized.py --cpu-time
"""

import argparse
from collections.abc import Callable
from functools import partial
import time
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from timing import ratio_row

from zerfoo_jax.core.types import Array, Tree
from zerfoo_jax.layers import Dense, Quantized

KINDS: dict[str, dict[str, Any]] = {
    "int8 weights": {"to": "int8", "activations": "float"},
    "int4 weights, blocks of 32": {"to": "int4", "activations": "float", "block": 32},
    "int8 products": {"to": "int8", "activations": "dynamic"},
}
TOGETHER = 2**27
"""Bytes of the float32 matrices together, unless told otherwise."""


def block(run: Callable[..., Array], models: list[Tree], x: Array, clock: Callable[[], float]) -> float:
    """Seconds of one call, over all matrices in turn."""
    start = clock()
    for model in models:
        jax.block_until_ready(run(model, x))
    return (clock() - start) / len(models)


def compare(size: int, rows: int, repeats: int, together: int, clock: Callable[[], float]) -> None:
    """Rows of the table: time on codes over the time of `Dense` in float32, both over square matrices of that size.

    As in a model, there are more of them than fit into a cache, where `together` says so.
    """
    rng = np.random.default_rng(0)
    kernels = [rng.normal(size=(size, size)).astype(np.float32) for _ in range(max(1, together // (4 * size * size)))]
    x = jnp.asarray(rng.normal(size=(rows, size)), jnp.float32)
    dense = Dense(size, use_bias=False)
    plain = jax.jit(lambda params, x: dense.forward(params, x))
    theirs = partial(block, plain, [{"kernel": jnp.asarray(kernel)} for kernel in kernels], x, clock)
    for name, options in KINDS.items():
        layer = Quantized(dense, **options)
        states = [{"params": layer.encoded({"kernel": kernel}, lambda path: (None, None))} for kernel in kernels]
        run = jax.jit(lambda state, x, layer=layer: layer.apply({}, state, x)[0])
        ours = partial(block, run, jax.tree.map(jnp.asarray, states), x, clock)
        goal = 1 / 1.3 if name == "int8 weights" and rows == 1 else 1.2
        ratio_row(f"{size} x {size}, {rows} rows: {name} / float32", ours, theirs, repeats, goal)


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1024, 2048, 4096])
    parser.add_argument("--rows", type=int, nargs="+", default=[1, 2, 8, 64])
    parser.add_argument("--cpu-time", action="store_true", help="the process's own time, on a machine that others use")
    parser.add_argument("--together", type=int, default=TOGETHER, help="bytes of the float32 matrices together; 0: one matrix")
    given = parser.parse_args()
    clock = time.process_time if given.cpu_time else time.perf_counter
    for size in given.sizes:
        for rows in given.rows:
            compare(size, rows, given.repeats, given.together, clock)


if __name__ == "__main__":
    main()
