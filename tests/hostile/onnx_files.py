"""ONNX files that are broken or made to do harm: name, how to make the bytes, and a part of what is said of them."""

from collections.abc import Callable
import os
from pathlib import Path
import random

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="the onnx extra is not installed")
from onnx import AttributeProto, GraphProto, ModelProto, TensorProto, helper, numpy_helper  # noqa: E402

Bad = tuple[bytes | Callable[[], bytes], str]

FLOAT = TensorProto.FLOAT
WEIGHT = numpy_helper.from_array(np.arange(6, dtype=np.float32).reshape(2, 3), "w")


def value(name: str, *shape: int) -> onnx.ValueInfoProto:
    """A float input or output."""
    return helper.make_tensor_value_info(name, FLOAT, shape)


def model(change: Callable[[ModelProto], object] = lambda model: None) -> bytes:
    """relu(x · w), changed."""
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["product"], "matmul"),
        helper.make_node("Relu", ["product"], ["y"], "relu"),
    ]
    graph = helper.make_graph(nodes, "g", [value("x", 1, 2)], [value("y", 1, 3)], [WEIGHT])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    change(made)
    return made.SerializeToString()


def with_nodes(*nodes: onnx.NodeProto, tensors: tuple[TensorProto, ...] = ()) -> bytes:
    """A model of these nodes, from x to y."""

    def change(made: ModelProto) -> None:
        del made.graph.node[:]
        made.graph.node.extend(nodes)
        made.graph.initializer.extend(tensors)

    return model(change)


def with_weight(**changes: object) -> bytes:
    """A model whose weight has other fields; lists replace lists, None clears."""

    def change(made: ModelProto) -> None:
        tensor = made.graph.initializer[0]
        for name, given in changes.items():
            tensor.ClearField(name)
            if isinstance(given, list):
                getattr(tensor, name).extend(given)
            elif given is not None:
                setattr(tensor, name, given)

    return model(change)


def with_attribute(**fields: object) -> bytes:
    """A model with a LeakyRelu whose attribute is made of these fields."""
    node = helper.make_node("LeakyRelu", ["x"], ["y"])
    attribute = node.attribute.add(name="alpha")
    for name, given in fields.items():
        if isinstance(given, list):
            getattr(attribute, name).extend(given)
        else:
            setattr(attribute, name, given)
    return with_nodes(node)


def raw_field(number: int, payload: bytes, kind: int = 2) -> bytes:
    """A field on the wire."""
    size, head = len(payload), bytearray([number << 3 | kind])
    while size > 127:
        head.append(size & 127 | 128)
        size >>= 7
    return bytes([*head, size]) + payload


def nested(depth: int) -> bytes:
    """Branches within branches, each byte by hand: protobuf itself would not write them."""
    result = raw_field(12, value("y", 1).SerializeToString())
    graph = raw_field(1, helper.make_node("Identity", ["x"], ["y"]).SerializeToString()) + result
    for _ in range(depth):
        branch = raw_field(1, b"then_branch") + raw_field(6, graph) + b"\xa0\x01\x05"  # of type GRAPH
        node = helper.make_node("If", ["x"], ["y"]).SerializeToString() + raw_field(5, branch)
        graph = raw_field(1, node) + result
    inputs = raw_field(11, value("x", 1).SerializeToString())
    return raw_field(8, helper.make_opsetid("", 17).SerializeToString()) + raw_field(7, graph + inputs)


def with_functions(*functions: tuple[str, list[onnx.NodeProto]], opset: int = 17) -> bytes:
    """A model that calls the first of the functions, which take x and give y."""

    def change(made: ModelProto) -> None:
        made.opset_import.add(domain="own", version=1)
        for name, nodes in functions:
            imports = [helper.make_opsetid("", opset), helper.make_opsetid("own", 1)]
            made.functions.append(helper.make_function("own", name, ["x"], ["y"], nodes, imports))
        del made.graph.node[:]
        made.graph.node.append(helper.make_node(functions[0][0], ["x"], ["y"], domain="own"))

    return model(change)


def own(name: str, source: str, target: str) -> onnx.NodeProto:
    """A call of a function."""
    return helper.make_node(name, [source], [target], domain="own")


