import math

from hypothesis import given
from hypothesis import strategies as st
import pytest

from zerfoo_jax.core.errors import ConfigError
from zerfoo_jax.graph.writing.codegen.literals import literal


@given(st.one_of(st.text(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.booleans(), st.none()))
def test_reads_back(value):
    import ast

    back = ast.literal_eval(str(literal(value)))
    assert (type(back), back) == (type(value), value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a", '"a"'),
        ("it's", '"it\'s"'),
        ('say "x"', "'say \"x\"'"),
        ("\"'", '"\\"\'"'),
        ("a\\b\n\u2028", '"a\\\\b\\n\\u2028"'),
        (1e16, "1e16"),
        (-1e-7, "-1e-07"),
    ],
)
def test_is_written_as_formatters_leave_it(value, text):
    assert literal(value) == text


@pytest.mark.parametrize("value", [math.nan, math.inf, {1}, b"x", 1j, 10**5000], ids=range(6))
def test_what_is_not_plain_is_refused(value):
    with pytest.raises(ConfigError, match="cannot be written as Python source"):
        literal(value)
