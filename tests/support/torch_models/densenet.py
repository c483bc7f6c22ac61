"""DenseNet in plain torch, with torchvision's parameter names."""

from collections import OrderedDict

import pytest

torch = pytest.importorskip("torch", reason="the oracle extra is not installed")
nn = torch.nn


class DenseLayer(nn.Module):
    def __init__(self, inputs, growth):
        super().__init__()
        self.norm1, self.conv1 = nn.BatchNorm2d(inputs), nn.Conv2d(inputs, 4 * growth, 1, bias=False)
        self.norm2, self.conv2 = nn.BatchNorm2d(4 * growth), nn.Conv2d(4 * growth, growth, 3, padding=1, bias=False)

    def forward(self, found):
        y = self.conv1(self.norm1(torch.cat(found, 1)).relu())
        return self.conv2(self.norm2(y).relu())


class DenseBlock(nn.ModuleDict):
    def __init__(self, inputs, growth, depth):
        super().__init__({f"denselayer{i + 1}": DenseLayer(inputs + i * growth, growth) for i in range(depth)})

    def forward(self, x):
        found = [x]
        for layer in self.values():
            found.append(layer(found))
        return torch.cat(found, 1)


class DenseNet(nn.Module):
    def __init__(self, growth, depths, num_classes, small_images=False):
        super().__init__()
        size, stride = (3, 1) if small_images else (7, 2)
        channels = 2 * growth
        layers = OrderedDict(
            conv0=nn.Conv2d(3, channels, size, stride, size // 2, bias=False), norm0=nn.BatchNorm2d(channels), relu0=nn.ReLU()
        )
        if not small_images:
            layers["pool0"] = nn.MaxPool2d(3, 2, 1)
        for number, depth in enumerate(depths, 1):
            layers[f"denseblock{number}"] = DenseBlock(channels, growth, depth)
            channels += depth * growth
            if number < len(depths):
                parts = nn.BatchNorm2d(channels), nn.ReLU(), nn.Conv2d(channels, channels // 2, 1, bias=False), nn.AvgPool2d(2)
                names = "norm", "relu", "conv", "pool"
                layers[f"transition{number}"] = nn.Sequential(OrderedDict(zip(names, parts, strict=True)))
                channels //= 2
        layers["norm5"] = nn.BatchNorm2d(channels)
        self.features, self.classifier = nn.Sequential(layers), nn.Linear(channels, num_classes)

    def forward(self, x):
        return self.classifier(self.features(x).relu().mean((2, 3)))
