"""Several networks as one: side by side, or one behind the other."""

from collections.abc import Mapping
from dataclasses import replace

from zerfoo_jax.core.errors import GraphError
from zerfoo_jax.core.layer import Layer, check
from zerfoo_jax.graph.editing.cutting import default_inputs
from zerfoo_jax.graph.editing.draft import Draft
from zerfoo_jax.graph.editing.network import Network
from zerfoo_jax.graph.graph import Graph
from zerfoo_jax.graph.input import Input
from zerfoo_jax.graph.node import Node


def merge(networks: Mapping[str, Network]) -> Network:
    """The networks side by side as nodes of one graph, each with inputs and outputs of its own.

    The inputs are those of the networks with the node's name in front (`left_image`), the outputs those of all in their order.

    >>> import jax, jax.numpy as jnp
    >>> from zerfoo_jax.layers import Dense
    >>> left, right = (Network.new(Dense(n), jax.random.key(n), jnp.ones((1, 4))) for n in (2, 3))
    >>> both = merge({"left": left, "right": right})
    >>> both.model.input_names, [y.shape for y in both(jnp.ones((5, 4)), jnp.ones((5, 4)))]
    (('left_inputs', 'right_inputs'), [(5, 2), (5, 3)])
    """
    inputs, nodes, outputs = [], [], []
    for name, network in _expect_some(networks).items():
        own = [replace(given, name=f"{name}_{given.name}") for given in _inputs(network.model, len(network.specs))]
        inputs += own
        nodes.append(Node(name, network.model, tuple(given.name for given in own)))
        outputs += _outputs(name, network)
    specs = (spec for network in networks.values() for spec in network.specs)
    return _draft(networks, Graph(tuple(inputs), tuple(nodes), tuple(outputs))).finish(None, *specs)


def chain(networks: Mapping[str, Network]) -> Network:
    """The networks one behind the other as nodes of one graph: the outputs of each are the inputs of the next.

    Raises `GraphError` where they do not fit.

    >>> import jax, jax.numpy as jnp
    >>> from zerfoo_jax.layers import Dense
    >>> first = Network.new(Dense(2), jax.random.key(0), jnp.ones((1, 4)))
    >>> second = Network.new(Dense(3), jax.random.key(1), jnp.ones((1, 2)))
    >>> chain({"encoder": first, "decoder": second})(jnp.ones((5, 4))).shape
    (5, 3)
    """
    start = next(iter(_expect_some(networks).values()))
    inputs = _inputs(start.model, len(start.specs))
    wires, nodes = tuple(given.name for given in inputs), []
    for name, network in networks.items():
        nodes.append(Node(name, network.model, wires))
        wires = _outputs(name, network)
    return _draft(networks, Graph(tuple(inputs), tuple(nodes), wires)).finish(None, *start.specs)


def _expect_some(networks: Mapping[str, Network]) -> Mapping[str, Network]:
    if not networks:
        raise GraphError("there are no networks to join", fix="give at least one, as a mapping from name to network")
    return networks


def _draft(networks: Mapping[str, Network], graph: Graph) -> Draft:
    params = {name: network.params for name, network in networks.items()}
    state = {name: network.state for name, network in networks.items()}
    return Draft(graph, {"params": params, "state": state})


def _inputs(model: Layer, count: int) -> tuple[Input, ...]:
    return model.declared() if isinstance(model, Graph) else tuple(map(Input, default_inputs(count)))


def _outputs(name: str, network: Network) -> tuple[str, ...]:
    """The wires that come from a node that is this network."""
    output = check(network.model, *network.specs)
    return tuple(f"{name}:{i}" for i in range(len(output))) if isinstance(output, tuple) else (name,)
