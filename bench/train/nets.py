"""The nets of tests/nn/nets.h in PyTorch, with the same names of parameters and the same batches."""
import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F


class MLP(nn.Module):
    def __init__(self, s, tanh=False):
        super().__init__()
        self.act = torch.tanh if tanh else F.relu
        self.fc1 = nn.Linear(s["in"], s["hidden"])
        self.fc2 = nn.Linear(s["hidden"], s["hidden2"]) if s.get("hidden2") else None
        self.fc3 = nn.Linear(s.get("hidden2") or s["hidden"], s["out"])

    def forward(self, x):
        h = self.act(self.fc1(x))
        return self.fc3(self.act(self.fc2(h)) if self.fc2 else h)


class RNN(nn.Module):
    def __init__(self, s, lstm=False):
        super().__init__()
        self.rnn = nn.LSTM(s["in"], s["hidden"]) if lstm else nn.RNN(s["in"], s["hidden"], nonlinearity="relu")
        self.fc = nn.Linear(s["hidden"], s["out"])

    def forward(self, x):
        return self.fc(self.rnn(x)[0][-1])


class CNN(nn.Module):
    def __init__(self, s):
        super().__init__()
        self.conv1 = nn.Conv2d(1, s["hidden"], 3, padding=1)
        self.conv2 = nn.Conv2d(s["hidden"], s["hidden2"], 3, padding=1)
        self.fc = nn.Linear((s["in"] // 4) ** 2 * s["hidden2"], s["out"])

    def forward(self, x):
        h = F.max_pool2d(F.relu(self.conv1(x)), 2)
        h = F.max_pool2d(F.relu(self.conv2(h)), 2)
        return self.fc(h.flatten(1))


class Attention(nn.Module):
    def __init__(self, d, heads):
        super().__init__()
        self.heads = heads
        self.q, self.k, self.v, self.o = (nn.Linear(d, d) for _ in range(4))

    def forward(self, x):
        B, T, d = x.shape
        split = lambda y: y.view(B, T, self.heads, -1).transpose(1, 2)
        z = F.scaled_dot_product_attention(split(self.q(x)), split(self.k(x)), split(self.v(x)), is_causal=True)
        return self.o(z.transpose(1, 2).reshape(B, T, d))


class Block(nn.Module):
    def __init__(self, d, heads):
        super().__init__()
        self.attn_norm, self.mlp_norm = nn.LayerNorm(d), nn.LayerNorm(d)
        self.attn = Attention(d, heads)
        self.mlp = nn.ModuleDict({"up": nn.Linear(d, 4 * d), "down": nn.Linear(4 * d, d)})

    def forward(self, x):
        x = x + self.attn(self.attn_norm(x))
        return x + self.mlp["down"](F.gelu(self.mlp["up"](self.mlp_norm(x)), approximate="tanh"))


class GPT(nn.Module):
    def __init__(self, s):
        super().__init__()
        d = s["hidden"]
        self.wte, self.wpe = nn.Embedding(s["vocab"], d), nn.Embedding(s["T"], d)
        for i in range(s["layers"]):
            setattr(self, f"block{i}", Block(d, s["heads"]))
        self.blocks = s["layers"]
        self.norm, self.head = nn.LayerNorm(d), nn.Linear(d, s["vocab"], bias=False)

    def forward(self, x):
        h = self.wte(x) + self.wpe.weight
        for i in range(self.blocks):
            h = getattr(self, f"block{i}")(h)
        return self.head(self.norm(h))


def mixed(i):
    with np.errstate(over="ignore"):
        z = (i + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def batch(shape_x, shape_t, step, classes, index):
    at = lambda n, first: mixed(np.arange(n, dtype=np.uint64) + np.uint64((step << 32) + first))
    x = at(int(np.prod(shape_x)), 0)
    x = (x % np.uint64(classes)).astype(np.int64) if index else ((x >> np.uint64(11)).astype(np.float64) * 2.0**-52 - 1).astype(np.float32)
    x = torch.tensor(x)
    t = torch.tensor((at(int(np.prod(shape_t)), 0x80000000) % np.uint64(classes)).astype(np.int64))
    return x.view(shape_x), t.view(shape_t)


def make(kind, s):
    """Net, shape of x, shape of t, number of classes, are the inputs indices."""
    if kind in ("mlp", "policy"):
        return MLP(s, kind == "policy"), (s["batch"], s["in"]), (s["batch"],), s["out"], False
    if kind in ("rnn", "lstm"):
        return RNN(s, kind == "lstm"), (s["T"], s["batch"], s["in"]), (s["batch"],), s["out"], False
    if kind == "cnn":
        return CNN(s), (s["batch"], 1, s["in"], s["in"]), (s["batch"],), s["out"], False
    return GPT(s), (s["batch"], s["T"]), (s["batch"], s["T"]), s["vocab"], True


def loss_of(net, x, t):
    y = net(x)
    return F.cross_entropy(y.reshape(-1, y.shape[-1]), t.reshape(-1))
