"""Operators of the versions that ONNX's own tests no longer cover, against onnxruntime."""

import numpy as np
import pytest

from tests.support.onnx_operators import by_onnxruntime, ours
from tests.support.operator_cases.elementwise import CASES as ELEMENTWISE
from tests.support.operator_cases.imaging import CASES as IMAGING
from tests.support.operator_cases.making import Case
from tests.support.operator_cases.recurring import CASES as RECURRING
from tests.support.operator_cases.reducing import CASES as REDUCING
from tests.support.operator_cases.shaping import CASES as SHAPING
from tests.support.operator_cases.windows import CASES as WINDOWS

FAMILIES = [*ELEMENTWISE, *REDUCING, *SHAPING, *WINDOWS, *RECURRING, *IMAGING]
pytest.importorskip("onnxruntime", reason="the onnx extra is not installed")

CASES = {f"{case.op_type}-{case.version}-{i}": case for i, case in enumerate(FAMILIES)}
SOME = sorted(CASES)[::40]


def compare(case: Case) -> None:
    expected = by_onnxruntime(*case)
    found = [np.asarray(y) for y in ours(*case)[: case.outputs]]
    for a, b in zip(expected, found, strict=True):
        assert (a.dtype, a.shape) == (b.dtype, b.shape)
        if a.dtype == object:
            assert a.tolist() == b.tolist()
        else:
            np.testing.assert_allclose(b, a, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", SOME)
def test_it_agrees_in_some_cases(name: str) -> None:
    compare(CASES[name])


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(CASES))
def test_it_agrees(name: str) -> None:
    compare(CASES[name])
