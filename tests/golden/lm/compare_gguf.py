#!/usr/bin/env python3
"""A GGUF that `golgi model convert` wrote, read by the gguf package and held to the folder it came from: python compare_gguf.py FOLDER F.gguf

Names come from the package's own table, the order of q's and k's rows from the formula of llama.cpp's converter (reshape, swap the halves, reshape).
Ends with 1 when a tensor, a shape, a number or a token is not what it should be.
"""
import json
import re
import sys

import gguf
import numpy
from gguf import quants
from safetensors import safe_open

folder, path = sys.argv[1:3]
config = json.load(open(folder + "/config.json"))
f = gguf.GGUFReader(path)
llama = config["model_type"] == "llama"
arch = gguf.MODEL_ARCH.LLAMA if llama else gguf.MODEL_ARCH.GPT2
n_layers = config["num_hidden_layers" if llama else "n_layer"]
heads = config["num_attention_heads" if llama else "n_head"]
kv_heads = config.get("num_key_value_heads", heads)
names = gguf.get_tensor_name_map(arch, n_layers)
found = {t.name: t for t in f.tensors}


def field(key):
    return f.fields[key].contents()


def permuted(w, n):
    return w.reshape(n, 2, w.shape[0] // n // 2, *w.shape[1:]).swapaxes(1, 2).reshape(w.shape)


wrong, worst = [], 0.0
with safe_open(folder + "/model.safetensors", "np") as weights:
    for name in weights.keys():
        w = weights.get_tensor(name).astype(numpy.float32)
        if name == "lm_head.weight" and config.get("tie_word_embeddings", not llama):
            continue
        if re.search(r"q_proj\.(weight|bias)$", name):
            w = permuted(w, heads)
        if re.search(r"k_proj\.(weight|bias)$", name):
            w = permuted(w, kv_heads)
        if not llama and re.search(r"(c_attn|c_proj|c_fc)\.weight$", name):
            w = w.T
        t = found.pop(names.get_name(name, try_suffixes=(".weight", ".bias")), None)
        if t is None or list(reversed(t.shape.tolist())) != list(w.shape):
            wrong.append(name)
            continue
        kind = t.tensor_type
        if w.ndim == 1 and kind != gguf.GGMLQuantizationType.F32:
            wrong.append(name + " is not float32")
        got = quants.dequantize(t.data, kind).reshape(w.shape)
        want = quants.dequantize(quants.quantize(numpy.ascontiguousarray(w), kind), kind).reshape(w.shape)
        worst = max(worst, float(numpy.abs(got - w).max()))
        if not numpy.array_equal(got, want):
            wrong.append(name + " differs")
wrong += [f"{name} is too much" for name in found if name != "rope_freqs.weight"]
kinds = sorted({t.tensor_type.name for t in f.tensors})
if "tokenizer.ggml.tokens" in f.fields:
    saved = json.load(open(folder + "/tokenizer.json", encoding="utf-8"))
    tokens = field("tokenizer.ggml.tokens")
    vocab = {**saved["model"]["vocab"], **{a["content"]: a["id"] for a in saved["added_tokens"]}}
    wrong += [f"token {i}" for text, i in vocab.items() if tokens[i] != text]
    merges = [m if isinstance(m, str) else " ".join(m) for m in saved["model"]["merges"]]
    if [*f.fields["tokenizer.ggml.merges"].contents()] != merges:
        wrong.append("merges")
    if len(tokens) != config["vocab_size"]:
        wrong.append("number of tokens")
print(f"{path}: {len(f.tensors)} tensors ({', '.join(kinds)}), {len(f.fields)} keys; "
      f"off by {worst:.1e} at most from the folder's numbers; wrong: {wrong or 'nothing'}")
sys.exit(bool(wrong))
