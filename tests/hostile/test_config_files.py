"""Config files that are broken or made to do harm: one readable error each, with its place, in little time."""

import time

import pytest

from zerfoo_jax.config.merge import gather
from zerfoo_jax.config.yaml import MAX_BYTES, parse, read
from zerfoo_jax.core.errors import ConfigError

BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "\n".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)

# The text, where it is wrong (line and column), and a word of the cause.
TEXTS = {
    "duplicate key": ("a: 1\nb: 2\na: 3", "3:1", "twice"),
    "duplicate key by quotes": ("s:\n  a: 1\n  'a': 2", "3:3", "twice"),
    "duplicate number": ("1: a\n'1': b", "2:1", "twice"),
    "python object": ("a: !!python/object/apply:os.system ['true']", "1:4", "tag"),
    "python object on a mapping": ("a: !!python/object:a.B {b: 1}", "1:4", "tag"),
    "python name": ("a: !!python/name:os.system", "1:4", "tag"),
    "custom tag on a mapping": ("a: !mine {b: 1}", "1:4", "tag"),
    "set": ("a: !!set {b}", "1:4", "tag"),
    "binary": ("a: !!binary aGVsbG8=", "1:4", "tag"),
    "timestamp": ("a: !!timestamp 2001-01-01", "1:4", "tag"),
    "wrong bool": ("a: !!bool abc", "1:4", "tag"),
    "tag on a key": ("!!python/none x: 1", "1:1", "tag"),
    "merge key": ("b: &x {c: 1}\na:\n  <<: *x", "3:3", "merge"),
    "unknown alias": ("a: *x", "1:4", "alias"),
    "alias in itself": ("a: &x [*x]", "1:4", "nested"),
    "alias bomb": (BOMB, "1:", "over"),
    "flow nested 2000 deep": ("[" * 2000 + "]" * 2000, "1:65", "nested"),
    "mapping nested 2000 deep": ("{a: " * 2000 + "1" + "}" * 2000, "1:", "nested"),
    "dashes nested 2000 deep": ("- " * 2000 + "a", "1:129", "nested"),
    "blocks nested 500 deep": ("\n".join(" " * i + "a:" for i in range(500)), "64:64", "nested"),
    "only opened": ("[" * (MAX_BYTES - 1), "1:65", "nested"),
    "many keys": ("".join(f"k{i}: 1\n" for i in range(90_000)), "10000:", "over"),
    "many items": ("[" + "a," * 500_000, "1:", "over"),
    "many aliases": ("a: &a 1\nb: [" + "*a," * 340_000, "2:", "over"),
    "tab": ("a:\n\tb: 1", "2:1", "tab|character"),
    "NUL": ("a: 1\nb: \0", "2:4", "0x0"),
    "control character": ("a: \x01", "1:4", "0x1"),
    "half a surrogate pair": ('a: "\\ud800"', "1:4", "surrogate"),
    "half a surrogate pair in a key": ('"\\ud800": a', "1:1", "surrogate"),
    "no such character": ('a: "\\UFFFFFFFF"', "", "not plain YAML"),
    "two documents": ("a: 1\n---\nb: 2", "2:1", "document"),
    "open bracket": ("a: [1, 2", "1:9", "expected"),
    "open quote": ('a: "x', "1:6", "end of stream"),
    "colon in text": ("a: b: c", "1:5", "mapping"),
    "list as a key": ("[a]: 1", "1:1", "key"),
    "long integer": ("a: " + "9" * 5000, "1:4", "5000 digits"),
    "long hexadecimal": ("a: 0x" + "f" * 100_000, "1:4", "digits"),
    "bad escape": ('a: "\\q"', "1:6", "escape"),
    "future version": ("%YAML 9.9\n---\na: 1", "1:1", "version"),
}


@pytest.mark.parametrize("name", TEXTS)
def test_a_hostile_text_is_refused_with_its_place(name):
    text, place, cause = TEXTS[name]
    start = time.process_time()
    with pytest.raises(ConfigError, match=cause) as caught:
        parse(text, "f.yaml")
    assert time.process_time() - start < 2
    (problem,) = caught.value.problems
    assert problem.place.startswith(f"f.yaml:{place}" if place else "f.yaml")
    assert len(str(caught.value)) < 500


FILES = {
    "not UTF-8": (b"a: 1\nb: \xff\n", ":2:4"),
    "UTF-16": ("name: t".encode("utf-16"), ":1:1"),
    "more than 1 MiB": (b"#" * (MAX_BYTES + 1), ""),
}


@pytest.mark.parametrize("name", FILES)
def test_a_hostile_file_is_refused_with_its_place(tmp_path, name):
    path = tmp_path / "f.yaml"
    data, place = FILES[name]
    path.write_bytes(data)
    with pytest.raises(ConfigError) as caught:
        read(path)
    assert caught.value.problems[0].place == f"{path}{place}"


@pytest.mark.parametrize("text", ["", "# nothing\n", "- a\n- b", "hello", "3", "null", "[]"])
def test_a_file_without_sections_is_refused(tmp_path, text):
    path = tmp_path / "f.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match="mapping of sections") as caught:
        gather(path)
    assert caught.value.problems[0].place == f"{path}:1:1"


@pytest.mark.parametrize("filler", [b"# remark\n" * 110_000, b"\n" * 1_000_000, b"a: '" + b"x y " * 250_000 + b"'"])
def test_a_large_file_of_nothing_takes_little_time(tmp_path, filler):
    path = tmp_path / "f.yaml"
    path.write_bytes(filler)
    start = time.process_time()
    read(path)
    assert time.process_time() - start < 4


def test_nothing_ran(tmp_path):
    mark = tmp_path / "ran"
    with pytest.raises(ConfigError):
        parse(f"a: !!python/object/apply:os.mkdir ['{mark}']")
    assert not mark.exists()
