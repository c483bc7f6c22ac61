"""JSON text: what is read, and what is refused with its place."""

import json
import time

from hypothesis import given
from hypothesis import strategies as st
import pytest

from zerfoo_jax.config.strict_json import dump, parse
from zerfoo_jax.core.errors import ConfigError

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
NUMBERS = st.one_of(st.integers(), st.floats(allow_nan=False, allow_infinity=False))
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, TEXT), lambda inner: st.one_of(st.lists(inner), st.dictionaries(TEXT, inner))
)


@given(VALUES)
def test_reads_back_what_is_dumped(value):
    assert parse(dump(value)) == value


@pytest.mark.parametrize("value", [10**300, -(10**998), 2**64 + 1, "日本 \U0001f600 \u2028", 5e-324, -0.0], ids=range(6))
def test_extremes_survive(value):
    assert repr(parse(dump(value))) == repr(value)


REFUSED = {
    "nothing": ("", r"(?s)Expecting value.*file.json:1:1"),
    "a list that does not end": ('{"a": [1,\n 2', r"file.json:2:3"),
    "a comma too many": ('{"a": 1,}', r"file.json:1:\d"),
    "two values": ("1 2", r"Extra data"),
    "a comment": ('{"a": 1} // one', r"Extra data"),
    "single quotes": ("{'a': 1}", r"property name"),
    "a bare word": ("{a: 1}", r"property name"),
    "a key twice": ('{"a": {"b": 1, "b": 2}}', r"'b' appears twice"),
    "NaN": ('{"a": NaN}', r"NaN is not JSON"),
    "Infinity": ("[-Infinity]", r"-Infinity is not JSON"),
    "a number too large": ("1e999", r"1e999 is too large"),
    "an integer too long": ("1" * 1001, r"1001 digits"),
    "an integer far too long": ("1" * 100_000, r"100000 digits"),
    "half a surrogate pair": (r'["\ud800"]', r"surrogate"),
    "half a surrogate pair as a key": (r'{"\udfff": 1}', r"surrogate"),
    "a control character": ('"a\nb"', r"control character"),
    "deep lists": ("[" * 100_000, r"nested over 64 deep"),
    "deep mappings": ('{"a":' * 65 + "1" + "}" * 65, r"nested over 64 deep"),
    "many values": (json.dumps([0] * 20_000), r"over 20000 values"),
    "many keys": (json.dumps({str(i): i for i in range(10_000)}), r"over 20000 values"),
    "a long text": ('"' + "a" * 2**20 + '"', r"over 1048576 bytes"),
    "a byte order mark": ("\ufeff{}", r"BOM"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_hostile_text_is_refused_with_its_place(name):
    text, words = REFUSED[name]
    start = time.process_time()
    with pytest.raises(ConfigError, match=words) as raised:
        parse(text, "file.json")
    assert raised.value.problems[0].place.startswith("file.json")
    assert len(str(raised.value)) < 1000
    assert time.process_time() - start < 2
