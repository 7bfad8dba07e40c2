#!/usr/bin/env python3
"""Makes tests/golden/tiny/<family>/: small random decoders with what Hugging Face's own code computes on them.

    python3 -m venv V && V/bin/pip install torch==2.6.0 transformers==4.56.1 numpy safetensors
    V/bin/python tests/golden/tiny.py [--check FOLDER] [family ...]

Each folder holds config.json, model.safetensors and expected.safetensors with
    input_ids     (2, 24) int32
    logits        (2, 24, vocabulary)
    hidden.0..L   (2, 24, width): after the embedding, after each block; the last one after the final norm
    tap.<module>  the output of that linear layer, (2, 24, n)
in float32 with eager attention. Weights come from NumPy's generator, not from the library's initialiser, which leaves biases at zero and
norms at one: a reader that forgets a bias or a norm's weight must fail. Windows (8) are shorter than the texts (24).

--check FOLDER recomputes expected.safetensors of a folder of the same layout and prints the largest difference.
"""
import pathlib
import shutil
import sys
import tempfile
import zlib

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForCausalLM
from transformers.pytorch_utils import Conv1D

HERE = pathlib.Path(__file__).resolve().parent / "tiny"
LENGTH = 24
COMMON = dict(vocab_size=80, hidden_size=32, intermediate_size=72, num_hidden_layers=3, num_attention_heads=4,
              num_key_value_heads=2, max_position_embeddings=128)
LONG = dict(type="longrope", short_factor=[1.0, 1.1, 1.25, 1.5], long_factor=[1.0, 2.5, 6.0, 14.0])

FAMILIES = {
    "llama": ("llama", dict(COMMON, rms_norm_eps=1e-6)),
    # turns in 128 tokens: 20, 2.0, 0.2, 0.02, so that the frequencies fall into all three bands
    "llama3-rope": ("llama", dict(COMMON, max_position_embeddings=1024, tie_word_embeddings=True, rope_theta=10000.0, rope_scaling=dict(
        rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=128))),
    "mistral-window": ("mistral", dict(COMMON, sliding_window=8)),
    "qwen2": ("qwen2", dict(COMMON)),
    "qwen3": ("qwen3", dict(COMMON, head_dim=12, tie_word_embeddings=True)),
    "smollm3": ("smollm3", dict(COMMON, no_rope_layer_interval=2, tie_word_embeddings=True, pad_token_id=0, bos_token_id=1, eos_token_id=2)),
    "gemma2": ("gemma2", dict(COMMON, head_dim=12, sliding_window=8, query_pre_attn_scalar=20)),
    "gemma3": ("gemma3_text", dict(COMMON, head_dim=12, sliding_window=8, query_pre_attn_scalar=20, sliding_window_pattern=3,
                                    rope_scaling=dict(rope_type="linear", factor=4.0))),
    "olmo2": ("olmo2", dict(COMMON, pad_token_id=0, bos_token_id=None, eos_token_id=2)),
    "phi3": ("phi3", dict(COMMON, pad_token_id=0, bos_token_id=1, eos_token_id=2, sliding_window=8)),
    # 24 tokens are more than 16 and fewer than 64: the first uses the long factors, the second the short ones
    "phi3-longrope": ("phi3", dict(COMMON, pad_token_id=0, bos_token_id=1, eos_token_id=2, rope_scaling=LONG, original_max_position_embeddings=16)),
    "phi3-shortrope": ("phi3", dict(COMMON, pad_token_id=0, bos_token_id=1, eos_token_id=2, rope_scaling=LONG, original_max_position_embeddings=64)),
    "gpt2": ("gpt2", dict(vocab_size=80, n_embd=32, n_inner=72, n_layer=3, n_head=4, n_positions=64)),
    "pythia": ("gpt_neox", dict(vocab_size=80, hidden_size=32, intermediate_size=72, num_hidden_layers=3, num_attention_heads=4,
                                max_position_embeddings=128, rotary_pct=0.5, bos_token_id=0, eos_token_id=0)),
    "pythia-serial": ("gpt_neox", dict(vocab_size=80, hidden_size=32, intermediate_size=72, num_hidden_layers=3, num_attention_heads=4,
                                       max_position_embeddings=128, rotary_pct=0.5, bos_token_id=0, eos_token_id=0, use_parallel_residual=False)),
}


def randomise(model, rng):
    for name, p in sorted(model.named_parameters()):
        noise = rng.standard_normal(tuple(p.shape))
        if p.ndim == 2:
            value = 0.2 * noise
        elif name.endswith("bias"):
            value = 0.1 * noise
        else:
            value = p.detach().numpy() + 0.2 * noise    # norms: around one, or around zero where the family adds one
        with torch.no_grad():
            p.copy_(torch.from_numpy(value.astype(np.float32)))


def expected(model, ids):
    found = {}
    hooks = [m.register_forward_hook(lambda _m, _i, out, name=name: found.__setitem__("tap." + name, out.detach().contiguous().clone()))
             for name, m in model.named_modules() if isinstance(m, (torch.nn.Linear, Conv1D)) and name not in ("lm_head", "embed_out")]
    with torch.no_grad():
        out = model(input_ids=ids.long(), output_hidden_states=True, use_cache=False)
    for hook in hooks:
        hook.remove()
    found["input_ids"] = ids.to(torch.int32)
    found["logits"] = out.logits.contiguous()
    found.update({f"hidden.{i}": h.contiguous().clone() for i, h in enumerate(out.hidden_states)})
    return found


def make(family):
    kind, options = FAMILIES[family]
    rng = np.random.default_rng(zlib.crc32(family.encode()))
    config = AutoConfig.for_model(kind, attn_implementation="eager", torch_dtype="float32", **options)
    model = AutoModelForCausalLM.from_config(config, attn_implementation="eager").float().eval()
    randomise(model, rng)
    model.tie_weights()
    ids = torch.from_numpy(rng.integers(3, 80, (2, LENGTH)).astype(np.int32))
    found = expected(model, ids)
    assert all(torch.isfinite(v.float()).all() for v in found.values()), family
    folder = HERE / family
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        model.save_pretrained(scratch, safe_serialization=True)
        for name in ("config.json", "model.safetensors"):
            shutil.copyfile(pathlib.Path(scratch) / name, folder / name)
    save_file(found, folder / "expected.safetensors")
    size = sum(f.stat().st_size for f in folder.iterdir())
    print(f"{family:16} {size / 1000:6.0f} kB  largest logit {found['logits'].abs().max():.3f}")
    assert size < 400_000


def check(folder):
    folder = pathlib.Path(folder)
    want = load_file(folder / "expected.safetensors")
    model = AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager").float().eval()
    got = expected(model, want["input_ids"])
    worst = max((got[k].float() - v.float()).abs().max().item() for k, v in want.items())
    print(f"{folder.name}: {len(want)} tensors, largest difference {worst:.2e}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--check"]:
        for name in sys.argv[2:]:
            check(name)
    else:
        for name in sys.argv[1:] or FAMILIES:
            make(name)
