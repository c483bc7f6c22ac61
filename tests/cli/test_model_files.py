"""`zerfoo export`, `convert` and `inspect`: model files from the command line."""

import json
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

from zerfoo_jax.core.errors import ConfigError, FormatError
from zerfoo_jax.experiment.model_files import network_of, write_network
from zerfoo_jax.experiment.packaged import MODEL_SUFFIXES
from zerfoo_jax.experiment.trained import open_run
from zerfoo_jax.formats import FORMATS, stablehlo
from zerfoo_jax.formats.convert import Difference
from zerfoo_jax.graph.editing import Network, quantize_network
from zerfoo_jax.layers import Activation, Conv2D, Dense, Sequential


def test_a_run_as_an_artefact_says_what_the_run_says(tiny_run: Path, invoke: Any, tmp_path: Path) -> None:
    result = invoke("export", tiny_run, "--to", "stablehlo", "-o", tmp_path / "m.stablehlo", "--check")
    assert "its outputs differ by at most" in result.stdout
    trained = open_run(tiny_run)
    x = jax.random.normal(jax.random.key(0), (5, *trained.wired.input_spec.shape[1:]))
    wanted, _ = trained.wired.model.apply(trained.state.best_params, trained.state.state, x)
    np.testing.assert_allclose(stablehlo.load_function(tmp_path / "m.stablehlo")(x), wanted, rtol=1e-5, atol=1e-5)


def test_a_run_is_exported_at_a_step(tiny_run: Path, invoke: Any, tmp_path: Path) -> None:
    for step in (10, 20):
        invoke("export", tiny_run, "--to", "stablehlo", "--step", step, "-o", tmp_path / f"{step}.stablehlo")
    one, other = ((tmp_path / f"{step}.stablehlo").read_bytes() for step in (10, 20))
    assert one != other


