"""safetensors files (https://github.com/huggingface/safetensors): arrays by name, and networks as such arrays.

`read_tensors` and `write_tensors` are about arrays, `read` and `write` about a `Network`.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from annotated_types import Gt

from zerfoo_jax.core.errors import FormatError
from zerfoo_jax.formats.safetensors.conversion import SCALE, restore_tensors
from zerfoo_jax.formats.safetensors.conversion import convert_tensors as convert_tensors
from zerfoo_jax.formats.safetensors.header import LENGTH
from zerfoo_jax.formats.safetensors.hub import from_hub
from zerfoo_jax.formats.safetensors.loom import Compatibility
from zerfoo_jax.formats.safetensors.network import INPUTS, MODEL, described, network_of, network_tensors, nodes
from zerfoo_jax.formats.safetensors.tensors import Tensors as Tensors
from zerfoo_jax.formats.safetensors.tensors import from_bytes as from_bytes
from zerfoo_jax.formats.safetensors.tensors import load_tensors as load_tensors
from zerfoo_jax.formats.safetensors.tensors import read_tensors as read_tensors
from zerfoo_jax.formats.safetensors.writing import to_bytes as to_bytes
from zerfoo_jax.formats.safetensors.writing import write_tensors as write_tensors
from zerfoo_jax.formats.structure import infer_structure
from zerfoo_jax.formats.summary import Summary, TensorSummary
from zerfoo_jax.graph.editing.network import Network

Bytes = Annotated[int, Gt(0)]
"""Of a file, which may be larger than what 32 bits count."""


def recognises(head: bytes) -> bool:
    """Whether a file that begins like this is one of this format: a length, and the JSON object behind it."""
    return head[LENGTH : LENGTH + 1] == b"{" and 2 <= int.from_bytes(head[:LENGTH], "little") <= 100_000_000


def read(path: Path, *, compatibility: Compatibility | None = None) -> Network:
    """The network in a file, its parameters mapped into memory; tensors that were converted have their first values again.

    A file that this package wrote says what its model is; see `network`. Any other is one of the Hugging Face hub, where a
    `config.json` of a known `model_type` lies beside it; or else what its tensors' names and shapes say, as long as that is a
    plain chain of layers: see `formats.structure`, which also tells what it leaves open. Raises `FormatError` for a file that
    breaks any rule, and for tensors that are of no known model.
    """
    tensors = read_tensors(path, compatibility=compatibility)
    arrays = restore_tensors(tensors, tensors.metadata)
    if MODEL in tensors.metadata:
        return network_of(arrays, tensors.metadata, str(path))
    try:
        return from_hub(path.parent, arrays) or infer_structure(arrays, compatibility=compatibility).network()
    except FormatError as error:
        raise FormatError([problem.under(str(path)) for problem in error.problems]) from error


def write(network: Network, path: Path, *, tensor_dtype: str | None = None, max_shard_bytes: Bytes | None = None) -> None:
    """Writes a network to a file, or an index with files beside it; see `write_tensors`.

    With `tensor_dtype` the arrays are kept in that type, with a scale each where they need one; see `conversion`.
    """
    tensors, metadata = network_tensors(network)
    if tensor_dtype is not None:
        tensors, scales = convert_tensors(tensors, tensor_dtype)
        metadata = {**metadata, **scales}
    write_tensors(tensors, path, metadata=metadata, max_shard_bytes=max_shard_bytes)


def summarize(path: Path) -> Summary:
    """The tensors of a file, its metadata, and the layers of its model where it names them."""
    tensors = read_tensors(path)
    found = tuple(TensorSummary(name, kept.dtype.name, kept.shape, len(kept.data)) for name, kept in tensors.kept.items())
    told: Mapping[str, str] = tensors.metadata
    facts = {key: text for key, text in told.items() if key not in (MODEL, INPUTS) and not key.startswith(SCALE)}
    if MODEL not in told:
        return Summary("safetensors", facts, tensors=found)
    model, specs = described(told, str(path))
    inputs = tuple(f"{spec.dtype}{list(spec.shape)}" for spec in specs)
    return Summary("safetensors", facts, inputs, nodes=tuple(nodes(model)), tensors=found)
