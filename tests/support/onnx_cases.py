"""ONNX's own tests: their models, what goes in and what should come out, and what ours makes of it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
import warnings

import numpy as np
import onnx
from onnx import numpy_helper
from onnx.backend.test.loader import load_model_tests
from onnx.backend.test.runner import Runner

from zerfoo_jax.formats.onnx.backend import Backend

KINDS = ("node", "simple", "pytorch-converted", "pytorch-operator")
Values = list[Any]


def cases(kind: str) -> list[Any]:
    """The tests of one kind, by name."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # NumPy's, while expected values are computed
        return sorted(load_model_tests(kind=kind), key=lambda case: case.name)


def is_expanded(case: Any) -> bool:
    """Whether a test runs what another operator's specification gives as its definition."""
    return "_expanded" in case.name


def model_and_data(case: Any) -> tuple[onnx.ModelProto, list[tuple[Values, Values]]]:
    """The model of a test, and inputs with what should come out."""
    if case.model is not None:
        return case.model, [([*map(_plain, given)], [*map(_plain, expected)]) for given, expected in case.data_sets]
    model = onnx.load(Path(case.model_dir, "model.onnx"))
    folders = sorted(Path(case.model_dir).glob("test_data_set_*"))
    return model, [
        (list(_read(folder, "input", model.graph.input)), list(_read(folder, "output", model.graph.output)))
        for folder in folders
    ]


def _plain(value: Any) -> Any:
    return numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else value


def _read(folder: Path, what: str, declared: Any) -> Iterator[Any]:
    for i in range(len(list(folder.glob(f"{what}_*.pb")))):
        data = (folder / f"{what}_{i}.pb").read_bytes()
        if declared[i].type.WhichOneof("value") == "sequence_type":
            yield numpy_helper.to_list(onnx.SequenceProto.FromString(data))
        else:
            yield numpy_helper.to_array(onnx.TensorProto.FromString(data))


def run(case: Any) -> str:
    """Runs one test: the empty text where it passes, else why not."""
    try:
        model, data_sets = model_and_data(case)
        prepared = Backend.prepare(model)
        for inputs, expected in data_sets:
            outputs = prepared.run(inputs)
            assert len(outputs) == len(expected)
            for output, wanted in zip(outputs, expected, strict=True):
                _compare(output, wanted, case)
    except Exception as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        return f"{type(error).__name__}: {'; '.join(lines[:4])[:300]}"
    return ""


def _compare(output: Any, wanted: Any, case: Any) -> None:
    """As ONNX's own runner, which has no way with sequences of arrays without axes."""
    if isinstance(wanted, list | tuple):
        assert isinstance(output, list) and len(output) == len(wanted)
        for one, other in zip(output, wanted, strict=True):
            _compare(one, other, case)
    else:
        with np.errstate(all="ignore"):
            Runner.assert_similar_outputs([wanted], [output], case.rtol, case.atol)