def test_convert_takes_a_run_too_and_settings_for_the_format(tiny_run: Path, invoke: Any, tmp_path: Path) -> None:
    invoke("convert", tiny_run, tmp_path / "m.bin", "--to", "stablehlo", "write.batch=2", "--check")
    (tmp_path / "m.bin").rename(tmp_path / "m.stablehlo")
    shown = invoke("inspect", tmp_path / "m.stablehlo")
    assert "float32[2," in shown.stdout
    said = json.loads(invoke("inspect", tmp_path / "m.stablehlo", "--json").stdout)
    assert said["format"] == "stablehlo"
    assert said["inputs"][0].startswith("float32[2,")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["m.unknown"], "does not say what format"),
        (["m.stablehlo", "--to", "onxx"], "unknown format 'onxx'"),
        (["m.stablehlo", "write.bach=2"], "no option 'bach'"),
        (["m.stablehlo", "write.batch=two"], "batch = 'two'"),
        (["m.stablehlo", "batch=2"], "'batch' is no option"),
        (["m.stablehlo", "read.batch=2"], "batch: a run folder is read without options"),
        (["m.stablehlo", "--opset", "18"], "no option 'opset'"),
        (["m.stablehlo", "--dtype", "int8"], "dtype = 'int8'"),
    ],
)
def test_wrong_arguments_are_named(
    arguments: list[str], told: str, tiny_run: Path, invoke: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = invoke("convert", tiny_run, *arguments)
    assert (result.exit_code, told in result.stderr) == (2, True), result.stderr
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_read_or_written_is_named(tiny_run: Path, invoke: Any, tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("words")
    for source, destination, told in (
        (tiny_run, tmp_path / "none" / "m.stablehlo", "cannot write"),
        (tmp_path / "none.onnx", tmp_path / "m.stablehlo", "cannot open"),
        (tmp_path / "words.txt", tmp_path / "m.stablehlo", "no model file of a known format"),
    ):
        result = invoke("convert", source, destination)
        assert (result.exit_code, told in result.stderr) == (1, True), result.stderr
    with pytest.raises(ConfigError, match="for run folders"):
        network_of(tmp_path / "words.txt", step=3)


def test_weights_become_codes(tiny_run: Path, invoke: Any, tmp_path: Path) -> None:
    for name, options in ("whole", ()), ("codes", ("--quantize", "int8", "--check")):
        result = invoke("export", tiny_run, "--to", "safetensors", "-o", tmp_path / f"{name}.safetensors", *options)
        assert result.exit_code == 0, result.stderr
    assert "differ by at most" in result.stdout
    dtypes = {
        tensor["dtype"] for tensor in json.loads(invoke("inspect", tmp_path / "codes.safetensors", "--json").stdout)["tensors"]
    }
    assert "int8" in {dtype.lower() for dtype in dtypes} | {"int8" for dtype in dtypes if dtype == "I8"}


def test_operators_go_where_layers_go(invoke: Any, tmp_path: Path) -> None:
    given = Path(__file__).parents[1] / "data" / "onnx" / "resnet18.onnx"
    for source, name in (given, "m.safetensors"), (tmp_path / "m.safetensors", "m.zmf"), (tmp_path / "m.zmf", "m.onnx"):
        result = invoke("convert", source, tmp_path / name, "--check")
        assert "differ by at most 0;" in result.stdout, result.stderr
    assert invoke("codegen", given, "-o", tmp_path / "m.yaml").exit_code == 0
    shown = invoke("inspect", tmp_path / "m.yaml")
    assert "Operator" in shown.stdout, shown.stderr


@pytest.mark.parametrize(
    ("file", "setting"),
    [
        ("m.zmf", "write.quantize=q8_0"),
        ("m.safetensors", "write.tensor_dtype=int8"),
        ("m.bundle.json", "write.dtype=int8"),
        ("m.zmf", "write.aside=true"),
    ],
)
def test_options_of_formats_may_be_called_as_those_of_the_verb(file: str, setting: str, invoke: Any, tmp_path: Path) -> None:
    given = Path(__file__).parents[1] / "data" / "loom" / "bundle" / "dense.bundle.json"
    result = invoke("convert", given, tmp_path / file, setting, "--check")
    assert "differ by at most" in result.stdout, result.stderr


def test_a_narrower_dtype_is_compared_but_not_refused(tiny_run: Path, invoke: Any, tmp_path: Path) -> None:
    result = invoke("convert", tiny_run, tmp_path / "m.stablehlo", "--dtype", "bfloat16", "--check")
    assert "differ by at most" in result.stdout
    assert "bfloat16" in invoke("inspect", tmp_path / "m.stablehlo").stdout


def test_codes_may_be_rounded_either_way_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network = Network.new(Dense(3), jax.random.key(0), jax.ShapeDtypeStruct((1, 16), "float32"))
    codes, path = quantize_network(network), tmp_path / "m.zmf"
    monkeypatch.setattr("zerfoo_jax.experiment.model_files.compare", lambda *given: Difference(0.02, 1.0))
    assert write_network(codes, path, check=True).difference == Difference(0.02, 1.0)
    with pytest.raises(FormatError, match=r"differ by 0.02, where the largest is 1"):
        write_network(network, path, check=True)
    with pytest.raises(FormatError, match=r"differ by 0.02, where the largest is 1"):
        write_network(quantize_network(network, weight_only=True), path, check=True)
    monkeypatch.setattr("zerfoo_jax.experiment.model_files.compare", lambda *given: Difference(0.2, 1.0))
    with pytest.raises(FormatError, match=r"differ by 0.2, where the largest is 1"):
        write_network(codes, path, check=True)


def test_a_file_with_channels_first_is_compared_as_it_takes_them(tmp_path: Path) -> None:
    for size in (5, 2):  # with 2 the sizes do not tell the channels from the rest
        model = Sequential((Conv2D(3, 3), Activation("tanh")))
        network = Network.new(model, jax.random.key(0), jax.ShapeDtypeStruct((1, size, size, 2), "float32"))
        written = write_network(network, tmp_path / f"{size}.bundle.json", check=True)
        assert written.difference is not None
        assert written.difference.relative < 1e-5


def test_a_model_file_is_no_config(invoke: Any, tmp_path: Path) -> None:
    assert set(MODEL_SUFFIXES) == {e for one in FORMATS.values() for e in one.extensions if e.count(".") == 1}
    (tmp_path / "m.onnx").write_bytes(b"\xff")
    for verb in "check", "train":
        result = invoke(verb, tmp_path / "m.onnx")
        assert (result.exit_code, "zerfoo inspect" in result.stderr) == (2, True), result.stderr
