"""A tiny trained run, and the command line in this process or in one of its own."""

from collections.abc import Iterator
import os
from pathlib import Path
import subprocess
import sys
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from zerfoo_jax.cli.main import app
from zerfoo_jax.experiment import runtime

TINY = """
name: tiny
model:
  type: Sequential
  layers:
    - Flatten
    - {type: Dense, features: 12}
    - {type: Activation, function: tanh}
    - {type: Dense, features: 10}
data: {name: digits}
metrics: [accuracy]
optimizer: {name: adam, learning_rate: 3e-2}
train: {steps: 20, batch_size: 32, evaluate_every: 10}
logging: {every: 5}
"""


def command(*arguments: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """The `zerfoo` command in a process of its own, with a cache of its own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ZERFOO_", "XLA_FLAGS"))}
    cache = folder / "cache"
    return subprocess.run(
        [sys.executable, "-m", "zerfoo_jax.cli.main", *arguments],
        capture_output=True,
        text=True,
        cwd=folder,
        env={**kept, "JAX_PLATFORMS": "cpu", "ZERFOO_CACHE": str(cache), **environment},
        timeout=120,
    )


@pytest.fixture
def invoke(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The command in this process: fast, as JAX is there already."""
    monkeypatch.setattr(runtime, "enable_compilation_cache", lambda: None)

    def run(*arguments: Any) -> Result:
        result = CliRunner().invoke(app, list(map(str, arguments)))
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return run


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of a finished run of 20 steps on the digits. Do not write to it."""
    folder = tmp_path_factory.mktemp("tiny")
    (folder / "tiny.yaml").write_text(TINY)
    done = command("train", "tiny.yaml", folder=folder)
    assert done.returncode == 0, done.stderr
    (folder / "stdout").write_text(done.stdout)
    (folder / "stderr").write_text(done.stderr)
    yield folder / "runs" / "tiny"
