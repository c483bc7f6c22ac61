"""The run folder: what it holds, who may write to it, and whether a config belongs to it."""

from dataclasses import dataclass
import difflib
import fcntl
import json
import os
from pathlib import Path
import platform
import subprocess
import sys
from typing import IO, Any

import jax

import zerfoo_jax
from zerfoo_jax.config.yaml import dump
from zerfoo_jax.core.errors import ConfigError
from zerfoo_jax.experiment.reading import with_paths_moved
from zerfoo_jax.experiment.schema import Experiment

FREE_SECTIONS = ("engine", "logging", "runtime")
"""Sections that do not change results; a resumed run may set them anew."""


@dataclass(frozen=True)
class RunFolder:
    """`config.yaml`, `metrics.jsonl`, TensorBoard events, `checkpoints/`, `LATEST`, `env.json`, `summary.json`, `plots/`;
    with the engine `debug`, `debug.jsonl`."""

    path: Path

    @property
    def config(self) -> Path:
        return self.path / "config.yaml"

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def metrics(self) -> Path:
        return self.path / "metrics.jsonl"

    @property
    def activity(self) -> Path:
        """What layers gave at some of the steps."""
        return self.path / "activity.jsonl"

    @property
    def summary(self) -> Path:
        return self.path / "summary.json"

    @property
    def plots(self) -> Path:
        return self.path / "plots"

    def claim(self, config: Experiment, base: Path) -> IO[str]:
        """Makes the folder this config's own and locks it for this process, until the returned file is closed. The config's
        relative paths count from `base`.

        Raises `ConfigError` where another process holds it, or where it belongs to a different config (with the difference).
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            lock = open(self.path / "run.lock", "w")  # noqa: SIM115 - held open for the whole run
        except OSError as error:
            raise ConfigError(
                f"cannot write run folder {str(self.path)!r}: {error.strerror}", fix="choose another --run"
            ) from error
        try:
            self._lock(lock)
            self._keep_config(config, base)
            write_atomically(self.path / "env.json", json.dumps(environment(), indent=2) + "\n")
        except BaseException:
            lock.close()  # which unlocks it
            raise
        return lock

    def _lock(self, file: IO[str]) -> None:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise ConfigError(
                f"run folder {str(self.path)!r} is in use by another process", fix="wait for it, or choose another --run"
            ) from error

    def _keep_config(self, config: Experiment, base: Path) -> None:
        new = resolved(with_paths_moved(config, base.resolve(), self.path.resolve()))
        if self.config.exists():
            old = self.config.read_text(errors="replace")
            difference = list(
                difflib.unified_diff(_binding(old), _binding(new), "this run folder", "the given config", n=0, lineterm="")
            )
            if difference:
                raise ConfigError(
                    f"run folder {str(self.path)!r} holds a run of a different config:\n" + "\n".join(difference),
                    fix="choose another folder with --run, or delete this one to start over",
                )
        write_atomically(self.config, new)


def resolved(config: Experiment) -> str:
    """The config with every default filled in, as YAML."""
    return dump(config.model_dump(mode="json", exclude_none=True))


def _binding(text: str) -> list[str]:
    """The lines of a resolved config that a resumed run may not change."""
    kept: list[str] = []
    free = False
    for line in text.splitlines():
        if line[:1].strip():
            free = line.split(":")[0] in FREE_SECTIONS
        if not free:
            kept.append(line)
    return kept


def existing(path: Path) -> RunFolder:
    """The folder of a run that has been started; `ConfigError` where there is none."""
    folder = RunFolder(path)
    if not folder.config.is_file():
        raise ConfigError(
            f"{str(path)!r} is not a run folder: it has no config.yaml", fix="give the folder that `zerfoo train` printed"
        )
    return folder


def write_atomically(path: Path, text: str) -> None:
    """Writes a file so that a reader, or a crash, sees the old text or the new one, never a part."""
    temporary = path.with_name(path.name + ".tmp")
    with open(temporary, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


def environment() -> dict[str, Any]:
    """What the run ran on: versions, devices, the code's revision, the random generator."""
    return {
        "zerfoo_jax": zerfoo_jax.__version__,
        "jax": jax.__version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "devices": [str(device) for device in jax.devices()],
        "revision": _revision(),
        "random_generator": str(jax.random.key_impl(jax.random.key(0))),
        "command": sys.argv,
    }


def _revision() -> str | None:
    try:
        result = subprocess.run(
            ["git", "-C", str(Path(zerfoo_jax.__file__).parent), "rev-parse", "HEAD"], capture_output=True, text=True, timeout=2
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return result.stdout.strip() or None
