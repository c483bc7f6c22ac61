"""One operator of the ONNX specification as a layer."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from zerfoo_jax.core.errors import ConfigError, ShapeError
from zerfoo_jax.core.keys import fold_in_name
from zerfoo_jax.core.layer import Layer
from zerfoo_jax.core.types import Array, Params, State, Tree
from zerfoo_jax.formats.operators.call import signature
from zerfoo_jax.formats.operators.data_types import dtype_named
from zerfoo_jax.formats.operators.evaluate import run_node, version_of
from zerfoo_jax.formats.operators.graph import OperatorNode
from zerfoo_jax.formats.operators.naming import plain_name
from zerfoo_jax.formats.operators.packing import Pairs, unpacked
from zerfoo_jax.formats.operators.table import function_of
from zerfoo_jax.formats.operators.wiring import captured_by


@dataclass(frozen=True)
class Operator(Layer):
    """An operator of the ONNX specification (https://onnx.ai/onnx/operators/).

    `operands` and `results` are the names of its inputs and outputs in the file it comes from, the empty text for one left out.
    Operands whose names are in `parameters` are trained, those in `buffers` are state, those in `constants` are part of the
    layer and known before the model runs; all others are the layer's inputs, in their order, behind them the values that graphs
    in its attributes use. Arrays in attributes and constants are mappings of dtype, shape and data, see `operators.packing`.

    Parameters: those in `parameters`, under the names of the operator's inputs. Fresh ones are normal with variance 2/fan_in,
    fan_in being the size without its first axis; of those with one axis `scale` and `var` are ones, all others zeros.
    In training BatchNormalization computes with the batch's statistics and updates the running ones.
    Raises `FormatError` for an operator that is not supported.

    >>> from zerfoo_jax.formats.operators.packing import packed
    >>> add = Operator("Add", ("x", "y"), ("sum",), constants={"y": packed(np.float32(2))}, opsets={"": 14})
    >>> float(add.apply({}, {}, jnp.float32(1))[0])
    3.0
    """

    op_type: str
    operands: tuple[str, ...]
    results: tuple[str, ...]
    attributes: Pairs = ()
    parameters: Pairs = ()
    buffers: Pairs = ()
    constants: Pairs = ()
    domain: str = ""
    opsets: Pairs = ()
    name: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        version = version_of(self.node, self.versions)
        asked = signature(function_of(self.op_type, self.domain, version))
        if len(self.operands) > len(asked.inputs) and not asked.variadic:
            raise ConfigError(f"Operator.operands: {self.op_type} takes at most {len(asked.inputs)}, got {len(self.operands)}")

    @cached_property
    def node(self) -> OperatorNode:
        """The operator as a node of an `OperatorGraph`."""
        attributes = {name: unpacked(value) for name, value in self.attributes}
        return OperatorNode(self.op_type, self.operands, self.results, attributes, self.name, self.domain)

    @cached_property
    def versions(self) -> Mapping[str, int]:
        """The version of each domain's operators."""
        return dict(self.opsets)

    @cached_property
    def wires(self) -> tuple[str, ...]:
        """The names of what the layer takes as inputs, in their order."""
        own = {name for field in (self.parameters, self.buffers, self.constants) for name, _ in field}
        return tuple(name for name in (*self.operands, *captured_by(self.node)) if name and name not in own)

    @property
    def is_source(self) -> bool:
        """Whether nothing feeds the operator: it has only arrays of its own."""
        return not self.wires

    @cached_property
    def leaves(self) -> Mapping[str, str]:
        """Under which names parameters and buffers stand in `params` and `state`, by their names in the file."""
        asked = signature(function_of(self.op_type, self.domain, version_of(self.node, self.versions)))
        found: dict[str, str] = {}
        for position, name in enumerate(self.operands):
            formal = asked.input_name(position)
            several = asked.variadic and position >= len(asked.inputs) - 1
            found.setdefault(name, f"{formal}_{position}" if several else formal)
        for name in captured_by(self.node):
            found.setdefault(name, plain_name(name))
        return {name: found[name] for name, _ in (*self.parameters, *self.buffers)}

    def init(self, key: Array, *specs: Any) -> tuple[Params, State]:
        if len(specs) != len(self.wires):
            raise ShapeError(f"{self.op_type} takes {len(self.wires)} inputs {self.wires}, got {len(specs)}")
        params = {self.leaves[name]: initial(key, self.leaves[name], *kind) for name, kind in self.parameters}
        return params, {self.leaves[name]: initial(key, self.leaves[name], *kind) for name, kind in self.buffers}

    def apply(
        self, params: Params, state: State, *xs: Any, key: Array | None = None, train: bool = False
    ) -> tuple[Tree, State]:
        arrived = iter(xs)
        values = {name: {**params, **state}[leaf] for name, leaf in self.leaves.items()}
        values |= self._constants

        def operand(name: str) -> Any:
            return None if not name else values[name] if name in values else next(arrived)

        inputs = [operand(name) for name in self.operands]
        around = {name: operand(name) for name in captured_by(self.node)}
        updates = train and state.keys() == {"mean", "var"} and self.op_type == "BatchNormalization"
        node = self._updating if updates else self.node
        outputs = run_node(node, inputs, around, self.versions, key=key, train=train)
        if updates:
            state = dict(zip(("mean", "var"), map(jax.lax.stop_gradient, outputs[1:3]), strict=True))
        wanted = outputs[: len(self.results)]
        return wanted[0] if len(self.results) == 1 else wanted, state

    @cached_property
    def _updating(self) -> OperatorNode:
        """BatchNormalization with the batch's statistics, which also gives the new running ones."""
        mode = {"training_mode": 1} if version_of(self.node, self.versions) >= 14 else {}
        outputs = (*self.results[:1], "mean", "var")
        return replace(self.node, outputs=outputs, attributes={**self.node.attributes, **mode})

    @cached_property
    def _constants(self) -> Mapping[str, np.ndarray]:
        return {name: unpacked(value) for name, value in self.constants}


def initial(key: Array, name: str, dtype: str, shape: tuple[int, ...]) -> Array:
    """A fresh array for the operand of that name; see `Operator`."""
    kind = dtype_named(dtype)
    if len(shape) > 1 and jnp.issubdtype(kind, jnp.floating):
        fan_in = max(1, int(np.prod(shape[1:])))
        return (jax.random.normal(fold_in_name(key, name), shape) * np.sqrt(2 / fan_in)).astype(kind)
    return (jnp.ones if name in ("scale", "var") else jnp.zeros)(shape, kind)
