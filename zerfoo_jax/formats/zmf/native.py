"""A network as ZMF and back, without loss: a node for each node of its graph, with the layer's type and fields.

Arrays are named by the path to them, `block_0/dense/kernel`. A model that is no graph is the layer of one node.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from zerfoo_jax.core.errors import ConfigError, FormatError, Problem, ZerfooError, brief
from zerfoo_jax.core.layer import MODEL, Layer
from zerfoo_jax.core.spec import Table, layer_to_spec, read_layer
from zerfoo_jax.core.types import Spec, spec_of
from zerfoo_jax.formats.dynamic import input_names
from zerfoo_jax.formats.limits import check_name
from zerfoo_jax.formats.names import flatten, nest
from zerfoo_jax.formats.zmf.attributes import attribute_of, value_of
from zerfoo_jax.formats.zmf.decode import decode, named, under
from zerfoo_jax.formats.zmf.encode import to_bytes
from zerfoo_jax.formats.zmf.schema import DOMAIN, EXTENSION_VERSION, Extension, Graph, Model, Node, Tensor, ValueInfo
from zerfoo_jax.formats.zmf.tensors import Quantize, parameter_tensor, tensor_of
from zerfoo_jax.formats.zmf.tensors import value_of as value_of_tensor
from zerfoo_jax.formats.zmf.values import known_of, type_of, value_info, value_type
from zerfoo_jax.formats.zmf.wire import Budget
from zerfoo_jax.graph import Graph as ModelGraph
from zerfoo_jax.graph import Input
from zerfoo_jax.graph import Node as ModelNode
from zerfoo_jax.graph.editing.network import Network
from zerfoo_jax.graph.node import source
from zerfoo_jax.graph.structure import problems as wiring_problems

DEPTH = 2
"""Of the messages that nodes are: they stand in a graph, and that in a model."""


def is_native(model: Model) -> bool:
    """Whether the nodes of a file are layers."""
    return model.graph is not None and any(node.domain == DOMAIN for node in model.graph.nodes)


def message_of(network: Network, table: Table, quantize: Quantize | None) -> Model:
    """The network as messages; raises `ConfigError` for a layer that would not be read again as it is."""
    try:
        return _message_of(network, table, quantize)
    except RecursionError:
        raise ConfigError("the layers are nested too deep", fix="use Stack or a graph") from None


def _message_of(network: Network, table: Table, quantize: Quantize | None) -> Model:
    graph, is_layer = _as_graph(network)
    infos = zip(graph.declared(), network.specs, strict=True)
    outputs = _outputs(graph)
    message = Graph(
        parameters={name: parameter_tensor(name, array, quantize) for name, array in leaves_of(network.params).items()},
        nodes=[_node(node, table, outputs[node.name]) for node in graph.nodes],
        inputs=[_info(declared, spec) for declared, spec in infos],
        outputs=[value_info(wire, None, None, value_type(None, None)) for wire in graph.outputs],
    )
    state = {name: tensor_of(array) for name, array in leaves_of(network.state).items()}
    specs = [value_type(str(spec.dtype), spec.shape) for spec in map(spec_of, network.specs)]
    return Model(graph=message, extension=Extension(version=EXTENSION_VERSION, state=state, specs=specs, is_layer=is_layer))


def _as_graph(network: Network) -> tuple[ModelGraph, bool]:
    """The model as a graph, and whether it is but the layer of that graph's only node."""
    if isinstance(network.model, ModelGraph):
        return network.model, False
    inputs = tuple(map(Input, input_names(network)))
    return _around(ModelNode(MODEL, network.model, ()), inputs), True


def _outputs(graph: ModelGraph) -> dict[str, list[str]]:
    """What leaves each node, as far as something takes it: all of it, or single outputs of several."""
    if not graph.nodes:
        raise ConfigError("a graph without nodes cannot be written")
    found = {node.name: [node.name] for node in graph.nodes}
    for wire in dict.fromkeys([*(wire for node in graph.nodes for wire in node.inputs), *graph.outputs]):
        name, index = source(wire)
        if index is not None and name in found:
            found[name].append(wire)
    return found


def _info(declared: Input, spec: Spec) -> ValueInfo:
    spec = spec_of(spec)
    return value_info(declared.name, str(spec.dtype), spec.shape, value_type(declared.dtype, declared.shape))


def _node(node: ModelNode, table: Table, outputs: list[str]) -> Node:
    """The node, once it has been seen that its layer is read again as it is."""
    spec = layer_to_spec(node.layer)
    message = Node(
        name=node.name,
        op_type=spec.pop("type"),
        inputs=node.inputs,
        outputs=outputs,
        attributes={name: attribute_of(value) for name, value in spec.items()},
        domain=DOMAIN,
    )
    try:
        again = decode(Node, memoryview(to_bytes(message)), Budget(), depth=DEPTH)
        same = _layer(again, table) == node.layer
    except FormatError as error:
        raise ConfigError(error.problems) from None
    if not same:
        cause = f"{message.op_type} would be read as another layer"
        raise ConfigError(cause, place=node.name, fix="name its class in `layers`, when writing and when reading")
    return message


