import hashlib
import json
import math

import pytest

from zerfoo_jax.checkpoint import manifest as module
from zerfoo_jax.checkpoint.faults import DamagedError
from zerfoo_jax.checkpoint.manifest import (
    FileRecord,
    LeafRecord,
    Manifest,
    checked_extra,
    checked_metrics,
    read_manifest,
    write_manifest,
)
from zerfoo_jax.core.errors import CheckpointError

SHA = "0123456789abcdef" * 4
GOOD = Manifest(
    step=7,
    digest=SHA,
    leaves=(LeafRecord(path="params/ü", dtype="float32", shape=(2, 0), sha256=SHA),),
    files=(FileRecord(path="arrays/d/x", size=3, sha256=SHA),),
    extra={"position": [1, None, {"a": 0.1}], "big": 2**70},
    metrics=checked_metrics({"loss": 0.1, "norm": math.inf, "score": math.nan, "low": -math.inf}),
    versions={"jax": "1"},
)


def _write(folder, text: bytes) -> None:
    """A manifest with a consistent digest, as an attacker would write it."""
    (folder / "manifest.json").write_bytes(text)
    (folder / "manifest.json.sha256").write_text(f"{hashlib.sha256(text).hexdigest()}  manifest.json\n")


def _edited(**changes) -> bytes:
    return json.dumps(json.loads(json.dumps(GOOD.model_dump())) | changes).encode()


def test_a_manifest_comes_back_as_it_was(tmp_path):
    write_manifest(tmp_path, GOOD)
    read = read_manifest(tmp_path)
    assert read == GOOD
    numbers = read.numbers()
    assert (
        numbers["loss"] == 0.1 and numbers["norm"] == math.inf and math.isnan(numbers["score"]) and numbers["low"] == -math.inf
    )


def test_every_byte_of_both_files_is_guarded(tmp_path):
    write_manifest(tmp_path, GOOD)
    for path in (tmp_path / "manifest.json", tmp_path / "manifest.json.sha256"):
        data = path.read_bytes()
        for i, byte in enumerate(data):
            path.write_bytes(data[:i] + bytes([byte ^ 1 << i % 8]) + data[i + 1 :])
            with pytest.raises(DamagedError, match="differs from its digest"):
                read_manifest(tmp_path)
        path.write_bytes(data)
    assert read_manifest(tmp_path) == GOOD


FILE, LEAF = json.loads(GOOD.files[0].model_dump_json()), json.loads(GOOD.leaves[0].model_dump_json())


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b"{}",
        b"null",
        _edited()[:-1],
        _edited() + b"{}",
        _edited().replace(b'"step": 7', b'"step": 7, "step": 8'),
        _edited().replace(b'"step": 7', b'"step": NaN'),
        _edited(extra={"x": 1}).replace(b'"x": 1', b'"x": Infinity'),
        _edited(extra={"x": 1}).replace(b'"x": 1', b'"x": 1, "x": 1'),
        _edited(extra={"x": 1}).replace(b'"x": 1', b'"x": ' + b"[" * 100_000 + b"]" * 100_000),
        _edited(extra={"x": 1}).replace(b'"x": 1', b'"x": ' + b"9" * 10_000),
        _edited(version=2),
        _edited(step=-1),
        _edited(step="7"),
        _edited(step=True),
        _edited(step=7.0),
        _edited(unknown=1),
        _edited(digest=SHA.upper()),
        _edited(digest=SHA + "\n"),
        _edited(metrics={"loss": "1.0"}),
        _edited(metrics={"loss": None}),
        _edited(extra=[]),
        _edited(leaves=[LEAF, LEAF]),
        _edited(leaves=[LEAF | {"shape": [-1]}]),
        _edited(leaves=[LEAF | {"shape": "2"}]),
        _edited(files=[FILE, FILE]),
        _edited(files=[FILE | {"size": -1}]),
        _edited(files=[FILE | {"mode": 1}]),
        *[
            _edited(files=[FILE | {"path": path}])
            for path in ("", ".", "..", "/etc/passwd", "../x", "a/../../x", "a//b", "./a", "a/", "a\\b", "a\0b")
        ],
    ],
)
def test_a_malformed_manifest_is_damage_even_with_a_consistent_digest(tmp_path, text):
    _write(tmp_path, text)
    with pytest.raises(DamagedError, match=r"manifest\.json"):
        read_manifest(tmp_path)


def test_a_large_manifest_is_refused_when_written_and_when_read(tmp_path, monkeypatch):
    write_manifest(tmp_path, GOOD)
    monkeypatch.setattr(module, "MANIFEST_LIMIT", 100)
    with pytest.raises(DamagedError, match="more than 100 bytes"):
        read_manifest(tmp_path)
    with pytest.raises(CheckpointError, match="more than 100"):
        write_manifest(tmp_path, GOOD)


@pytest.mark.parametrize(
    "extra", [{"a": (1, 2)}, {1: 2}, {"a": math.nan}, {"a": math.inf}, {"a": object()}, {"a": b"x"}, [1], {"a": {1, 2}}]
)
def test_extra_that_is_not_json_is_refused(extra):
    with pytest.raises(CheckpointError, match="`extra`"):
        checked_extra(extra)


def test_extra_is_a_copy():
    inner = [1]
    copy = checked_extra({"a": inner})
    inner.append(2)
    assert copy == {"a": [1]}


@pytest.mark.parametrize("metrics", [{"loss": "x"}, {"loss": None}, {"loss": [1, 2]}, 3])
def test_metrics_that_are_no_numbers_are_refused(metrics):
    with pytest.raises(CheckpointError, match="`metrics`"):
        checked_metrics(metrics)
