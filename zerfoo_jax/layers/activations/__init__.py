"""The functions of `ACTIVATIONS`, by kind, and layers around them."""
