"""JAX's symbolic dimensions, such as `2*batch + 1`, as the nodes that compute them when the model runs."""

import ast
from collections.abc import Callable
from typing import Any

import numpy as np

from zerfoo_jax.core.errors import FormatError
from zerfoo_jax.formats.lowering.tensor import Tensor, known

_OPERATORS = {ast.Add: "Add", ast.Sub: "Sub", ast.Mult: "Mul", ast.Pow: "Pow"}
_FUNCTIONS = {"max": "Max", "min": "Min"}


def expression(size: Any) -> ast.expr:
    """The expression that a size is, in the language of `jax.export.symbolic_shape`."""
    return ast.parse(str(size).replace("^", "**"), mode="eval").body


def symbols_of(size: Any) -> set[str]:
    """The names that a size is computed from."""
    nodes = list(ast.walk(expression(size)))
    functions = {id(node.func) for node in nodes if isinstance(node, ast.Call)}
    return {node.id for node in nodes if isinstance(node, ast.Name) and id(node) not in functions}


class Terms:
    """Writes the nodes that compute a size: `symbol` gives the tensor of a name, `emit` writes a node, as `Builder` does."""

    def __init__(self, symbol: Callable[[str], Tensor], emit: Callable[..., Tensor]):
        self._symbol, self._emit = symbol, emit

    def tensor(self, size: Any) -> Tensor:
        """The size as a tensor of one integer; raises `FormatError` for what operators have no word for."""
        return self._of(expression(size))

    def _of(self, node: ast.expr) -> Tensor:
        if isinstance(node, ast.Constant) and isinstance(node.value, int):
            return known(np.array([node.value], np.int64))
        if isinstance(node, ast.Name):
            return self._symbol(node.id)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            return self._two("Mul", known(np.array([-1], np.int64)), self._of(node.operand))
        if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
            return self._two(_OPERATORS[type(node.op)], self._of(node.left), self._of(node.right))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and len(node.args) == 2:
            return self._call(node.func.id, self._of(node.args[0]), self._of(node.args[1]))
        raise FormatError(f"operators have no word for the size {ast.unparse(node)!r}")

    def _call(self, name: str, a: Tensor, b: Tensor) -> Tensor:
        if name in _FUNCTIONS:
            return self._two(_FUNCTIONS[name], a, b)
        remainder = self._two("Mod", a, b)  # of the sign of the divisor, as JAX has it
        return remainder if name == "mod" else self._two("Div", self._two("Sub", a, remainder), b)

    def _two(self, op_type: str, a: Tensor, b: Tensor) -> Tensor:
        return self._emit(op_type, [a, b], (1,), np.int64)
