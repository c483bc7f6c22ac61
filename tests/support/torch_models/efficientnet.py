"""EfficientNet in plain torch, with torchvision's parameter names and without stochastic depth."""

import math

import pytest

torch = pytest.importorskip("torch", reason="the oracle extra is not installed")
nn = torch.nn

B0 = [
    # expansion, kernel, stride, channels, blocks
    (1, 3, 1, 16, 1),
    (6, 3, 2, 24, 2),
    (6, 5, 2, 40, 2),
    (6, 3, 2, 80, 3),
    (6, 5, 1, 112, 3),
    (6, 5, 2, 192, 4),
    (6, 3, 1, 320, 1),
]


def divisible(value):
    new = max(8, int(value + 4) // 8 * 8)
    return new + 8 if new < 0.9 * value else new


def conv(inputs, outputs, size, stride=1, groups=1, activation=True):
    layers = [nn.Conv2d(inputs, outputs, size, stride, (size - 1) // 2, groups=groups, bias=False), nn.BatchNorm2d(outputs)]
    return nn.Sequential(*layers, *([nn.SiLU()] if activation else []))


class SqueezeExcitation(nn.Module):
    def __init__(self, channels, squeezed):
        super().__init__()
        self.fc1, self.fc2 = nn.Conv2d(channels, squeezed, 1), nn.Conv2d(squeezed, channels, 1)

    def forward(self, x):
        weights = self.fc2(nn.functional.silu(self.fc1(x.mean((2, 3), keepdim=True))))
        return x * weights.sigmoid()


class MBConv(nn.Module):
    def __init__(self, inputs, outputs, expansion, size, stride):
        super().__init__()
        wide = divisible(inputs * expansion)
        layers = [conv(inputs, wide, 1)] if wide != inputs else []
        layers += [conv(wide, wide, size, stride, groups=wide), SqueezeExcitation(wide, max(1, inputs // 4))]
        self.block = nn.Sequential(*layers, conv(wide, outputs, 1, activation=False))
        self.shortcut = stride == 1 and inputs == outputs

    def forward(self, x):
        return x + self.block(x) if self.shortcut else self.block(x)


class EfficientNet(nn.Module):
    def __init__(self, width, depth, num_classes):
        super().__init__()
        channels = divisible(32 * width)
        stages = [conv(3, channels, 3, 2)]
        for expansion, size, stride, outputs, blocks in B0:
            stage = []
            for i in range(math.ceil(blocks * depth)):
                stage.append(MBConv(channels, divisible(outputs * width), expansion, size, 1 if i else stride))
                channels = divisible(outputs * width)
            stages.append(nn.Sequential(*stage))
        self.features = nn.Sequential(*stages, conv(channels, 4 * channels, 1))
        self.classifier = nn.Sequential(nn.Dropout(0.0), nn.Linear(4 * channels, num_classes))

    def forward(self, x):
        return self.classifier(self.features(x).mean((2, 3)))
