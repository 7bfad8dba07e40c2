#!/usr/bin/env python3
"""A GGUF that `golgi model convert` wrote, opened by llama.cpp (pip install xllamacpp): token ids, and the loss of each next token beside golgi's.

    python tests/golden/lm/compare_llamacpp.py build/golgi F.gguf TEXTS.jsonl TOLERANCE   # rows {"id": .., "text": ..}

llama.cpp's server answers for one position at a time, with the log-probability of every token; golgi's come from `golgi activations --sites logits`
of the same file. Ends with 1 when ids differ or a log-probability is off by more than TOLERANCE nats.
"""
import json
import math
import subprocess
import sys
import tempfile
import urllib.request

import numpy
import xllamacpp
from safetensors import safe_open

golgi, path, texts, tolerance = sys.argv[1], sys.argv[2], sys.argv[3], float(sys.argv[4])
rows = [json.loads(line) for line in open(texts, encoding="utf-8")]


def run(*words):
    return subprocess.run([golgi, *words], check=True, capture_output=True).stdout


described = json.loads(run("model", "show", path, "--json"))
n_ctx, n_vocab = described["n_ctx"], described["n_vocab"]
p = xllamacpp.CommonParams()
p.model.path = path
p.n_ctx = max(n_ctx, 256)
p.warmup = False
p.cpuparams.n_threads = 2
p.cache_type_k = p.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_F32
p.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
server = xllamacpp.Server(p)


def ask(what, question):
    request = urllib.request.Request(f"{server.listening_address}/{what}", json.dumps(question).encode(), {"Content-Type": "application/json"})
    return json.load(urllib.request.urlopen(request))


worst, loss, ours_loss, n, wrong = 0.0, 0.0, 0.0, 0, 0
with tempfile.TemporaryDirectory() as work:
    run("activations", "--model", path, "--input", texts, "--id-column", "id", "--sites", "logits", "--pool", "none", "--max-tokens", str(n_ctx), "--quiet",
        "--output", work + "/l.safetensors")
    with safe_open(work + "/l.safetensors", "np") as found:
        for row in rows:
            open(work + "/text", "w", encoding="utf-8", newline="").write(row["text"])
            ids = [int(x) for x in run("tokenize", "--model", path, work + "/text").split()]
            theirs = ask("tokenize", {"content": row["text"], "add_special": False, "parse_special": False})["tokens"]
            wrong += ids != theirs
            logits = found.get_tensor(row["id"] + ".logits").astype(numpy.float64)
            for i in range(min(len(ids), n_ctx) - 1):
                answer = ask("completion", {"prompt": ids[: i + 1], "n_predict": 1, "n_probs": n_vocab, "temperature": -1.0, "cache_prompt": False})
                seen = {x["id"]: x["logprob"] for x in answer["completion_probabilities"][0]["top_logprobs"]}
                row_ = logits[i] - logits[i].max()
                row_ -= math.log(numpy.exp(row_).sum())
                worst = max(worst, max(abs(row_[k] - v) for k, v in seen.items()))
                loss -= seen[ids[i + 1]]
                ours_loss -= row_[ids[i + 1]]
                n += 1
print(f"xllamacpp {xllamacpp.__version__}: {path}: {len(rows)} texts, texts whose ids differ: {wrong}; "
      f"{n} positions: loss {loss / n:.6f}, golgi {ours_loss / n:.6f} nats a token; "
      f"log-probabilities off by {worst:.1e} at most")
sys.exit(wrong > 0 or not worst <= tolerance)
