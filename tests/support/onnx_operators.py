"""One operator, run by onnxruntime and by our function."""

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from zerfoo_jax.formats.operators import function_of
from zerfoo_jax.formats.operators.call import call

Inputs = Sequence[np.ndarray | None]


def by_onnxruntime(
    op_type: str, version: int, inputs: Inputs, attributes: dict[str, Any], outputs: int = 1
) -> list[np.ndarray]:
    """The outputs of an operator of ONNX's own domain in a version."""
    from onnx import TensorProto, helper, numpy_helper
    import onnxruntime

    def number(x: np.ndarray) -> int:
        return TensorProto.STRING if x.dtype == object else helper.np_dtype_to_tensor_dtype(x.dtype)

    names = ["" if x is None else f"x{i}" for i, x in enumerate(inputs)]
    wrapped = {name: numpy_helper.from_array(x) if isinstance(x, np.ndarray) else x for name, x in attributes.items()}
    made = [f"y{i}" for i in range(outputs)]
    node = helper.make_node(op_type, names, made, **wrapped)
    given = {name: x for name, x in zip(names, inputs, strict=True) if x is not None}
    graph = helper.make_graph(
        [node],
        "one",
        [helper.make_tensor_value_info(name, number(x), x.shape) for name, x in given.items()],
        [helper.make_empty_tensor_value_info(name) for name in made],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", version)], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return list(session.run(None, given))


def ours(op_type: str, version: int, inputs: Inputs, attributes: dict[str, Any], outputs: int = 1) -> tuple[Any, ...]:
    """The outputs of our function for concrete arrays, 64 bits included."""
    attributes = {name: tuple(x) if isinstance(x, list) else x for name, x in attributes.items()}
    with jax.enable_x64(True):
        return call(function_of(op_type, "", version), op_type, inputs, attributes, outputs=outputs)
