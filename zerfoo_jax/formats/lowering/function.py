"""A JAX function as a graph of operators."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from zerfoo_jax.core.errors import FormatError, ZerfooError
from zerfoo_jax.core.forms import as_defined
from zerfoo_jax.core.types import Spec, Tree
from zerfoo_jax.formats.lowering.builder import Book, Builder
from zerfoo_jax.formats.lowering.cleaning import cleaned, renamed
from zerfoo_jax.formats.lowering.control import CONTROL
from zerfoo_jax.formats.lowering.convolution_norms import with_norms_in_kernels
from zerfoo_jax.formats.lowering.fusing import fused
from zerfoo_jax.formats.lowering.lower import Lowering
from zerfoo_jax.formats.lowering.tensor import known
from zerfoo_jax.formats.operators.graph import OperatorGraph

OPSET = 20
"""The version of ONNX's operators that is written unless another is asked for."""

OPSETS = range(18, 27)
"""The versions that can be written."""


def graph_of_function(
    function: Callable[..., Tree],
    *specs: Spec,
    parameters: Mapping[str, Any] | None = None,
    inputs: Sequence[str] = (),
    outputs: Sequence[str] = (),
    opset: int = OPSET,
) -> OperatorGraph:
    """The operators that do what `function(*inputs)` does, or `function(parameters, *inputs)` with parameters by name.

    `specs` are the inputs' shapes and dtypes, in which sizes may be symbols of `jax.export.symbolic_shape`. Inputs and outputs
    are called as said, else `input_0`, `input_1`, ... and `output`, of several `output_0`, `output_1`, ...
    Raises one `FormatError` with all that operators cannot do.

    >>> import jax.numpy as jnp
    >>> graph = graph_of_function(lambda x: jnp.tanh(x) + 1, jax.ShapeDtypeStruct((3,), jnp.float32))
    >>> [node.op_type for node in graph.nodes]
    ['Tanh', 'Add']
    """
    closed, count = _traced(function, parameters, specs)
    book = Book(opset)
    b = Builder(book)
    input_names = [*inputs] or [f"input_{i}" for i in range(len(specs))]
    own = outputs if len(outputs) == count else ["output"] if count == 1 else [f"output_{i}" for i in range(count)]
    output_names = [book.unique(name) for name in own]
    given = [b.input(name, spec.shape, spec.dtype) for name, spec in zip(input_names, specs, strict=True)]
    arrays = [known(np.asarray(array), name) for name, array in sorted((parameters or {}).items())]
    lowering = Lowering(CONTROL)
    results = lowering.run(b, closed.jaxpr, closed.consts, [*arrays, *given])
    lowering.finish()
    made = b.results(results)
    graph = with_norms_in_kernels(fused(b.graph(given, made, name="model"), book.shapes))
    return cleaned(renamed(graph, {x.name: name for x, name in zip(made, output_names, strict=True)}))


def _traced(function: Callable[..., Tree], parameters: Mapping[str, Any] | None, specs: Sequence[Spec]) -> tuple[Any, int]:
    """The jaxpr, and the number of outputs."""
    given = () if parameters is None else ({name: _spec(array) for name, array in parameters.items()},)
    try:
        with as_defined():
            closed = jax.make_jaxpr(function)(*given, *specs)
    except ZerfooError:
        raise
    except Exception as error:  # symbolic sizes fail in many ways, one for each function that asks for more than they tell
        cause = f"{type(error).__name__}: {(str(error).strip().splitlines() or [''])[0]}"
        raise FormatError(f"the function cannot be traced: {cause}", fix="give it one batch size") from error
    return closed, len(closed.jaxpr.outvars)


def _spec(array: Any) -> Spec:
    return Spec(np.shape(array), array.dtype)
