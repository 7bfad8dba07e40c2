#!/usr/bin/env python3
"""Loss curves of 100 steps of PyTorch from the initial weights stored beside them, for tests/nn/parity_test.c. See README.md."""
import os
import sys
import torch
from safetensors.torch import save_file

here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(here, "../../../bench/train"))
import nets

CASES = {
    "mlp_adam": ("mlp", dict(batch=32, **{"in": 16}, hidden=32, hidden2=32, out=4), lambda p: torch.optim.Adam(p, lr=1e-2)),
    "cnn_sgd": ("cnn", dict(batch=8, **{"in": 12}, hidden=4, hidden2=6, out=5), lambda p: torch.optim.SGD(p, lr=0.1)),
    "lstm_adam": ("lstm", dict(batch=10, **{"in": 6}, hidden=21, T=7, out=3), lambda p: torch.optim.Adam(p, lr=1e-2)),
    "rnn_momentum": ("rnn", dict(batch=8, **{"in": 10}, hidden=37, T=8, out=4), lambda p: torch.optim.SGD(p, lr=0.01, momentum=0.9)),
    "gpt_adamw": ("gpt", dict(batch=4, hidden=32, T=16, layers=2, heads=4, vocab=40), lambda p: torch.optim.AdamW(p, lr=1e-3, weight_decay=0.1)),
}
torch.manual_seed(1)
torch.set_num_threads(1)
out = {}
for name, (kind, s, optimiser) in CASES.items():
    net, sx, st, classes, index = nets.make(kind, s)
    for n, p in net.named_parameters():
        out[f"{name}/{n}"] = p.detach().clone().contiguous()
    if kind == "gpt":  # weight decay of matrices only, as gg_nn_block marks them
        decay = [p for n, p in net.named_parameters() if p.dim() > 1]
        rest = [p for n, p in net.named_parameters() if p.dim() <= 1]
        o = torch.optim.AdamW([dict(params=decay), dict(params=rest, weight_decay=0)], lr=1e-3, weight_decay=0.1)
    else:
        o = optimiser(net.parameters())
    curve = []
    for step in range(100):
        x, t = nets.batch(sx, st, step % 10, classes, index)
        loss = nets.loss_of(net, x, t)
        o.zero_grad()
        loss.backward()
        o.step()
        curve.append(loss.item())
    print(name, curve[0], curve[-1])
    out[f"{name}/curve"] = torch.tensor(curve, dtype=torch.float64)
save_file(out, os.path.join(here, "parity.safetensors"))
