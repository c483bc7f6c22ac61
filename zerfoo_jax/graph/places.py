"""Where a layer stands in the mapping that describes its model."""

from zerfoo_jax.core.layer import MODEL, Composite, Layer
from zerfoo_jax.graph.graph import Graph
from zerfoo_jax.layers import Frozen, LoRA, Sequential, Stack

HOLDERS: dict[type[Layer], str] = {Frozen: "layer", LoRA: "layer", Stack: "block"}
"""Layers around one layer, and the field that holds it."""


def config_path(layer: Layer, node_path: str) -> str:
    """The place of a node in its model's mapping, "" for the model itself; from where it has none there, it stays a node path.

    >>> from zerfoo_jax.layers import Dense, Flatten, Residual
    >>> config_path(Sequential((Flatten(), Residual(Dense(2)))), "residual_0/inner")
    'layers[1].inner'
    """
    if node_path == MODEL:
        return ""
    if isinstance(layer, Graph) and node_path in {node.name for node in layer.nodes}:
        return f"nodes.{node_path}"  # whatever is in the name
    name, _, rest = node_path.partition("/")
    if type(layer) in HOLDERS and name:
        field = HOLDERS[type(layer)]
        return _join(field, config_path(getattr(layer, field), rest))
    children = layer.children() if isinstance(layer, Composite) else {}
    if isinstance(layer, Graph) and any(node.name == name for node in layer.nodes):
        return _join(f"nodes.{name}", config_path(children[name], rest) if name in children else rest)
    if isinstance(layer, Graph) and name in layer.input_names:
        return f"inputs.{name}"
    if name not in children:
        return node_path
    own = f"layers[{list(children).index(name)}]" if isinstance(layer, Sequential) else name
    return _join(own, config_path(children[name], rest))


def _join(outer: str, inner: str) -> str:
    return f"{outer}.{inner}" if inner else outer
