"""ZMF files that are broken or made to do harm: name, bytes, and a part of what is said of them."""

from collections.abc import Callable
import gzip
import io
import struct
import zipfile

import jax
import numpy as np

from zerfoo_jax.formats.zmf.attributes import attribute_of
from zerfoo_jax.formats.zmf.encode import to_bytes
from zerfoo_jax.formats.zmf.native import message_of
from zerfoo_jax.formats.zmf.schema import (
    DOMAIN,
    Attribute,
    Dim,
    Extension,
    Floats,
    Graph,
    Ints,
    List,
    Mapping,
    Metadata,
    Model,
    Node,
    Quantization,
    Strings,
    Tensor,
    ValueInfo,
    ValueType,
)
from zerfoo_jax.formats.zmf.wire import tag, varint
from zerfoo_jax.graph import TABLE
from zerfoo_jax.graph.editing import Network
from zerfoo_jax.layers import Dense

Bad = tuple[bytes | Callable[[], bytes], str]

F32, I64, Q4, Q8 = 3, 8, 14, 15
X, Y = ValueInfo(name="x", dtype=F32, shape=[2]), ValueInfo(name="y", dtype=F32, shape=[2])
RELU = Node(name="n", op_type="Relu", inputs=["x"], outputs=["y"])


def field(number: int, content: bytes) -> bytes:
    """A field of bytes."""
    return tag(number, 2) + varint(len(content)) + content


def operators(*nodes: Node, parameters: dict[str, Tensor] | None = None, **parts: object) -> bytes:
    """A file of operators, by itself a good one of one node."""
    given = {"nodes": nodes or [RELU], "inputs": [X], "outputs": [Y], "parameters": parameters or {}, **parts}
    return to_bytes(Model(graph=Graph(**given), metadata=Metadata(opset_version=17)))


def attribute(value: Attribute) -> bytes:
    """A file of one operator with an attribute."""
    return operators(Node(name="n", op_type="Relu", inputs=["x"], outputs=["y"], attributes={"a": value}))


def tensor(**parts: object) -> bytes:
    """A file with a tensor that differs from a good one."""
    given = {"dtype": F32, "shape": [2], "data": bytes(8), **parts}
    return operators(parameters={"w": Tensor(**given)})


def native() -> Model:
    """A good file of one layer."""
    spec = jax.ShapeDtypeStruct((1, 2), np.float32)
    params = {"kernel": np.ones((2, 3), np.float32), "bias": np.zeros(3, np.float32)}
    return message_of(Network(Dense(3), params, {}, (spec,)), TABLE, None)


def layer(**parts: object) -> bytes:
    """A file of one layer whose node differs from a good one."""
    model = native()
    for name, value in parts.items():
        setattr(model.graph.nodes[0], name, value)
    return to_bytes(model)


def features(value: object) -> bytes:
    """A file of one layer with that in the place of its number of features."""
    return layer(attributes={"features": attribute_of(value)})


def extended(**parts: object) -> bytes:
    """A file of one layer whose extension differs from a good one."""
    model = native()
    for name, value in parts.items():
        setattr(model.extension, name, value)
    return to_bytes(model)


def graph(**parts: object) -> bytes:
    """A file of one layer whose graph differs from a good one."""
    model = native()
    for name, value in parts.items():
        setattr(model.graph, name, value)
    return to_bytes(model)


def wired(*wires: tuple[str, list[str]], outputs: str = "b") -> bytes:
    """A file of layers wired so."""
    nodes = [Node(name=name, op_type="Add", inputs=inputs, domain=DOMAIN) for name, inputs in wires]
    model = native()
    model.graph.nodes, model.graph.parameters = nodes, {}
    model.graph.outputs = [ValueInfo(name=outputs)]
    model.extension.is_layer = False
    return to_bytes(model)


def nested(depth: int) -> bytes:
    """Attributes within attributes, built from the inside: no Python function is as deep."""
    content = to_bytes(Attribute(i=1))
    for _ in range(depth):
        content = field(100, field(1, content))
    entry = field(1, b"features") + field(2, content)
    node = field(1, b"n") + field(2, b"Dense") + field(5, entry) + field(100, DOMAIN.encode())
    return field(1, field(2, node))


