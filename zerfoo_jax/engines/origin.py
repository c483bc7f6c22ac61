"""Where a number that is not finite comes from.

From the results that are not finite the search goes back along what they were made of, to the earliest operation that makes a
non-finite number out of finite ones. Infinities that are meant, such as those that mask, do not lead to such a result.
"""

from collections.abc import Sequence

from zerfoo_jax.core.types import Tree
from zerfoo_jax.engines.bodies import LOOPS
from zerfoo_jax.engines.engine import Function
from zerfoo_jax.engines.operation import Operation, operation_of
from zerfoo_jax.engines.program import Program, Results
from zerfoo_jax.engines.value import Summary

FORMS = (
    "broadcast_in_dim", "concatenate", "convert_element_type", "copy", "reshape", "slice", "squeeze", "transpose",
)  # fmt: skip
"""The primitives that give the numbers of an argument another form."""


class History:
    """Which operation made what of what, as summaries: the arrays themselves are let go."""

    def __init__(self) -> None:
        self._operations: list[Operation] = []

    def add(self, operation: Operation) -> None:
        """Writes down an operation that has just run."""
        self._operations.append(operation)

    def origin(self, results: Results) -> Operation | None:
        """The operation that the non-finite numbers among the results go back to; None if there are none, or if they are
        arguments handed on.

        Where all that went into it is finite, it made them; else they came in with an argument or stand in the function as
        they are, and it is the first that computes with them. What is not finite in the forward pass comes first: a gradient
        follows from it.
        """
        leaves = [value.summary(statistics=False) for value in results.leaves]
        forward = [leaf for leaf, late in zip(leaves, results.scope.late, strict=True) if not late]
        return self._search(forward) or self._search(leaves)

    def sources(self, operation: Operation) -> set[object]:
        """The marks of all that is not finite and that an operation's inputs go back to."""
        found = {x.mark for x in operation.inputs if not x.finite}
        for before in reversed(self._operations):
            if not found.isdisjoint(x.mark for x in before.outputs):
                found.update(x.mark for x in before.inputs if not x.finite)
        return found

    def _search(self, results: Sequence[Summary]) -> Operation | None:
        made = {x.mark for operation in self._operations for x in operation.outputs}
        wanted = {x.mark for x in results if not x.finite and x.mark in made}
        origin = written = reached = moved = None
        for operation in reversed(self._operations):
            if wanted.isdisjoint(x.mark for x in operation.outputs):
                continue
            inputs = [x for x in operation.inputs if x.mark in made]
            # Of a NaN, a NaN is the likelier cause than an infinity beside it, which may be meant.
            wanted.update(x.mark for x in ([x for x in inputs if x.nans] or [x for x in inputs if not x.finite]))
            if all(x.finite for x in operation.inputs):
                origin = operation
            elif _only_moves(operation):
                moved = operation
            elif any(x.nans for x in operation.inputs):
                reached = operation
            else:
                reached = written = operation  # out of an infinity that is written in the model, or came in from outside
        return origin or written or reached or moved


def _only_moves(operation: Operation) -> bool:
    """Whether it only hands on an argument: to the iterations of a loop or, outside of all layers, in another form."""
    return operation.primitive in LOOPS or (not operation.layer and operation.primitive in FORMS)


def first_nonfinite(function: Function, *arguments: Tree) -> Operation | None:
    """Interprets the function and finds where the first NaN or infinity among its results arose; None if all are finite.

    >>> import jax.numpy as jnp
    >>> found = first_nonfinite(lambda x: jnp.exp(jnp.log(x) + 1).sum() - jnp.sqrt(x - 1).sum(), jnp.zeros(3))
    >>> found.primitive, found.outputs[0].nans
    ('sqrt', 3)
    """
    history = History()
    return history.origin(Program(function).run(arguments, {}, lambda ran: history.add(operation_of(ran))))
