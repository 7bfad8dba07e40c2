#!/usr/bin/env python3
"""Makes tests/golden/forward/*.txt: what Hugging Face's own code computes with real models on a few short texts.

    python3 -m venv V && V/bin/pip install torch==2.6.0 transformers==4.56.1 gguf accelerate
    V/bin/python tests/golden/forward.py MODEL.gguf tests/golden/forward/NAME.txt

A line is: document, number of tokens, mean negative log-likelihood (nats), the five largest logits' ids after the last token, the token ids.
The token ids are read from the file that is there; the rest is computed anew, in float32 on the dequantised weights. Beside it:
NAME.greedy.txt: document, the 12 tokens of largest logit that follow its first 24, one after the other.
NAME.up.txt (for families that the published NAG code does not know): document, the 10 neurons of largest mean |up| of every layer, layer after layer.
"""
import pathlib
import sys

import torch
from transformers import AutoModelForCausalLM

model_path, out_path = map(pathlib.Path, sys.argv[1:])
model = AutoModelForCausalLM.from_pretrained(model_path.parent.resolve(), gguf_file=model_path.name, dtype=torch.float32, attn_implementation="eager").eval()
lines, greedy, up = [], [], []
heard = {}
for layer, block in enumerate(model.model.layers):
    block.mlp.up_proj.register_forward_hook(lambda module, inputs, y, layer=layer: heard.__setitem__(layer, y[0].abs().mean(0)))
for line in out_path.read_text().splitlines():
    word = line.split()
    ids = torch.tensor([[int(x) for x in word[8:]]])
    with torch.no_grad():
        logits = model(ids).logits[0].float()
    nll = torch.nn.functional.cross_entropy(logits[:-1].double(), ids[0, 1:]).item()
    top = logits[-1].topk(5).indices.tolist()
    print(word[0], nll, "before", word[2], top == [int(x) for x in word[3:8]])
    up.append(" ".join(map(str, [word[0], *(k for layer in sorted(heard) for k in heard[layer].topk(10).indices.tolist())])))
    text = ids[:, :24]
    with torch.no_grad():
        for _ in range(12):
            text = torch.cat([text, model(text).logits[:, -1:].argmax(-1)], 1)
    greedy.append(" ".join(map(str, [word[0], *text[0, 24:].tolist()])))
    lines.append(" ".join(map(str, [word[0], ids.shape[1], f"{nll:.6f}", *top, *ids[0].tolist()])))
out_path.write_text("\n".join(lines) + "\n")
out_path.with_suffix(".greedy.txt").write_text("\n".join(greedy) + "\n")
if model.config.model_type != "llama":
    out_path.with_suffix(".up.txt").write_text("\n".join(up) + "\n")