def doubling(depth: int) -> bytes:
    """Functions that each call the next twice: a few lines, 2^depth nodes."""
    calls = [(f"F{i}", [own(f"F{i + 1}", "x", "h"), own(f"F{i + 1}", "h", "y")]) for i in range(depth)]
    return with_functions(*calls, (f"F{depth}", [helper.make_node("Relu", ["x"], ["y"])]))


def edited(**changes: object) -> bytes:
    """A model with other fields."""

    def change(made: ModelProto) -> None:
        for name, given in changes.items():
            setattr(made, name, given)

    return model(change)


def graph_with(change: Callable[[GraphProto], object]) -> bytes:
    """A model whose graph is changed."""
    return model(lambda made: change(made.graph))


def opsets(*pairs: tuple[str, int]) -> bytes:
    """A model with these imports."""

    def change(made: ModelProto) -> None:
        del made.opset_import[:]
        made.opset_import.extend(helper.make_opsetid(*pair) for pair in pairs)

    return model(change)


def swapped(data: bytes, old: bytes, new: bytes) -> bytes:
    """Bytes of the same number in the place of others."""
    assert old in data and len(old) == len(new)
    return data.replace(old, new)


GOOD = model()
relu = helper.make_node("Relu", ["x"], ["y"])


def tensor(kind: int, shape: list[int], **fields: object) -> TensorProto:
    """A tensor with these fields."""
    return TensorProto(name="t", data_type=kind, dims=shape, **fields)


def constant(one: TensorProto) -> bytes:
    """A model with a constant tensor."""
    return with_nodes(relu, tensors=(one,))


def sparse(indices: list[int], values: list[float], shape: list[int]) -> bytes:
    """A model with a sparse tensor."""
    return graph_with(
        lambda graph: graph.sparse_initializer.add(
            values=TensorProto(name="s", data_type=1, dims=[len(values)], float_data=values),
            indices=TensorProto(data_type=7, dims=[len(indices)], int64_data=indices),
            dims=shape,
        )
    )


