"""`vocabulary_cross_entropy` beside `reduce(cross_entropy(hidden @ kernel.T, targets))`: loss and both gradients, in float32.

python scripts/bench/vocabulary_loss.py [--tokens 2048 4096] [--features 256 768] [--repeats 3]

Three ratios for each size, one thread. `temporaries`: what XLA sets aside for the compiled call besides its arguments and
results. `peak of the call`: how far the resident size of a fresh process rises above where it was before the call, which
counts the results (the gradient of the kernel is as large as the kernel) but not the arguments; Linux only. `time`: processor
time, in turns in one process.
"""

import argparse
from collections.abc import Callable
from functools import partial
import os
from pathlib import Path
import re
import subprocess
import sys
import time
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from timing import ratio_row, row

from zerfoo_jax.losses import cross_entropy, reduce, vocabulary_cross_entropy
from zerfoo_jax.numeric.weighting import mean_of

VOCAB = 50257
Example = tuple[Any, Any, Any]


def plain(hidden: Any, kernel: Any, targets: Any) -> Any:
    """All logits at once."""
    return reduce(cross_entropy(hidden @ kernel.T, targets))


def chunked(hidden: Any, kernel: Any, targets: Any) -> Any:
    """A chunk of logits at a time."""
    return mean_of(vocabulary_cross_entropy((hidden, kernel), targets, jnp.ones(targets.shape)))


SIDES = {"chunked": chunked, "plain": plain}


def compiled(side: str, example: Example) -> Any:
    """Loss and gradients as one program."""
    return jax.jit(jax.value_and_grad(SIDES[side], (0, 1))).lower(*example).compile()


def made(tokens: int, features: int) -> Example:
    """Hidden, kernel and targets."""
    rng = np.random.default_rng(0)
    hidden = jnp.asarray(rng.standard_normal((tokens, features)), jnp.float32)
    kernel = jnp.asarray(0.05 * rng.standard_normal((VOCAB, features)), jnp.float32)
    return hidden, kernel, jnp.asarray(rng.integers(0, VOCAB, tokens), jnp.int32)


def resident(which: str) -> int:
    """Bytes of this process in memory: now (`VmRSS`) or at most (`VmHWM`)."""
    return int(re.search(rf"{which}:\s+(\d+) kB", Path("/proc/self/status").read_text())[1]) * 1024


def own_growth(side: str, tokens: int, features: int) -> int:
    """By how many bytes this process grows in a call."""
    example = made(tokens, features)
    call = compiled(side, example)
    before = resident("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the highest so far becomes the present one
    jax.block_until_ready(call(*example))
    return resident("VmHWM") - before


def growth(side: str, tokens: int, features: int) -> int:
    """The same in a process of its own."""
    command = [sys.executable, __file__, "--growth", side, "--tokens", str(tokens), "--features", str(features)]
    return int(subprocess.run(command, capture_output=True, check=True, text=True).stdout)


def timed(call: Callable[..., Any], example: Example) -> float:
    """Processor seconds of one call."""
    start = time.process_time()
    jax.block_until_ready(call(*example))
    return time.process_time() - start


def compare(tokens: int, features: int, repeats: int) -> None:
    """Three lines of the table."""
    example = made(tokens, features)
    sides = {side: compiled(side, example) for side in SIDES}
    size = f"{tokens} tokens x {features} features"
    temporaries = [sides[side].memory_analysis().temp_size_in_bytes for side in SIDES]
    peaks = [growth(side, tokens, features) for side in SIDES]
    for what, (ours, theirs) in (("temporaries", temporaries), ("peak of the call", peaks)):
        value = ours / theirs
        bytes_of_each = f"({ours / 2**20:.0f}/{theirs / 2**20:.0f} MiB)"
        row(f"{what}, {size}", f"{value:.3f} {bytes_of_each}", f"<= 0.30{'' if value <= 0.3 else '  MISSED'}")
    blocks = [partial(timed, sides[side], example) for side in SIDES]
    ratio_row(f"time, {size}", blocks[0], blocks[1], repeats, 1.0)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokens", type=int, nargs="+", default=[2048, 4096])
    parser.add_argument("--features", type=int, nargs="+", default=[256, 768])
    parser.add_argument("--repeats", type=int, default=3, help="turns of each side (default 3)")
    parser.add_argument("--growth", choices=list(SIDES), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])  # before JAX makes its thread pool
    if arguments.growth:
        print(own_growth(arguments.growth, arguments.tokens[0], arguments.features[0]))
    else:
        print(f"jax {jax.__version__} on {jax.devices()[0].device_kind}, {VOCAB} classes, median of {arguments.repeats} pairs")
        for tokens in arguments.tokens:
            for features in arguments.features:
                compare(tokens, features, arguments.repeats)
