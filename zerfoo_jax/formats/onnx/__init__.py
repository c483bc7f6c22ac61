"""ONNX files, both ways."""
