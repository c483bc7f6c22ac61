"""The floors and doors of the house, as pyproject.toml states them: kept here, and able to be broken."""

import os
from pathlib import Path
import shutil
import subprocess
import sys

import pytest

ROOT = Path(__file__).parents[2]

pytest.importorskip("importlinter", reason="the dev extra is not installed")

LINT = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"


def lint(folder: Path) -> tuple[int, str]:
    """Runs the contracts of the pyproject.toml in a folder over the package beside it."""
    done = subprocess.run(
        [sys.executable, "-c", LINT],
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder), "COLUMNS": "200"},
        timeout=120,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The package and its contracts, to be spoilt."""
    shutil.copytree(ROOT / "zerfoo_jax", tmp_path / "zerfoo_jax", ignore=shutil.ignore_patterns("__pycache__", "packaged"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_every_contract_is_kept() -> None:
    code, report = lint(ROOT)
    assert code == 0, report
    assert "0 broken" in report


# A line, where it is planted, and the contract and the import that must be named.
PLANTED = [
    ("import zerfoo_jax.cli", "layers/dense.py", "Floors", "zerfoo_jax.layers.dense -> zerfoo_jax.cli"),
    ("import zerfoo_jax.losses", "layers/stitch.py", "Floors", "zerfoo_jax.layers.stitch -> zerfoo_jax.losses"),
    ("import zerfoo_jax.data", "models/mlp.py", "Floors", "zerfoo_jax.models.mlp -> zerfoo_jax.data"),
    ("import zerfoo_jax.inference", "training/state.py", "Floors", "zerfoo_jax.training.state -> zerfoo_jax.inference"),
    ("import zerfoo_jax.numeric", "config/load.py", "Floors", "zerfoo_jax.config.load -> zerfoo_jax.numeric"),
    ("import optax", "experiment/wiring.py", "optax", "zerfoo_jax.experiment.wiring -> optax"),
    ("import orbax.checkpoint", "experiment/train.py", "orbax", "zerfoo_jax.experiment.train -> orbax"),
    ("import yaml", "graph/spec.py", "yaml", "zerfoo_jax.graph.spec -> yaml"),
    ("import typer", "experiment/train.py", "typer", "zerfoo_jax.experiment.train -> typer"),
    ("import rich", "training/step.py", "rich", "zerfoo_jax.training.step -> rich"),
    ("import matplotlib", "metrics/base.py", "matplotlib", "zerfoo_jax.metrics.base -> matplotlib"),
    ("import tensorboardX", "cli/train.py", "tensorboardX", "zerfoo_jax.cli.train -> tensorboardX"),
    ("import PIL", "cli/plot.py", "Pillow", "zerfoo_jax.cli.plot -> PIL"),
    ("import torch", "core/types.py", "oracle", "zerfoo_jax.core.types -> torch"),
]


def test_every_planted_import_is_found(copy: Path) -> None:
    for line, place, _, _ in PLANTED:
        path = copy / "zerfoo_jax" / place
        path.write_text(f"{path.read_text()}\n{line}\n")
    code, report = lint(copy)
    assert code != 0
    words = " ".join(report.split())
    for _, _, contract, found in PLANTED:
        assert found in words, report
        assert any(contract in status for status in report.splitlines() if "BROKEN" in status), report


def test_a_room_without_a_floor_is_found(copy: Path) -> None:
    (copy / "zerfoo_jax" / "attic").mkdir()
    (copy / "zerfoo_jax" / "attic" / "__init__.py").write_text('"""Nobody knows."""\n')
    code, report = lint(copy)
    assert code != 0
    assert "attic" in report
