"""Inference: what a trained model is used for."""

from zerfoo_jax.inference.generate import generate as generate
