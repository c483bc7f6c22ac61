"""LOOM's and go-metal's files that are broken or made to do harm, each with what the refusal says."""

import base64
import copy
import json
import struct
from typing import Any

import numpy as np

DENSE = {"type": "dense", "activation": "relu", "input_height": 2, "output_height": 1}
ARRAYS = {"biases": [0.5], "kernel": [1.0, 2.0]}
CELL = {"z": 0, "y": 0, "x": 0, "l": 0}
WIRE_DENSE = CELL | {
    "type": "Dense",
    "activation": "ReLU",
    "dtype": "float32",
    "input_height": 2,
    "output_height": 1,
    "weights": base64.b64encode(np.float32([1, 2]).tobytes()).decode(),
    "native": True,
    "scale": 1,
}


def encoded(value: Any) -> str:
    """What stands in a bundle for a payload."""
    text = value if isinstance(value, str) else json.dumps(value)
    return base64.b64encode(text.encode()).decode()


def bundle(layers: Any = None, arrays: Any = None, **changes: Any) -> dict[str, Any]:
    """A bundle of these layers; `changes` go into its model's configuration."""
    layers = [DENSE] if layers is None else layers
    arrays = [ARRAYS] if arrays is None else arrays
    config = {"id": "m", "batch_size": 1, "grid_rows": 1, "grid_cols": 1, "layers_per_cell": 1, "layers": layers} | changes
    weights = {"fmt": "jsonModelB64", "data": encoded({"type": "float32", "dtype": "", "layers": arrays})}
    return {"type": "modelhost/bundle", "version": 1, "models": [{"id": "m", "cfg": config, "weights": weights}]}


def coded(**payload: Any) -> dict[str, Any]:
    """A bundle of version 2, of one Dense layer, with this payload."""
    given = {"dtype": "int8", "scale": 127, "layers": [{"dtype": "int8", "kernel": "AQI=", "biases": "AQ=="}]} | payload
    whole = bundle()
    whole["version"] = 2
    whole["models"][0]["weights"] = {"fmt": "multiPrecisionB64", "data": encoded(given)}
    return whole


def dense(**changes: Any) -> dict[str, Any]:
    """A bundle of a Dense layer with these changes."""
    return bundle([DENSE | changes])


def set_in(whole: dict[str, Any], *path: str | int, value: Any) -> dict[str, Any]:
    """A copy with one thing changed."""
    whole = copy.deepcopy(whole)
    inner: Any = whole
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    return whole


def nested(kind: str, depth: int) -> dict[str, Any]:
    """Layers within layers."""
    layer, arrays = DENSE, ARRAYS
    for _ in range(depth):
        layer, arrays = {"type": kind, "activation": "relu", "branches": [layer]}, {"branch_weights": [arrays]}
    return bundle([layer], [arrays])


