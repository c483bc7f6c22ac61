"""safetensors files that are broken or made to do harm: name, bytes, and a part of what is said of them."""

from collections.abc import Callable
import json
import struct
from typing import Any

Bad = tuple[bytes | Callable[[], bytes], str]

F32 = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}


def framed(header: bytes, data: bytes = b"") -> bytes:
    """A file with that header, whatever it is."""
    return struct.pack("<Q", len(header)) + header + data


def text(header: str, data: int = 4) -> bytes:
    """A file with that header and so many zeros."""
    return framed(header.encode("utf-8", "surrogatepass"), bytes(data))


def file(header: Any, data: int = 4) -> bytes:
    """A file with that value as its header and so many zeros."""
    return text(json.dumps(header), data)


def one(data: int = 4, **changes: Any) -> bytes:
    """A file of one tensor that differs from a good one; what is None is left out."""
    entry = {key: value for key, value in {**F32, **changes}.items() if value is not None}
    return file({"a": entry}, data)


def two(first: list[int], second: list[int], data: int = 8) -> bytes:
    """A file of two tensors of four bytes each with those offsets."""
    return file({name: {**F32, "data_offsets": offsets} for name, offsets in (("a", first), ("b", second))}, data)


def many(count: int) -> bytes:
    """A file of so many tensors of one byte."""
    entry = b'"%d.weight":{"dtype":"U8","shape":[],"data_offsets":[%d,%d]}'
    return framed(b"{" + b",".join(entry % (i, i, i + 1) for i in range(count)) + b"}", bytes(count))


GOOD = file({"a": F32})
ENTRY = json.dumps(F32)

