#!/usr/bin/env python3
"""Makes tests/golden/gradients/tiny.safetensors: gradients of the tiny families (tests/golden/tiny) with respect to their sites, by PyTorch.

    python3 -m venv V && V/bin/pip install torch==2.6.0 transformers==4.56.1 numpy safetensors
    V/bin/python tests/golden/gradients.py

For each family, the first 20 tokens of the two rows of its input_ids, one by one:
    FAMILY/nll/L<layer>.<site>, FAMILY/logit/L<layer>.<site>     (4, n): d y / d site at tokens 6 and 19 of the first text, then of the second
y: the mean negative log-likelihood, and the logit of token 11 after the last. In float32 with eager attention.
"""
import pathlib

import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

HERE = pathlib.Path(__file__).resolve().parent
LENGTH, ROWS, TOKEN = 20, [6, 19], 11


class Sites(dict):
    """Keeps what passes at a site, with its gradient. `flat` undoes heads."""

    def keep(self, name, t):
        t.retain_grad()
        self[name] = t

    def output(self, module, name):
        module.register_forward_hook(lambda _m, _i, out: self.keep(name, out[0] if isinstance(out, tuple) else out))

    def input(self, module, name):
        def hook(_m, args, kwargs):
            self.keep(name, args[0] if args else kwargs["hidden_states"])
        module.register_forward_pre_hook(hook, with_kwargs=True)


def listen(model):
    s = Sites()
    trunk = getattr(model, "model", None) or getattr(model, "transformer", None) or model.gpt_neox
    layers = trunk.layers if hasattr(trunk, "layers") else trunk.h
    for i, b in enumerate(layers):
        at = f"L{i}."
        attn = getattr(b, "self_attn", None) or getattr(b, "attention", None) or b.attn
        s.input(b, at + "resid_in")
        s.output(b, at + "resid_out")
        for site, module in (("q", "q_proj"), ("k", "k_proj"), ("v", "v_proj"), ("q_norm", "q_norm"), ("k_norm", "k_norm"), ("qkv", "qkv_proj"),
                             ("qkv", "c_attn"), ("qkv_by_head", "query_key_value")):
            if hasattr(attn, module):
                s.output(getattr(attn, module), at + site)
        o = next(getattr(attn, n) for n in ("o_proj", "dense", "c_proj") if hasattr(attn, n))
        s.input(o, at + "z")
        s.output(o, at + "attn_out")
        for site, module in (("gate", "gate_proj"), ("up", "up_proj"), ("gate_up", "gate_up_proj"), ("up", "c_fc"), ("up", "dense_h_to_4h")):
            if hasattr(b.mlp, module):
                s.output(getattr(b.mlp, module), at + site)
        s.output(next(getattr(b.mlp, n) for n in ("act_fn", "activation_fn", "act") if hasattr(b.mlp, n)), at + "act")
        down = next(getattr(b.mlp, n) for n in ("down_proj", "c_proj", "dense_4h_to_h") if hasattr(b.mlp, n))
        s.input(down, at + "hid")
        s.output(down, at + "mlp_out")
    norm = next(getattr(trunk, n) for n in ("norm", "ln_f", "final_layer_norm") if hasattr(trunk, n))
    s.output(norm, "final")
    return s


def split(name, g, config):
    """One gradient (1, T, ...) under the names of its sites."""
    at, site = name.rsplit(".", 1) if "." in name else ("", name)
    n_heads, n_kv = config.num_attention_heads, getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    head = getattr(config, "head_dim", None) or config.hidden_size // n_heads
    g = g[0]
    if site in ("q_norm", "k_norm") and g.dim() == 3:  # heads before or after the transposition
        g = g if g.shape[0] == LENGTH else g.transpose(0, 1)
    g = g.reshape(LENGTH, -1)
    if site == "qkv":
        q, k, v = g.split([n_heads * head, n_kv * head, n_kv * head], -1)
    elif site == "qkv_by_head":
        q, k, v = (x.reshape(LENGTH, -1) for x in g.view(LENGTH, n_heads, 3, head).unbind(2))
    elif site == "gate_up":
        gate, up = g.chunk(2, -1)
        return {f"{at}.gate": gate, f"{at}.up": up}
    else:
        return {name: g}
    return {f"{at}.q": q, f"{at}.k": k, f"{at}.v": v}


out = {}
for folder in sorted((HERE / "tiny").iterdir()):
    if not (folder / "model.safetensors").exists():
        continue
    ids = load_file(folder / "expected.safetensors")["input_ids"].long()
    model = AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager").float().eval()
    sites = listen(model)
    for what in ("nll", "logit"):
        rows = {}
        for text in ids[:, :LENGTH]:
            logits = model(text[None], use_cache=False).logits[0]
            y = torch.nn.functional.cross_entropy(logits[:-1], text[1:]) if what == "nll" else logits[-1, TOKEN]
            model.zero_grad()
            y.backward()
            for name, t in sites.items():
                g = t.grad if t.grad is not None else torch.zeros_like(t)
                for own, part in split(name, g, model.config).items():
                    rows.setdefault(own, []).append(part[ROWS])
        out.update({f"{folder.name}/{what}/{own}": torch.cat(parts).contiguous() for own, parts in rows.items()})
    print(folder.name, len(sites))
(HERE / "gradients").mkdir(exist_ok=True)
save_file(out, HERE / "gradients" / "tiny.safetensors")
