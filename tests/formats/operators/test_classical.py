"""Operators of classical machine learning against onnxruntime, and forests that are none."""

from typing import Any

import numpy as np
from onnx import TensorProto, helper
import onnxruntime
import pytest

from zerfoo_jax.core.errors import FormatError
from zerfoo_jax.formats.operators import function_of
from zerfoo_jax.formats.operators.call import call

DOMAIN = "ai.onnx.ml"
random = np.random.default_rng(5)


def normal(*shape: int) -> np.ndarray:
    return random.normal(size=shape).astype(np.float32)


def ours(op_type: str, inputs: list[np.ndarray], version: int = 4, **attributes: Any) -> np.ndarray:
    attributes = {name: tuple(x) if isinstance(x, list) else x for name, x in attributes.items()}
    return np.asarray(call(function_of(op_type, DOMAIN, version), op_type, inputs, attributes, outputs=1)[0])


def by_onnxruntime(op_type: str, inputs: list[np.ndarray], version: int = 4, **attributes: Any) -> np.ndarray:
    names = [f"x{i}" for i in range(len(inputs))]
    node = helper.make_node(op_type, names, ["y"], domain=DOMAIN, **attributes)
    kinds = [TensorProto.STRING if x.dtype == object else helper.np_dtype_to_tensor_dtype(x.dtype) for x in inputs]
    values = [helper.make_tensor_value_info(n, kind, x.shape) for n, kind, x in zip(names, kinds, inputs, strict=True)]
    graph = helper.make_graph([node], "one", values, [helper.make_empty_tensor_value_info("y")])
    opsets = [helper.make_opsetid("", 13), helper.make_opsetid(DOMAIN, version)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, dict(zip(names, inputs, strict=True)))[0])


NAN = float("nan")
TEXTS = np.array(["b", "a", "x"], object)
FEATURES: list[tuple[str, list[np.ndarray], dict[str, Any]]] = [
    ("ArrayFeatureExtractor", [normal(3, 4), np.array([2, 0])], {}),
    ("Binarizer", [normal(3, 4)], {"threshold": 0.2}),
    ("FeatureVectorizer", [normal(3, 2), normal(3, 1)], {"inputdimensions": [2, 1]}),
    ("Imputer", [np.float32([[NAN, 1], [2, NAN]])], {"imputed_value_floats": [7.0, 8.0], "replaced_value_float": NAN}),
    (
        "LabelEncoder",
        [np.array([1, 3, 9])],
        {"keys_int64s": [1, 2, 3], "values_floats": [0.5, 0.6, 0.7], "default_float": -3.0},
    ),
    ("LabelEncoder", [np.float32([NAN, 2])], {"keys_floats": [2.0, NAN], "values_int64s": [4, 5]}),
    ("LabelEncoder", [TEXTS], {"keys_strings": ["a", "b"], "values_int64s": [4, 5], "default_int64": 9}),
    ("LabelEncoder", [np.array([1, 7])], {"keys_int64s": [1, 2], "values_strings": ["one", "two"]}),
    ("Normalizer", [abs(normal(3, 4))], {"norm": "MAX"}),
    ("Normalizer", [normal(3, 4)], {"norm": "L1"}),
    ("Normalizer", [normal(3, 4)], {"norm": "L2"}),
    ("OneHotEncoder", [np.array([[1, 3], [2, 9]])], {"cats_int64s": [1, 2, 3]}),
    ("OneHotEncoder", [TEXTS], {"cats_strings": ["a", "b"]}),
    ("Scaler", [normal(3, 4)], {"offset": [0.1, 0.2, 0.3, 0.4], "scale": [2.0, 1.0, 3.0, 0.5]}),
]


@pytest.mark.parametrize("i", range(len(FEATURES)))
def test_features_are_those_of_onnxruntime(i):
    op_type, inputs, attributes = FEATURES[i]
    expected, found = by_onnxruntime(op_type, inputs, **attributes), ours(op_type, inputs, **attributes)
    assert expected.shape == found.shape
    if expected.dtype == object:
        assert expected.tolist() == found.tolist()
    else:
        assert expected.dtype == found.dtype
        np.testing.assert_allclose(found, expected, rtol=1e-6)


def forest(trees: int) -> dict[str, Any]:
    """Trees of three nodes that compare one of three features, and four leaves that vote for two targets."""
    nodes = [(tree, node) for tree in range(trees) for node in range(7)]
    votes = [(tree, node, target) for tree, node in nodes if node > 2 for target in (0, 1)]
    modes = ["BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT"]
    return {
        "n_targets": 2,
        "base_values": [0.3, 0.6],
        "nodes_treeids": [tree for tree, _ in nodes],
        "nodes_nodeids": [node for _, node in nodes],
        "nodes_featureids": [int(random.integers(3)) for _ in nodes],
        "nodes_modes": [modes[random.integers(4)] if node < 3 else "LEAF" for _, node in nodes],
        "nodes_values": normal(len(nodes)).tolist(),
        "nodes_truenodeids": [2 * node + 1 if node < 3 else 0 for _, node in nodes],
        "nodes_falsenodeids": [2 * node + 2 if node < 3 else 0 for _, node in nodes],
        "nodes_missing_value_tracks_true": [int(random.integers(2)) for _ in nodes],
        "target_treeids": [tree for tree, _, _ in votes],
        "target_nodeids": [node for _, node, _ in votes],
        "target_ids": [target for _, _, target in votes],
        "target_weights": normal(len(votes)).tolist(),
    }


MORE = [("AVERAGE", "NONE"), ("MIN", "LOGISTIC"), ("MAX", "NONE")]
SLOW = [pytest.param(*case, marks=pytest.mark.slow) for case in MORE]


@pytest.mark.parametrize(("how", "then"), [("SUM", "SOFTMAX"), *SLOW])
def test_trees_agree_with_onnxruntime(how, then):
    x = normal(30, 3)
    x[3, 1] = x[5, 0] = np.nan
    attributes = {**forest(3), "aggregate_function": how, "post_transform": then}
    expected = by_onnxruntime("TreeEnsembleRegressor", [x], **attributes)
    np.testing.assert_allclose(ours("TreeEnsembleRegressor", [x], **attributes), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"nodes_truenodeids": [0] * 7}, "circle"),
        ({"nodes_truenodeids": [99] * 7}, "that there is not"),
        ({"nodes_featureids": [5] * 7}, "a feature beyond"),
        ({"nodes_values": [0.0]}, "1 values to compare"),
        ({"nodes_treeids": [0]}, "as many of each"),
        ({"target_ids": [7] * 8}, "a target beyond"),
        ({"target_nodeids": [99] * 8}, "a node that there is not"),
        ({"nodes_modes": ["BRANCH_SIDEWAYS"] * 7}, "no mode"),
        ({"aggregate_function": "MODE"}, "no aggregate_function"),
        ({"n_targets": 2**40}, "over the limit"),
    ],
)
def test_what_is_no_forest_is_refused(changes, said):
    with pytest.raises(FormatError, match=said):
        ours("TreeEnsembleRegressor", [normal(2, 3)], **{**forest(1), **changes})
