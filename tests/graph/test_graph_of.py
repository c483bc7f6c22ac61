from zerfoo_jax.graph import model_from_spec
from zerfoo_jax.graph.graph_of import graph_of
from zerfoo_jax.layers import Add, Dense


def test_is_the_mapping_written_in_python():
    ours = graph_of({"a": Dense(3), "b": Dense(3), "c": (Dense(3), "a"), "sum": (Add(), "b", "c", "inputs"), "last": Dense(1)})
    mapping = {
        "nodes": {
            "a": {"type": "Dense", "features": 3},
            "b": {"type": "Dense", "features": 3},
            "c": {"type": "Dense", "features": 3, "inputs": "a"},
            "sum": {"type": "Add", "inputs": ["b", "c", "inputs"]},
            "last": {"type": "Dense", "features": 1},
        }
    }
    assert ours == model_from_spec(mapping)[0]
