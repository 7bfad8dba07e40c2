#!/usr/bin/env python3
"""Initial values of torch.nn's layers after torch.manual_seed, for tests/nn/torch_layers_test.c: SEED/NAME.PARAMETER. Layers are made in this order, one after
the other, so each begins where the draws of the last ended. Writes init.safetensors beside itself. Needs torch 2.6 and safetensors (see README.md); never
needed by the tests."""
import os
import torch
from torch import nn
from safetensors.torch import save_file

out = {}
for seed, dtype in ((0, torch.float32), (42, torch.float32), (2**33 + 5, torch.float32), (7, torch.float64)):
    torch.set_default_dtype(dtype)
    torch.manual_seed(seed)
    layers = [
        ("fc1", nn.Linear(5, 3)), ("fc2", nn.Linear(30, 7, bias=False)), ("conv", nn.Conv2d(4, 6, (3, 2), groups=2)), ("bn", nn.BatchNorm2d(6)),
        ("conv1d", nn.Conv1d(3, 4, 5)), ("up", nn.ConvTranspose2d(4, 6, 3, groups=2)), ("tiny", nn.Embedding(3, 3)), ("small", nn.Embedding(2, 3)),
        ("emb", nn.Embedding(11, 7)), ("even", nn.Embedding(16, 4)), ("lstm", nn.LSTM(5, 6)), ("gru", nn.GRU(5, 6)),
        ("enc", nn.TransformerEncoderLayer(8, 2, 12)), ("dec", nn.TransformerDecoderLayer(8, 2, 12)), ("last", nn.Linear(4, 4)),
    ]
    for name, layer in layers:
        for n, t in layer.state_dict().items():
            if n != "num_batches_tracked":
                out[f"{seed}/{name}.{n}"] = t.clone()
save_file(out, os.path.join(os.path.dirname(os.path.abspath(__file__)), "init.safetensors"))
