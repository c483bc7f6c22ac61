"""Running `zerfoo` as a user does: as a process that can be killed."""

from collections.abc import Sequence
import json
import os
from pathlib import Path
import signal
import subprocess
import sys
import time

TINY = [
    "data.held_out=20",
    "model={name: mlp, features: 10, hidden: [16], dropout: 0.1}",
    "train.batch_size=32",
    "train.evaluate_every=40",
    "train.ema_decay=0.9",
    "logging.tensorboard=false",
    "checkpoint.every=20",
]
"""Overrides that make `digits_mlp` a run of milliseconds per step, with dropout, averaging and frequent checkpoints."""


def command(*arguments: str | Path) -> list[str]:
    """The command line of `zerfoo ...` with the interpreter that runs the tests."""
    return [sys.executable, "-c", "from zerfoo_jax.cli.main import main; main()", *map(str, arguments)]


def environment(cache: Path) -> dict[str, str]:
    """One ordinary CPU device, and a compilation cache of the tests' own."""
    return {**os.environ, "ZERFOO_CACHE": str(cache), "JAX_PLATFORMS": "cpu", "XLA_FLAGS": ""}


def start(cache: Path, *arguments: str | Path) -> subprocess.Popen[str]:
    """Starts `zerfoo ...`; its output is to be read from the pipes."""
    return subprocess.Popen(
        command(*arguments), env=environment(cache), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def zerfoo(cache: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Runs `zerfoo ...` to its end."""
    return subprocess.run(command(*arguments), env=environment(cache), capture_output=True, text=True, timeout=300)


def tiny_run(folder: Path, steps: int, extra: Sequence[str] = ()) -> list[str]:
    """The arguments that train a tiny classifier for so many steps in a folder."""
    return ["train", "digits_mlp", *TINY, f"train.steps={steps}", *extra, "--run", str(folder)]


def summary(folder: Path) -> dict[str, object]:
    """What a finished run says of itself."""
    return json.loads((folder / "summary.json").read_text())


def last_logged_step(folder: Path) -> int:
    """The last step in a run's `metrics.jsonl`, 0 before there is one."""
    try:
        return json.loads((folder / "metrics.jsonl").read_text().splitlines()[-1])["step"]
    except (OSError, IndexError, ValueError):
        return 0


def stop_at(process: subprocess.Popen[str], folder: Path, step: int, number: signal.Signals) -> tuple[str, str] | None:
    """Sends a signal once the run has logged `step`; None if the run ended before."""
    while last_logged_step(folder) < step:
        if process.poll() is not None:
            return None
        time.sleep(0.002)
    process.send_signal(number)
    return process.communicate(timeout=120)
