"""A model that several benchmarks train."""

from zerfoo_jax.layers import Activation, Conv2D, Dense, Flatten, MaxPool2D, Sequential


def cnn() -> Sequential:
    """Two convolutions with pooling and two dense layers, for 28 x 28 pictures and ten classes."""
    return Sequential(
        (
            *(Conv2D(32, 3), Activation("relu"), MaxPool2D(2)),
            *(Conv2D(64, 3), Activation("relu"), MaxPool2D(2)),
            *(Flatten(), Dense(128), Activation("relu"), Dense(10)),
        )
    )
