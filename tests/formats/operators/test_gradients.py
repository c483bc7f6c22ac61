"""Gradients of operators against finite differences in float64."""

from typing import Any

import jax
from jax.test_util import check_grads
import numpy as np
import pytest

from zerfoo_jax.formats.operators import function_of
from zerfoo_jax.formats.operators.call import call

random = np.random.default_rng(3)


def normal(*shape: int) -> np.ndarray:
    return random.normal(size=shape)


CASES: dict[str, tuple[list[np.ndarray], list[np.ndarray], dict[str, Any]]] = {
    "Clip": ([normal(5)], [np.array(-0.3), np.array(0.4)], {}),
    "CumProd": ([normal(2, 4)], [np.array(1)], {"exclusive": 1, "reverse": 1}),
    "GatherND": ([normal(3, 4)], [np.array([[0, -1], [0, 3]])], {}),
    "Gemm": ([normal(2, 3), normal(3, 2), normal(2)], [], {"alpha": 0.5, "beta": 2.0}),
    "Pad": ([normal(3, 2)], [np.array([1, -1, 2, 3])], {"mode": "reflect"}),
    "Pow": ([np.array([-1.5, 2.0, 0.0])], [np.array(2.0)], {}),
    "ReduceL2": ([normal(2, 3)], [np.array([1])], {}),
    "ReduceLogSumExp": ([normal(2, 3)], [np.array([0])], {}),
    "ReduceMax": ([normal(2, 3)], [], {}),
    "Slice": ([normal(4, 3)], [np.array([3]), np.array([-9]), np.array([0]), np.array([-2])], {}),
    "TopK": ([normal(2, 5)], [np.array([2])], {"largest": 0}),
    "Where": ([np.array([[True], [False]]), normal(3), normal(2, 3)], [], {}),
}


@pytest.mark.parametrize("op_type", CASES)
def test_gradients_are_those_of_the_outputs(op_type: str) -> None:
    inputs, known, attributes = CASES[op_type]
    function = function_of(op_type, "", 28)
    floats = [x for x in inputs if x.dtype.kind == "f"]
    others = [x for x in inputs if x.dtype.kind != "f"]

    @jax.jit
    def run(*xs: Any) -> Any:
        return call(function, op_type, [*others, *xs, *known], attributes)[0]

    with jax.enable_x64(True):
        check_grads(run, floats, order=1, modes=("rev",), atol=1e-6, rtol=1e-6, eps=1e-6)