FILES: dict[str, Bad] = {
    "nothing": (b"", "no header"),
    "seven bytes": (b"\0" * 7, "no header"),
    "a length of 0": (bytes(8), "begin with"),
    "a length of 2^63": (struct.pack("<Q", 2**63) + b"{}", "over the limit"),
    "a length of 2^64 - 1": (b"\xff" * 8 + b"{}", "over the limit"),
    "a length of 100 MB + 1": (struct.pack("<Q", 10**8 + 1) + b"{}", "over the limit"),
    "a length beyond the file": (struct.pack("<Q", 100) + b"{}", "in a file of"),
    "a length that wraps round": (struct.pack("<Q", 2**64 - 8) + b"{}", "over the limit"),
    "no JSON": (framed(b"{what"), "no plain JSON"),
    "a list": (framed(b"[]"), "begin with"),
    "null": (framed(b"null"), "begin with"),
    "half a character": (framed(b'{"\xff": 1}'), "no plain JSON"),
    "a byte order mark": (framed(b"\xef\xbb\xbf{}"), "begin with"),
    "UTF-16": (framed("{}".encode("utf-16")), "begin with"),
    "a space in front": (framed(b" {}"), "begin with"),
    "garbage behind": (framed(b"{} x"), "no plain JSON"),
    "zeros behind": (framed(b"{}\0\0"), "no plain JSON"),
    "a comma too many": (framed(b'{"a": ' + ENTRY.encode() + b",}", bytes(4)), "no plain JSON"),
    "no tensors but data": (framed(b"{}", b"1234"), "the tensors take 0 bytes"),
    "a name twice": (text(f'{{"a": {ENTRY}, "a": {ENTRY}}}'), "appears twice"),
    "a name twice, escaped": (text(f'{{"a": {ENTRY}, "\\u0061": {ENTRY}}}'), "appears twice"),
    "a field twice": (text('{"a": {"dtype": "F32", "dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}'), "appears twice"),
    "metadata twice": (text(f'{{"__metadata__": {{}}, "__metadata__": {{}}, "a": {ENTRY}}}'), "appears twice"),
    "a key of the metadata twice": (text('{"__metadata__": {"a": "b", "a": "c"}}', 0), "appears twice"),
    "an overlap": (two([0, 4], [0, 4], 4), "holes nor overlaps"),
    "a partial overlap": (two([0, 4], [2, 6], 6), "holes nor overlaps"),
    "a hole": (two([0, 4], [5, 9], 9), "holes nor overlaps"),
    "a start other than 0": (one(8, data_offsets=[4, 8]), "holes nor overlaps"),
    "an end before its start": (one(data_offsets=[4, 0]), "takes 4 bytes"),
    "bytes behind": (one(5), "the data have 5"),
    "bytes missing": (one(3), "the data have 3"),
    "more shape than bytes": (one(shape=[2]), "takes 8 bytes"),
    "a product that overflows": (one(shape=[2**62, 4]), "over the limit"),
    "2^32 x 2^32": (one(shape=[2**32, 2**32]), "over the limit"),
    "an offset that overflows": (one(data_offsets=[2**64 - 4, 2**64]), "holes nor overlaps"),
    "a huge size beside a zero": (one(0, shape=[0, 2**60], data_offsets=[0, 0]), "over the limit"),
    "a negative size": (one(shape=[-1]), "is no size"),
    "minus zero": (text('{"a": {"dtype": "F32", "shape": [-0], "data_offsets": [0, 0]}}', 0), "is no size"),
    "half a size": (one(shape=[0.5]), "list of integers"),
    "a whole number as a float": (one(shape=[1.0]), "list of integers"),
    "a boolean as a size": (one(shape=[True]), "list of integers"),
    "a text as a size": (one(shape=["1"]), "list of integers"),
    "a text as a shape": (one(shape="1"), "list of integers"),
    "null as a shape": (text('{"a": {"dtype": "F32", "shape": null, "data_offsets": [0, 4]}}'), "list of integers"),
    "a size of 5,000 digits": (
        text(f'{{"a": {{"dtype": "F32", "shape": [{"9" * 5000}], "data_offsets": [0, 4]}}}}'),
        "no size",
    ),
    "infinity": (text('{"a": {"dtype": "F32", "shape": [1e999], "data_offsets": [0, 4]}}'), "list of integers"),
    "NaN": (text('{"a": {"dtype": "F32", "shape": [NaN], "data_offsets": [0, 4]}}'), "not JSON"),
    "a negative offset": (one(data_offsets=[-4, 0]), "is no size"),
    "an offset as a text": (one(data_offsets=["0", 4]), "list of integers"),
    "three offsets": (one(data_offsets=[0, 4, 4]), "a start and a stop"),
    "one offset": (one(data_offsets=[4]), "a start and a stop"),
    "an unknown dtype": (one(dtype="F99"), "unknown dtype 'F99'"),
    "a dtype in lower case": (one(dtype="f32"), "unknown dtype"),
    "a number as a dtype": (one(dtype=32), "unknown dtype"),
    "a list as a dtype": (one(dtype=["F32"]), "unknown dtype"),
    "half a byte": (one(2, dtype="F4", shape=[3], data_offsets=[0, 2]), "no whole bytes"),
    "three quarters of a byte": (one(3, dtype="F6_E2M3", shape=[3], data_offsets=[0, 3]), "no whole bytes"),
    "no shape": (one(shape=None), "and nothing else"),
    "no dtype": (one(dtype=None), "and nothing else"),
    "no offsets": (one(data_offsets=None), "and nothing else"),
    "a field too many": (one(extra=1), "and nothing else"),
    "a number as a tensor": (file({"a": 1}), "and nothing else"),
    "metadata that hold a number": (file({"__metadata__": {"a": 1}}, 0), "texts to texts"),
    "metadata that are a list": (file({"__metadata__": ["a"]}, 0), "texts to texts"),
    "metadata that are null": (file({"__metadata__": None}, 0), "texts to texts"),
    "metadata of 50 MB": (lambda: file({"__metadata__": {"a": "x" * 50_000_000}}, 0), "over the limit"),
    "half a surrogate pair in the metadata": (file({"__metadata__": {"a": "\ud800"}}, 0), "no text"),
    "nested 100,000 deep": (framed(b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}"), "nested too deep"),
    "nested 900 deep": (framed(b'{"a":' + b"[" * 900 + b"]" * 900 + b"}"), "and nothing else"),
    "a shape nested 900 deep": (
        text('{"a": {"dtype": "F32", "shape": ' + "[" * 900 + "]" * 900 + ', "data_offsets": [0, 4]}}'),
        "list of integers",
    ),
    "rank 65": (one(shape=[1] * 65), "dimensions"),
    "rank 1,000": (one(shape=[1] * 1000), "dimensions"),
    "an empty name": (file({"": F32}), "not empty"),
    "a name with NUL": (file({"a\0": F32}), "control"),
    "a name with a line feed": (file({"a\n": F32}), "control"),
    "a name that leads out": (file({"../../x": F32}), "'..'"),
    "a name of half a surrogate pair": (file({"\ud800": F32}), "no Unicode"),
    "a name from right to left": (file({"a\u202eb": F32}), "direction"),
    "a name of 2,000 bytes": (file({"a" * 2000: F32}), "over the limit"),
    "a boolean of 2": (
        framed(json.dumps({"a": {"dtype": "BOOL", "shape": [2], "data_offsets": [0, 2]}}).encode(), b"\1\2"),
        "neither 0 nor 1",
    ),
    "200,000 tensors": (lambda: many(200_000), "over the limit"),
    "five million lists": (lambda: framed(b'{"a":[' + b"[]," * 5_000_000 + b"[]]}"), "over the limit"),
    "two million members": (
        lambda: framed(b'{"a":{' + b",".join(b'"%x":1' % i for i in range(1_500_000)) + b"}}"),
        "over the limit",
    ),
    "a packed array that is not there": (file({"__metadata__": {"zerfoo.dtype/a": "int4 2"}}, 0), "not there"),
    "a packed array of another size": (
        file({"__metadata__": {"zerfoo.dtype/a": "int4 9"}, "a": {"dtype": "U8", "shape": [4], "data_offsets": [0, 4]}}),
        "is kept as U8[5]",
    ),
    "a packed array of an unknown dtype": (file({"__metadata__": {"zerfoo.dtype/a": "object 1"}, "a": F32}), "unknown dtype"),
    "a packed array without a shape": (file({"__metadata__": {"zerfoo.dtype/a": "int4 -1"}, "a": F32}), "no shape"),
    "a packed array of 2^62": (file({"__metadata__": {"zerfoo.dtype/a": f"int4 {2**62}"}, "a": F32}), "over the limit"),
    "a zip archive": (b"PK\x03\x04" + bytes(60), "over the limit"),
    "a pickle": (b"\x80\x04\x95\x0b\0\0\0\0\0\0\0\x8c\x02os\x94.", "over the limit"),
}

MODEL = json.dumps({"type": "Dense", "features": 1, "use_bias": False})
INPUTS = '[{"shape": [1, 1], "dtype": "float32"}]'
KERNEL = {"dtype": "F32", "shape": [1, 1], "data_offsets": [0, 4]}


def network(model: str = MODEL, inputs: str = INPUTS, tensors: Any = None, **metadata: str) -> bytes:
    """A file that says of what model it is."""
    told = {"zerfoo.model": model, "zerfoo.inputs": inputs, **metadata}
    return file({"__metadata__": told, **({"kernel": KERNEL} if tensors is None else tensors)})


NETWORKS: dict[str, Bad] = {
    "a model that is no JSON": (network("{"), "not plain JSON"),
    "a layer that there is not": (network('{"type": "System"}'), "unknown layer"),
    "a layer by its Python name": (network('{"type": "os.system"}'), "unknown layer"),
    "an option that there is not": (network('{"type": "Dense", "features": 1, "run": "x"}'), "no option 'run'"),
    "layers nested too deep": (network('{"type":"Residual","inner":' * 80 + MODEL + "}" * 80), "nested"),
    "inputs that are no list": (network(inputs="{}"), "list of shapes"),
    "an input that is a number": (network(inputs="[1]"), "a shape and a dtype"),
    "an input of no dtype": (network(inputs='[{"shape": [1, 1], "dtype": "object"}]'), "unknown dtype"),
    "an input of a list as dtype": (network(inputs='[{"shape": [1, 1], "dtype": []}]'), "unknown dtype"),
    "an input of 2^60 numbers": (network(inputs='[{"shape": [1073741824, 1073741824], "dtype": "float32"}]'), "over the limit"),
    "too few inputs": (network(inputs="[]"), "input"),
    "an input that does not fit": (network(inputs='[{"shape": [1, 1], "dtype": "int32"}]'), "floating"),
    "a kernel of another shape": (network(inputs='[{"shape": [1, 2], "dtype": "float32"}]'), "its shape is (1, 1)"),
    "no kernel": (network(tensors={"other": KERNEL}), "missing"),
    "a tensor too many": (
        network(tensors={"kernel": {**KERNEL, "shape": [1, 1]}, "more": {**F32, "shape": [0], "data_offsets": [4, 4]}}),
        "no such array",
    ),
    "a layer of more numbers than any machine holds": (
        network('{"type": "Dense", "features": 2147483647, "use_bias": false}'),
        "its shape is (1, 1)",
    ),
    "a scale that is a text": (network(**{"zerfoo.scale/kernel": '{"dtype":"float32","scale":"1","offset":0}'}), "are numbers"),
    "a scale of nothing": (network(**{"zerfoo.scale/other": '{"dtype":"float32","scale":1,"offset":0}'}), "not there"),
    "a scale of no JSON": (network(**{"zerfoo.scale/kernel": "1e999"}), "plain JSON"),
    "a scale of an unknown dtype": (network(**{"zerfoo.scale/kernel": '{"dtype":"S4","scale":1,"offset":0}'}), "unknown dtype"),
    "bare tensors of no structure": (GOOD, "no plain chain"),
    "names nested 500 deep": (file({"a." * 500 + "weight": F32}), "over the limit"),
    "a name with a colon": (file({"a:1.weight": {**F32, "shape": [1, 1]}}), "cannot name a node"),
    "a name that is also a group": (file({"a": {**F32, "shape": [0], "data_offsets": [0, 0]}, "a.b": F32}), "an array"),
    "weights without rows": (file({"0.weight": {**F32, "shape": [0, 1], "data_offsets": [0, 0]}}, 0), "no plain chain"),
    "50,000 bare tensors": (lambda: many(50_000), "over the limit"),
}


def index(weight_map: Any, metadata: Any = None, **more: Any) -> bytes:
    """An index."""
    return json.dumps({"metadata": metadata or {}, "weight_map": weight_map, **more}).encode()


INDEXES: dict[str, Bad] = {
    "an index of nothing": (b"", "begin with"),
    "an index that is a list": (b"[]", "begin with"),
    "an index that is no JSON": (b"{", "no plain JSON"),
    "an index without a map": (b"{}", "weight_map maps"),
    "an index with a key too many": (index({}, code="x"), "nothing else"),
    "a tensor twice in the map": (b'{"weight_map": {"a": "x.safetensors", "a": "y.safetensors"}}', "appears twice"),
    "a file in the folder above": (index({"a": "../out.safetensors"}), "'..'"),
    "a file in a folder beside": (index({"a": "b/../../out.safetensors"}), "'..'"),
    "an absolute file": (index({"a": "/etc/hosts.safetensors"}), "leads out"),
    "a file behind a link": (index({"a": "link.safetensors"}), "symbolic link"),
    "a file in a folder behind a link": (index({"a": "linked/good.safetensors"}), "symbolic link"),
    "a file with a second name": (index({"a": "hard.safetensors"}), "one name"),
    "a folder": (index({"a": "folder.safetensors"}), "one name"),
    "a pipe": (index({"a": "pipe.safetensors"}), "one name"),
    "a file with a backslash": (index({"a": "..\\out.safetensors"}), "leads out"),
    "a file with NUL": (index({"a": "good.safetensors\0"}), "control"),
    "a file of another kind": (index({"a": "/etc/passwd"}), "no safetensors file"),
    "an empty file name": (index({"a": ""}), "not empty"),
    "a number as a file": (index({"a": 1}), "weight_map maps"),
    "a file that is not there": (index({"a": "none.safetensors"}), "no file"),
    "a tensor that its file lacks": (index({"a": "good.safetensors", "b": "good.safetensors"}), "lacks it"),
    "a tensor that the map lacks": (index({"a": "good.safetensors", "b": "both.safetensors"}), "does not say so"),
    "a tensor in two files": (index({"a": "good.safetensors", "b": "both.safetensors"}), "does not say so"),
    "a total size that is a lie": (index({"a": "good.safetensors"}, {"total_size": 2**60}), "total_size"),
    "a total size that is a text": (index({"a": "good.safetensors"}, {"total_size": "4"}), "total_size"),
    "a broken file": (index({"a": "broken.safetensors"}), "no header"),
    "5,000 files": (index({f"{i}": f"{i}.safetensors" for i in range(5000)}), "over the limit"),
    "an index nested deep": (b'{"weight_map":' + b"[" * 100_000 + b"}", "too deep"),
    "an index of 20 MB": (lambda: index({"a": "x" * 20_000_000}), "over the limit"),
}

ODD_CHAINS: dict[str, bytes] = {
    "names with empty parts": file({"a..weight": {**F32, "shape": [1, 1]}}),
    "weights that are integers": file({"0.weight": {"dtype": "I32", "shape": [1, 1], "data_offsets": [0, 4]}}),
    "weights of 6 bits": file({"0.weight": {"dtype": "F6_E2M3", "shape": [2, 2], "data_offsets": [0, 3]}}, 3),
    "weights of 64 bits": file({"0.weight": {"dtype": "F64", "shape": [1, 1], "data_offsets": [0, 8]}}, 8),
    "numbers far apart": file(
        {"0.weight": {**F32, "shape": [1, 1]}, "200.weight": {**F32, "shape": [1, 1], "data_offsets": [4, 8]}}, 8
    ),
}
"""Files of which a network can be made, however odd."""
