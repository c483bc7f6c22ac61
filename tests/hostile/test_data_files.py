"""Files that are damaged or made to harm: each is a `DataError`, soon, and nothing in them is ever run."""

from collections.abc import Callable
from contextlib import suppress
import io
import os
from pathlib import Path
import pickle
import struct
import time
import zipfile
import zlib

import numpy as np
from PIL import Image
import pytest

from zerfoo_jax.core.errors import DataError
from zerfoo_jax.data import DATASETS
from zerfoo_jax.data.npy import load_npz, map_npy

SECONDS = 2.0


class Bomb:
    """Writes a file when unpickled."""

    def __reduce__(self):
        return (Path.touch, (Path("unpickled"),))


def npy(array: np.ndarray) -> bytes:
    out = io.BytesIO()
    np.save(out, array)
    return out.getvalue()


def header(text: str, data: bytes = b"", version: bytes = b"\x01\x00") -> bytes:
    size = struct.pack("<H" if version == b"\x01\x00" else "<I", len(text))
    return b"\x93NUMPY" + version + size + text.encode("latin1") + data


def declared(shape: str, descr: str = "'<f4'", data: bytes = bytes(16)) -> bytes:
    return header(f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}}}\n", data)


GOOD = npy(np.arange(4, dtype=np.float32))
NPY: dict[str, bytes] = {
    "empty": b"",
    "magic only": b"\x93NUMPY",
    "not npy": b"hello, world" * 9,
    "pickle": pickle.dumps(Bomb()),
    "objects": npy(np.array([Bomb()], dtype=object)),
    "object dtype": declared("(2,)", "'|O'"),
    "strings": npy(np.array(["a", "b"])),
    "bytes": npy(np.array([b"a", b"b"])),
    "times": npy(np.array([1, 2], "M8[s]")),
    "complex": npy(np.ones(2, complex)),
    "structured": npy(np.zeros(2, [("a", "i4"), ("b", "f4")])),
    "void": declared("(2,)", "'|V8'"),
    "cut short": GOOD[:-1],
    "cut in the header": GOOD[:40],
    "too long": GOOD + b"\0",
    "terabytes": declared("(1099511627776,)"),
    "overflowing": declared("(4294967296, 4294967296, 4)"),
    "overflowing to what is there": declared("(9223372036854775808, 2, 4)"),
    "zero times huge": declared("(0, 9223372036854775808)", data=b""),
    "negative": declared("(-4,)"),
    "two negatives": declared("(-2, -2)"),
    "float length": declared("(4.0,)"),
    "string length": declared("('4',)"),
    "no tuple": declared("4"),
    "scalar": declared("()", data=bytes(4)),
    "rank 65": declared("(" + "1," * 64 + "4)"),
    "rank 40": declared("(" + "1," * 39 + "4)"),
    "unknown dtype": declared("(4,)", "'<z4'"),
    "huge string dtype": declared("(0,)", "'<U9999'", b""),
    "call as dtype": declared("(4,)", "__import__('os').getcwd()"),
    "deep nesting": header("(" * 5000),
    "header of 100 kB": header(" " * 60_000 + "{}"),
    "header longer than the file": b"\x93NUMPY\x02\x00" + struct.pack("<I", 2**32 - 1) + b"{}",
    "version 3": header("{'descr': '<f4', 'fortran_order': False, 'shape': (4,)}\n", bytes(16), b"\x03\x00"),
    "version 9": header("{}", b"", b"\x09\x00"),
    "extra key": header("{'descr': '<f4', 'fortran_order': False, 'shape': (4,), 'x': 1}\n", bytes(16)),
    "missing key": header("{'descr': '<f4', 'shape': (4,)}\n", bytes(16)),
    "list": header("[]\n"),
}


