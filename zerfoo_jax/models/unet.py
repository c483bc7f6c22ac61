"""U-Net (Ronneberger et al., arXiv 1505.04597), which says of every pixel what it shows.

What is special: on the way down the image gets smaller and its channels more; on the way up each stage sees, beside what comes
from below, what the stage of its own size saw on the way down. Unlike in the paper the convolutions keep the size, so that the
output is as large as the image, and are followed by batch normalisation.
"""

from zerfoo_jax.core.checked import checked
from zerfoo_jax.core.fields import PositiveInt, PositiveInts
from zerfoo_jax.core.layer import Layer
from zerfoo_jax.graph.graph import Graph
from zerfoo_jax.graph.graph_of import graph_of
from zerfoo_jax.layers import Activation, BatchNorm, Concatenate, Conv2D, ConvTranspose2D, MaxPool2D
from zerfoo_jax.models.state_dict import Names
from zerfoo_jax.models.torch_names import torch_names


@checked
def unet(*, num_classes: PositiveInt = 2, widths: PositiveInts = (64, 128, 256, 512, 1024)) -> Graph:
    """Images (batch, height, width, channels) to logits (batch, height, width, num_classes).

    `widths` are the channels of each stage on the way down, and back up. Each stage but the last halves the image, so height
    and width must be divisible by 2 that often.

    >>> from zerfoo_jax.core.layer import check
    >>> from zerfoo_jax.core.types import Spec
    >>> check(unet(num_classes=3, widths=(4, 8)), Spec((1, 16, 20, 1), "float32")).shape
    (1, 16, 20, 3)
    """
    nodes: dict[str, Layer | tuple] = {"down0": _twice(widths[0])}
    for i, width in enumerate(widths[1:], 1):
        nodes |= {f"pool{i}": MaxPool2D(2), f"down{i}": _twice(width)}
    for i, width in reversed(list(enumerate(widths[:-1]))):
        nodes[f"up{i}"] = ConvTranspose2D(width, 2, 2, "VALID")
        nodes[f"concat{i}"] = (Concatenate(), f"down{i}", f"up{i}")
        nodes[f"merge{i}"] = _twice(width)
    return graph_of({**nodes, "head": Conv2D(num_classes, 1)})


def unet_torch_names(model: Graph) -> Names:
    """The names of `UNet` of the widespread github.com/milesial/Pytorch-UNet, with its transposed convolutions."""
    last = sum(name.startswith("up") for name in model.children())

    def module(path: str) -> str:
        node, _, inside = path.partition("/")
        if node == "head":
            return "outc.conv"
        kind, stage = node.rstrip("0123456789"), int(node.lstrip("abcdefghijklmnopqrstuvwxyz"))
        theirs = {
            "down": f"down{stage}.maxpool_conv.1.double_conv.{inside}" if stage else f"inc.double_conv.{inside}",
            "up": f"up{last - stage}.up",
            "merge": f"up{last - stage}.conv.double_conv.{inside}",
        }
        return theirs.get(kind, path)

    return torch_names(model, module)


def _twice(width: int) -> Graph:
    """Two 3x3 convolutions, numbered as in a `torch.nn.Sequential`."""
    nodes: dict[str, Layer] = {}
    for i in (0, 3):
        convolution = Conv2D(width, 3, use_bias=False, kernel_init="he_normal")
        nodes |= {str(i): convolution, str(i + 1): BatchNorm(), str(i + 2): Activation("relu")}
    return graph_of(nodes)
