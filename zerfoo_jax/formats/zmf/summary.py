"""What is in a ZMF file, layers or operators alike."""

from pathlib import Path
from typing import Any

from zerfoo_jax.core.errors import FormatError
from zerfoo_jax.formats.summary import NodeSummary, Summary, TensorSummary
from zerfoo_jax.formats.zmf.attributes import operator_value_of, value_of
from zerfoo_jax.formats.zmf.decode import at_file, named
from zerfoo_jax.formats.zmf.dtypes import BLOCKS, dtype_of
from zerfoo_jax.formats.zmf.encode import size_of
from zerfoo_jax.formats.zmf.schema import DOMAIN, Attribute, Extension, Graph, Metadata, Model, Node, Tensor
from zerfoo_jax.formats.zmf.storage import read_model


def summarize(path: Path) -> Summary:
    """What a ZMF file holds: also of files whose tensors have lost their bytes. Raises `FormatError`."""
    model = read_model(path)
    try:
        return _summary(model)
    except FormatError as error:
        raise at_file(error, path) from None


def _summary(model: Model) -> Summary:
    graph, extension = model.graph or Graph(), model.extension or Extension()
    tables = {"": graph.parameters, "state/": extension.state, "extra/": extension.extra}
    return Summary(
        format="zmf",
        facts=_facts(model),
        inputs=tuple(value.name for value in graph.inputs),
        outputs=tuple(value.name for value in graph.outputs),
        nodes=tuple(named(_node, f"graph/nodes/{node.name or i}", node) for i, node in enumerate(graph.nodes)),
        tensors=tuple(
            named(_tensor, prefix + name, prefix + name, one) for prefix, table in tables.items() for name, one in table.items()
        ),
    )


def _facts(model: Model) -> dict[str, Any]:
    metadata, extension = model.metadata or Metadata(), model.extension or Extension()
    facts = {
        "zmf_version": model.zmf_version,
        "producer": f"{metadata.producer_name} {metadata.producer_version}".strip(),
        "opset": metadata.opset_version,
        "extension_version": extension.version,
        "data_file": extension.data_file,
    }
    return {name: value for name, value in facts.items() if value} | dict(extension.metadata)


def _node(node: Node) -> NodeSummary:
    fields = {"epsilon": node.epsilon, "perm": tuple(node.perm) or None, "axis": node.axis}
    attributes = {name: value for name, value in fields.items() if value is not None}
    attributes |= {name: named(_shown, name, one, node.domain == DOMAIN) for name, one in node.attributes.items()}
    return NodeSummary(node.name, node.op_type, tuple(node.inputs), tuple(node.outputs), attributes)


def _shown(attribute: Attribute, of_layer: bool) -> Any:
    """The value of an attribute; of tensors and graphs how large they are."""
    if of_layer:
        return value_of(attribute)
    if attribute.tensor is not None:
        one = _tensor("", attribute.tensor)
        return f"{one.dtype} {one.shape}"
    if attribute.list is not None:
        return tuple(_shown(item, of_layer) for item in attribute.list.val)
    return operator_value_of(attribute, _outline)


def _outline(graph: Graph) -> Any:
    return f"graph of {len(graph.nodes)} nodes"


def _tensor(name: str, tensor: Tensor) -> TensorSummary:
    stored = BLOCKS.get(tensor.dtype) or dtype_of(tensor.dtype, tensor.dtype_name).name
    return TensorSummary(name, stored, tuple(tensor.shape), size_of(tensor.data))
