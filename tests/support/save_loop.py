"""Saves `state_at(step)` for step 1, 2, 3, ... into the folder of the first argument, telling each step that is safe on stdout.

Run as a process that a test kills. The second argument is the first step, the third the state's size.
"""

import sys

from tests.support.train_states import state_at
from zerfoo_jax.checkpoint import Checkpoints


def main(directory: str, first: int, size: int) -> None:
    checkpoints = Checkpoints(directory)
    step = first
    while True:
        checkpoints.save(step, state_at(step, size), extra={"position": step * 32})
        checkpoints.wait()
        print(step, flush=True)
        step += 1


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
