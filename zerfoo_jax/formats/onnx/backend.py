"""ONNX's own interface for what runs models, `onnx.backend.base.Backend`, as its test suite and others expect it.

Models run operator by operator on concrete arrays, 64-bit types included, so that shapes may depend on values.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np
from onnx import ModelProto, NodeProto
from onnx.backend.base import Backend as _Backend
from onnx.backend.base import BackendRep as _BackendRep
from onnx.defs import onnx_opset_version

from zerfoo_jax.core.errors import FormatError
from zerfoo_jax.formats.onnx.reading import graph_of
from zerfoo_jax.formats.operators.evaluate import check_supported, evaluate, made_concrete
from zerfoo_jax.formats.operators.graph import OperatorGraph


class BackendRep(_BackendRep):
    """A model that is ready to run."""

    def __init__(self, graph: OperatorGraph):
        self.graph = graph

    def run(self, inputs: Any, **kwargs: Any) -> tuple[Any, ...]:
        """The outputs for inputs in their order, or by name."""
        given = _by_name(self.graph, inputs)
        with jax.enable_x64(True):
            return evaluate(self.graph, {name: made_concrete(x) for name, x in given.items()}, concrete=True)


def _by_name(graph: OperatorGraph, inputs: Any) -> Mapping[str, Any]:
    names = [value.name for value in graph.inputs]
    if not isinstance(inputs, Mapping):
        values = inputs if isinstance(inputs, list | tuple) else [inputs]
        if len(values) != len(names):
            raise FormatError(f"the model takes {len(names)} inputs {names}, got {len(values)}")
        return dict(zip(names, values, strict=True))
    if inputs.keys() != set(names):
        raise FormatError(f"the model takes the inputs {names}, got {sorted(inputs)}")
    return inputs


class Backend(_Backend):
    """Runs ONNX models.

    >>> import numpy as np
    >>> from onnx import helper
    >>> node = helper.make_node("Abs", ["x"], ["y"])
    >>> float(Backend.run_node(node, [np.float32([-2])])[0][0])
    2.0
    """

    @classmethod
    def prepare(cls, model: ModelProto, device: str = "CPU", **kwargs: Any) -> BackendRep:
        """The model, ready to run; raises one `FormatError` that names all operators that are not supported."""
        graph = graph_of(model, "model")
        check_supported(graph)
        return BackendRep(graph)

    @classmethod
    def run_model(cls, model: ModelProto, inputs: Any, device: str = "CPU", **kwargs: Any) -> tuple[Any, ...]:
        """The outputs of a model."""
        return cls.prepare(model, device, **kwargs).run(inputs)

    @classmethod
    def run_node(
        cls,
        node: NodeProto,
        inputs: Any,
        device: str = "CPU",
        outputs_info: Sequence[tuple[np.dtype, tuple[int, ...]]] | None = None,
        **kwargs: Any,
    ) -> tuple[Any, ...]:
        """The outputs of one operator; `opset_version` is that of its domain, by default the newest."""
        model = ModelProto()
        model.opset_import.add(domain=node.domain, version=kwargs.get("opset_version", onnx_opset_version()))
        model.graph.node.append(node)
        for name in dict.fromkeys(filter(None, node.input)):
            model.graph.input.add(name=name)
        for name in filter(None, node.output):
            model.graph.output.add(name=name)
        return cls.run_model(model, inputs, device)

    @classmethod
    def supports_device(cls, device: str) -> bool:
        """Whether JAX has a device of that kind here: `CPU`, `CUDA`, with or without a number."""
        try:
            return bool(jax.devices(device.split(":")[0].lower()))
        except RuntimeError:
            return False


prepare = Backend.prepare
run_model = Backend.run_model
run_node = Backend.run_node
supports_device = Backend.supports_device
