"""Models that torch.onnx exports, and what torch gives; `python -m tests.support.onnx_exports` writes them to tests/data."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
import warnings

import numpy as np
import onnx
import torch

from tests.support.torch_models.resnet import Basic, ResNet

FOLDER = Path(__file__).parents[1] / "data" / "onnx"


@dataclass(frozen=True)
class Exported:
    """A module, which of its input's sizes are free, and inputs of a given batch size."""

    module: torch.nn.Module
    free: tuple[int, ...]
    sample: Callable[[int], torch.Tensor]

    def write(self, path: Path) -> None:
        """Exports the module as ONNX, without what torch notes about the program that it comes from."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            sizes = {axis: torch.export.Dim(f"size_{axis}", max=60) for axis in self.free}
            torch.onnx.export(
                self.module, (self.sample(2),), path, dynamo=True, dynamic_shapes=(sizes,), external_data=False, verbose=False
            )
        model = onnx.load(path)
        for part in (model, model.graph, *model.graph.node, *model.graph.value_info, *model.graph.initializer):
            part.ClearField("metadata_props")
        onnx.save(model, path)

    def outputs(self, x: torch.Tensor) -> np.ndarray:
        """What torch gives."""
        with torch.no_grad():
            return self.module(x).numpy()


def resnet18() -> Exported:
    """ResNet-18 with few channels and running statistics that are not those of a new model."""
    torch.manual_seed(0)
    module = ResNet(Basic, (2, 2, 2, 2), (4, 8, 12, 16), num_classes=10).eval()
    for norm in module.modules():
        if isinstance(norm, torch.nn.BatchNorm2d):
            for array, low, high in ((norm.running_mean, -0.1, 0.1), (norm.running_var, 0.1, 0.4), (norm.bias, 0.1, 0.3)):
                array.data.uniform_(low, high)
    return Exported(module, (0,), lambda batch: torch.randn(batch, 3, 48, 48))


def gpt2() -> Exported:
    """GPT-2 with two small blocks."""
    return gpt2_of(n_layer=2, n_embd=24, n_head=3, vocab_size=50, n_positions=64)


def gpt2_of(**sizes: int) -> Exported:
    """GPT-2 of these sizes, with random parameters; by default those of the small model."""
    import transformers

    class Logits(torch.nn.Module):
        """The model without all that it gives besides."""

        def __init__(self) -> None:
            super().__init__()
            config = transformers.GPT2Config(use_cache=False, attn_implementation="eager", **sizes)
            self.model = transformers.GPT2LMHeadModel(config).eval()

        def forward(self, tokens: torch.Tensor) -> Any:
            return self.model(tokens, use_cache=False).logits

    torch.manual_seed(0)
    vocabulary = sizes.get("vocab_size", 50257)
    return Exported(Logits().eval(), (0, 1), lambda batch: torch.randint(0, vocabulary, (batch, 6 + batch)))


MODELS = {"gpt2": gpt2, "resnet18": resnet18}


def main() -> None:
    """Writes all models, and outputs for three batch sizes."""
    for name, make in MODELS.items():
        exported = make()
        exported.write(FOLDER / f"{name}.onnx")
        inputs = [exported.sample(batch) for batch in (1, 2, 5)]
        arrays = {f"input_{i}": x.numpy() for i, x in enumerate(inputs)}
        arrays |= {f"output_{i}": exported.outputs(x) for i, x in enumerate(inputs)}
        np.savez_compressed(FOLDER / f"{name}.npz", **arrays)


if __name__ == "__main__":
    main()
