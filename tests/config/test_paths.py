import pytest

from zerfoo_jax.config.paths import format_path, parse_path


@pytest.mark.parametrize("path", [(), ("a",), ("model", "layers", 2, "features"), ("a", 0, 1, "b")])
def test_paths_come_back(path):
    assert parse_path(format_path(path)) == path


def test_node_paths_inside_a_config_path_are_keys_too():
    assert parse_path("model.nodes.block/dense_0") == ("model", "nodes", "block", "dense_0")
