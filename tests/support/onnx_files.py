"""Graphs of operators run by ONNX Runtime, which knows nothing of us."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from zerfoo_jax.formats.onnx.writing import check_message, message_of
from zerfoo_jax.formats.operators import OperatorGraph


def run_graph(graph: OperatorGraph, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
    """The outputs of a graph, which ONNX's checker has passed."""
    model = message_of(graph)
    check_message(model, "test.onnx")
    return _outputs(model.SerializeToString(), inputs)


def run_file(path: Path, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
    """The outputs of the model in a file."""
    return _outputs(str(path), inputs)


def _outputs(model: Any, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
    runtime = pytest.importorskip("onnxruntime")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = runtime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    names = [value.name for value in session.get_inputs()]
    return session.run(None, dict(zip(names, inputs, strict=True)))
