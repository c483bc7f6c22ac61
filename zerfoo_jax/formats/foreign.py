"""Files of other programs that are often taken for model files, told by how they begin; none is opened any further."""

_PICKLE = "pickles run code when they are opened: have the program that wrote it write safetensors"

BEGINNINGS: dict[bytes, tuple[str, str]] = {
    b"PK\x03\x04": ("a zip archive, such as torch's .pt or NumPy's .npz", f"of torch's, {_PICKLE}"),
    b"PK\x05\x06": ("an empty zip archive", ""),
    b"\x80\x02": ("a Python pickle", _PICKLE),
    b"\x80\x03": ("a Python pickle", _PICKLE),
    b"\x80\x04\x95": ("a Python pickle", _PICKLE),
    b"\x80\x05\x95": ("a Python pickle", _PICKLE),
    b"\x89HDF\r\n\x1a\n": ("an HDF5 file, such as Keras's .h5", "write safetensors or ONNX from Keras"),
    b"\x1f\x8b": ("compressed by gzip", "unpack it first"),
    b"\x93NUMPY": ("a NumPy array", "a model has several: write them as safetensors"),
    b"GGUF": ("a GGUF file", "convert the safetensors that it was made from"),
}
"""What a file is that begins so, and the way out."""


def foreign(head: bytes) -> tuple[str, str] | None:
    """What a file with this beginning is, and the way out, if it is a known one of another kind.

    >>> foreign(b"\\x1f\\x8b...")
    ('compressed by gzip', 'unpack it first')
    """
    return next((told for start, told in BEGINNINGS.items() if head.startswith(start)), None)
