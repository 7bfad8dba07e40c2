#!/usr/bin/env python3
"""Layers of torch.nn with their parameters, results and gradients, for tests/nn/torch_layers_test.c. For each layer NAME: inputs NAME/in0.., result
NAME/out, weights NAME/w, gradients of sum(w * result): NAME/d0.. and NAME/g.PARAMETER; parameters NAME/p.PARAMETER.
Writes layers.safetensors beside itself. Needs torch 2.6 and safetensors (see README.md); never needed by the tests."""
import os
import torch
from torch import nn
from safetensors.torch import save_file

torch.manual_seed(1)
out = {}
R = torch.randn


def layer(name, module, run, *inputs):
    x = [t.clone().requires_grad_(True) for t in inputs]
    for p in module.parameters():  # zeros and ones say little
        p.data += 0.1 * R(p.shape)
    y = run(module.train(False), *x)
    w = R(y.shape)
    (y * w).sum().backward()
    out[f"{name}/out"], out[f"{name}/w"] = y.detach().contiguous(), w
    for i, t in enumerate(x):
        out[f"{name}/in{i}"], out[f"{name}/d{i}"] = t.detach(), t.grad
    for n, p in module.named_parameters():
        out[f"{name}/p.{n}"], out[f"{name}/g.{n}"] = p.detach().contiguous(), p.grad.contiguous()


keep = torch.ones(3, 7)
keep[0, 5:] = 0
keep[2, 2:4] = 0
out["keep"] = keep
away = keep == 0
causal = nn.Transformer.generate_square_subsequent_mask(7)
mha = lambda: nn.MultiheadAttention(12, 3, batch_first=True)
layer("mha_self", mha(), lambda m, x: m(x, x, x, key_padding_mask=away)[0], R(3, 7, 12))
layer("mha_cross", mha(), lambda m, q, k: m(q, k, k)[0], R(3, 5, 12), R(3, 7, 12))
enc = lambda **k: nn.TransformerEncoderLayer(12, 3, 20, batch_first=True, **k)
dec = lambda **k: nn.TransformerDecoderLayer(12, 3, 20, batch_first=True, **k)
layer("encoder", enc(), lambda m, x: m(x, src_key_padding_mask=away), R(3, 7, 12))
layer("encoder_first", enc(norm_first=True, activation="gelu", layer_norm_eps=1e-3), lambda m, x: m(x, src_mask=causal, is_causal=True), R(3, 7, 12))
layer("decoder", dec(), lambda m, x, y: m(x, y, tgt_mask=causal, tgt_is_causal=True, memory_key_padding_mask=away), R(3, 7, 12), R(3, 7, 12))
layer("decoder_first", dec(norm_first=True), lambda m, x, y: m(x, y), R(3, 4, 12), R(3, 6, 12))
layer("encoder_stack", nn.TransformerEncoder(enc(), 2, norm=nn.LayerNorm(12), enable_nested_tensor=False), lambda m, x: m(x), R(3, 7, 12))
layer("decoder_stack", nn.TransformerDecoder(dec(activation="gelu"), 2, norm=nn.LayerNorm(12)), lambda m, x, y: m(x, y), R(3, 4, 12), R(3, 6, 12))
save_file(out, os.path.join(os.path.dirname(os.path.abspath(__file__)), "layers.safetensors"))
