"""VGG-16 in plain torch, with torchvision's parameter names."""

import pytest

torch = pytest.importorskip("torch", reason="the oracle extra is not installed")
nn = torch.nn


class VGG16(nn.Module):
    def __init__(self, widths, hidden, pooled, num_classes):
        super().__init__()
        layers, channels = [], 3
        for stage, width in enumerate(widths):
            for _ in range(2 if stage < 2 else 3):
                layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
                channels = width
            layers.append(nn.MaxPool2d(2, 2))
        self.features, self.avgpool = nn.Sequential(*layers), nn.AdaptiveAvgPool2d(pooled)
        self.classifier = nn.Sequential(
            *(nn.Linear(channels * pooled**2, hidden), nn.ReLU(), nn.Dropout()),
            *(nn.Linear(hidden, hidden), nn.ReLU(), nn.Dropout()),
            nn.Linear(hidden, num_classes),
        )

    def forward(self, x):
        return self.classifier(self.avgpool(self.features(x)).flatten(1))
