"""Files that ZONNX wrote, against the ONNX files that they came from; and its ways of saying things."""

from pathlib import Path

import numpy as np
import pytest

from tests.support.zmf_networks import expect_equal
from tests.support.zmf_schema import compiled
from zerfoo_jax.core.errors import ConfigError, FormatError
from zerfoo_jax.formats import load, save, zmf
from zerfoo_jax.formats.operators.evaluate import evaluate
from zerfoo_jax.formats.operators.from_network import to_operator_graph
from zerfoo_jax.formats.operators.graph import OperatorGraph, OperatorNode, Value
from zerfoo_jax.formats.zmf.blocks import pack, unpack, unpacked_values
from zerfoo_jax.formats.zmf.operators import message_of, operator_graph_of
from zerfoo_jax.formats.zmf.storage import read_model, write_model
from zerfoo_jax.graph import Graph, Node
from zerfoo_jax.graph.editing import Network
from zerfoo_jax.layers import Dense

DATA = Path(__file__).parents[2] / "data" / "zmf"
ARRAYS = dict(np.load(DATA / "arrays.npz"))
INPUTS = {"mlp": (5, 4), "cnn": (1, 1, 4, 4), "quant": (3, 64)}


def x_of(name):
    return np.random.default_rng(1).normal(size=INPUTS[name]).astype(np.float32)


def reference(name, **arrays):
    """What the ONNX file gives, by ONNX's own reference."""
    onnx = pytest.importorskip("onnx", reason="the onnx extra is not installed")
    from onnx.reference import ReferenceEvaluator

    model = onnx.load(DATA / f"{name}.onnx")
    for tensor in model.graph.initializer:
        if tensor.name in arrays:
            tensor.CopyFrom(onnx.numpy_helper.from_array(arrays[tensor.name], tensor.name))
    return ReferenceEvaluator(model).run(None, {"x": x_of(name)})[0]


