"""A convolutional autoencoder in plain torch, which flattens channels last."""

from collections import OrderedDict

import pytest

torch = pytest.importorskip("torch", reason="the oracle extra is not installed")
nn = torch.nn


class Flatten(nn.Module):
    def forward(self, x):
        return x.permute(0, 2, 3, 1).flatten(1)


class Reshape(nn.Module):
    def __init__(self, *shape):
        super().__init__()
        self.shape = shape

    def forward(self, x):
        return x.view(-1, *self.shape).permute(0, 3, 1, 2)


class Autoencoder(nn.Module):
    """With `variational` the code is the mean, as outside training."""

    def __init__(self, shape, features, widths, variational=False):
        super().__init__()
        (height, width, channels), scale = shape, 2 ** len(widths)
        size = height // scale, width // scale, widths[-1]
        encoder, decoder = OrderedDict(), OrderedDict(dense=nn.Linear(features, size[0] * size[1] * size[2]))
        for i, (a, b) in enumerate(zip((channels, *widths), widths, strict=False)):
            encoder |= {f"down{i}": nn.Conv2d(a, b, 3, 2, 1), f"activation{i}": nn.ReLU()}
        decoder["reshape"] = Reshape(*size)
        for i, (a, b) in enumerate(zip(widths[::-1], (*widths[-2::-1], channels), strict=True)):
            decoder |= {f"relu{i}": nn.ReLU(), f"up{i}": nn.ConvTranspose2d(a, b, 4, 2, 1)}
        self.encoder = nn.Sequential(OrderedDict(**encoder, flatten=Flatten()))
        self.decoder = nn.Sequential(OrderedDict(**decoder, output=nn.Sigmoid()))
        code = nn.Linear(size[0] * size[1] * size[2], features)
        self.code = (
            nn.ModuleDict({"mean": code, "log_variance": nn.Linear(code.in_features, features)}) if variational else code
        )

    def forward(self, x):
        code = self.code["mean"] if isinstance(self.code, nn.ModuleDict) else self.code
        return self.decoder(code(self.encoder(x)))
