"""Model files: ZMF, safetensors, ONNX, LOOM, go-metal, Flax and StableHLO, read into a `Network` and written from one.

`load("model.onnx")` and `save(network, "model.zmf")` go by the file's name and content; `FORMATS` lists what there is. Files
are untrusted: what is wrong with one is a `FormatError` that says where, before anything is allocated for what it claims. No
format knows another: what they share is `Network` and, for those made of operators, `formats.operators`.
"""

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from zerfoo_jax.core.errors import ConfigError, FormatError, nearest
from zerfoo_jax.formats import go_metal, onnx, safetensors, stablehlo, zmf
from zerfoo_jax.formats.files import read_head
from zerfoo_jax.formats.foreign import foreign
from zerfoo_jax.formats.format import Format as Format
from zerfoo_jax.formats.format import by_extension
from zerfoo_jax.formats.loom import bundle, entity, wire
from zerfoo_jax.formats.summary import Summary as Summary
from zerfoo_jax.graph.editing.network import Network

FORMATS: dict[str, Format] = {
    "entity": Format("entity", "LOOM's second generation, binary", (".entity",), entity, entity.recognises),
    "go_metal": Format("go_metal", "go-metal's checkpoints, to read", (".gometal.json",), go_metal, go_metal.recognises),
    "loom": Format("loom", "LOOM's first generation: bundles", (".bundle.json", ".loom"), bundle, bundle.recognises),
    "loom_wire": Format("loom_wire", "LOOM's second generation as JSON", (".wire.json",), wire, wire.recognises),
    "onnx": Format("onnx", "operators of the ONNX specification", (".onnx",), onnx),
    "safetensors": Format(
        "safetensors", "tensors by name", (".safetensors", ".safetensors.index.json"), safetensors, safetensors.recognises
    ),
    "stablehlo": Format("stablehlo", "a network's evaluation, to run without its code", (".stablehlo",), stablehlo),
    "zmf": Format("zmf", "any model without loss, or operators as Zerfoo and ZONNX write them", (".zmf",), zmf),
}
"""What a model's file may be, by name."""


def detect(path: str | Path) -> Format:
    """The format of an existing file, by its content where that is unmistakable, else by its name.

    Raises `FormatError` for a file that is missing or of no known format.
    """
    path = Path(path)
    head = read_head(path)
    recognised = _recognised(head)
    other = None if recognised else foreign(head)
    if other is not None:
        raise FormatError(f"this is no model file but {other[0]}", place=str(path), fix=other[1])
    found = recognised or by_extension(path, FORMATS)
    if found is None:
        raise FormatError("this is no model file of a known format", place=str(path), fix=nearest(path.suffix, _extensions()))
    return found


def detect_if_known(path: Path) -> Format | None:
    """As `detect`, but None for a file of another kind."""
    return _recognised(read_head(path)) or by_extension(path, FORMATS)


def _recognised(head: bytes) -> Format | None:
    return next((one for one in FORMATS.values() if one.recognises(head)), None)


def format_to_write(path: str | Path, name: str | None = None) -> Format:
    """The format that a new file is to have: the one named, or the one that its name says."""
    if name is not None and name not in FORMATS:
        raise ConfigError(f"unknown format {name!r}", place="format", fix=nearest(name, FORMATS))
    found = FORMATS[name] if name else by_extension(Path(path), FORMATS)
    if found is None:
        raise ConfigError(f"{Path(path).name!r} does not say what format it is to have", fix=nearest("", _extensions()))
    return found


def load(path: str | Path, **options: Any) -> Network:
    """The model in a file, with its parameters; options are those of the format's `read`."""
    return detect(path).call("read", Path(path), **options)


def save(network: Network, path: str | Path, *, format: str | None = None, **options: Any) -> None:
    """Writes a model to a file, in the named format or the one that the file's name says."""
    format_to_write(path, format).call("write", network, Path(path), **options)


def to_bytes(network: Network, format: str, **options: Any) -> bytes:
    """The bytes of the file that `save` writes in this format.

    Raises `ConfigError` for what takes several files.
    """
    with TemporaryDirectory() as folder:
        path = Path(folder, f"model{format_to_write('', format).extensions[0]}")
        save(network, path, format=format, **options)
        if len(list(path.parent.iterdir())) > 1:
            raise ConfigError("the model takes several files", place="format", fix="save it into a folder")
        return path.read_bytes()


def from_bytes(data: bytes | memoryview, format: str | None = None, **options: Any) -> Network:
    """The model in the bytes of a file, as `load` reads it; formats that do not say what they are have to be named.

    >>> import jax
    >>> from zerfoo_jax.layers import Dense
    >>> network = Network.new(Dense(3), jax.random.key(0), jax.ShapeDtypeStruct((1, 2), "float32"))
    >>> from_bytes(to_bytes(network, "zmf"), "zmf").model == network.model
    True
    """
    with TemporaryDirectory() as folder:
        path = Path(folder, "bytes" if format is None else f"bytes{format_to_write('', format).extensions[0]}")
        path.write_bytes(data)
        try:
            found = detect(path) if format is None else FORMATS[format]
            return found.call("read", path, **options)
        except FormatError as error:
            problems = (replace(problem, place=problem.place.replace(str(path), "<bytes>")) for problem in error.problems)
            raise FormatError(list(problems)) from error


def summarize(path: str | Path) -> Summary:
    """What is in a file, without building anything of it."""
    return detect(path).call("summarize", Path(path))


def _extensions() -> list[str]:
    return sorted({extension for one in FORMATS.values() for extension in one.extensions})
