"""The vision transformer in plain torch, with torchvision's parameter names."""

from collections import OrderedDict

import pytest

torch = pytest.importorskip("torch", reason="the oracle extra is not installed")
nn = torch.nn


class Block(nn.Module):
    def __init__(self, features, heads, hidden):
        super().__init__()
        self.ln_1, self.ln_2 = nn.LayerNorm(features, eps=1e-6), nn.LayerNorm(features, eps=1e-6)
        self.self_attention = nn.MultiheadAttention(features, heads, batch_first=True)
        parts = nn.Linear(features, hidden), nn.GELU(), nn.Dropout(0), nn.Linear(hidden, features)
        self.mlp = nn.Sequential(*parts)

    def forward(self, x):
        y = self.ln_1(x)
        x = x + self.self_attention(y, y, y, need_weights=False)[0]
        return x + self.mlp(self.ln_2(x))


class Encoder(nn.Module):
    def __init__(self, tokens, depth, features, heads, hidden):
        super().__init__()
        self.pos_embedding = nn.Parameter(torch.zeros(1, tokens, features))
        blocks = {f"encoder_layer_{i}": Block(features, heads, hidden) for i in range(depth)}
        self.layers, self.ln = nn.Sequential(OrderedDict(blocks)), nn.LayerNorm(features, eps=1e-6)

    def forward(self, x):
        return self.ln(self.layers(x + self.pos_embedding))


class ViT(nn.Module):
    def __init__(self, num_classes, image, patch, depth, features, heads, hidden):
        super().__init__()
        self.conv_proj, self.class_token = nn.Conv2d(3, features, patch, patch), nn.Parameter(torch.zeros(1, 1, features))
        self.encoder = Encoder((image // patch) ** 2 + 1, depth, features, heads, hidden)
        self.heads = nn.Sequential(OrderedDict(head=nn.Linear(features, num_classes)))

    def forward(self, x):
        x = self.conv_proj(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.class_token.expand(len(x), -1, -1), x], 1)
        return self.heads(self.encoder(x)[:, 0])
