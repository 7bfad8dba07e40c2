#!/usr/bin/env python3
"""Losses of a small net under every optimiser of PyTorch, with options off their defaults, and its learning-rate schedules; in double, for
tests/nn/torch_optim_test.c. Writes optim.safetensors beside itself. Needs torch 2.6 and safetensors (see README.md); never needed by the tests."""
import os
import torch
from safetensors.torch import save_file

torch.manual_seed(0)
torch.set_default_dtype(torch.float64)
out = {}
X = torch.randn(20, 3)
Y = torch.sin(X.sum(1, keepdim=True)) + 0.3 * X[:, :1] ** 2
first = {"fc1.weight": torch.randn(8, 3), "fc1.bias": torch.randn(8), "fc2.weight": torch.randn(1, 8) * 0.5, "fc2.bias": torch.zeros(1)}
out.update(x=X, y=Y, **{f"first/{n}": t for n, t in first.items()})


def curve(name, make, steps, clip_norm=0.0, clip_value=0.0):
    p = {n: t.clone().requires_grad_(True) for n, t in first.items()}
    o = make(list(p.values()))
    losses = []

    def closure():
        o.zero_grad()
        h = torch.tanh(X @ p["fc1.weight"].T + p["fc1.bias"])
        loss = ((h @ p["fc2.weight"].T + p["fc2.bias"] - Y) ** 2).mean()
        loss.backward()
        if clip_norm:
            torch.nn.utils.clip_grad_norm_(p.values(), clip_norm)
        if clip_value:
            torch.nn.utils.clip_grad_value_(p.values(), clip_value)
        return loss

    for _ in range(steps):
        losses.append(float(o.step(closure)))
    out[f"{name}/losses"] = torch.tensor(losses)
    out[f"{name}/last"] = torch.cat([t.detach().reshape(-1) for t in p.values()])


O = torch.optim
curve("sgd", lambda p: O.SGD(p, 0.05), 40)
curve("sgd_nesterov", lambda p: O.SGD(p, 0.02, momentum=0.9, nesterov=True, weight_decay=0.01), 40)
curve("sgd_dampened", lambda p: O.SGD(p, 0.02, momentum=0.9, dampening=0.5), 40)
curve("sgd_clip_norm", lambda p: O.SGD(p, 0.2), 40, clip_norm=0.1)
curve("sgd_clip_value", lambda p: O.SGD(p, 0.2), 40, clip_value=0.02)
curve("adam", lambda p: O.Adam(p, 0.02, betas=(0.8, 0.95), eps=1e-6, weight_decay=0.01), 40)
curve("adamw", lambda p: O.AdamW(p, 0.02, weight_decay=0.1), 40)
curve("rmsprop", lambda p: O.RMSprop(p, 0.01, alpha=0.9, momentum=0.5, centered=True), 40)
curve("adagrad", lambda p: O.Adagrad(p, 0.1, lr_decay=0.05, weight_decay=0.01), 40)
curve("rprop", lambda p: O.Rprop(p, 0.01, etas=(0.4, 1.3), step_sizes=(1e-5, 0.5)), 40)
curve("lbfgs", lambda p: O.LBFGS(p, 0.3, max_iter=4, history_size=5), 15)
curve("lbfgs_wolfe", lambda p: O.LBFGS(p, max_iter=5, history_size=3, line_search_fn="strong_wolfe"), 12)
curve("lbfgs_wolfe_far", lambda p: O.LBFGS(p, 40, max_iter=3, max_eval=30, history_size=4, line_search_fn="strong_wolfe"), 8)
curve("lbfgs_to_the_end", lambda p: O.LBFGS(p, max_iter=300, max_eval=1000, tolerance_change=1e-5, line_search_fn="strong_wolfe"), 3)
groups = lambda p: [dict(params=p[:2], lr=0.03, weight_decay=0.2), dict(params=p[2:3], lr=0.0025), dict(params=p[3:], lr=0.01)]
curve("adamw_groups", lambda p: O.AdamW(groups(p), 0.01, weight_decay=0.05), 40)
curve("sgd_groups", lambda p: O.SGD(groups(p), 0.01, momentum=0.9, weight_decay=0.05), 40)


def schedule(name, make, steps, seen=None):
    o = O.SGD([torch.zeros(1, requires_grad=True)], 0.5)
    s = make(o)
    lrs = []
    for i in range(steps):
        lrs.append(o.param_groups[0]["lr"])
        o.step()
        s.step(seen[i]) if seen is not None else s.step()
    out[f"{name}/lr"] = torch.tensor(lrs)


L = torch.optim.lr_scheduler
schedule("step", lambda o: L.StepLR(o, 7, 0.5), 50)
schedule("exponential", lambda o: L.ExponentialLR(o, 0.93), 50)
schedule("cosine", lambda o: L.CosineAnnealingLR(o, 40, 0.05), 40)
schedule("one_cycle", lambda o: L.OneCycleLR(o, 0.5, 50, cycle_momentum=False), 50)
schedule("one_cycle_rise", lambda o: L.OneCycleLR(o, 0.5, 50, pct_start=0.2, cycle_momentum=False), 50)
seen = torch.tensor([5, 4, 4.1, 3.9999, 4, 4.2, 4, 3, 3, 3, 3.1, 3, 3, 2.5, 2.6, 2.4999, 2.7, 2.8, 2.9, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1])
out["plateau/seen"] = seen
schedule("plateau", lambda o: L.ReduceLROnPlateau(o, factor=0.3, patience=2, threshold=1e-3, min_lr=0.01), 30, seen.tolist())
schedule("warmup", lambda o: L.LinearLR(o, 1 / 10, 1.0, 9), 30)
save_file(out, os.path.join(os.path.dirname(os.path.abspath(__file__)), "optim.safetensors"))
