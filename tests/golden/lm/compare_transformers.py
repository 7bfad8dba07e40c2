#!/usr/bin/env python3
"""What `golgi lm train` saved, opened by transformers: token ids, logits, and greedy text beside golgi's.

    python tests/golden/lm/compare_transformers.py build/golgi FOLDER TEXTS.jsonl      # rows {"id": .., "text": ..}

Ends with 1 when ids differ, a logit is off by more than 1e-4 of the largest one, or a greedy continuation differs.
"""
import json
import subprocess
import sys
import tempfile

import torch
from safetensors import safe_open
from transformers import AutoModelForCausalLM, AutoTokenizer

golgi, folder, texts = sys.argv[1:4]
rows = [json.loads(line) for line in open(texts, encoding="utf-8")]
tokenizer = AutoTokenizer.from_pretrained(folder)
model = AutoModelForCausalLM.from_pretrained(folder, torch_dtype=torch.float32, attn_implementation="eager").eval()
n_ctx = model.config.max_position_embeddings


def run(*words):
    return subprocess.run([golgi, *words], check=True, capture_output=True).stdout


worst, largest, n_ids, wrong, n_new, other = 0.0, 0.0, 0, 0, 0, 0
with tempfile.TemporaryDirectory() as work:
    run("activations", "--model", folder, "--input", texts, "--id-column", "id", "--sites", "logits", "--pool", "none", "--max-tokens", str(n_ctx), "--quiet",
        "--output", work + "/l.safetensors")
    with safe_open(work + "/l.safetensors", "pt") as found:
        for row in rows:
            open(work + "/text", "w", encoding="utf-8", newline="").write(row["text"])
            ids = [int(x) for x in run("tokenize", "--model", folder, work + "/text").split()]
            theirs = tokenizer(row["text"])["input_ids"]
            wrong += ids != theirs
            n_ids += len(theirs)
            with torch.no_grad():
                logits = model(torch.tensor([theirs[:n_ctx]])).logits[0]
            ours = found.get_tensor(row["id"] + ".logits")
            largest = max(largest, logits.abs().max().item())
            worst = max(worst, (ours - logits).abs().max().item())
            prompt = tokenizer.decode(theirs[: n_ctx // 4])
            start = tokenizer(prompt, return_tensors="pt")["input_ids"]
            theirs = model.generate(start, attention_mask=torch.ones_like(start), do_sample=False, max_new_tokens=n_ctx // 2, pad_token_id=0)[0].tolist()
            made = json.loads(run("lm", "generate", "--model", folder, "--prompt", prompt, "--tokens", str(n_ctx // 2), "--temperature", "0", "--json"))["ids"]
            n_new += len(made) - start.shape[1]
            other += made != theirs
print(f"{type(model).__name__}, {type(tokenizer).__name__}, vocabulary {len(tokenizer)}: {len(rows)} texts, {n_ids} ids, texts whose ids differ: {wrong}; "
      f"logits off by {worst / largest:.1e} of the largest ({largest:.2f}); {n_new} tokens greedily made, texts that differ: {other}")
sys.exit(wrong > 0 or other > 0 or not worst <= 1e-4 * largest or len(tokenizer) != model.config.vocab_size)
