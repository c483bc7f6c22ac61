"""Networks from runs and model files, and on into files."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from zerfoo_jax.core.errors import ConfigError, FormatError
from zerfoo_jax.core.layer import Layer
from zerfoo_jax.core.parts import parts
from zerfoo_jax.core.sizes import size_of
from zerfoo_jax.experiment.trained import open_run
from zerfoo_jax.formats import format_to_write, load, save
from zerfoo_jax.formats.convert import Difference, compare, with_dtype
from zerfoo_jax.formats.files import progress_to
from zerfoo_jax.graph.editing import Network, quantize_network
from zerfoo_jax.layers import Quantized

CLOSE = 1e-4
"""Relative to the largest output: how far a file's outputs may be from the network's whose dtype it keeps."""

CLOSE_ON_CODES = 0.1
"""The same where inputs become codes: a number halfway between two may be rounded to either, and what follows is rounded again.
"""

LOSSY = {"dtype", "quantize", "tensor_dtype"}
"""Options of formats by which numbers are kept in fewer bits."""


@dataclass(frozen=True)
class Written:
    """A model file that has just been written."""

    path: Path
    format: str
    bytes: int
    difference: Difference | None
    """From the network's outputs, where that was asked for."""


def network_of(source: Path, *, step: int | None = None, best: bool = False, **options: Any) -> Network:
    """The network in a run folder, at its newest good checkpoint, at a step or at the best one, or in a model file.

    Options are those of reading the file's format. Raises `FormatError` and `CheckpointError` for what is damaged,
    `ConfigError` for options that do not apply.
    """
    if not source.is_dir():
        if step is not None or best:
            raise ConfigError(f"--step and --best are for run folders, {str(source)!r} is a file", fix="leave them out")
        return load(source, **options)
    if options:
        raise ConfigError(f"{', '.join(options)}: a run folder is read without options", fix="leave them out")
    trained = open_run(source, step, best)
    wired = trained.wired
    return Network(wired.model, trained.state.best_params, trained.state.state, (wired.input_spec,))


def write_network(
    network: Network,
    path: Path,
    *,
    format: str | None = None,
    dtype: str | None = None,
    quantize: Literal["int8", "int4"] | None = None,
    check: bool = False,
    progress: Callable[[int], None] | None = None,
    options: Mapping[str, Any] | None = None,
) -> Written:
    """Writes a network to a file of the named format, or of the one that the file's name says; options are those of writing it.

    `quantize` turns the weights into codes of that dtype. With `check` the file is read back and its outputs compared on random
    inputs; where all numbers are kept and they differ, `FormatError` is raised. `progress` is told of every portion written.
    """
    chosen, options = format_to_write(path, format), options or {}
    kept = network if dtype is None else with_dtype(network, dtype)
    kept = kept if quantize is None else quantize_network(kept, to=quantize, weight_only=True)
    with progress_to(progress or (lambda count: None)):
        save(kept, path, format=chosen.name, **options)
    fixed = {} if options.get("batch") is None else {"rows": options["batch"]}
    exact = dtype is None and quantize is None and not LOSSY & options.keys()
    found = _checked(network, path, exact, **fixed) if check else None
    return Written(path, chosen.name, path.stat().st_size, found)


def _checked(network: Network, path: Path, exact: bool, **fixed: int) -> Difference:
    found = compare(network, path, **fixed)
    if exact and not found.relative <= (CLOSE_ON_CODES if _rounds(network.model) else CLOSE):
        cause = f"the outputs of the file differ by {found.largest:.3g}, where the largest is {found.scale:.3g}"
        raise FormatError(cause, place=str(path), fix="report it: what was written is not what was given")
    return found


def _rounds(layer: Layer) -> bool:
    """Whether numbers become codes while the layer runs; weights that are codes already are what they are."""
    return (isinstance(layer, Quantized) and layer.activations != "float") or any(map(_rounds, parts(layer)))


def bytes_of(network: Network) -> int:
    """About how large a file of the network is to be: the bytes of its arrays."""
    return size_of((network.params, network.state)).bytes
