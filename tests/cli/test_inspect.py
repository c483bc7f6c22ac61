"""`zerfoo inspect` and `zerfoo draw`."""

import json

import pytest


def test_table_and_totals(invoke):
    done = invoke("inspect", "lenet")
    assert done.exit_code == 0 and "conv1" in done.stdout
    assert "parameters       44,426" in done.stdout and "FLOP per example" in done.stdout


def test_json_depth_inputs_and_options(invoke):
    arguments = ("inspect", "resnet18", "widths=[4,4,4,4]", "num_classes=3", "--input", "2,32,32,3", "--json")
    whole = json.loads(invoke(*arguments).stdout)
    flat = json.loads(invoke(*arguments, "--depth", "1").stdout)
    assert whole["inputs"] == [{"shape": [2, 32, 32, 3], "dtype": "float32"}]
    assert whole["operations"] == 2 * whole["operations_per_example"] == flat["operations"]
    assert sum(layer["parameters"] for layer in flat["layers"]) == flat["parameters"] == whole["parameters"]
    leaves = [layer for layer in whole["layers"] if "edges" not in layer]
    assert sum(layer["parameters"] for layer in leaves) == whole["parameters"] and len(leaves) > len(flat["layers"])
    assert {"from": "conv1", "to": "bn1", "shape": [2, 16, 16, 4], "dtype": "float32"} in whole["edges"]


@pytest.mark.parametrize(
    "arguments", [("inspect", "resnet"), ("draw", "lenet", "-o", "x.png"), ("draw", "lenet", "--node", "conv9")]
)
def test_mistakes(invoke, arguments, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = invoke(*arguments)
    assert done.exit_code == 2 and "fix:" in done.stderr and not list(tmp_path.iterdir())


def test_draws_files(invoke, tmp_path):
    for file, start in (("a.svg", "<svg"), ("b.html", "<!DOCTYPE html>")):
        done = invoke("draw", "lenet", "-o", tmp_path / file)
        assert done.exit_code == 0 and done.stdout.strip() == str(tmp_path / file)
        assert (tmp_path / file).read_text().startswith(start)
    invoke("draw", "lenet", "-o", tmp_path / "c.svg", "--node", "conv2", "--hops", "0")
    assert "conv2" in (tmp_path / "c.svg").read_text() and "conv1" not in (tmp_path / "c.svg").read_text()
    assert invoke("draw", "lenet", "-o", tmp_path / "none" / "c.svg").exit_code == 2
