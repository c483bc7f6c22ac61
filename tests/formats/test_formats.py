"""What all formats share: finding the format of a file, options, and what is missing."""

import gzip
from pathlib import Path
import pickle
import subprocess
import sys
import zipfile

import jax
import pytest

from zerfoo_jax.core.errors import ConfigError, FormatError
from zerfoo_jax.formats import FORMATS, detect, format_to_write, load, save
from zerfoo_jax.graph.editing import Network
from zerfoo_jax.layers import Dense

WITHOUT = """
import sys
sys.modules.update(dict.fromkeys(["onnx", "onnxruntime", "safetensors", "flax", "torch"]))
import jax
from zerfoo_jax import formats
from zerfoo_jax.core.errors import ConfigError
from zerfoo_jax.graph.editing import Network
from zerfoo_jax.layers import Dense

network = Network.new(Dense(3), jax.random.key(0), jax.ShapeDtypeStruct((1, 4), "float32"))
for name, one in formats.FORMATS.items():
    if one.can("write") and name != "onnx":
        path = "model" + one.extensions[0]
        formats.save(network, path, format=name)
        print(name, not one.can("read") or formats.load(path)(jax.numpy.ones((2, 4))).shape == (2, 3))
try:
    formats.save(network, "model.onnx")
except ConfigError as error:
    print(error)
"""


def test_only_onnx_wants_the_onnx_package(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", WITHOUT], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "pip install 'zerfoo-jax[onnx]'" in done.stdout
    assert "False" not in done.stdout
    assert {"zmf True", "safetensors True", "loom True"} <= set(done.stdout.splitlines())


@pytest.mark.parametrize("name", [name for name, one in FORMATS.items() if one.can("write")])
def test_a_written_file_is_recognised(name: str, tmp_path: Path) -> None:
    network = Network.new(Dense(3), jax.random.key(0), jax.ShapeDtypeStruct((1, 4), "float32"))
    path = tmp_path / f"model{FORMATS[name].extensions[0]}"
    save(network, path)
    assert detect(path).name == name
    assert FORMATS[name].call("summarize", path).format == name


def test_what_is_asked_for_wrongly_is_said(tmp_path: Path) -> None:
    network = Network.new(Dense(3), jax.random.key(0), jax.ShapeDtypeStruct((1, 4), "float32"))
    with pytest.raises(ConfigError, match="cannot write entity"):
        save(network, tmp_path / "model.entity")
    with pytest.raises(ConfigError, match="unknown format 'onxx'"):
        format_to_write("model", "onxx")
    with pytest.raises(ConfigError, match="zmf: write has no option 'opset'"):
        save(network, tmp_path / "model.zmf", opset=3)
    with pytest.raises(FormatError, match="cannot open the file"):
        load(tmp_path / "none.zmf")
    (tmp_path / "folder.zmf").mkdir()
    with pytest.raises(FormatError):
        load(tmp_path / "folder.zmf")


@pytest.mark.parametrize("name", ["m.pt", "m.safetensors", "m.onnx", "m.zmf", "m.stablehlo", "m.entity"])
def test_what_other_programs_write_is_named_and_never_unpacked(name: str, tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple:
            return (Path.touch, (tmp_path / "exploded",))

    path = tmp_path / name
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps(Bomb()))
    with pytest.raises(FormatError, match="zip archive"):
        load(path)
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        path.write_bytes(pickle.dumps(Bomb(), protocol))
        with pytest.raises(FormatError, match="pickle"):
            load(path)
    path.write_bytes(gzip.compress(b"x" * 100))
    with pytest.raises(FormatError, match="gzip"):
        load(path)
    assert not (tmp_path / "exploded").exists()


def test_a_length_that_looks_like_a_pickle_is_a_length(tmp_path: Path) -> None:
    network = Network.new(Dense(3), jax.random.key(0), jax.ShapeDtypeStruct((1, 4), "float32"))
    save(network, path := tmp_path / "m.safetensors")
    data = path.read_bytes()
    size = int.from_bytes(data[:8], "little")
    longer = data[8 : 8 + size].rstrip().ljust(0x0280)
    path.write_bytes(len(longer).to_bytes(8, "little") + longer + data[8 + size :])
    assert path.read_bytes().startswith(b"\x80\x02")
    assert load(path).model == network.model
