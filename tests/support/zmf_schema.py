"""The messages of `proto/zmf.proto` as google.protobuf makes them, of the whole file or of the original's part of it."""

from functools import cache
from pathlib import Path
import re
import tempfile
from typing import Any

import pytest

PROTO = Path(__file__).parents[2] / "proto" / "zmf.proto"


@cache
def compiled(*, original: bool = False) -> dict[str, Any]:
    """The message classes by name; with `original` only with fields, and values of enums, below 100."""
    protoc = pytest.importorskip("grpc_tools.protoc", reason="the dev extra is not installed")
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    text = PROTO.read_text()
    if original:
        text = re.sub(r"^.*= 1\d\d;.*$", "", text, flags=re.MULTILINE)
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "zmf.proto").write_text(text)
        found = Path(folder, "zmf.bin")
        assert protoc.main(["protoc", f"-I{folder}", f"--descriptor_set_out={found}", "zmf.proto"]) == 0
        files = descriptor_pb2.FileDescriptorSet.FromString(found.read_bytes())
    pool = descriptor_pool.DescriptorPool()
    pool.Add(files.file[0])
    names = [message.name for message in files.file[0].message_type]
    return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"zmf.{name}")) for name in names}
