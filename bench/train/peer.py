"""Microseconds a step of the nets of bench/train/train.c in PyTorch: python peer.py THREADS. Lines as that program's, without the share."""
import sys
import time
import torch
import nets

CASES = {
    "mlp-small": ("mlp", dict(batch=32, **{"in": 16}, hidden=32, hidden2=32, out=4), lambda p: torch.optim.Adam(p, fused=True)),
    "policy": ("policy", dict(batch=1, **{"in": 25}, hidden=64, hidden2=64, out=5), None),
    "mlp-mnist": ("mlp", dict(batch=64, **{"in": 784}, hidden=256, out=10), lambda p: torch.optim.SGD(p, lr=0.01)),
    "rnn-relu": ("rnn", dict(batch=32, **{"in": 100}, hidden=300, T=8, out=10), lambda p: torch.optim.SGD(p, lr=1e-3, momentum=0.9)),
    "lstm": ("lstm", dict(batch=50, **{"in": 10}, hidden=50, T=10, out=5), lambda p: torch.optim.Adam(p, fused=True)),
    "cnn": ("cnn", dict(batch=64, **{"in": 28}, hidden=16, hidden2=32, out=10), lambda p: torch.optim.SGD(p, lr=0.01)),
    "gpt": ("gpt", dict(batch=8, hidden=128, T=64, layers=4, heads=4, vocab=512), lambda p: torch.optim.AdamW(p, lr=3e-4, weight_decay=0.1, fused=True)),
}
threads = int(sys.argv[1])
torch.set_num_threads(threads)
for name, (kind, s, optimiser) in CASES.items():
    net, sx, st, classes, index = nets.make(kind, s)
    x, t = nets.batch(sx, st, 0, classes, index)
    o = optimiser(net.parameters()) if optimiser else None

    def step():
        if o is None:
            with torch.inference_mode():
                net(x)
            return
        o.zero_grad()
        nets.loss_of(net, x, t).backward()
        o.step()

    best, reps, i, end = 1e9, 5, 0, time.perf_counter() + 1.2
    while i < 12 or time.perf_counter() < end:
        start = time.perf_counter()
        for _ in range(reps):
            step()
        took = time.perf_counter() - start
        if i > 1:
            best = min(best, took / reps)
        else:
            reps = max(1, int(0.002 / (took / reps)))
        i += 1
    print(f"{name:<10} {threads} {best * 1e6:10.2f}", flush=True)
