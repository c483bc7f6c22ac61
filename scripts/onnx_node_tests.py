#!/usr/bin/env python
"""Runs ONNX's own tests through `zerfoo_jax.formats.onnx.backend` and prints what fails and why.

python scripts/onnx_node_tests.py [--kind node] [--filter REGEX] [--expanded] [--every N] [--quiet]
"""

import argparse
from collections import Counter
from collections.abc import Iterator
import glob
import os
import re
from typing import Any
import warnings

import numpy as np
import onnx
from onnx import numpy_helper
from onnx.backend.test.loader import load_model_tests
from onnx.backend.test.runner import Runner

from zerfoo_jax.formats.onnx.backend import Backend

KINDS = ("node", "simple", "pytorch-converted", "pytorch-operator")
DataSets = list[tuple[list[Any], list[Any]]]


def cases(kind: str) -> list[Any]:
    """The tests of one kind, by name."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return sorted(load_model_tests(kind=kind), key=lambda case: case.name)


def is_expanded(name: str) -> bool:
    """Whether a test runs the function that another operator's specification gives for it."""
    return "_expanded" in name


def model_and_data(case: Any) -> tuple[onnx.ModelProto, DataSets]:
    """The model of a test, its inputs and what should come out."""
    if case.model is not None:
        return case.model, [tuple([_plain(x) for x in part] for part in one) for one in case.data_sets]
    model = onnx.load(os.path.join(case.model_dir, "model.onnx"))
    folders = sorted(glob.glob(os.path.join(case.model_dir, "test_data_set_*")))
    types = [value.type for value in model.graph.input], [value.type for value in model.graph.output]
    return model, [(list(_read(folder, "input", types[0])), list(_read(folder, "output", types[1]))) for folder in folders]


def _plain(value: Any) -> Any:
    return numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else value


def _read(folder: str, what: str, types: list[Any]) -> Iterator[Any]:
    count = len(glob.glob(os.path.join(folder, f"{what}_*.pb")))
    for i in range(count):
        with open(os.path.join(folder, f"{what}_{i}.pb"), "rb") as file:
            data = file.read()
        if types[i].WhichOneof("value") == "sequence_type":
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
            with np.errstate(all="ignore"):
                Runner.assert_similar_outputs(expected, outputs, case.rtol, case.atol)
    except Exception as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        return f"{type(error).__name__}: {'; '.join(lines[:4])[:300]}"
    return ""


def main() -> None:
    """Runs what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kind", choices=KINDS, action="append", help="which tests; all kinds by default")
    parser.add_argument("--filter", default="", help="a regular expression that is searched for in the tests' names")
    parser.add_argument("--expanded", action="store_true", help="run the _expanded tests, and not the plain ones")
    parser.add_argument("--every", type=int, default=1, help="only every so manieth test")
    parser.add_argument("--quiet", action="store_true", help="print only counts")
    arguments = parser.parse_args()
    for kind in arguments.kind or KINDS:
        chosen = [one for one in cases(kind) if re.search(arguments.filter, one.name)]
        chosen = [one for one in chosen if is_expanded(one.name) == arguments.expanded][:: arguments.every]
        results = {one.name: run(one) for one in chosen}
        failed = {name: why for name, why in results.items() if why}
        if not arguments.quiet:
            for name, why in failed.items():
                print(f"{name}: {why}")
        print(f"{kind}: {len(results) - len(failed)} of {len(results)} pass")
        reasons = Counter(why.split(";")[0] for why in failed.values() if "is not supported" in why)
        for reason, count in reasons.most_common():
            print(f"  {count:4} {reason}")


if __name__ == "__main__":
    main()