def network_of(model: Model, table: Table) -> Network:
    """The network that a file of layers holds. Raises `FormatError` for all that does not make one."""
    graph, extension = model.graph or Graph(), model.extension
    if extension is None:
        raise FormatError("layers without what zerfoo_jax says beside them", place="extension")
    try:
        wired = ModelGraph(
            inputs=tuple(_input(value, i) for i, value in enumerate(graph.inputs)),
            nodes=tuple(_model_node(node, table) for node in graph.nodes),
            outputs=tuple(value.name for value in graph.outputs),
        )
        _check_wiring(wired)
        if extension.is_layer and wired != _around(wired.nodes[0], wired.inputs):
            raise FormatError("the model is said to be a layer, and is a graph", place="extension/is_layer")
    except ZerfooError as error:
        raise FormatError(error.problems) from None
    except RecursionError:
        raise FormatError("the layers are nested too deep", place="graph/nodes") from None
    return Network(
        model=wired.nodes[0].layer if extension.is_layer else wired,
        params=tree_of(graph.parameters, "graph/parameters"),
        state=tree_of(extension.state, "extension/state"),
        specs=_specs(extension, len(wired.inputs), wired if not extension.is_layer else None),
    )


def _around(node: ModelNode, inputs: tuple[Any, ...]) -> ModelGraph:
    """The graph that does what the layer of one node does."""
    names = tuple(one.name for one in inputs)
    return ModelGraph(inputs, (ModelNode(node.name, node.layer, names),), (node.name,))


def _check_wiring(graph: ModelGraph, place: str = "graph") -> None:
    """Raises `FormatError` for wires from nowhere, circles and names that are used twice, also in graphs that are nodes."""
    found = wiring_problems(graph.input_names, graph.nodes, graph.outputs, len(graph.inputs))
    if found:
        raise FormatError([problem.under(place) for problem in found])
    for node in graph.nodes:
        if isinstance(node.layer, ModelGraph):
            _check_wiring(node.layer, f"{place}/{node.name}")


def _model_node(node: Node, table: Table) -> ModelNode:
    return ModelNode(check_name(node.name, "graph/nodes"), _layer(node, table), tuple(node.inputs))


def _layer(node: Node, table: Table) -> Layer:
    """The layer of a node, of the closed table of types that may stand in a file."""
    place = f"graph/nodes/{node.name}"
    if node.domain != DOMAIN:
        raise FormatError(f"the operator {node.op_type!r} among layers", place=place)
    if node.epsilon is not None or node.axis is not None or node.perm or "type" in node.attributes:
        raise FormatError("a layer's fields are attributes, and none is called `type`", place=place)
    fields = {name: named(value_of, f"{place}/{name}", attribute) for name, attribute in node.attributes.items()}
    given: dict[str, Any] = {"type": node.op_type, **fields}
    problems: list[Problem] = []
    layer = read_layer(given, table, place, problems)
    if problems:
        raise FormatError(problems)
    return layer


def _input(value: ValueInfo, index: int) -> Input:
    try:
        dtype, shape = known_of(value)
        sizes = None if shape is None else tuple(size if isinstance(size, int) else None for size in shape)
        return Input(value.name, sizes, dtype if shape is not None else None)
    except ZerfooError as error:
        raise FormatError([problem.under(f"graph/inputs/{index}") for problem in error.problems]) from None


def _specs(extension: Extension, count: int, graph: ModelGraph | None) -> tuple[Spec, ...]:
    """Shapes and dtypes that the model was made for."""
    specs: list[Spec] = []
    for i, given in enumerate(extension.specs):
        dtype, shape = type_of(given)
        sizes = [size for size in shape or () if isinstance(size, int)]
        if dtype is None or dtype == "object" or shape is None or len(sizes) != len(shape):
            raise FormatError("the shape and dtype of an input are not known", place=f"extension/specs/{i}")
        specs.append(Spec(tuple(sizes), np.dtype(dtype)))
    if len(specs) != count:
        raise FormatError(f"{len(specs)} specs for {count} inputs", place="extension/specs")
    for spec, declared in zip(specs, graph.declared() if graph else (), strict=False):
        misfit = declared.misfits(spec)
        if misfit:
            raise FormatError([misfit.under("graph/inputs")])
    return tuple(specs)


def leaves_of(tree: Mapping[str, Any]) -> dict[str, Any]:
    """The arrays of nested dicts by path, so that `tree_of` gives the dicts again."""
    for name, value in tree.items():
        if not isinstance(name, str) or "/" in name:
            raise ConfigError(f"arrays under {brief(name)} cannot be written", fix="use names that are texts without `/`")
        if isinstance(value, Mapping):
            leaves_of(value)
    return flatten(tree, separator="/")


def tree_of(tensors: Mapping[str, Tensor], place: str) -> dict[str, Any]:
    """The values of tensors, by path, as nested dicts."""
    try:
        return nest({name: named(value_of_tensor, name, tensor) for name, tensor in tensors.items()}, separator="/")
    except FormatError as error:
        raise under(error, place) from None
