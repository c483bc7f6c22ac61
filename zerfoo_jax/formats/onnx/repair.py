"""Files that go-metal writes, which are no valid ONNX, as the models that they are meant to be.

Attributes lack their types, and values of zero. The weights of dense layers are stored transposed. Dense layers take images
without anything that flattens them. The batch size is the one of training.
"""

from collections.abc import Sequence
import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from onnx import AttributeProto, GraphProto, ModelProto

from zerfoo_jax.formats.limits import check_shape
from zerfoo_jax.formats.onnx.attributes import FIELDS, fields_set
from zerfoo_jax.formats.onnx.tensors import array_of

_FLOATS = ("alpha", "beta", "epsilon", "gamma", "momentum", "ratio")
"""Attributes that are floats; what go-metal leaves out of the others when it is zero is an integer."""


def needs_repair(model: "ModelProto") -> bool:
    """Whether go-metal wrote the model."""
    return model.producer_name == "go-metal"


def repair(model: "ModelProto", weights: Sequence[memoryview | None], place: str) -> None:
    """Changes the model to what it is meant to be, and puts the weights that were cut out of it back."""
    for tensor, cut in zip(model.graph.initializer, weights, strict=True):
        if cut is not None:
            tensor.raw_data = bytes(cut)
    for node in model.graph.node:
        for attribute in node.attribute:
            _give_type(attribute)
    _flatten_images(model.graph)
    dense = {node.input[1] for node in model.graph.node if node.op_type == "MatMul" and len(node.input) == 2}
    for tensor in model.graph.initializer:
        if tensor.name in dense and len(tensor.dims) == 2:
            shape = check_shape(tensor.dims, place)
            kernel = array_of(tensor, f"{place}, tensor {tensor.name}").T
            for field in ("raw_data", "float_data"):
                tensor.ClearField(field)
            tensor.raw_data = kernel.tobytes()
            tensor.dims[:] = shape[::-1]
    for value in (*model.graph.input, *model.graph.output):
        sizes = value.type.tensor_type.shape.dim
        if sizes:
            sizes[0].Clear()


def _give_type(attribute: "AttributeProto") -> None:
    if attribute.type:
        return
    fields = fields_set(attribute)
    if not fields:
        fields = ["f" if attribute.name in _FLOATS else "i"]
        setattr(attribute, fields[0], 0)
    number = next(number for number, name in FIELDS.items() if name == fields[0])
    setattr(attribute, "type", number)  # noqa: B010 - an enumeration, whose members are its numbers


def _flatten_images(graph: "GraphProto") -> None:
    """Puts Flatten before dense layers that get images: they take all pixels, unless they are as wide as a row."""
    kernels = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    images = {value.name: [one.dim_value for one in value.type.tensor_type.shape.dim] for value in graph.input}
    images = {name: sizes for name, sizes in images.items() if len(sizes) > 2}
    nodes = list(graph.node)
    del graph.node[:]
    for node in nodes:
        image = images.get(node.input[0]) if node.input else None
        if image is not None and node.op_type == "MatMul" and len(node.input) == 2:
            width = kernels.get(node.input[1], (0, 0))[-1]
            if not image or width != image[-1] or width == math.prod(image[1:]):
                flat = f"{node.input[0]}_flat_{len(graph.node)}"
                graph.node.add(op_type="Flatten", input=[node.input[0]], output=[flat])
                node.input[0] = flat
        elif image is not None and node.op_type != "Flatten":
            # Of what convolutions give only the number of axes is known.
            images.update((name, [] if node.op_type == "Conv" else image) for name in node.output)
        graph.node.append(node)
