"""Editing models as pure functions: every edit takes a `Network` and gives a new one, and parameters follow their layers.

Layers are named by paths through nodes, children and fields: `layer1/0/conv1`, `stack_0/block/attention`, "" for the model.
What an edit does not touch keeps its very arrays; new layers get what the edited model's `init` gives them. An edit that breaks
wiring or shapes raises one `GraphError` that lists every problem with its path, and the old network stays as it was.
"""

from zerfoo_jax.graph.editing.cutting import subgraph as subgraph
from zerfoo_jax.graph.editing.freezing import freeze as freeze
from zerfoo_jax.graph.editing.freezing import unfreeze as unfreeze
from zerfoo_jax.graph.editing.grafting import graft as graft
from zerfoo_jax.graph.editing.joining import chain as chain
from zerfoo_jax.graph.editing.joining import merge as merge
from zerfoo_jax.graph.editing.low_rank import add_lora as add_lora
from zerfoo_jax.graph.editing.low_rank import merge_lora as merge_lora
from zerfoo_jax.graph.editing.network import Network as Network
from zerfoo_jax.graph.editing.nodes import insert as insert
from zerfoo_jax.graph.editing.nodes import remove as remove
from zerfoo_jax.graph.editing.nodes import rename as rename
from zerfoo_jax.graph.editing.nodes import replace as replace
from zerfoo_jax.graph.editing.quantizing import quantize_network as quantize_network
from zerfoo_jax.graph.editing.tying import tie as tie
