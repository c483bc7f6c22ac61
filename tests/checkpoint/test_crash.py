"""A process killed while it saves loses nothing that it had called safe."""

from pathlib import Path
import random
import subprocess
import sys
from threading import Thread
import time

import pytest

from tests.support.train_states import state_at
from zerfoo_jax.checkpoint import Checkpoints, digest

KILLS = 12
SIZE = 20_000
ROOT = Path(__file__).parents[2]


def _read_steps(stream, acknowledged: list[int]) -> None:
    for line in stream:
        acknowledged.append(int(line))


def _run_and_kill(directory: Path, first: int, delay: float) -> list[int]:
    """The steps that the process called safe before SIGKILL hit it, `delay` seconds after the first of them."""
    command = [sys.executable, "-m", "tests.support.save_loop", str(directory), str(first), str(SIZE)]
    acknowledged: list[int] = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        reader = Thread(target=_read_steps, args=(process.stdout, acknowledged))
        reader.start()
        try:
            limit = time.monotonic() + 60
            while not acknowledged and process.poll() is None and time.monotonic() < limit:
                time.sleep(0.005)
            time.sleep(delay)
        finally:
            process.kill()
            reader.join()
    return acknowledged


@pytest.mark.parametrize("kill", [0, *(pytest.param(kill, marks=pytest.mark.slow) for kill in (1, 2))])
def test_a_kill_at_any_moment_of_a_save_loses_no_acknowledged_checkpoint(tmp_path, kill):
    chance = random.Random(kill)
    directory = tmp_path / "checkpoints"
    first = 1
    for _ in range(KILLS // 3):
        acknowledged = _run_and_kill(directory, first, chance.uniform(0.0, 0.4))
        assert acknowledged, "the process saved nothing"
        log: list[str] = []
        restored = Checkpoints(directory, log=log.append).restore(state_at(0, SIZE))
        # One more may have been complete without the word getting out.
        assert restored.step in (acknowledged[-1], acknowledged[-1] + 1)
        assert digest(restored.tree) == digest(state_at(restored.step, SIZE))
        assert restored.extra == {"position": restored.step * 32}
        assert log == []
        assert all(path.name.isdigit() for path in directory.iterdir())
        first = restored.step + 1
