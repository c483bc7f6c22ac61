"""`zerfoo quantize` on a tiny trained run."""

import json

import pytest


@pytest.mark.parametrize(
    "options", [("--method", "percentile"), ("--to", "uint8", "--calibrate", "none"), ("--to", "int4", "--block", "16")]
)
def test_scores_hold_and_the_model_shrinks(invoke, tiny_run, options):
    record = json.loads(invoke("quantize", tiny_run, *options, "--json").stdout)
    assert set(record) == {"validation/loss", "validation/accuracy", "bytes"}
    accuracy, size = record["validation/accuracy"], record["bytes"]
    assert abs(accuracy["after"] - accuracy["before"]) <= (0.05 if "int4" in options else 0.01)
    assert size["after"] < (0.45 if "--block" in options else 0.4) * size["before"]


def test_numbers_are_printed_and_a_file_is_written(invoke, tiny_run, tmp_path):
    path = tmp_path / "small.safetensors"
    lines = invoke("quantize", tiny_run, "--to", "float8", "--weight-only", "-o", path).stdout.splitlines()
    assert [line.split()[0] for line in lines[:3]] == ["validation/loss", "validation/accuracy", "bytes"]
    assert lines[3] == str(path) and path.stat().st_size > 1000


def test_bad_options_are_refused_before_the_work(invoke, tiny_run):
    for options in (("-o", "model.unknown"), ("--to", "int3"), ("--block", "16")):
        assert invoke("quantize", tiny_run, *options).exit_code == 2
