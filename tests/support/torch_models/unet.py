"""U-Net in plain torch, with the parameter names of github.com/milesial/Pytorch-UNet."""

import pytest

torch = pytest.importorskip("torch", reason="the oracle extra is not installed")
nn = torch.nn


class DoubleConv(nn.Module):
    def __init__(self, inputs, width):
        super().__init__()
        layers = []
        for channels in (inputs, width):
            layers += [nn.Conv2d(channels, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
        self.double_conv = nn.Sequential(*layers)

    def forward(self, x):
        return self.double_conv(x)


class Down(nn.Module):
    def __init__(self, inputs, width):
        super().__init__()
        self.maxpool_conv = nn.Sequential(nn.MaxPool2d(2), DoubleConv(inputs, width))

    def forward(self, x):
        return self.maxpool_conv(x)


class Up(nn.Module):
    def __init__(self, inputs, width):
        super().__init__()
        self.up, self.conv = nn.ConvTranspose2d(inputs, width, 2, 2), DoubleConv(2 * width, width)

    def forward(self, x, beside):
        return self.conv(torch.cat([beside, self.up(x)], 1))


class OutConv(nn.Module):
    def __init__(self, width, num_classes):
        super().__init__()
        self.conv = nn.Conv2d(width, num_classes, 1)

    def forward(self, x):
        return self.conv(x)


class UNet(nn.Module):
    def __init__(self, channels, widths, num_classes):
        super().__init__()
        self.inc, self.steps = DoubleConv(channels, widths[0]), len(widths) - 1
        for i in range(1, len(widths)):
            self.add_module(f"down{i}", Down(widths[i - 1], widths[i]))
            self.add_module(f"up{i}", Up(widths[-i], widths[-i - 1]))
        self.outc = OutConv(widths[0], num_classes)

    def forward(self, x):
        seen = [self.inc(x)]
        for i in range(1, self.steps + 1):
            seen.append(getattr(self, f"down{i}")(seen[-1]))
        x = seen.pop()
        for i in range(1, self.steps + 1):
            x = getattr(self, f"up{i}")(x, seen.pop())
        return self.outc(x)
