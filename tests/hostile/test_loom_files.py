"""LOOM's and go-metal's files that are broken or made to do harm: a `FormatError` with its place, in little time and memory."""

import base64
import copy
import json
from pathlib import Path
import random
import resource
import struct
import time
from typing import Any

import numpy as np
import pytest

from tests.hostile import loom_files as files
from zerfoo_jax.core.errors import FormatError
from zerfoo_jax.formats import FORMATS, go_metal, load
from zerfoo_jax.formats.loom import bundle, entity, wire

DATA = Path(__file__).parents[1] / "data"
READERS = {"loom": bundle, "loom_wire": wire, "entity": entity, "go_metal": go_metal}
TABLES = {"loom": files.BUNDLES, "loom_wire": files.WIRES, "entity": files.ENTITIES, "go_metal": files.METALS}
CASES = [(kind, name) for kind, table in TABLES.items() for name in table]
GOOD = {"loom": files.bundle(), "loom_wire": files.wire_dense(), "entity": files.entity(), "go_metal": files.METAL}


@pytest.mark.parametrize(("kind", "name"), CASES, ids=[f"{kind}-{name}" for kind, name in CASES])
def test_is_refused(tmp_path, kind, name):
    content, said = TABLES[kind][name]
    path = tmp_path / "file"
    path.write_bytes(files.as_bytes(content))
    memory, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    with pytest.raises(FormatError, match=said) as raised:
        READERS[kind].read(path)
    assert time.process_time() - began < 2
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory < 256 * 1024
    assert all(problem.place for problem in raised.value.problems)


@pytest.mark.parametrize("kind", GOOD)
def test_what_they_were_made_from_is_read(tmp_path, kind):
    path = tmp_path / f"model{FORMATS[kind].extensions[0]}"
    path.write_bytes(files.as_bytes(GOOD[kind]))
    assert load(path)(np.ones((1, 2), np.float32)).shape == (1, 1)
    assert FORMATS[kind].call("summarize", path).format == kind


def test_a_model_that_is_not_there(tmp_path):
    with pytest.raises(FormatError, match="no model has the id 'x'"):
        bundle.from_text(files.WHOLE, id="x")
    two = files.bundle()
    two["models"] = [two["models"][0], two["models"][0] | {"id": "other"}]
    with pytest.raises(FormatError, match="holds 2 models"):
        bundle.from_text(files.as_bytes(two))


def test_there_are_enough():
    assert len(CASES) >= 120


def seeds(kind: str) -> list[bytes]:
    """Good files of a kind, the originals' own among them."""
    real = {"loom": "loom/bundle/*.bundle.json", "loom_wire": "loom/v080/*.wire.json", "entity": "loom/v080/*.entity"}
    return [files.as_bytes(GOOD[kind]), *(path.read_bytes() for path in sorted(DATA.glob(real.get(kind, "none"))))]


@pytest.mark.parametrize("kind", GOOD)
def test_changed_files_raise_nothing_else(kind):
    mutate(kind, 1_250, seed=1)


@pytest.mark.slow
@pytest.mark.parametrize("kind", GOOD)
def test_many_changed_files_raise_nothing_else(kind):
    mutate(kind, 50_000, seed=2)


def mutate(kind: str, rounds: int, seed: int) -> None:
    chance, whole = random.Random(seed), seeds(kind)
    reader = READERS[kind].from_bytes if kind == "entity" else READERS[kind].from_text
    refused = 0
    for _ in range(rounds):
        changed = chance.choice([in_bytes, in_values])(chance, chance.choice(whole), kind)
        try:
            reader(changed)
        except FormatError:
            refused += 1
    assert refused > rounds / 3


PIECES = [b"-1", b"1e999", b"null", b"[]", b"{}", b'""', b"true", b"99999999999", b"0", b'"', b"\\u0000", b"\xff"]
VALUES = [
    -1,
    0,
    1,
    2,
    7,
    2**31 - 1,
    2**31,
    10**30,
    0.5,
    -0.0,
    1e38,
    1e300,
    None,
    True,
    False,
    "",
    "x",
    "relu",
    "AAAA",
    [],
    {},
    [1],
    [None],
]


def in_bytes(chance: random.Random, whole: bytes, kind: str) -> bytes:
    """The file with some of its bytes changed, cut out or put in."""
    changed = bytearray(whole)
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(len(changed))
        way = chance.randrange(4)
        if way == 0:
            changed[at] = chance.randrange(256)
        elif way == 1:
            del changed[at : at + chance.randint(1, 8)]
        else:
            start = chance.randrange(len(whole))
            changed[at:at] = chance.choice(PIECES) if way == 2 else whole[start : start + chance.randint(1, 30)]
    return bytes(changed)


def in_values(chance: random.Random, whole: bytes, kind: str) -> bytes:
    """The file with some of the values in its JSON changed, which stays JSON; in a bundle also those of its weights."""
    if kind == "entity":
        length = struct.unpack_from("<Q", whole, 12)[0]
        text = json.dumps(changed_values(chance, json.loads(whole[20 : 20 + length]))).encode()
        return whole[:12] + struct.pack("<Q", len(text)) + text + whole[20 + length :]
    value = json.loads(whole)
    if kind == "loom" and chance.random() < 0.5:
        weights = value["models"][0]["weights"]
        inner = changed_values(chance, json.loads(base64.b64decode(weights["data"])))
        weights["data"] = files.encoded(inner)
        return json.dumps(value).encode()
    return json.dumps(changed_values(chance, value)).encode()


def changed_values(chance: random.Random, value: Any) -> Any:
    value = copy.deepcopy(value)
    for _ in range(chance.randint(1, 3)):
        places = list(places_in(value))
        if not places:
            break
        inside, key = chance.choice(places)
        if chance.random() < 0.2:
            del inside[key]
        else:
            inside[key] = copy.deepcopy(chance.choice([*VALUES, *(holder[at] for holder, at in places[:50])]))
    return value


def places_in(value: Any) -> Any:
    """Every place in lists and objects, but only the first numbers of long lists."""
    if isinstance(value, dict | list):
        for key in list(value) if isinstance(value, dict) else range(min(len(value), 4)):
            yield value, key
            yield from places_in(value[key])