def archive(members: list[tuple[str, bytes]], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as file:
        for name, content in members:
            file.writestr(name, content)
    return out.getvalue()


def bomb() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file, file.open("x.npy", "w") as member:
        member.write(declared("(75497472,)", data=b""))
        for _ in range(288):
            member.write(bytes(2**20))
    return out.getvalue()


def lying_sizes() -> bytes:
    """The member's sizes in the directory are larger than what is there."""
    content = bytearray(archive([("x.npy", declared("(1000000,)")), ("y.npy", GOOD)], zipfile.ZIP_STORED))
    at = content.rindex(b"PK\x01\x02", 0, content.rindex(b"PK\x01\x02"))
    content[at + 20 : at + 28] = struct.pack("<II", 4_000_000 + 72, 4_000_000 + 72)
    return bytes(content)


def flipped() -> bytes:
    content = bytearray(archive([("x.npy", GOOD), ("y.npy", GOOD)], zipfile.ZIP_STORED))
    content[content.index(GOOD) + len(GOOD) - 1] ^= 1
    return bytes(content)


PAIR = [("x.npy", GOOD), ("y.npy", GOOD)]
NPZ: dict[str, Callable[[], bytes]] = {
    "empty": lambda: b"",
    "not a zip": lambda: b"PK\x03\x04 not really" * 30,
    "pickle": lambda: pickle.dumps(Bomb()),
    "npy instead": lambda: GOOD,
    "truncated": lambda: archive(PAIR)[:-30],
    "front cut off": lambda: archive(PAIR)[50:],
    "no members": lambda: archive([]),
    "other members": lambda: archive([("a.npy", GOOD), ("b.npy", GOOD)]),
    "not an array inside": lambda: archive([("x.npy", b"hello"), ("y.npy", GOOD)]),
    "objects inside": lambda: archive([("x.npy", NPY["objects"]), ("y.npy", GOOD)]),
    "path inside": lambda: archive([*PAIR, ("../../x.npy", b"oops")]),
    "terabytes inside": lambda: archive([("x.npy", NPY["terabytes"]), ("y.npy", GOOD)]),
    "bomb": bomb,
    "lying sizes": lying_sizes,
    "flipped bit": flipped,
    "different lengths": lambda: archive([("x.npy", GOOD), ("y.npy", npy(np.zeros(3)))]),
    "too many members": lambda: archive([(f"{i}.npy", b"") for i in range(1000)], zipfile.ZIP_STORED),
}


@pytest.fixture(autouse=True)
def without_running_anything(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    yield
    assert not Path("unpickled").exists()


def refused(name: str, path: object, **given: object) -> DataError:
    """The `DataError` that opening the data set, or reading its first batch, raises."""
    start = time.process_time()
    with pytest.raises(DataError) as caught:
        data = DATASETS[name](path=str(path), **given)
        data.train.batch(np.arange(len(data.train)))
        data.validation.batch(np.arange(len(data.validation)))
    assert time.process_time() - start < SECONDS
    assert len(str(caught.value)) < 2000
    # The examples are few, which must not be what is complained about.
    assert "too few" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize("name", ["arrays", "csv", "images", "text", "tokens"])
def test_good_files_are_not_refused(name, tmp_path):
    (tmp_path / "a.npz").write_bytes(archive(PAIR))
    (tmp_path / "t.csv").write_text("a,b\n1,2\n3,4\n")
    (tmp_path / "t.txt").write_text("text " * 50)
    (tmp_path / "t.bin").write_bytes(bytes(1000))
    for i in range(2):
        (tmp_path / "class").mkdir(exist_ok=True)
        (tmp_path / "class" / f"{i}.png").write_bytes(picture())
    file = {"arrays": "a.npz", "csv": "t.csv", "images": "", "text": "t.txt", "tokens": "t.bin"}[name]
    data = DATASETS[name](path=str(tmp_path / file), **OPTIONS[name])
    assert len(data.train.batch(np.arange(1))["inputs"]) == 1


def test_the_pickle_would_have_run():
    pickle.loads(pickle.dumps(Bomb()))
    assert Path("unpickled").exists()
    Path("unpickled").unlink()


@pytest.mark.parametrize("case", NPY)
def test_npy(case, tmp_path):
    (tmp_path / "x.npy").write_bytes(NPY[case])
    (tmp_path / "y.npy").write_bytes(GOOD)
    refused("arrays", tmp_path / "x.npy", targets_path=str(tmp_path / "y.npy"), held_out=2)


@pytest.mark.parametrize("case", NPZ)
def test_npz(case, tmp_path):
    (tmp_path / "a.npz").write_bytes(NPZ[case]())
    error = refused("arrays", tmp_path / "a.npz", held_out=2)
    assert case != "bomb" or "would unpack to 301," in str(error)


@pytest.mark.parametrize("case", ["objects", "object dtype", "strings", "structured", "void", "huge string dtype"])
def test_npy_headers_are_refused_before_the_data_is_touched(case, tmp_path):
    (tmp_path / "x.npy").write_bytes(NPY[case])
    with pytest.raises(DataError, match="not a plain number"):
        map_npy(str(tmp_path / "x.npy"))


def test_npz_with_a_member_twice(tmp_path):
    with pytest.warns(UserWarning, match="Duplicate"):
        content = archive([("x.npy", GOOD), ("x.npy", GOOD), ("y.npy", GOOD)])
    (tmp_path / "a.npz").write_bytes(content)
    assert "more than once" in str(refused("arrays", tmp_path / "a.npz", held_out=2))


def test_every_prefix_of_good_files_is_refused(tmp_path):
    for name, content, read in (("a.npy", GOOD, map_npy), ("a.npz", archive(PAIR), load_npz)):
        path = tmp_path / name
        path.write_bytes(content)
        read(str(path))
        for end in range(0, len(content), 3):
            path.write_bytes(content[:end])
            with pytest.raises(DataError):
                read(str(path))


def test_random_damage_is_refused_or_harmless(tmp_path):
    rng = np.random.default_rng(0)
    for name, content, read in (("a.npy", GOOD, map_npy), ("a.npz", archive(PAIR), load_npz)):
        path = tmp_path / name
        for _ in range(250):
            damaged = bytearray(content)
            for at in rng.integers(0, len(content), rng.integers(1, 4)):
                damaged[at] = rng.integers(0, 256)
            path.write_bytes(damaged)
            with suppress(DataError):
                read(str(path))


CSV: dict[str, bytes] = {
    "empty": b"",
    "blank lines": b"\n\n\n",
    "header only": b"a,b\n",
    "ragged": b"a,b\n1,2\n1,2,3\n",
    "short row": b"a,b\n1,2\n1\n",
    "NUL": b"a,b\n1,2\n1,\x002\n",
    "not a number": b"a,b\n1,2\n1,x\n",
    "infinite": b"a,b\n1,inf\n",
    "empty cell": b"a,b\n1,\n",
    "not UTF-8": b"a,b\n1,\xff\xfe\n",
    "UTF-16": "a,b\n1,2\n".encode("utf-16"),
    "open quote": b'a,b\n1,"2\n' + b"3,4\n" * 50_000,
    "text after a quote": b'a,b\n1,"2"x\n',
    "huge cell": b"a,b\n1," + b"9" * 200_000 + b"\n",
    "column twice": b"a,b,b\n1,2,3\n",
    "no target column": b"c,b\n1,2\n",
    "one line of 5 MB": b"a,b\n" + b"1," * 2_500_000,
    "header of 5 MB": b"a," * 2_500_000,
    "binary": bytes(range(256)) * 10,
}


@pytest.mark.parametrize("case", CSV)
def test_csv(case, tmp_path):
    (tmp_path / "t.csv").write_bytes(CSV[case])
    refused("csv", tmp_path / "t.csv", target="a", held_out=2)


TOKENS: dict[str, tuple[str, bytes]] = {
    "empty": ("t.bin", b""),
    "odd length": ("t.bin", bytes(1001)),
    "id beyond the vocabulary": ("t.bin", np.full(500, 100, "<u2").tobytes()),
    "floats": ("t.npy", npy(np.zeros(500))),
    "two axes": ("t.npy", npy(np.zeros((50, 10), np.uint16))),
    "cut short": ("t.npy", npy(np.zeros(500, np.uint16))[:-1]),
    "objects": ("t.npy", NPY["objects"]),
    "negative": ("t.npy", npy(np.full(500, -1))),
    "beyond 32 bits": ("t.npy", npy(np.full(500, 2**40))),
}


@pytest.mark.parametrize("case", TOKENS)
def test_tokens(case, tmp_path):
    name, content = TOKENS[case]
    (tmp_path / name).write_bytes(content)
    refused("tokens", tmp_path / name, sequence_length=8, vocab_size=100)


@pytest.mark.parametrize("content", [b"", b"text\0text" * 100])
def test_text(content, tmp_path):
    (tmp_path / "t.txt").write_bytes(content)
    refused("text", tmp_path / "t.txt", sequence_length=8)


def picture(size: tuple[int, int] = (4, 4)) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size).save(out, "png")
    return out.getvalue()


def declaring(pixels: int) -> bytes:
    """A small PNG whose header says `pixels` x `pixels`, with a right checksum."""
    content = bytearray(picture())
    content[16:24] = struct.pack(">II", pixels, pixels)
    content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    return bytes(content)


IMAGES: dict[str, Callable[[], bytes]] = {
    "empty": lambda: b"",
    "text": lambda: b"I am no picture",
    "pickle": lambda: pickle.dumps(Bomb()),
    "cut short": lambda: picture((64, 64))[:-60],
    "header only": lambda: picture()[:30],
    "declares 3.6 gigapixels": lambda: declaring(60_000),
    "declares 100 megapixels": lambda: declaring(10_000),
}


@pytest.mark.filterwarnings("ignore:Image size")
@pytest.mark.parametrize("case", IMAGES)
def test_images(case, tmp_path):
    (tmp_path / "class").mkdir()
    for i in range(5):
        (tmp_path / "class" / f"{i}.png").write_bytes(picture())
    (tmp_path / "class" / "3.png").write_bytes(IMAGES[case]())
    error = str(refused("images", tmp_path, size=4))
    assert "3.png" in error
    assert case != "declares 100 megapixels" or "pixels are too many" in error


def test_too_few_examples(tmp_path):
    (tmp_path / "t").write_bytes(b"a,b\n1,2\n")
    for name, given in (("csv", {"target": "a"}), ("text", {"sequence_length": 80}), ("tokens", {"sequence_length": 8})):
        with pytest.raises(DataError, match="too few"):
            DATASETS[name](path=str(tmp_path / "t"), **given)


OPTIONS = {
    "arrays": {"held_out": 2},
    "csv": {"target": "a", "held_out": 2},
    "images": {"size": 4, "held_out": 2},
    "text": {"sequence_length": 4},
    "tokens": {"sequence_length": 4},
}


@pytest.mark.parametrize("name", OPTIONS)
def test_paths_that_lead_nowhere(name, tmp_path):
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    for path in ("missing", "folder", "pipe", "loop", "missing/below", "x" * 300, "nul\0name", "nul\0*"):
        refused(name, tmp_path / path, **OPTIONS[name])
    (tmp_path / "file").write_bytes(b"")
    refused(name, tmp_path / "file", **OPTIONS[name])