def layers_within_layers(depth: int) -> bytes:
    """Residuals, each within the next."""
    value: object = {"type": "Dense", "features": 2}
    for _ in range(depth):
        value = {"type": "Residual", "inner": value}
    return layer(op_type="Residual", attributes={"inner": attribute_of(value)})


def zipped() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("model", bytes(1000))
    return file.getvalue()


def aside(**parts: object) -> bytes:
    """A file whose kernel is said to be in a file beside it."""
    model = native()
    given = {"dtype": F32, "shape": [2, 3], "offset": 0, "size": 24, **parts}
    model.graph.parameters["kernel"] = Tensor(**{k: v for k, v in given.items() if k not in ("file", "digest_of_file")})
    model.extension.data_file = given.get("file", "good.data")
    model.extension.data_digest = given.get("digest_of_file", bytes(32))
    return to_bytes(model)


GOOD = operators()
GOOD_LAYER = to_bytes(native())
MANY = 110_000

FILES: dict[str, Bad] = {
    # the wire
    "nothing": (b"", "has no graph"),
    "zeros": (bytes(100), "there is no field 0"),
    "a number that ends too soon": (b"\x0a\x80", "ends within a number"),
    "a number of eleven bytes": (b"\x1a" + b"\x80" * 10 + b"\x01", "over 10 bytes"),
    "a number of 70 bits": (b"\x08" + b"\xff" * 9 + b"\x7f", "over 64 bits"),
    "a length of 2^63": (b"\x0a" + varint(2**63), "claims"),
    "a length of -1": (b"\x0a" + varint(-1), "claims"),
    "a length of one byte too many": (GOOD[:1] + varint(len(GOOD)) + GOOD[2:], "claims"),
    "a group": (b"\x0b\x0c", "wire type 3"),
    "the end of a group": (GOOD + b"\x0c", "wire type 4"),
    "wire type 6": (GOOD + b"\x3e", "wire type 6"),
    "wire type 7": (GOOD + b"\x3f", "wire type 7"),
    "field 0": (GOOD + b"\x02\x00", "there is no field 0"),
    "a field of over 29 bits": (GOOD + varint(2**32) + b"\0", "there is no field"),
    "a graph that is a number": (b"\x08\x01", "wire type 0, not 2"),
    "a text that is a number": (GOOD + b"\x18\x01", "wire type 0, not 2"),
    "four bytes of eight": (GOOD + b"\xa1\x06" + bytes(4), "claims"),
    "half a file": (GOOD[: len(GOOD) // 2], ""),
    "all but the last byte": (GOOD[:-1], ""),
    "a byte behind": (GOOD + b"\x0a", "ends within a number"),
    "two files in one": (GOOD + GOOD, "given twice"),
    "a version twice": (GOOD + field(3, b"1.0.0") * 2, "given twice"),
    "a text that is not UTF-8": (GOOD + field(3, b"\xff"), "not UTF-8"),
    "half a surrogate pair": (operators(Node(name="n", op_type="a"))[:-40] + b"\xed\xa0\x80", ""),
    "a truth value of 2": (field(100, b"\x08\x01\x38\x02"), "a truth value of 2"),
    "a list of numbers that ends too soon": (field(1, field(2, field(7, b"\x80"))), "ends within a number"),
    "a list of floats of five bytes": (
        field(1, field(2, field(5, field(1, b"a") + field(2, field(4, field(1, bytes(5))))))),
        "a list of 5 bytes",
    ),
    "a list of numbers of over 64 bits": (field(1, field(2, field(7, b"\xff" * 10 + b"\x7f"))), "over 64 bits"),
    "messages within messages": (nested(60), "nested over 100 deep"),
    "messages 5,000 deep": (lambda: nested(5000), "nested over 100 deep"),
    "ten million empty nodes": (lambda: field(1, b"\x12\0" * 10_000_000), "over 150,000 messages"),
    "nodes by the hundred thousand": (lambda: field(1, b"\x12\0" * MANY), "110,000 nodes, over the limit"),
    "unknown fields by the million": (lambda: GOOD + b"\xc0\x0c\x00" * 1_000_000, "over 400,000 fields"),
    "a list of 64 million numbers": (lambda: field(1, field(2, field(7, bytes(2**26)))), "numbers in lists"),
    "texts of 64 MB": (lambda: field(1, field(2, field(3, bytes(2**22)) * 16)), "bytes of texts"),
    "tensors by the hundred thousand": (
        lambda: field(1, b"".join(field(1, field(1, b"%d" % i)) for i in range(MANY))),
        "110,000 tensors, over the limit",
    ),
    # maps
    "a name twice in a map": (
        field(1, field(1, field(1, b"w") + field(2, b"\x08\x03")) * 2),
        "the name stands there twice",
    ),
    "a field too many in a map": (field(1, field(1, field(1, b"w") + b"\x18\x01")), "a field 3 too many"),
    "a key twice in an entry": (field(1, field(1, field(1, b"w") * 2)), "a field 1 too many"),
    "a key that is a number": (field(1, field(1, b"\x08\x01")), "wire type 0, not 2"),
    "an entry that is a number": (field(1, b"\x08\x01"), "wire type 0, not 2"),
    # other files
    "a pickle": (b"\x80\x04\x95\x1a\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix\x94\x8c\x06system\x94\x93\x94.", ""),
    "a zip": (zipped(), ""),
    "a gzip": (gzip.compress(GOOD), ""),
    "a gzip bomb": (gzip.compress(bytes(10**6)), ""),
    "JSON": (b'{"graph": {}}', ""),
    "GGUF": (b"GGUF" + struct.pack("<IQQ", 3, 1, 1), ""),
    "text": (b"ZMF model", ""),
    # versions
    "a version to come": (GOOD + field(3, b"2.0.0"), "version '2.0.0'"),
    "a version that is none": (GOOD + field(3, b"one"), "version 'one'"),
    "an extension to come": (extended(version=2), "version 2 of what zerfoo_jax adds"),
    "an extension without a version": (extended(version=0), "version 0"),
    "operators of version -1": (to_bytes(Model(graph=Graph(), metadata=Metadata(opset_version=-1))), "version -1"),
    "no outputs": (to_bytes(Model(graph=Graph())), "no outputs"),
    # tensors
    "bytes too few": (tensor(data=bytes(7)), "takes 8 bytes, got 7"),
    "bytes too many": (tensor(data=bytes(9)), "takes 8 bytes, got 9"),
    "no bytes": (tensor(data=b""), "the tensor has no bytes"),
    "a dtype left out": (tensor(dtype=0), "names no dtype is bfloat16"),
    "a dtype of number 77": (tensor(dtype=77), "'number 77'"),
    "a dtype of number -1": (tensor(dtype=-1), "'number -1'"),
    "a dtype of number 2^40": (tensor(dtype=2**40), "there is no dtype"),
    "a dtype of an unknown name": (tensor(dtype=100, dtype_name="V8"), "there is no dtype 'V8'"),
    "a dtype of a number and a name": (tensor(dtype_name="int8"), "the name 'int8'"),
    "a shape of 2^40 times 2^40": (tensor(shape=[2**40, 2**40]), "over the limit"),
    "a shape that overflows to what is there": (tensor(shape=[2**33, 2**31, 2]), "over the limit"),
    "a shape of 2^62 and 0": (tensor(shape=[0, 2**62], data=b""), "over the limit"),
    "a size of -2": (tensor(shape=[-2]), "at least 0"),
    "sizes of -1 and -2": (tensor(shape=[-1, -2]), "at least 0"),
    "65 dimensions": (tensor(shape=[1] * 65, data=bytes(4)), "65 dimensions"),
    "a truth value of 2 in a tensor": (tensor(dtype=1, data=b"\x01\x02"), "other than 0 and 1"),
    "texts in bytes": (tensor(dtype=10, data=bytes(2)), "0 texts"),
    "texts too few": (tensor(dtype=10, data=b"", strings=Strings(val=["a"])), "1 texts"),
    "texts among numbers": (tensor(strings=Strings(val=["a"])), "with texts"),
    "half a block": (tensor(dtype=Q4, shape=[32], data=bytes(17)), "takes 18 bytes"),
    "a block of GGML": (tensor(dtype=Q8, shape=[32], data=bytes(34)), "takes 36 bytes"),
    "blocks that claim more": (tensor(dtype=Q4, shape=[2**39], data=bytes(18)), "got 18"),
    "a block's scale that is no number": (tensor(dtype=Q4, shape=[32], data=b"\x00\x7e" + bytes(16)), "not finite"),
    "a block's infinite scale": (tensor(dtype=Q8, shape=[1], data=b"\0\0\x80\x7f" + bytes(32)), "not finite"),
    "a name with control characters": (operators(parameters={"a\0b": Tensor(shape=[0])}), "control"),
    "a name that leads out": (operators(parameters={"../../x": Tensor(shape=[0])}), "'..'"),
    "an empty name": (operators(parameters={"": Tensor(shape=[0])}), "not empty"),
    "a name turned round": (operators(parameters={"a\u202eb": Tensor(shape=[0])}), "direction"),
    "a name of 2,000 bytes": (operators(parameters={"a" * 2000: Tensor(shape=[0])}), "2,000 bytes"),
    # operators
    "an unknown operator": (operators(Node(op_type="Exec", inputs=["x"], outputs=["y"])), "Exec"),
    "an operator without a type": (operators(Node(inputs=["x"], outputs=["y"])), "not empty"),
    "an input from nowhere": (operators(Node(op_type="Relu", inputs=["z"], outputs=["y"])), "'z'"),
    "an output from nowhere": (operators(outputs=[ValueInfo(name="z", dtype=F32)]), "z"),
    "operators in a circle": (
        operators(Node(op_type="Add", inputs=["x", "b"], outputs=["a"]), Node(op_type="Relu", inputs=["a"], outputs=["b"])),
        "made by nothing before it",
    ),
    "a value that is made twice": (operators(RELU, RELU), "'y'"),
    "an input that is made": (operators(outputs=[X], nodes=[Node(op_type="Relu", inputs=["x"], outputs=["x"])]), "'x'"),
    "an attribute without a value": (attribute(Attribute()), "without a value"),
    "an attribute with two values": (attribute(Attribute(i=1, f=2.0)), "with 2 values"),
    "an attribute that is no number": (attribute(Attribute(f=float("nan"))), "not a number"),
    "an attribute of no numbers": (attribute(Attribute(floats=Floats(val=[1.0, float("nan")]))), "not a number"),
    "an attribute of a layer's kind": (attribute(Attribute(mapping=Mapping())), "are a mapping"),
    "an attribute that the operator does not have": (attribute(Attribute(i=3)), "has no attribute 'a'"),
    "an attribute with a broken tensor": (attribute(Attribute(tensor=Tensor(shape=[9]))), "no bytes"),
    "an epsilon that is no number": (operators(Node(op_type="Relu", inputs=["x"], outputs=["y"], epsilon=float("nan"))), "nan"),
    "an infinite epsilon": (operators(Node(op_type="Relu", inputs=["x"], outputs=["y"], epsilon=float("inf"))), "inf"),
    "an operator of an unknown domain": (
        operators(Node(op_type="Relu", inputs=["x"], outputs=["y"], domain="evil")),
        "evil",
    ),
    "an input of size -7 and 2^62": (operators(inputs=[ValueInfo(name="x", dtype=F32, shape=[-7, 2**62])]), "over the limit"),
    "an input of no dtype": (operators(inputs=[ValueInfo(name="x", dtype=99, shape=[1])]), "number 99"),
    "an input without a name": (operators(inputs=[ValueInfo(dtype=F32, shape=[1])]), "not empty"),
    "a size with a name": (
        operators(inputs=[ValueInfo(name="x", exact=ValueType(dims=[Dim(size=1, name="n")], has_shape=True))]),
        "has a name too",
    ),
    # layers
    "an unknown layer": (layer(op_type="Dens"), "unknown layer 'Dens'"),
    "a layer with a path for its type": (layer(op_type="os.system"), "unknown layer"),
    "an operator among layers": (
        graph(nodes=[*native().graph.nodes, Node(name="n", op_type="Relu", inputs=["model"])]),
        "among layers",
    ),
    "layers without an extension": (
        to_bytes(Model(graph=Graph(nodes=[Node(name="n", op_type="Flatten", domain=DOMAIN)]))),
        "without what zerfoo_jax says",
    ),
    "a field that the layer does not have": (layer(attributes={"fetures": Attribute(i=1)}), "fetures"),
    "a field left out": (layer(attributes={}), "needs 'features'"),
    "features that are a text": (features("many"), "features"),
    "features that are a truth value": (features(True), "features"),
    "features of -1": (features(-1), "features"),
    "features of 2^40": (features(2**40), "features"),
    "features that are no number": (features(float("nan")), "features"),
    "features that are infinite": (features(float("inf")), "features"),
    "features that are nothing": (features(None), "features"),
    "features that are a list": (features([3]), "features"),
    "features that are a tensor": (layer(attributes={"features": Attribute(tensor=Tensor(shape=[0]))}), "are a tensor"),
    "a type among the fields": (layer(attributes={"type": Attribute(s="Flatten")}), "none is called `type`"),
    "an axis beside the fields": (layer(axis=1), "fields are attributes"),
    "a mapping with too few values": (
        layer(attributes={"kernel_init": Attribute(mapping=Mapping(keys=["name", "x"], values=[Attribute(s="zeros")]))}),
        "2 names and 1 values",
    ),
    "a mapping with a name twice": (
        layer(attributes={"kernel_init": Attribute(mapping=Mapping(keys=["a", "a"], values=[Attribute(i=1), Attribute(i=1)]))}),
        "1 names and 2 values",
    ),
    "an initialiser that is none": (layer(attributes={"kernel_init": attribute_of({"name": "evil"})}), "evil"),
    "layers 60 deep": (layers_within_layers(60), "nested over 100 deep"),
    "layers in a circle": (wired(("a", ["b"]), ("b", ["a"])), "in a circle"),
    "a layer that feeds itself": (wired(("b", ["b", "inputs"])), "in a circle"),
    "a wire from nowhere": (wired(("b", ["ghost"])), "'ghost' does not exist"),
    "an output of layers from nowhere": (wired(("b", ["inputs"]), outputs="c"), "output 'c' does not exist"),
    "two nodes of one name": (wired(("b", ["inputs"]), ("b", ["inputs"])), "used 2 times"),
    "a node named as an input": (wired(("inputs", ["inputs"]), outputs="inputs"), "used 2 times"),
    "a node with a path for its name": (wired(("../b", ["inputs"]), outputs="../b"), "'..'"),
    "a node without a name": (wired(("", ["inputs"]), outputs=""), "not empty"),
    "an array and a group of one name": (
        graph(parameters={"a": Tensor(shape=[0]), "a/b": Tensor(shape=[0])}),
        "is an array",
    ),
    "a layer that is a graph": (graph(outputs=[ValueInfo(name="inputs")]), "is said to be a layer"),
    "a layer of a circle": (
        graph(nodes=[*native().graph.nodes, Node(name="n", op_type="Flatten", inputs=["model"], domain=DOMAIN)]),
        "is said to be a layer",
    ),
    "specs too few": (extended(specs=[]), "0 specs for 1 inputs"),
    "specs that are not known": (extended(specs=[ValueType()]), "are not known"),
    "a spec of a named size": (
        extended(specs=[ValueType(dtype="float32", dims=[Dim(name="n")], has_shape=True)]),
        "are not known",
    ),
    "a spec of texts": (extended(specs=[ValueType(dtype="object", has_shape=True)]), "are not known"),
    "a spec of an unknown dtype": (extended(specs=[ValueType(dtype="f4,,", has_shape=True)]), "there is no dtype"),
    "a shape without a shape": (extended(specs=[ValueType(dtype="float32", dims=[Dim(size=1)])]), "has sizes"),
    "codes of texts": (
        graph(
            parameters={
                "kernel": Tensor(
                    dtype=10,
                    shape=[1],
                    strings=Strings(val=["a"]),
                    quant=Quantization(is_value=True, scales=Tensor(dtype=F32, shape=[1], data=bytes(4))),
                )
            }
        ),
        "codes of object",
    ),
    "codes without scales": (
        graph(parameters={"kernel": Tensor(dtype=9, shape=[1], data=b"a", quant=Quantization(is_value=True))}),
        "quant/scales",
    ),
    "scales of another shape": (
        graph(
            parameters={
                "kernel": Tensor(
                    dtype=9,
                    shape=[2],
                    data=b"ab",
                    quant=Quantization(is_value=True, scales=Tensor(dtype=F32, shape=[3], data=bytes(12))),
                )
            }
        ),
        "scales of shape (3,)",
    ),
    "blocks of -1": (
        graph(
            parameters={
                "kernel": Tensor(
                    dtype=9,
                    shape=[2],
                    data=b"ab",
                    quant=Quantization(is_value=True, axis=0, block=-1, scales=Tensor(dtype=F32, shape=[1], data=bytes(4))),
                )
            }
        ),
        "blocks of -1",
    ),
    "a digest of something else": (
        graph(parameters={"kernel": Tensor(dtype=F32, shape=[1], data=bytes(4), digest=bytes(32))}),
        "damaged",
    ),
}

BESIDE: dict[str, Bad] = {
    "a name that leads out": (aside(file="../outside.data"), "leads out"),
    "an absolute name": (aside(file="/etc/passwd"), "leads out"),
    "a name with a backslash": (aside(file="..\\outside.data"), "leads out"),
    "a name with a NUL": (aside(file="good.data\0x"), "leads out"),
    "a name in a folder": (aside(file="folder/good.data"), "leads out"),
    "the folder itself": (aside(file="."), "no ordinary file"),
    "a folder": (aside(file="folder"), "no ordinary file"),
    "a file that is not there": (aside(file="missing.data"), "there is no file"),
    "a link": (aside(file="link.data"), "symbolic link"),
    "a hard link": (aside(file="hard.data"), "with one name"),
    "a pipe": (aside(file="pipe.data"), "no ordinary file"),
    "no name": (aside(file=""), "none is named"),
    "another digest": (aside(), "not the file that was written with this one"),
    "no digest": (aside(digest_of_file=b""), "not the file that was written with this one"),
    "an empty file": (aside(file="empty.data"), "not the file that was written with this one"),
    "an offset of -64": (aside(offset=-64, digest_of_file=b"d" * 32), "from byte -64 on"),
    "an offset beyond the end": (aside(offset=6400, digest_of_file=b"d" * 32), "in a file of 64"),
    "an offset that is not aligned": (aside(offset=4, digest_of_file=b"d" * 32), "multiple of 64"),
    "an offset of 2^63 - 64": (aside(offset=2**63 - 64, digest_of_file=b"d" * 32), "in a file of 64"),
    "a size of -1": (aside(size=-1, digest_of_file=b"d" * 32), "-1 of them"),
    "a size beyond the end": (aside(size=65, digest_of_file=b"d" * 32), "in a file of 64"),
    "a size that is not the tensor's": (aside(size=8, digest_of_file=b"d" * 32), "takes 24 bytes, got 8"),
    "data here and there": (aside(data=bytes(24), digest_of_file=b"d" * 32), "are here"),
}
"""Beside files of these names: one of 64 zeros and 32 times d, `good.data`, and what is no file of its own."""

SEEDS = [
    GOOD,
    GOOD_LAYER,
    to_bytes(
        Model(
            graph=Graph(
                name="g",
                parameters={"w": Tensor(dtype=Q4, shape=[3], data=bytes(18)), "b": Tensor(dtype=I64, data=bytes(8))},
                nodes=[
                    Node(
                        name="n",
                        op_type="Gemm",
                        inputs=["x", "w"],
                        outputs=["y"],
                        attributes={
                            "transA": Attribute(b=True),
                            "l": Attribute(list=List(val=[Attribute(ints=Ints(val=[1, -1]))])),
                        },
                        perm=[1, 0],
                        axis=-1,
                        epsilon=0.5,
                    )
                ],
                inputs=[X],
                outputs=[Y],
            ),
            extension=Extension(version=1, metadata={"a": "b"}, opsets={"d": 1}),
        )
    ),
]
