"""Makes tests/golden/tinygguf/tiny.gguf: a random two-layer llama with a byte-level BPE of 512 tokens, for tests of the program's
plumbing (no numbers of it are compared with anything). Usage: tinygguf.py POOL.jsonl.zst OUT.gguf (needs numpy gguf tokenizers zstandard).
The tokenizer is trained on the King James Bible rows of the pool (public domain)."""
import io, json, sys
import numpy as np, gguf, zstandard
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

pool, out = sys.argv[1:]
with open(pool, "rb") as f:
    rows = [json.loads(l) for l in io.TextIOWrapper(zstandard.ZstdDecompressor().stream_reader(f), encoding="utf-8")]
tok = Tokenizer(models.BPE())
tok.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
tok.train_from_iterator([r["doc"] for r in rows if r["domain"] == "scripture"], trainers.BpeTrainer(
    vocab_size=512, special_tokens=["<|endoftext|>"], initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
model = json.loads(tok.to_str())["model"]
vocab = [t for t, _ in sorted(model["vocab"].items(), key=lambda kv: kv[1])]
merges = [m if isinstance(m, str) else " ".join(m) for m in model["merges"]]

V, L, D, F, H, KV = len(vocab), 2, 64, 96, 4, 2
rng = np.random.default_rng(1)
w = gguf.GGUFWriter(out, "llama")
w.add_name("golgi tiny"); w.add_context_length(256); w.add_embedding_length(D); w.add_block_count(L); w.add_feed_forward_length(F)
w.add_head_count(H); w.add_head_count_kv(KV); w.add_layer_norm_rms_eps(1e-5); w.add_rope_freq_base(10000.0); w.add_rope_dimension_count(D // H)
w.add_vocab_size(V)
w.add_tokenizer_model("gpt2"); w.add_tokenizer_pre("smollm"); w.add_token_list(vocab); w.add_token_merges(merges)
w.add_token_types([3 if t == "<|endoftext|>" else 1 for t in vocab]); w.add_bos_token_id(0); w.add_eos_token_id(0)
def put(name, *shape, one=False, q8=False):
    x = (np.ones(shape) if one else rng.normal(0, 0.2, shape)).astype(np.float32)
    if q8:
        w.add_tensor(name, gguf.quants.quantize(x, gguf.GGMLQuantizationType.Q8_0), raw_dtype=gguf.GGMLQuantizationType.Q8_0)
    else:
        w.add_tensor(name, x)
put("token_embd.weight", V, D, q8=True); put("output_norm.weight", D, one=True)
for i in range(L):
    b = f"blk.{i}."
    put(b + "attn_norm.weight", D, one=True); put(b + "ffn_norm.weight", D, one=True)
    put(b + "attn_q.weight", D, D); put(b + "attn_k.weight", D // H * KV, D); put(b + "attn_v.weight", D // H * KV, D); put(b + "attn_output.weight", D, D)
    put(b + "ffn_gate.weight", F, D, q8=True); put(b + "ffn_up.weight", F, D, q8=True); put(b + "ffn_down.weight", D, F)
w.write_header_to_file(); w.write_kv_data_to_file(); w.write_tensors_to_file(); w.close()