FILES: dict[str, Bad] = {
    "empty": (b"", "one graph"),
    "a byte": (b"\x08", "does not end"),
    "random bytes": (random.Random(0).randbytes(4096), "no ONNX model"),
    "text": (b"<html><body>404 not found</body></html>", "no ONNX model"),
    "a pickle": (b"\x80\x04\x95\x0b\x00\x00\x00\x00\x00\x00\x00\x8c\x02os\x94.", "no ONNX model"),
    "a zip": (b"PK\x03\x04" + bytes(60), "no ONNX model"),
    "no graph": (ModelProto(ir_version=8).SerializeToString(), "one graph"),
    "two graphs": (GOOD + raw_field(7, b""), "one graph"),
    "a group": (GOOD + b"\x3b\x3c", "begins no field"),
    "field zero": (GOOD + b"\x02\x00", "does not end"),
    "a number of eleven bytes": (GOOD + b"\x08" + b"\xff" * 10 + b"\x01", "does not end"),
    "a length beyond the end": (GOOD + b"\x3a\xff\xff\xff\xff\x0f", "does not end"),
    "a length of 2^63": (GOOD + b"\x3a" + b"\xff" * 9 + b"\x01", "does not end"),
    "ten million empty nodes": (lambda: raw_field(7, b"\x0a\x00" * 10_000_000), "fields, over the limit"),
    "ten million empty inputs": (lambda: raw_field(7, raw_field(1, b"\x0a\x00" * 10_000_000)), "fields, over the limit"),
    "two million metadata": (lambda: GOOD + b"\x72\x00" * 2_000_000, "fields, over the limit"),
    "no opset": (opsets(), "does not say which version"),
    "opset 0": (opsets(("", 0)), "version 0"),
    "opset -1": (opsets(("", -1)), "version -1"),
    "opset 2^31": (opsets(("", 2**31)), "version 2147483648"),
    "opset 29": (opsets(("", 29)), "version 29"),
    "a domain twice": (opsets(("", 17), ("ai.onnx", 16)), "imported twice"),
    "an unknown operator": (with_nodes(helper.make_node("Frobnicate", ["x"], ["y"])), "Frobnicate"),
    "an unknown domain": (with_nodes(helper.make_node("Relu", ["x"], ["y"], domain="evil")), "'evil'"),
    "a circle": (
        with_nodes(helper.make_node("Add", ["x", "y"], ["a"]), helper.make_node("Relu", ["a"], ["y"])),
        "made by nothing before it",
    ),
    "a node that feeds itself": (with_nodes(helper.make_node("Relu", ["y"], ["y"])), "made by nothing before it"),
    "an undefined input": (with_nodes(helper.make_node("Relu", ["z"], ["y"])), "'z'"),
    "an undefined output": (graph_with(lambda graph: graph.output.append(value("z", 1))), "'z'"),
    "no outputs": (graph_with(lambda graph: graph.output.pop()), "no outputs"),
    "a value made twice": (with_nodes(relu, helper.make_node("Abs", ["x"], ["y"])), "made twice"),
    "a value that is an input too": (with_nodes(relu, helper.make_node("Abs", ["y"], ["x"])), "made twice"),
    "one value, two outputs": (with_nodes(relu, helper.make_node("Split", ["y"], ["z", "z"])), "made twice"),
    "two inputs of one name": (graph_with(lambda graph: graph.input.append(value("x", 1))), "made twice"),
    "a tensor twice": (graph_with(lambda graph: graph.initializer.append(WEIGHT)), "there twice"),
    "a tensor without a name": (with_weight(name=""), "a name"),
    "a name with a newline": (graph_with(lambda graph: setattr(graph.node[0], "name", "a\nb")), "control"),
    "a name that leads out": (graph_with(lambda graph: setattr(graph.node[0], "name", "../../x")), "'..'"),
    "a name written backwards": (graph_with(lambda graph: setattr(graph.node[0], "name", "a\u202eb")), "direction"),
    "a name of 2,000 bytes": (graph_with(lambda graph: setattr(graph.node[0], "name", "a" * 2000)), "2,000 bytes"),
    "a name that is no text": (swapped(GOOD, b"product", b"pr\xff\xfeuct"), "a name is a text"),
    "an operator without a name": (with_nodes(helper.make_node("", ["x"], ["y"])), "a name"),
    "an input's negative size": (graph_with(lambda graph: graph.input.append(value("v", -7))), "size of -7"),
    "an input of type 99": (
        graph_with(lambda graph: graph.input.append(helper.make_tensor_value_info("v", 99, [1]))),
        "data type 99",
    ),
    "an input of 40 axes": (graph_with(lambda graph: graph.input.append(value("v", *[1] * 40))), "40 dimensions"),
    "a negative size": (with_weight(dims=[-2, -3]), "at least 0"),
    "2^40 times 2^40": (with_weight(dims=[2**40, 2**40]), "over the limit"),
    "a zero beside 2^60": (with_weight(dims=[0, 2**60]), "over the limit"),
    "33 axes": (with_weight(dims=[1] * 33), "dimensions"),
    "sizes that lie": (with_weight(dims=[1000, 1000]), "takes 4,000,000 bytes"),
    "raw bytes too few": (with_weight(raw_data=bytes(23)), "got 23"),
    "raw bytes too many": (with_weight(raw_data=bytes(25)), "got 25"),
    "large raw bytes that lie": (with_weight(raw_data=bytes(5000)), "got 5,000"),
    "no values": (with_weight(raw_data=None), "no values"),
    "values in two fields": (with_weight(float_data=[1.0] * 6), "raw_data and float_data"),
    "large raw bytes and values": (with_weight(dims=[500], raw_data=bytes(2000), float_data=[1.0] * 500), "and"),
    "values in another field": (with_weight(raw_data=None, int64_data=[1] * 6), "stand in float_data"),
    "too few values": (with_weight(raw_data=None, float_data=[1.0] * 5), "got 5"),
    "too many values": (with_weight(raw_data=None, float_data=[1.0] * 7), "got 7"),
    "data type 0": (with_weight(data_type=0), "data type 0"),
    "data type 99": (with_weight(data_type=99), "data type 99"),
    "data type -1": (with_weight(data_type=-1), "data type -1"),
    "a segment": (constant(tensor(1, [1], segment=TensorProto.Segment(begin=0, end=1))), "segments"),
    "texts in raw bytes": (constant(tensor(8, [1], raw_data=b"abcd")), "texts"),
    "texts that are none": (constant(tensor(8, [1], string_data=[b"\xff\xfe"])), "UTF-8"),
    "too few texts": (constant(tensor(8, [3], string_data=[b"a"])), "got 1"),
    "an odd number of int4": (constant(tensor(22, [3], raw_data=b"\x12")), "takes 2 bytes"),
    "int4 in too many bytes": (constant(tensor(22, [3], int32_data=[1, 2, 3])), "does not stand in 3 bytes"),
    "int8 of 300": (constant(tensor(3, [1], int32_data=[300])), "no int8"),
    "uint8 of -1": (constant(tensor(2, [1], int32_data=[-1])), "no uint8"),
    "float16 of 2^17": (constant(tensor(10, [1], int32_data=[2**17])), "no uint16"),
    "uint32 of 2^40": (constant(tensor(12, [1], uint64_data=[2**40])), "no uint32"),
    "a truth value of 2": (constant(tensor(9, [1], raw_data=b"\x02")), "truth values"),
    "a truth value of 7": (constant(tensor(9, [1], int32_data=[7])), "truth values"),
    "half a complex number": (constant(tensor(14, [1], float_data=[1.0, 2.0, 3.0])), "got 3"),
    "a sparse tensor of 2^40": (sparse([0], [1.0], [2**40]), "not supported"),
    "a sparse index outside": (sparse([9], [1.0], [3]), "indices"),
    "a negative sparse index": (sparse([-1], [1.0], [3]), "indices"),
    "fewer indices than values": (sparse([0], [1.0, 2.0], [3]), "indices"),
    "an attribute without a type": (with_attribute(f=0.1), "attribute type 0"),
    "an attribute of type 99": (
        swapped(with_attribute(f=0.1, type=AttributeProto.FLOAT), b"\xa0\x01\x01", b"\xa0\x01\x63"),
        "attribute type",
    ),
    "an attribute of another type": (with_attribute(f=0.1, type=AttributeProto.INT), "stands in 'f'"),
    "an attribute with two values": (with_attribute(f=0.1, i=3, type=AttributeProto.FLOAT), "stands in 'i'"),
    "an attribute that is no number": (with_attribute(s=b"0.1", type=AttributeProto.STRING), "LeakyRelu"),
    "a text attribute that is none": (with_attribute(s=b"\xff", type=AttributeProto.STRING), "UTF-8"),
    "an attribute of numbers": (with_attribute(ints=[1, 2], type=AttributeProto.INTS), "LeakyRelu"),
    "an attribute twice": (
        graph_with(lambda graph: graph.node[1].attribute.extend([helper.make_attribute("a", 1)] * 2)),
        "there twice",
    ),
    "an attribute that the operator lacks": (
        with_nodes(helper.make_node("Relu", ["x"], ["y"], evil=1)),
        "no attribute 'evil'",
    ),
    "an attribute's tensor that lies": (
        with_nodes(helper.make_node("Constant", [], ["y"], value=tensor(1, [9], raw_data=b"abcd"))),
        "got 4",
    ),
    "too many inputs": (with_nodes(helper.make_node("Relu", ["x", "x", "x"], ["y"])), "at most 1"),
    "a loop without a body": (with_nodes(helper.make_node("Loop", ["", ""], ["y"])), "lacks its attribute 'body'"),
    "a branch without its other": (
        with_nodes(helper.make_node("If", ["x"], ["y"], then_branch=GraphProto(output=[value("x", 1)]))),
        "lacks its attribute 'else_branch'",
    ),
    "a branch without outputs": (
        with_nodes(helper.make_node("If", ["x"], ["y"], then_branch=GraphProto(), else_branch=GraphProto())),
        "no outputs",
    ),
    "branches 33 deep": (nested(33), "deeper than 32"),
    "branches 40 deep": (nested(40), "deeper than 32"),
    "branches 1,000 deep": (nested(1000), "deeper than 32"),
    "a function that calls itself": (with_functions(("F", [own("F", "x", "y")])), "calls itself"),
    "functions in a circle": (with_functions(("F", [own("G", "x", "y")]), ("G", [own("F", "x", "y")])), "calls itself"),
    "a function twice": (with_functions(("F", [relu]), ("F", [relu])), "there twice"),
    "a function of another opset": (with_functions(("F", [relu]), opset=9), "another version"),
    "a function that is not there": (with_functions(("F", [own("G", "x", "y")])), "'own'"),
    "2^25 nodes in 26 functions": (lambda: doubling(25), "over the limit"),
    "a function with a value that is not there": (
        with_functions(("F", [helper.make_node("Relu", ["z"], ["y"])])),
        "made by nothing",
    ),
}
FILES |= {f"cut off at {i}/16": (GOOD[: max(1, len(GOOD) * i // 16)], "") for i in range(16)}


def bomb(op_type: str, *arrays: np.ndarray, **attributes: object) -> bytes:
    """A model of one operator on constants, whose output is far larger than they are."""
    tensors = [numpy_helper.from_array(array, f"c{i}") for i, array in enumerate(arrays)]
    inputs = [one.name for one in tensors]
    nodes = [helper.make_node(op_type, inputs, ["large"], **attributes), helper.make_node("Shape", ["large"], ["y"])]
    return with_nodes(*nodes, tensors=tuple(tensors))


HUGE = np.int64(2**20)
BOMBS: dict[str, bytes] = {
    "ConstantOfShape": bomb("ConstantOfShape", np.array([HUGE, HUGE])),
    "ConstantOfShape of 2^62": bomb("ConstantOfShape", np.array([2**62])),
    "ConstantOfShape of -1": bomb("ConstantOfShape", np.array([-1])),
    "Expand": bomb("Expand", np.ones(1, np.float32), np.array([HUGE, HUGE])),
    "Tile": bomb("Tile", np.ones((2, 2), np.float32), np.array([HUGE, HUGE])),
    "Range": bomb("Range", np.int64(0), np.int64(2**40), np.int64(1)),
    "Pad": bomb("Pad", np.ones((2, 2), np.float32), np.array([0, 0, HUGE, HUGE])),
    "Resize": bomb("Resize", np.ones((1, 1, 2, 2), np.float32), np.zeros(0, np.float32), np.float32([1, 1, 1e9, 1e9])),
    "OneHot": bomb("OneHot", np.zeros(100, np.int64), np.array(2**40), np.array([0, 1], np.float32)),
}


def location(**entries: str) -> bytes:
    """A model whose weight is in a file beside it."""

    def change(made: ModelProto) -> None:
        weight = made.graph.initializer[0]
        weight.ClearField("raw_data")
        weight.data_location = TensorProto.EXTERNAL
        for key, text in entries.items():
            weight.external_data.add(key=key, value=text)

    return model(change)


def fill(folder: Path) -> None:
    """Files beside the model, good ones and others, and one outside of the folder."""
    (folder.parent / "outside.bin").write_bytes(bytes(24))
    (folder / "ok.bin").write_bytes(bytes(24))
    (folder / "short.bin").write_bytes(bytes(7))
    (folder / "empty.bin").write_bytes(b"")
    (folder / "sub").mkdir()
    (folder / "linked").symlink_to(folder.parent)
    (folder / "link.bin").symlink_to(folder.parent / "outside.bin")
    os.link(folder.parent / "outside.bin", folder / "hard.bin")
    os.mkfifo(folder / "pipe.bin")


EXTERNAL: dict[str, bytes] = {
    "above": location(location="../outside.bin"),
    "above and back": location(location="sub/../../outside.bin"),
    "absolute": location(location="/etc/passwd"),
    "the environment": location(location="/proc/self/environ"),
    "a device": location(location="/dev/zero"),
    "a link": location(location="link.bin"),
    "a linked folder": location(location="linked/outside.bin"),
    "a hard link": location(location="hard.bin"),
    "a pipe": location(location="pipe.bin"),
    "a folder": location(location="sub"),
    "the folder itself": location(location="."),
    "missing": location(location="missing.bin"),
    "no name": location(location=""),
    "no location": location(offset="0"),
    "a backslash": location(location="..\\outside.bin"),
    "quoted dots": location(location="%2e%2e/outside.bin"),
    "a zero byte": location(location="ok.bin\0x"),
    "a file that is too short": location(location="short.bin"),
    "an empty file": location(location="empty.bin"),
    "a length that lies": location(location="ok.bin", length="23"),
    "an offset beyond the end": location(location="ok.bin", offset="100"),
    "an offset with the length beyond it": location(location="ok.bin", offset="4", length="24"),
    "a negative offset": location(location="ok.bin", offset="-4", length="24"),
    "an offset that is no number": location(location="ok.bin", offset="0x10"),
    "an offset of twenty digits": location(location="ok.bin", offset="9" * 20),
    "an unknown key": location(location="ok.bin", __class__="evil"),
}
