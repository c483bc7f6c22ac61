import math
import time

from hypothesis import given, settings
from hypothesis import strategies as st
import pytest

from zerfoo_jax.config.yaml import MAX_DEPTH, MAX_NODES, dump, parse, read
from zerfoo_jax.core.errors import ConfigError

# The YAML 1.2.2 core schema, chapter 10.3.2: text and the value it stands for.
CORE_SCHEMA = [
    ("1e-4", 1e-4),
    ("1E4", 1e4),
    ("-.5e+3", -500.0),
    ("+1.5", 1.5),
    ("1.", 1.0),
    ("010", 10),
    ("-7", -7),
    ("0x1f", 31),
    ("0o17", 15),
    (".inf", math.inf),
    ("-.INF", -math.inf),
    ("~", None),
    ("null", None),
    ("", None),
    ("true", True),
    ("FALSE", False),
    ("no", "no"),
    ("on", "on"),
    ("y", "y"),
    ("12:30:45", "12:30:45"),
    ("2024-01-01", "2024-01-01"),
    ("1_000", "1_000"),
    ("0b1", "0b1"),
    ("0xg", "0xg"),
    ("1e", "1e"),
    ("'1'", "1"),
    ('"no"', "no"),
    ("١٢٣", "١٢٣"),
    ("=", "="),
]


@pytest.mark.parametrize(("text", "value"), CORE_SCHEMA)
def test_plain_values_follow_the_core_schema(text, value):
    found = parse(f"key: {text}").value["key"]
    assert found == value
    assert type(found) is type(value)


def test_not_a_number():
    assert math.isnan(parse(".nan").value)


def test_a_key_is_its_text():
    assert list(parse("010: a\ntrue: b\nnull: c\n1e3: d").value) == ["010", "true", "null", "1e3"]


def test_places_are_counted_from_one():
    places = parse("a: 1\nb:\n  - x\n  - {c: 2}", "f.yaml").places
    assert places["a",] == "f.yaml:1:1"
    assert places["b", 0] == "f.yaml:3:5"
    assert places["b", 1, "c"] == "f.yaml:4:6"


TRICKY_TEXT = [
    *("", " ", "no", "on", "~", "null", "1e5", "1e-4", "0x1f", "0o7", "010", "1_0", "12:30:45", "2024-01-01", ".inf", ".nan"),
    *("<<", "=", "- a", "a: b", "#x", "'", '"', "\n", "a\n", "\na", "a\n\n b", "\t", "a\tb", "\u2028", "\x85", "\ufeff", "&a"),
    *("*a", "!a", "!!int 3", "%x", "@", "`", "?", "? a", ":", "a:", "[", "{", "---", "...", "é", "😀", "\x7f", "\x00", "\x1b"),
    *("a" * 200, "x y " * 60, " lead", "trail ", "+1", "1.", ".5", "1e5x", "-0", "1E5", "0b1"),
]
TEXTS = st.sampled_from(TRICKY_TEXT) | st.text(st.characters(exclude_categories=["Cs"]))
LEAVES = st.none() | st.booleans() | st.integers(-(10**40), 10**40) | st.floats() | TEXTS
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4), max_leaves=8
)


@settings(max_examples=300, deadline=None)
@given(VALUES)
def test_what_is_dumped_is_read_back(value):
    # Compared as text: it tells 1 from 1.0 and True, and takes nan for equal to nan.
    assert repr(parse(dump(value)).value) == repr(value)


@pytest.mark.parametrize("text", TRICKY_TEXT)
def test_tricky_text_survives_as_key_and_value(text):
    assert parse(dump({text: [text]})).value == {text: [text]}


def test_a_shared_part_is_written_out_twice():
    shared = {"features": 3}
    assert "&" not in dump({"a": shared, "b": shared})


def test_a_tuple_is_dumped_as_a_list():
    assert parse(dump({"a": (1, 2)})).value == {"a": [1, 2]}


def test_a_file_at_the_limits_is_read_in_time():
    start = time.monotonic()
    text = "\n".join(f"- {i}" for i in range(MAX_NODES - 1))
    assert len(parse(text).value) == MAX_NODES - 1
    parse("[" * MAX_DEPTH + "]" * MAX_DEPTH)
    assert time.monotonic() - start < 10


def test_a_missing_file_and_a_folder(tmp_path):
    with pytest.raises(ConfigError, match="No such file"):
        read(tmp_path / "no.yaml")
    with pytest.raises(ConfigError, match="directory"):
        read(tmp_path)
