"""The checkpoints of one run: saved in the background, verified on load, falling back to an older one where one is damaged."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
import logging
import os
from pathlib import Path
import re
from threading import Thread
from types import TracebackType
from typing import Any, Literal

from zerfoo_jax.checkpoint.faults import DamagedError, UnreadableError, failing_as
from zerfoo_jax.checkpoint.files import free_name, make_folder, remove, sync, write_whole
from zerfoo_jax.checkpoint.folder import Content, open_checkpoint, read_checkpoint, verify_files, write_checkpoint
from zerfoo_jax.checkpoint.leaves import snapshot
from zerfoo_jax.checkpoint.manifest import MANIFEST, Manifest, checked_extra, checked_metrics
from zerfoo_jax.checkpoint.retention import Retention
from zerfoo_jax.core.errors import CheckpointError, Problem
from zerfoo_jax.core.types import Tree

_warn = logging.getLogger(__name__).warning
_STEP = re.compile(r"0|[1-9][0-9]{0,17}")
_LEFTOVER = re.compile(r"[0-9]+\.(tmp|removed)(-[0-9]+)?")
"""A save or a removal that a crash cut short."""


@dataclass(frozen=True)
class Restored:
    """What one checkpoint held. `tree` has the structure of the target it was restored into."""

    step: int
    tree: Tree
    extra: dict[str, Any]
    metrics: dict[str, float]


class Checkpoints:
    """The checkpoints in `directory/<step>/`, of one process that writes and any number that read.

    `save` blocks only while it copies the state to host memory; one background thread does the rest. A checkpoint gets its
    name when all of it is on the disk, so whatever has a plain number as its name was complete, and `restore` proves that it
    still is. An error in the background is raised by the next `save`, `restore`, `wait` or `close`.

    `keep_last`, `keep_best`, `monitor`, `mode`: see `Retention`. `log` receives one line per thing a person should know.

    >>> import tempfile, jax.numpy as jnp
    >>> with tempfile.TemporaryDirectory() as run, Checkpoints(Path(run, "checkpoints")) as checkpoints:
    ...     checkpoints.save(10, {"kernel": jnp.ones((2, 3))}, extra={"epoch": 1})
    ...     restored = checkpoints.restore({"kernel": jnp.zeros((2, 3))})
    >>> restored.step, float(restored.tree["kernel"].sum()), restored.extra
    (10, 6.0, {'epoch': 1})
    """

    def __init__(
        self,
        directory: str | os.PathLike[str],
        *,
        keep_last: int = 2,
        keep_best: int = 1,
        monitor: str = "",
        mode: Literal["min", "max"] = "min",
        log: Callable[[str], None] = _warn,
    ):
        self.directory = Path(directory).absolute()
        self.retention = Retention(keep_last, keep_best, monitor, mode)
        self._log = log
        self._saving: Thread | None = None
        self._error: BaseException | None = None

    def save(
        self, step: int, tree: Tree, *, extra: Mapping[str, Any] | None = None, metrics: Mapping[str, Any] | None = None
    ) -> None:
        """Saves a tree of arrays, `extra` (small JSON data) and `metrics` (numbers by name) as checkpoint `step`.

        Waits for the save before it, then for the copy to host memory; the arrays may be donated as soon as it returns. Where
        a good checkpoint of that step exists, nothing is written. Raises `CheckpointError` for what cannot be saved, and for
        what went wrong in the save before.
        """
        self.wait()
        content = Content(_checked_step(step), snapshot(tree), checked_extra(dict(extra or {})), checked_metrics(metrics or {}))
        self._saving = Thread(target=self._save, args=(content,), name=f"checkpoint-{step}")
        self._saving.start()

    def wait(self) -> None:
        """Returns when the last save is on the disk; raises `CheckpointError` if it failed."""
        if self._saving is not None:
            self._saving.join()
            self._saving = None
        error, self._error = self._error, None
        if error is not None:
            raise error

    close = wait

    def __enter__(self) -> "Checkpoints":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            self.close()
        except CheckpointError as failed:
            if error is None:
                raise
            self._log(str(failed))  # the error on its way out is the one that matters

    def steps(self) -> list[int]:
        """The steps of all checkpoints that look complete, ascending. Only `restore` looks inside them."""
        return [step for step in self._named_steps() if (self.directory / str(step) / MANIFEST).is_file()]

    def holds_any(self) -> bool:
        """Whether anything was ever saved here, damaged or not: if so, a run must not start over by itself."""
        return any(_STEP.fullmatch(name.partition(".damaged")[0]) for name in self._names())

    def latest_step(self) -> int | None:
        """The newest of `steps`, or None where there is none."""
        return max(self.steps(), default=None)

    def best_step(self) -> int | None:
        """The step with the best `monitor` metric, or None where there is none."""
        return next(iter(self.retention.best(self._metrics())), None)

    def restore(self, target: Tree, step: int | None = None, *, repair: bool = True) -> Restored:
        """The newest good checkpoint, or that of `step`, as a tree like `target`.

        `target` holds arrays or `ShapeDtypeStruct`s; each leaf is placed on its sharding where it has one. A damaged
        checkpoint is logged, renamed to `<step>.damaged` and passed over for the next older one. Without `repair` nothing in
        the folder is touched: the choice for a process that reads while another one writes.

        Raises `CheckpointError` when no checkpoint is good, and at once when a good one does not fit `target`.
        """
        self.wait()
        if repair:
            self._sweep()
        candidates = self._named_steps()[::-1] if step is None else [_checked_step(step)]
        faults: list[Problem] = []
        for candidate in candidates:
            folder = self.directory / str(candidate)
            if not os.path.lexists(folder):
                continue
            try:
                tree, manifest = read_checkpoint(folder, target)
            except (DamagedError, UnreadableError) as error:
                faults += [Problem(f"checkpoint {candidate}: {p.cause}", p.place or str(folder), p.fix) for p in error.problems]
                self._log(str(faults[-1]))
                if repair and isinstance(error, DamagedError):
                    self._try(self._put_aside, folder)
            else:
                return Restored(candidate, tree, manifest.extra, manifest.numbers())
        raise self._none_good(step, faults)

    def _none_good(self, step: int | None, faults: list[Problem]) -> CheckpointError:
        if faults:
            return CheckpointError(faults)
        damaged = sorted(name for name in self._names() if ".damaged" in name)
        if step is None and damaged:
            return CheckpointError(
                f"no good checkpoint is left, only {', '.join(damaged)}",
                place=str(self.directory),
                fix="delete the run folder to start over",
            )
        known = ", ".join(map(str, self.steps())) or "none"
        wanted = "no checkpoint" if step is None else f"no checkpoint of step {step}"
        return CheckpointError(
            f"{wanted} is in this folder", place=str(self.directory), fix=f"check the path; saved steps: {known}"
        )

    def _save(self, content: Content) -> None:
        try:
            with failing_as(CheckpointError, f"cannot save checkpoint {content.step}", self.directory):
                self._write(content)
        except BaseException as error:
            self._error = error

    def _write(self, content: Content) -> None:
        final = self.directory / str(content.step)
        make_folder(self.directory)
        self._sweep()
        if os.path.lexists(final):
            fault = _fault(final)
            if not fault:
                return
            self._log(f"checkpoint {content.step}: {fault}; saving it anew")
            self._put_aside(final)
        temporary = self.directory / f"{content.step}.tmp"
        try:
            write_checkpoint(temporary, content)
            temporary.rename(final)
        except BaseException:
            self._try(remove, temporary)
            raise
        sync(self.directory)
        write_whole(self.directory.parent / "LATEST", f"{content.step}\n")
        self._retire(content.step)

    def _retire(self, saved: int) -> None:
        """Removes what retention does not keep. What cannot be read is left for `restore` to judge."""
        metrics = self._metrics()
        for step in metrics.keys() - self.retention.kept(metrics) - {saved}:
            # Renamed first: a crash in between leaves nothing half removed under a valid name.
            doomed = self.directory / f"{step}.removed"
            (self.directory / str(step)).rename(doomed)
            remove(doomed)

    def _metrics(self) -> dict[int, dict[str, float]]:
        manifests = {step: _readable_manifest(self.directory / str(step)) for step in self._named_steps()}
        return {step: manifest.numbers() for step, manifest in manifests.items() if manifest}

    def _named_steps(self) -> list[int]:
        return sorted(int(name) for name in self._names() if _STEP.fullmatch(name))

    def _names(self) -> list[str]:
        try:
            return os.listdir(self.directory)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise CheckpointError(f"cannot list the checkpoints: {error.strerror}", place=str(self.directory)) from error

    def _sweep(self) -> None:
        for name in self._names():
            if _LEFTOVER.fullmatch(name):
                self._try(remove, self.directory / name)

    def _put_aside(self, folder: Path) -> None:
        folder.rename(free_name(folder.with_name(f"{folder.name}.damaged")))

    def _try(self, action: Callable[[Path], None], path: Path) -> None:
        """Housekeeping that must not stop a run: a failure is only logged."""
        try:
            action(path)
        except OSError as error:
            self._log(f"cannot tidy up {path}: {error.strerror}")


def _checked_step(step: int) -> int:
    if isinstance(step, bool) or not isinstance(step, int) or not 0 <= step < 10**18:
        raise CheckpointError(f"step = {step!r}: should be an integer from 0 on")
    return step


def _fault(folder: Path) -> str:
    """What is wrong with the files of a checkpoint, or nothing."""
    try:
        verify_files(folder, open_checkpoint(folder))
    except DamagedError as error:
        return error.problems[0].cause
    return ""


def _readable_manifest(folder: Path) -> Manifest | None:
    try:
        return open_checkpoint(folder)
    except (DamagedError, OSError):
        return None
