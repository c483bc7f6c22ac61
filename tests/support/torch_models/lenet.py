"""LeNet-5 in plain torch."""

import pytest

torch = pytest.importorskip("torch", reason="the oracle extra is not installed")
nn = torch.nn


class LeNet(nn.Module):
    def __init__(self, num_classes, channels, padding, activation):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(channels, 6, 5, padding=padding), nn.Conv2d(6, 16, 5)
        self.fc1, self.fc2, self.fc3 = nn.Linear(400, 120), nn.Linear(120, 84), nn.Linear(84, num_classes)
        self.pool, self.activation = nn.AvgPool2d(2), activation

    def forward(self, x):
        x = self.pool(self.activation(self.conv1(x)))
        x = self.pool(self.activation(self.conv2(x)))
        x = self.activation(self.fc1(x.flatten(1)))
        return self.fc3(self.activation(self.fc2(x)))
