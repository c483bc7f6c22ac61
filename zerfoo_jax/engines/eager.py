"""Op by op: nothing is compiled as a whole."""

from dataclasses import dataclass

from zerfoo_jax.core.types import Tree
from zerfoo_jax.engines.engine import Engine, Function
from zerfoo_jax.engines.program import Program


@dataclass(frozen=True)
class Eager(Engine):
    """Runs one primitive after another, each compiled alone; for functions that compile too slowly or wrongly as a whole.

    The function is traced to a jaxpr first, so Python runs once, as with `xla`. Calls are entered, and the iterations of `scan`
    and `while` and the branch of `cond` run step by step. The numbers are those of `xla` up to rounding: nothing is fused.

    >>> import jax.numpy as jnp
    >>> Eager().compile(lambda x: jnp.cumsum(x) + 1)(jnp.arange(3)).tolist()
    [1, 2, 4]
    """

    def compile(self, function: Function, *, donate: tuple[int, ...] = ()) -> Function:
        """The function run one primitive after another; nothing is overwritten."""
        del donate  # each result is an array of its own
        program = Program(function)

        def run(*arguments: Tree, **named: Tree) -> Tree:
            return program.run(arguments, named).output

        return run