WHOLE = json.dumps(bundle())
BUNDLES: dict[str, tuple[str | dict[str, Any], str]] = {
    "nothing": ("", "not JSON"),
    "half a file": (WHOLE[: len(WHOLE) // 2], "not JSON"),
    "bytes behind the end": (WHOLE + "x", "not JSON"),
    "a list": ("[]", "expected an object"),
    "a key twice": ('{"type": "modelhost/bundle", "type": "modelhost/bundle"}', "appears twice"),
    "NaN": (WHOLE.replace('"batch_size": 1', '"batch_size": NaN'), "NaN is not JSON"),
    "Infinity": (WHOLE.replace('"batch_size": 1', '"batch_size": Infinity'), "Infinity is not JSON"),
    "1e999": (WHOLE.replace('"batch_size": 1', '"batch_size": 1e999'), "too large"),
    "5000 digits": (WHOLE.replace('"batch_size": 1', f'"batch_size": {"9" * 5000}'), "5000 digits"),
    "a thousand lists": ("[" * 1000 + "]" * 1000, "nested|expected an object"),
    "a hundred thousand lists": ("[" * 100_000, "nested|over 1,000,000|not JSON"),
    "two million lists": ("[" * 2_000_000, "over 1,000,000 lists"),
    "deep in an unknown place": (WHOLE.replace('"batch_size": 1', f'"seed": {"[" * 500}{"]" * 500}'), "nested over 100 deep"),
    "another type": ({"type": "modelhost/other", "version": 1, "models": []}, "the type is"),
    "no type": ({"version": 1, "models": []}, "the type is ''"),
    "a version to come": (set_in(bundle(), "version", value=3), "version 3"),
    "a version as text": (set_in(bundle(), "version", value="1"), "expected a whole number"),
    "no models": (set_in(bundle(), "models", value=[]), "holds no model"),
    "models as an object": (set_in(bundle(), "models", value={}), "expected a list"),
    "a model as a number": (set_in(bundle(), "models", value=[1]), "expected an object"),
    "no id": (set_in(bundle(), "models", 0, "id", value=None), "a name is a text"),
    "a path as an id": (set_in(bundle(), "models", 0, "id", value="../x"), "'..'"),
    "a control character in an id": (set_in(bundle(), "models", 0, "id", value="a\x1b[2J"), "control"),
    "one id twice": (set_in(bundle(), "models", value=bundle()["models"] * 2), "two models have the id"),
    "no configuration": (set_in(bundle(), "models", 0, "cfg", value=None), "expected an object"),
    "no weights": (set_in(bundle(), "models", 0, "weights", value=None), "expected an object"),
    "an unknown fmt": (set_in(bundle(), "models", 0, "weights", "fmt", value="pickle"), "unknown fmt 'pickle'"),
    "no base64": (set_in(bundle(), "models", 0, "weights", "data", value="%%%"), "not base64"),
    "base64 without padding": (set_in(bundle(), "models", 0, "weights", "data", value="eyJ"), "not base64"),
    "base64 with line breaks": (set_in(bundle(), "models", 0, "weights", "data", value="eyJ9\n"), "not base64"),
    "base64 of no JSON": (set_in(bundle(), "models", 0, "weights", "data", value=encoded("{")), "not JSON"),
    "base64 of no text": (set_in(bundle(), "models", 0, "weights", "data", value="/////w=="), "not JSON"),
    "weights as a number": (set_in(bundle(), "models", 0, "weights", "data", value=3), "expected a text"),
    "weights of float64": (
        set_in(bundle(), "models", 0, "weights", "data", value=encoded({"type": "float64", "layers": [ARRAYS]})),
        "weights of type 'float64'",
    ),
    "a key of Python": (dense(__class__="os.system"), "unknown key '__class__'"),
    "a key of JavaScript": (dense(__proto__={}), "unknown key '__proto__'"),
    "too few layers": (bundle(layers_per_cell=2), "1 layers in a grid of 1 x 1 x 2"),
    "a billion layers": (bundle(layers_per_cell=1_000_000_000), "1 layers in a grid"),
    "a negative grid": (bundle(grid_rows=-1), "expected a whole number"),
    "half a row": (bundle(grid_rows=0.5), "expected a whole number"),
    "true rows": (bundle(grid_rows=True), "expected a whole number"),
    "no layers": (bundle([], [], layers_per_cell=0), "expected a whole number from 1"),
    "more weights than layers": (bundle(arrays=[ARRAYS, ARRAYS]), "weights of 2 layers"),
    "an unknown layer": (dense(type="danse"), "did you mean 'dense'"),
    "a layer without a type": (bundle([{"activation": "relu"}]), "unknown type ''"),
    "a layer as text": (bundle(["dense"]), "expected an object"),
    "an unknown activation": (dense(activation="rellu"), "did you mean 'relu'"),
    "an activation as a list": (dense(activation=["relu"]), "expected a text"),
    "a negative size": (dense(input_height=-2), "expected a whole number"),
    "a size as text": (dense(input_height="2"), "expected a whole number"),
    "a size beyond 31 bits": (dense(input_height=2**31), "expected a whole number"),
    "sizes that lie": (dense(input_height=3), "2 numbers, where the layer has 3"),
    "sizes that overflow": (dense(input_height=2**31 - 1, output_height=2**31 - 1), "over the limit of"),
    "large sizes without weights": (bundle([DENSE | {"input_height": 2**20, "output_height": 2**10}], [{}]), "over the limit"),
    "no kernel": (bundle(arrays=[{"biases": [0.5]}]), "the weights 'kernel' are missing"),
    "a kernel of text": (bundle(arrays=[ARRAYS | {"kernel": "AAAA"}]), "expected a list of numbers"),
    "a kernel of lists": (bundle(arrays=[ARRAYS | {"kernel": [[1.0], [2.0]]}]), "expected a list of numbers"),
    "a kernel of truths": (bundle(arrays=[ARRAYS | {"kernel": [True, False]}]), "expected a list of numbers"),
    "a weight beyond float32": (bundle(arrays=[ARRAYS | {"kernel": [1e300, 1.0]}]), "too large for float32"),
    "a weight of 900 digits": (bundle(arrays=[ARRAYS | {"kernel": [10**900, 1]}]), "too large for float32"),
    "an unknown array": (bundle(arrays=[ARRAYS | {"kernal": [1.0]}]), "did you mean 'kernel'"),
    "layers that do not fit": (
        bundle([DENSE, DENSE], [ARRAYS, ARRAYS], layers_per_cell=2),
        "the layer takes 2 numbers, and 1 arrive",
    ),
    "a kernel larger than its image": (
        bundle(
            [{"type": "conv1d", "input_channels": 1, "filters": 1, "kernel_size": 5, "input_length": 3}],
            [{"kernel": [1.0] * 5, "conv_bias": [0.0]}],
        ),
        "does not fit into",
    ),
    "a stride below 0": (
        bundle(
            [{"type": "conv1d", "input_channels": 1, "filters": 1, "kernel_size": 1, "stride": -1, "input_length": 3}],
            [{"kernel": [1.0], "conv_bias": [0.0]}],
        ),
        "expected a whole number",
    ),
    "an output that lies": (
        bundle(
            [
                {"type": "conv2d", "input_channels": 1, "filters": 1, "kernel_size": 1, "input_height": 2, "input_width": 2}
                | {"output_height": 9, "output_width": 2}
            ],
            [{"kernel": [1.0], "conv_bias": [0.0]}],
        ),
        "output_height = 9",
    ),
    "heads that do not divide": (bundle([{"type": "mha", "d_model": 4, "num_heads": 3}], [{}]), "do not divide"),
    "a negative epsilon": (
        bundle([{"type": "layer_norm", "norm_size": 1, "epsilon": -1.0}], [{"gamma": [1], "beta": [0]}]),
        "epsilon",
    ),
    "an unknown softmax": (bundle([{"type": "softmax", "softmax_variant": "hard"}], [{}]), "unknown softmax_variant"),
    "a softmax of no columns": (bundle([{"type": "softmax", "softmax_variant": "grid"}], [{}]), "expected a whole number"),
    "a mask of numbers": (bundle([{"type": "softmax", "softmax_variant": "masked", "mask": [1, 0]}], [{}]), "true and false"),
    "a temperature below 0": (bundle([{"type": "softmax", "temperature": -1}], [{}]), "temperature"),
    "no branches": (bundle([{"type": "parallel"}], [{}]), "at least one branch"),
    "an unknown combination": (
        bundle([{"type": "parallel", "combine_mode": "multiply", "branches": [DENSE]}], [{}]),
        "combine_mode",
    ),
    "weights of too many branches": (
        bundle([{"type": "parallel", "branches": [DENSE]}], [{"branch_weights": [ARRAYS] * 2}]),
        "weights of 2 branches",
    ),
    "a cell outside the grid": (
        bundle(
            [
                {"type": "parallel", "combine_mode": "grid_scatter", "branches": [DENSE], "grid_output_rows": 1}
                | {"grid_positions": [{"branch_index": 0, "target_row": 7}]}
            ],
            [{"branch_weights": [ARRAYS]}],
        ),
        "outside the grid",
    ),
    "positions without branches": (
        bundle([{"type": "parallel", "combine_mode": "grid_scatter", "branches": [DENSE]}], [{"branch_weights": [ARRAYS]}]),
        "0 positions for 1 branches",
    ),
    "clusters without centres": (bundle([{"type": "kmeans", "num_clusters": 3, "branches": [DENSE]}], [{}]), "no centres"),
    "two residuals in a row": (bundle([{"type": "residual"}] * 2, [{}] * 2, layers_per_cell=2), "right behind another"),
    "sequences within sequences": (nested("sequential", 40), "layers within layers|nested"),
    "branches within branches": (nested("parallel", 33), "layers within layers|nested"),
    "an unknown dtype": (coded(dtype="int3"), "unknown dtype 'int3'"),
    "an unknown dtype of a layer": (coded(layers=[{"dtype": "complex64", "kernel": "AQI="}]), "unknown dtype 'complex64'"),
    "codes of a wrong length": (coded(layers=[{"kernel": "AQID", "biases": "AQ=="}]), "3 bytes, where 2 numbers take 2"),
    "codes that are no base64": (coded(layers=[{"kernel": "A", "biases": "AQ=="}]), "not base64"),
    "codes as numbers": (coded(layers=[{"kernel": [1, 2], "biases": "AQ=="}]), "expected a text"),
    "a scale below 0": (coded(scale=-127), "a scale of -127"),
    "a scale as text": (coded(scale="127"), "expected a number"),
}


def wire(*layers: Any, **changes: Any) -> dict[str, Any]:
    """The wire JSON of these layers."""
    return {"id": "n", "depth": 1, "rows": 1, "cols": 1, "layers_per_cell": len(layers) or 1, "layers": list(layers)} | changes


def wire_dense(**changes: Any) -> dict[str, Any]:
    """The wire JSON of a Dense layer with these changes."""
    return wire(WIRE_DENSE | changes)


WIRES: dict[str, tuple[str | dict[str, Any], str]] = {
    "no layers": (wire(), "0 layers in a grid"),
    "a second layer in a cell": (wire(WIRE_DENSE, WIRE_DENSE), "a second layer in the cell"),
    "a layer outside the grid": (wire_dense(x=1), "outside the grid"),
    "a negative cell": (wire_dense(z=-1), "expected a whole number"),
    "a billion cells": (wire_dense() | {"rows": 1_000_000_000}, "1 layers in a grid"),
    "an unknown layer": (wire_dense(type="dense"), "did you mean 'Dense'"),
    "an unknown activation": (wire_dense(activation="Relu"), "unknown activation"),
    "an unknown dtype": (wire_dense(dtype="fp8_e4m3"), "unknown dtype"),
    "weights of a wrong length": (wire_dense(weights="AAAA"), "3 bytes, where 2 numbers of float32 take 8"),
    "no weights": (wire_dense(weights=""), "0 bytes"),
    "sizes that overflow": (wire_dense(input_height=2**31 - 1, output_height=2**31 - 1), "over the limit"),
    "a scale of text": (wire_dense(scale="1"), "expected a number"),
    "an unknown key": (wire_dense(__proto__=1), "unknown key"),
    "all disabled": (wire_dense(is_disabled=True), "no layer does anything"),
    "an unknown softmax": (wire(CELL | {"type": "Softmax", "softmax_type": "Hard"}), "unknown softmax_type"),
    "an unknown combination": (
        wire(CELL | {"type": "Parallel", "combine_mode": "multiply", "parallel_branches": [WIRE_DENSE]}),
        "combine",
    ),
    "an observer": (wire(CELL | {"type": "Metacognition", "meta_rules": [{}]}), "not supported"),
    "heads that do not fit": (
        wire(CELL | {"type": "MultiHeadAttention", "d_model": 4, "num_heads": 2, "query_dim": 5}),
        "query_dim",
    ),
}

HEADER = {
    "format_version": 1,
    "network": wire({key: value for key, value in WIRE_DENSE.items() if key not in ("weights", "native", "scale")}),
    "blobs": [{"path": "layers.0", "offset": 0, "length": 8, "dtype": "float32", "scale": 1, "native": True}],
}
PAYLOAD = np.float32([1, 2]).tobytes()


def entity(
    header: Any = None,
    payload: bytes = PAYLOAD,
    *,
    magic: bytes = b"ENTITY\0\0",
    version: int = 1,
    flags: int = 0,
    length: int | None = None,
) -> bytes:
    """An entity file of this header and payload."""
    text = json.dumps(HEADER if header is None else header).encode()
    return struct.pack("<8sHHQ", magic, version, flags, len(text) if length is None else length) + text + payload


def blob(**changes: Any) -> bytes:
    """An entity whose blob has these changes."""
    return entity(HEADER | {"blobs": [HEADER["blobs"][0] | changes]})


SECOND_BLOB = HEADER["blobs"][0] | {"path": "layers.1", "offset": 8, "length": 0}
ENTITIES: dict[str, tuple[bytes, str]] = {
    "ten bytes": (b"ENTITY\0\0\1\0", "10 bytes"),
    "another magic": (entity(magic=b"ENTITY\0\1"), "does not begin with ENTITY"),
    "a version to come": (entity(version=2), "version 2"),
    "unknown flags": (entity(flags=1), "flags 0x1"),
    "a header longer than the file": (entity(length=10_000), "in a file of"),
    "a header of all bytes there are": (entity(length=2**64 - 1), "over the limit"),
    "a header cut short": (entity(length=50), "not JSON"),
    "half a file": (entity()[:-4], "of 4"),
    "another format": (entity(HEADER | {"format_version": 2}), "format_version 2"),
    "a transformer": (entity(HEADER | {"transformer": {}}), "transformer"),
    "no network": (entity({"format_version": 1, "blobs": []}, b""), "expected an object"),
    "no blobs": (entity(HEADER | {"blobs": []}), "belong to no blob"),
    "a negative offset": (blob(offset=-1), "expected a whole number"),
    "an offset beyond the file": (blob(offset=8), "bytes 8 to 16 of 8"),
    "an offset that overflows": (blob(offset=2**63), "expected a whole number"),
    "a blob too short": (blob(length=4), "belong to no blob"),
    "a blob of no layer": (entity(HEADER | {"blobs": [*HEADER["blobs"], SECOND_BLOB]}), "no such layer"),
    "one path twice": (entity(HEADER | {"blobs": HEADER["blobs"] * 2}), "a second blob"),
    "blobs that overlap": (
        entity(HEADER | {"blobs": [HEADER["blobs"][0], {"path": "layers.0.x", "offset": 4, "length": 4, "native": True}]}),
        "the one before ends at 8",
    ),
    "bytes behind the blobs": (entity(payload=PAYLOAD + b"more"), "4 bytes belong to no blob"),
    "another dtype than the layer's": (blob(dtype="int32"), "weights of int32"),
    "an unknown dtype": (blob(dtype="q4"), "unknown dtype"),
    "numbers of half a byte less": (blob(dtype="int4"), "weights of int4"),
    "a key twice": (struct.pack("<8sHHQ", b"ENTITY\0\0", 1, 0, 14) + b'{"a":1,"a":1} ', "appears twice"),
}

METAL: dict[str, Any] = {
    "model_spec": {
        "layers": [
            {"type": 0, "name": "d", "parameters": {"output_size": 1, "use_bias": True}},
            {"type": 2, "name": "r", "parameters": {}},
        ],
        "input_shape": [4, 2],
        "output_shape": [4, 1],
    },
    "weights": [
        {"name": "d.weight", "shape": [2, 1], "data": [1.0, 2.0], "layer": "d", "type": "weight"},
        {"name": "d.bias", "shape": [1], "data": [0.5], "layer": "d", "type": "bias"},
    ],
    "training_state": {"epoch": 1},
    "metadata": {"framework": "go-metal"},
}


def metal(*path: str | int, value: Any) -> dict[str, Any]:
    """A checkpoint with one thing changed."""
    return set_in(METAL, *path, value=value)


def one_layer(kind: int, shape: list[int], **parameters: Any) -> dict[str, Any]:
    """A checkpoint of a layer of that type."""
    layers = [{"type": kind, "name": "d", "parameters": parameters}]
    return {"model_spec": {"layers": layers, "input_shape": shape}, "weights": [], "metadata": {}}


METALS: dict[str, tuple[str | dict[str, Any], str]] = {
    "a list": ("[]", "expected an object"),
    "no model": (metal("model_spec", value=None), "expected an object"),
    "an unknown key": (METAL | {"__class__": 1}, "unknown key"),
    "an unknown type": (metal("model_spec", "layers", 0, "type", value=12), "unknown type 12"),
    "a type as text": (metal("model_spec", "layers", 0, "type", value="Dense"), "expected a whole number"),
    "no layers": (metal("model_spec", "layers", value=[]), "no layers"),
    "one name twice": (metal("model_spec", "layers", 1, "name", value="d"), "one name"),
    "no input": (metal("model_spec", "input_shape", value=[]), "an input of shape"),
    "an input of 0": (metal("model_spec", "input_shape", value=[4, 0]), "an input of shape"),
    "an input that overflows": (metal("model_spec", "input_shape", value=[2**31 - 1, 2**31 - 1]), "over the limit"),
    "a negative size": (metal("model_spec", "input_shape", value=[4, -2]), "expected a whole number"),
    "weights that lie": (metal("weights", 0, "shape", value=[3, 1]), "2 numbers for the shape"),
    "weights of another shape": (metal("weights", 0, "shape", value=[1, 2]), "needs one of shape"),
    "a shape of sizes that overflow": (metal("weights", 0, "shape", value=[2**31 - 1] * 3), "over the limit"),
    "no weights": (metal("weights", value=[]), "has no weight"),
    "one weight twice": (metal("weights", value=METAL["weights"][:1] * 2), "a second weight"),
    "weights of text": (metal("weights", 0, "data", value=["1", "2"]), "expected a list of numbers"),
    "a bias that is missing": (metal("weights", value=METAL["weights"][:1]), "has no bias"),
    "more than arrives": (metal("model_spec", "input_shape", value=[4, 5]), "takes 2 numbers"),
    "an unknown parameter": (metal("model_spec", "layers", 0, "parameters", "secret", value=1), "unknown key"),
    "parameters as a list": (metal("model_spec", "layers", 0, "parameters", value=[]), "expected an object"),
    "a window of no size": (one_layer(4, [1, 1, 4, 4]), "expected a whole number from 1"),
    "a window too large": (one_layer(4, [1, 1, 4, 4], pool_size=9), "does not fit"),
    "statistics of a billion": (one_layer(6, [1, 10**9]), "over the limit"),
    "a softmax along nothing": (one_layer(3, [1, 4], axis=7), "a softmax along axis"),
    "a rate of 2": (one_layer(5, [1, 4], rate=2.0), "rate"),
    "an optimizer as text": (METAL | {"optimizer_state": "adam"}, "expected an object"),
}


def as_bytes(given: str | bytes | dict[str, Any]) -> bytes:
    """A file's content."""
    text = given if isinstance(given, str | bytes) else json.dumps(given)
    return text if isinstance(text, bytes) else text.encode()
