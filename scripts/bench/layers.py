"""CPU time of one thread, forward and backward, of every layer, activation and loss that torch has an equal of: ours / torch's.

Times are processor time, the least of several blocks taken in turns, so that other work on the machine changes little. Ours is
compiled (jax.jit), torch's is eager; gradients are those of the parameters and floating inputs. Goals: none above 1.5, and a
geometric mean of at most 0.9.

python scripts/bench/layers.py                       everything
python scripts/bench/layers.py --only Conv2D gelu    what begins with these names
"""

import argparse
from collections.abc import Callable
import os
from statistics import geometric_mean
import time
from typing import Any

os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
os.environ["JAX_PLATFORMS"] = "cpu"
os.environ["OMP_NUM_THREADS"] = "1"

import jax
import jax.numpy as jnp
from layer_cases import CASES, Case
import numpy as np
from timing import Timed, interleaved, row
import torch

from zerfoo_jax.layers import ACTIVATIONS, LAYERS
from zerfoo_jax.losses import LOSSES

WORST, MEAN = 1.5, 0.9
BLOCK_SECONDS = 0.02


def our_pass(case: Case) -> Callable[[], Any]:
    """Our forward and backward pass, compiled."""
    varied, fixed = case.inputs[: case.varied], tuple(map(jnp.asarray, case.inputs[case.varied :]))
    cotangent = jnp.asarray(_cotangent(jax.eval_shape(case.ours, case.params, *case.inputs).shape))

    @jax.jit
    def both(params: Any, varied: Any, fixed: Any, cotangent: Any) -> Any:
        y, pull = jax.vjp(lambda params, varied: case.ours(params, *varied, *fixed), params, varied)
        return y, pull(cotangent)

    arguments = case.params, tuple(map(jnp.asarray, varied)), fixed, cotangent
    run = both.lower(*arguments).compile()
    return lambda: jax.block_until_ready(run(*arguments))


def their_pass(case: Case) -> Callable[[], Any]:
    """Torch's forward and backward pass."""
    inputs = [torch.tensor(x, requires_grad=i < case.varied) for i, x in enumerate(case.their_inputs)]
    module = case.theirs
    leaves = inputs[: case.varied] + (list(module.parameters()) if isinstance(module, torch.nn.Module) else [])

    def forward() -> Any:
        y = module(*inputs)
        return y[0] if isinstance(y, tuple) else y

    cotangent = torch.tensor(_cotangent(tuple(forward().shape)))
    return lambda: torch.autograd.grad(forward(), leaves, cotangent)


def _cotangent(shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(9).standard_normal(shape).astype(np.float32) if shape else np.ones((), np.float32)


def block(run: Callable[[], Any]) -> Timed:
    """Blocks of as many runs as take `BLOCK_SECONDS`; gives the processor time of one."""
    for _ in range(2):  # the first run is slower
        start = time.process_time()
        run()
    runs = max(1, int(BLOCK_SECONDS / max(time.process_time() - start, 1e-6)))

    def timed() -> float:
        start = time.process_time()
        for _ in range(runs):
            run()
        return (time.process_time() - start) / runs

    return timed


def measured(kind: str, name: str, case: Case, repeats: int) -> float:
    """Prints the line of one case and returns its ratio."""
    ours, theirs = (min(times) for times in interleaved([block(our_pass(case)), block(their_pass(case))], repeats))
    value = ours / theirs
    row(f"{kind} {name}", f"{value:.2f} ({ours * 1e3:.3f}/{theirs * 1e3:.3f} ms)", "" if value <= WORST else f"> {WORST}")
    return value


def main() -> None:
    """Runs the chosen cases and sums them up."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", default=[""], help="cases whose name begins with one of these")
    parser.add_argument("--repeats", type=int, default=9, help="blocks of each side (default 9)")
    arguments = parser.parse_args()
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])  # before JAX makes its thread pool
    torch.set_num_threads(1)
    print(f"jax {jax.__version__}, torch {torch.__version__}, CPU time of one thread, least of {arguments.repeats} blocks")
    ratios = {
        f"{kind} {name}": measured(kind, name, make(), arguments.repeats)
        for kind, cases in CASES.items()
        for name, make in cases.items()
        if name.startswith(tuple(arguments.only))
    }
    if not ratios:
        parser.error(f"no case begins with {arguments.only}")
    worst = max(ratios, key=lambda name: ratios[name])
    row("geometric mean", f"{geometric_mean(ratios.values()):.3f} of {len(ratios)}", f"<= {MEAN}")
    row(f"worst: {worst}", f"{ratios[worst]:.3f}", f"<= {WORST}")
    for kind, table in (("layer", LAYERS), ("activation", ACTIVATIONS), ("loss", LOSSES)):
        timed = {name.split()[0] for name in CASES[kind]}
        print(f"not timed, {kind}: {', '.join(name for name in table if name not in timed)}")


if __name__ == "__main__":
    main()