@pytest.mark.parametrize("name", ["mlp", "cnn"])
def test_the_outputs_are_those_of_the_onnx_file(name):
    graph = operator_graph_of(read_model(DATA / f"{name}.zmf"), {"W2": ARRAYS["W2"]})
    (y,) = evaluate(graph, {"x": x_of(name)})
    np.testing.assert_allclose(y, reference(name), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", ["mlp", "cnn"])
def test_the_network_gives_them_too_and_trains(name):
    network = zmf.read(DATA / f"{name}.zmf", missing={"W2": ARRAYS["W2"]})
    np.testing.assert_allclose(network(x_of(name)), reference(name), rtol=1e-6, atol=1e-6)
    assert network.params


def test_the_original_lost_an_initialiser_and_that_is_said():
    with pytest.raises(FormatError, match="no bytes; ZONNX drops") as caught:
        zmf.read(DATA / "mlp.zmf")
    assert caught.value.problems[0].place.endswith("mlp.zmf: graph/parameters/W2")
    zeros = operator_graph_of(read_model(DATA / "mlp.zmf"), "zeros").parameters["W2"]
    assert zeros.shape == (8, 3) and zeros.dtype == np.float32 and not zeros.any()
    with pytest.raises(ConfigError, match="missing"):
        zmf.read(DATA / "mlp.zmf", missing={"W2": ARRAYS["W2"].T})
    assert {one.name: one.bytes for one in zmf.summarize(DATA / "mlp.zmf").tensors} == {"W1": 128, "W2": 0, "b1": 32}


def decoded_q4(data, count):
    """Each value by itself, as the layout is described."""
    values = []
    for block in range(0, len(data), 18):
        scale = np.frombuffer(data[block : block + 2], "<f2")[0]
        for j in range(32):
            byte = data[block + 2 + j // 2]
            code = (byte >> 4 if j % 2 else byte & 15) - 8
            values.append((code, np.float32(scale) * np.float32(code)))
    return values[:count]


def test_blocks_of_four_bits_give_the_exact_codes_and_values():
    tensor = read_model(DATA / "quant.q4_0.zmf").graph.parameters["W"]
    data = bytes(tensor.data)
    codes, scales = unpack("Q4_0", memoryview(data), 2048)
    wanted = decoded_q4(data, 2048)
    np.testing.assert_array_equal(codes, [code for code, _ in wanted])
    weights = zmf.value_of(tensor)
    np.testing.assert_array_equal(weights, np.array([value for _, value in wanted], np.float32).reshape(64, 32))
    largest = np.abs(ARRAYS["W"].reshape(-1, 32)).max(axis=1)
    np.testing.assert_allclose(scales, largest / 7, rtol=2**-10)
    assert (np.abs(weights - ARRAYS["W"]).reshape(-1, 32).max(axis=1) <= largest / 7 * 0.501).all()
    graph = operator_graph_of(read_model(DATA / "quant.q4_0.zmf"))
    (y,) = evaluate(graph, {"x": x_of("quant")[:1]})
    np.testing.assert_allclose(y, x_of("quant")[:1] @ weights, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(x_of("quant") @ weights, reference("quant", W=weights), rtol=1e-5, atol=1e-6)


def test_the_same_blocks_are_written():
    assert bytes(read_model(DATA / "quant.q4_0.zmf").graph.parameters["W"].data) == pack("Q4_0", ARRAYS["W"]).tobytes()


@pytest.mark.parametrize("count", [1, 31, 32, 33, 100])
@pytest.mark.parametrize("kind", ["Q4_0", "Q8_0"])
def test_blocks_with_a_tail(kind, count):
    values = np.random.default_rng(count).normal(size=count).astype(np.float32)
    data = pack(kind, values).tobytes()
    assert len(data) == -(-count // 32) * {"Q4_0": 18, "Q8_0": 36}[kind]
    if kind == "Q4_0":
        wanted = [value for _, value in decoded_q4(data, count)]
    else:
        blocks = np.frombuffer(data, np.dtype([("scale", "<f4"), ("codes", "i1", 32)]))
        wanted = (blocks["codes"].astype(np.float32) * blocks["scale"][:, None]).reshape(-1)[:count]
    found = unpacked_values(kind, memoryview(data), count)
    np.testing.assert_array_equal(found, wanted)
    steps = np.repeat(np.abs(np.pad(values, (0, -count % 32)).reshape(-1, 32)).max(1), 32)[:count] / (
        7 if kind == "Q4_0" else 127
    )
    assert (np.abs(found - values) <= steps * (0.52 if kind == "Q4_0" else 0.501)).all()


def test_scales_below_what_float16_holds_are_zero():
    found = unpacked_values("Q4_0", memoryview(pack("Q4_0", np.full(32, 1e-5, np.float32)).tobytes()), 32)
    assert not found.any() and not unpacked_values("Q8_0", memoryview(pack("Q8_0", np.zeros(3)).tobytes()), 3).any()


def test_a_note_on_quantisation_leaves_the_codes_as_they_are():
    model = read_model(DATA / "quant.q4_0.zmf")
    codes, quant = zmf.value_of(model.graph.parameters["Wq"]), model.graph.parameters["Wq"].quant
    np.testing.assert_array_equal(codes, ARRAYS["Wq"])
    assert (quant.scale, quant.zero_point, quant.q_min) == (float(np.float32(0.05)), 3, None)


def original(text, **fields):
    """A file as the original would write it: google's message from its text form."""
    from google.protobuf import text_format

    message = text_format.Parse(text, compiled(original=True)["Model"]())
    message.metadata.opset_version = fields.get("opset", 17)
    return message.SerializeToString()


def graph_in(text, tmp_path, **fields):
    path = tmp_path / "file.zmf"
    path.write_bytes(original(text, **fields))
    return operator_graph_of(read_model(path))


X = 'inputs {name: "x" dtype: FLOAT32 shape: 0 shape: 6} outputs {name: "y"}'


def test_quirks_of_the_original(tmp_path):
    graph = graph_in(
        f"""graph {{ {X}
          parameters {{ key: "half" value {{ shape: 2 data: "\\200\\077\\000\\100" }} }}
          parameters {{ key: "wide" value {{ dtype: INT64 shape: 2 data: "\\377\\377\\377\\377\\001\\000\\000\\000" }} }}
          nodes {{ name: "n" op_type: "Gemm" inputs: "x" inputs: "" outputs: "y" epsilon: 0 axis: 0 perm: 1 perm: 0
            attributes {{ key: "transB" value {{ b: true }} }} attributes {{ key: "group" value {{ b: false }} }}
            attributes {{ key: "alpha" value {{ f: 0.5 }} }} attributes {{ key: "pads" value {{ ints {{ val: 1 val: 0 }} }} }}
            attributes {{ key: "modes" value {{ strings {{ val: "a" }} }} }} attributes {{ key: "none" value {{ ints {{}} }} }}
            attributes {{ key: "value" value {{ tensor {{ dtype: FLOAT32 data: "\\000\\000\\200\\077" }} }} }} }} }}""",
        tmp_path,
    )
    assert graph.parameters["half"].dtype == "bfloat16" and graph.parameters["half"].tolist() == [1, 2]
    assert graph.parameters["wide"].dtype == np.int64 and graph.parameters["wide"].tolist() == [2**32 - 1, 1]
    assert graph.inputs[0].shape == (None, 6) and graph.outputs[0].shape is None and graph.opsets == {"": 17}
    (node,) = graph.nodes
    attributes = dict(node.attributes)
    assert attributes.pop("value") == np.float32(1)
    assert attributes == {
        **{"epsilon": 0.0, "axis": 0, "perm": (1, 0), "transB": 1, "group": 0},
        **{"alpha": 0.5, "pads": (1, 0), "modes": ("a",), "none": ()},
    }
    assert type(attributes["transB"]) is int and node.inputs == ("x", "")


def short(data):
    """A file with two integers of two bytes."""
    node = 'nodes { op_type: "Neg" inputs: "x" outputs: "y" }'
    return f'graph {{ {X} {node} parameters {{ key: "s" value {{ dtype: INT64 shape: 2 data: "{data}" }} }} }}'


def test_short_integers_keep_their_bytes_in_the_original(tmp_path):
    """ZONNX calls int16 and uint16 int64; below 2^15 both are the same numbers."""
    graph = graph_in(short(r"\377\177\001\000"), tmp_path)
    assert graph.parameters["s"].dtype == np.int64 and graph.parameters["s"].tolist() == [2**15 - 1, 1]
    with pytest.raises(FormatError, match="int16 or uint16") as caught:
        graph_in(short(r"\000\200\001\000"), tmp_path)
    assert "graph/parameters/s" in str(caught.value) and "missing" in str(caught.value)
    model = read_model(tmp_path / "file.zmf")
    for dtype in ("int16", "uint16"):
        given = np.frombuffer(b"\0\x80\1\0", dtype)
        assert operator_graph_of(model, {"s": given}).parameters["s"] is given
    with pytest.raises(ConfigError, match="the file says int16 or uint16"):
        operator_graph_of(model, {"s": np.zeros(2)})


def test_a_parameter_among_the_inputs_is_none(tmp_path):
    graph = graph_in(
        'graph { inputs {name: "w" dtype: FLOAT32 shape: 1} inputs {name: "x" dtype: FLOAT32 shape: 1} outputs {name: "y"}'
        ' parameters {key: "w" value {dtype: FLOAT32 shape: 1 data: "\\000\\000\\000\\000"}}'
        ' nodes {op_type: "Add" inputs: "x" inputs: "w" outputs: "y"} }',
        tmp_path,
    )
    assert [value.name for value in graph.inputs] == ["x"]


def test_names_of_nodes_stand_for_their_outputs(tmp_path):
    graph = graph_in(
        'graph { inputs {name: "x" dtype: FLOAT32 shape: 2} outputs {name: "node_1"}'
        ' nodes {name: "node_0" op_type: "Relu" inputs: "x" outputs: "r"}'
        ' nodes {name: "node_1" op_type: "Neg" inputs: "node_0"} }',
        tmp_path,
    )
    assert [(node.inputs, node.outputs) for node in graph.nodes] == [(("x",), ("r",)), (("r",), ("node_1",))]
    np.testing.assert_array_equal(evaluate(graph, {"x": np.array([-1, 2], np.float32)})[0], [0, -2])


INTS = 'attributes {{ key: "{}" value {{ ints {{ val: {} }} }} }}'
AS_INPUTS = {
    "Reshape": (INTS.format("shape", "[3, -1]"), lambda x: x.reshape(3, -1)),
    "Slice": (
        " ".join(INTS.format(*one) for one in (("starts", "[1]"), ("ends", "[9]"), ("axes", "[1]"), ("steps", "[2]"))),
        lambda x: x[:, 1:9:2],
    ),
    "Slice of the first axes": (" ".join(INTS.format(*one) for one in (("starts", "[1]"), ("ends", "[2]"))), lambda x: x[1:2]),
    "Pad": (
        INTS.format("pads", "[0, 1, 0, 2]") + ' attributes { key: "constant_value" value { f: 2.5 } }',
        lambda x: np.pad(x, ((0, 0), (1, 2)), constant_values=2.5),
    ),
    "TopK": ('attributes { key: "k" value { i: 2 } } axis: -1', lambda x: -np.sort(-x)[:, :2]),
    "TopK of one": ('attributes { key: "k" value { b: true } } axis: -1', lambda x: x.max(-1, keepdims=True)),
    "ReduceSum": (INTS.format("axes", "[1]") + ' attributes { key: "keepdims" value { b: false } }', lambda x: x.sum(1)),
    "Resize": (
        'attributes { key: "scales" value { floats { val: [1, 2] } } } attributes { key: "mode" value { s: "nearest" } }'
        ' attributes { key: "coordinate_transformation_mode" value { s: "asymmetric" } }'
        ' attributes { key: "nearest_mode" value { s: "floor" } }',
        lambda x: x.repeat(2, axis=1),
    ),
    "Transpose": ("perm: 1 perm: 0", lambda x: x.T),
    "Transpose by attribute": (INTS.format("perm", "[1, 0]"), lambda x: x.T),
}


@pytest.mark.parametrize("name", AS_INPUTS)
def test_what_the_other_converter_made_attributes_of(name, tmp_path):
    said, function = AS_INPUTS[name]
    outputs = 'outputs: "y" outputs: "indices"' if name.startswith("TopK") else 'outputs: "y"'
    graph = graph_in(f'graph {{ {X} nodes {{ op_type: "{name.split()[0]}" inputs: "x" {outputs} {said} }} }}', tmp_path)
    x = np.random.default_rng(0).normal(size=(2, 6)).astype(np.float32)
    np.testing.assert_allclose(evaluate(graph, {"x": x})[0], function(x), rtol=1e-6)


def test_in_old_versions_they_stay_attributes(tmp_path):
    said = f'graph {{ {X} nodes {{ op_type: "Slice" inputs: "x" outputs: "y" {AS_INPUTS["Slice of the first axes"][0]} }} }}'
    graph = graph_in(said, tmp_path, opset=9)
    assert graph.nodes[0].attributes == {"starts": (1,), "ends": (2,)} and not graph.parameters


def test_an_attribute_that_is_an_input_too_is_refused(tmp_path):
    said = f'nodes {{ op_type: "Reshape" inputs: "x" inputs: "x" outputs: "y" {AS_INPUTS["Reshape"][0]} }}'
    with pytest.raises(FormatError, match="is an attribute and an input"):
        graph_in(f"graph {{ {X} {said} }}", tmp_path)


def operators():
    """A graph with every kind of attribute."""
    inner = OperatorGraph(
        nodes=(OperatorNode("Neg", ("x",), ("out",), {}, "n"),),
        inputs=(),
        outputs=(Value("out"),),
        parameters={"c": np.int8([3])},
        name="branch",
    )
    attributes = {
        **{"axis": 1, "perm": (1, 0), "epsilon": 0.5, "i": 2**40, "one": 1, "f": -0.25, "s": "é", "ints": (1, 0), "no": ()},
        **{"floats": (0.5, 2.0), "strings": ("a", ""), "tensor": np.array(["x", "y"], object), "graph": inner},
        **{"graphs": (inner, inner), "tensors": (np.float16([1]), np.ones((0, 2)))},
    }
    nodes = (
        OperatorNode("First", ("x", "", "w"), ("a", ""), attributes, "first", "com.example"),
        OperatorNode("Second", ("a",), ("y",), {"axis": (1,), "epsilon": 1, "perm": ()}),
    )
    return OperatorGraph(
        nodes,
        inputs=(Value("x", "float32", ("batch", None, 0, 3)), Value("t", "object", ()), Value("u")),
        outputs=(Value("y", "uint16", None),),
        parameters={"w": np.arange(6, dtype=np.uint16).reshape(2, 3)},
        opsets={"": 18, "com.example": 2},
        name="whole",
        metadata={"a": "b"},
    )


def told(value):
    """What a graph says, in a form that compares."""
    if isinstance(value, OperatorGraph):
        parts = (value.nodes, value.inputs, value.outputs, value.parameters, value.name)
        return ("graph", *(told(part) for part in parts))
    if isinstance(value, OperatorNode):
        return (value.op_type, value.inputs, value.outputs, told(value.attributes), value.name, value.domain)
    if isinstance(value, Value):
        return (value.name, value.dtype, value.shape)
    if isinstance(value, np.ndarray):
        return (str(value.dtype), value.shape, value.tolist())
    if isinstance(value, dict):
        return {name: told(item) for name, item in value.items()}
    return tuple(map(told, value)) if isinstance(value, tuple) else (type(value), value)


def test_operators_of_every_form_come_back(tmp_path):
    graph = operators()
    write_model(message_of(graph), tmp_path / "file.zmf")
    found = operator_graph_of(read_model(tmp_path / "file.zmf"))
    assert told(found) == told(graph)
    assert found.opsets == graph.opsets and found.metadata == {"a": "b"}
    assert [node.kind for node in zmf.summarize(tmp_path / "file.zmf").nodes] == ["First", "Second"]


def test_the_reader_of_the_original_gets_what_it_expects(tmp_path):
    write_model(message_of(operators()), tmp_path / "file.zmf")
    model = compiled(original=True)["Model"].FromString((tmp_path / "file.zmf").read_bytes())
    first, second = model.graph.nodes
    assert (first.axis, list(first.perm), first.epsilon) == (1, [1, 0], 0.5)
    assert not {"axis", "perm", "epsilon"} & set(first.attributes) and {"axis", "epsilon", "perm"} == set(second.attributes)
    assert first.attributes["one"].WhichOneof("value") == "i" and first.attributes["one"].i == 1
    assert list(first.attributes["ints"].ints.val) == [1, 0] and list(first.attributes["strings"].strings.val) == ["a", ""]
    assert list(model.graph.inputs[0].shape) == [-1, -1, 0, 3] and model.graph.inputs[0].dtype == 3
    assert model.metadata.opset_version == 18
    parameter = model.graph.parameters["w"]
    assert list(parameter.shape) == [2, 3] and parameter.data == np.arange(6, dtype="<u2").tobytes()


def test_from_onnx_to_zmf_and_back(tmp_path):
    pytest.importorskip("onnx", reason="the onnx extra is not installed")
    for name in INPUTS:
        network = load(DATA / f"{name}.onnx")
        save(network, tmp_path / f"{name}.zmf")
        found = load(tmp_path / f"{name}.zmf")
        assert told(to_operator_graph(found)) == told(to_operator_graph(network))
        assert found.specs == network.specs
        np.testing.assert_allclose(found(x_of(name)), reference(name), rtol=1e-6, atol=1e-6)


def test_quantising_an_onnx_model_gives_what_the_original_gave(tmp_path):
    pytest.importorskip("onnx", reason="the onnx extra is not installed")
    zmf.write(load(DATA / "quant.onnx"), tmp_path / "quant.zmf", quantize="q4_0")
    ours = read_model(tmp_path / "quant.zmf").graph.parameters
    theirs = read_model(DATA / "quant.q4_0.zmf").graph.parameters
    assert {name: (one.dtype, bytes(one.data)) for name, one in ours.items()} == {
        name: (theirs[name].dtype, bytes(theirs[name].data)) for name in ours
    }
    assert "W" in ours


def test_operators_among_layers_come_back(tmp_path):
    network = load(DATA / "cnn.zmf")
    graph = network.model
    mixed = Graph(graph.inputs, (*graph.nodes, Node("head", Dense(3), graph.outputs)), ("head",))
    params = {**network.params, "head": {"kernel": np.ones((32, 3), np.float32), "bias": np.zeros(3, np.float32)}}
    zmf.write(Network(mixed, params, network.state, network.specs), tmp_path / "mixed.zmf")
    expect_equal(zmf.read(tmp_path / "mixed.zmf", verify=True), Network(mixed, params, network.state, network.specs))
