"""`proto/zmf.proto` is what the reader and the writer go by, and google.protobuf reads and writes the same bytes."""

from pathlib import Path
import random

import numpy as np
import pytest

from tests.support.zmf_schema import compiled
from zerfoo_jax.formats.zmf import schema
from zerfoo_jax.formats.zmf.decode import decode
from zerfoo_jax.formats.zmf.dtypes import BLOCKS, NAMED, NUMBERS
from zerfoo_jax.formats.zmf.encode import encode, to_bytes
from zerfoo_jax.formats.zmf.message import Message, fields_of
from zerfoo_jax.formats.zmf.wire import Budget

DATA = Path(__file__).parents[2] / "data" / "zmf"
MESSAGES = sorted({one.__name__ for one in Message.__subclasses__()})
KINDS = {1: "double", 2: "float", 3: "int64", 8: "bool", 9: "string", 12: "bytes", 14: "enum"}


def test_every_message_is_there():
    assert sorted(compiled()) == MESSAGES


@pytest.mark.parametrize("name", MESSAGES)
def test_the_fields_are_those_of_the_proto_file(name):
    wanted = {field.number: field for field in compiled()[name].DESCRIPTOR.fields if field.name != "padding"}
    found = fields_of(getattr(schema, name))
    assert {number: one.name for number, one in found.items()} == {number: one.name for number, one in wanted.items()}
    for number, field in wanted.items():
        ours = found[number]
        entry = field.message_type is not None and field.message_type.GetOptions().map_entry
        value = field.message_type.fields_by_name["value"] if entry else field
        kind = ours.message.__name__ if ours.message else ours.kind
        assert kind == (value.message_type.name if value.message_type else KINDS[value.type]), field.name
        assert (ours.label == "map") == entry and (ours.label == "many") == (field.is_repeated and not entry), field.name
        if not ours.message and field.containing_oneof is not None:
            assert ours.label == "optional", field.name


def test_the_paddings_are_those_of_the_proto_file():
    assert compiled()["Tensor"].DESCRIPTOR.fields_by_name["padding"].number == fields_of(schema.Tensor)[3].padding


def test_the_numbers_of_dtypes_are_those_of_the_proto_file():
    values = {value.name: value.number for value in compiled()["Tensor"].DESCRIPTOR.enum_types_by_name["DataType"].values}
    ours = {name.upper().replace("OBJECT", "STRING").replace("FLOAT8_E4M3FN", "FLOAT8"): n for name, n in NUMBERS.items()}
    assert values == ours | {name: number for number, name in BLOCKS.items()} | {"NAMED": NAMED}


def filled(kind: str, classes: dict, chance: random.Random, depth: int = 0):
    """A message of google's with random fields."""
    message = classes[kind]()
    for field in message.DESCRIPTOR.fields:
        if chance.random() < 0.4 or field.name == "padding":
            continue
        if field.message_type is not None and depth > 4:
            continue
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            fill_map(getattr(message, field.name), field.message_type.fields_by_name["value"], classes, chance, depth)
        elif field.is_repeated:
            items = [item_of(field, classes, chance, depth) for _ in range(chance.randint(0, 3))]
            getattr(message, field.name).extend(items)
        elif field.message_type is not None:
            getattr(message, field.name).CopyFrom(item_of(field, classes, chance, depth))
        else:
            setattr(message, field.name, item_of(field, classes, chance, depth))
    return message


def fill_map(entries, value, classes: dict, chance: random.Random, depth: int) -> None:
    for name in chance.sample(["a", "é", "long name", "x/y"], chance.randint(0, 3)):
        if value.message_type is not None:
            entries[name].CopyFrom(item_of(value, classes, chance, depth))
        else:
            entries[name] = item_of(value, classes, chance, depth)


def item_of(field, classes: dict, chance: random.Random, depth: int):
    if field.message_type is not None:
        return filled(field.message_type.name, classes, chance, depth + 1)
    return {
        "double": lambda: chance.choice([0.0, 1e300, -0.1]),
        "float": lambda: chance.choice([0.0, 0.5, -1.25, float(np.float32(0.1))]),
        "int64": lambda: chance.choice([0, 1, -1, 127, 128, 2**63 - 1, -(2**63), 300]),
        "enum": lambda: chance.choice([0, 3, 15]),
        "bool": lambda: chance.random() < 0.5,
        "string": lambda: chance.choice(["", "x", "naïve", "日本"]),
        "bytes": lambda: chance.choice([b"", b"\0\1", bytes(5000)]),
    }[KINDS[field.type]]()


def test_what_google_writes_is_read_and_what_is_written_google_reads():
    classes, chance = compiled(), random.Random(0)
    sizes = []
    for _ in range(200):
        theirs = filled("Model", classes, chance)
        data = theirs.SerializeToString()
        ours = decode(schema.Model, memoryview(data), Budget())
        written = to_bytes(ours)
        assert len(written) == encode(ours)[1]
        again = classes["Model"].FromString(written)
        for tensor in tensors_of(again):
            del tensor.padding[:]
        assert again == theirs
        sizes.append(len(data))
    assert max(sizes) > 5_000


def tensors_of(message):
    """All tensors within a message of google's."""
    if message.DESCRIPTOR.name == "Tensor":
        yield message
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        if field.message_type.GetOptions().map_entry:
            inner = field.message_type.fields_by_name["value"].message_type
            items = list(value.values()) if inner else []
        else:
            items = list(value) if field.is_repeated else [value]
        for item in items:
            yield from tensors_of(item)


@pytest.mark.parametrize("name", ["mlp", "cnn", "quant.q4_0"])
def test_a_file_of_the_original_is_written_byte_for_byte(name):
    data = (DATA / f"{name}.zmf").read_bytes()
    assert to_bytes(decode(schema.Model, memoryview(data), Budget())) == data
