#!/usr/bin/env python3
"""Compares the program with a full set of golden results (the repository holds the part whose licence lets it travel).

    tests/golden/compare.py GOLGI GOLDEN SMOLLM2.gguf [GEMMA3.gguf]

GOLDEN has nag/docs.jsonl.zst, nag/ranking.json, nag/quality.jsonl, nag/scores.safetensors, forward/smollm2.json, forward/gemma3.json: results of the
published NAG code and of transformers in float32. Prints one line a check and exits 1 when one fails. Standard library only, and the zstd program."""
import json, os, re, struct, subprocess, sys, tempfile, array

golgi, golden, smollm = sys.argv[1:4]
gemma = sys.argv[4] if len(sys.argv) > 4 else None
tmp = tempfile.mkdtemp(prefix="golgi-compare-")
failed = 0

def say(ok, text):
    global failed
    failed += not ok
    print(("holds   " if ok else "FAILS   ") + text, flush=True)

def run(*words):
    p = subprocess.run([golgi, *map(str, words)], capture_output=True, text=True)
    if p.returncode:
        sys.exit("golgi %s: exit %d\n%s" % (" ".join(map(str, words)), p.returncode, p.stderr))
    return p.stdout

def rows(path):
    return [json.loads(l) for l in open(path, encoding="utf-8")]

def safetensors(path):
    b = open(path, "rb").read()
    n = struct.unpack("<Q", b[:8])[0]
    head = json.loads(b[8:8 + n])
    out = {}
    for k, v in head.items():
        if k != "__metadata__":
            a = array.array("f")
            a.frombytes(b[8 + n + v["data_offsets"][0]:8 + n + v["data_offsets"][1]])
            out[k] = (v["shape"], a)
    return out

def npy(path, table):
    head = "{'descr': '<i4', 'fortran_order': False, 'shape': (%d, %d), }" % (len(table), len(table[0]))
    head += " " * (63 - (10 + len(head)) % 64) + "\n"
    with open(path, "wb") as f:
        f.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head.encode())
        for r in table:
            f.write(array.array("i", r).tobytes())

docs = [json.loads(l) for l in subprocess.run(["zstd", "-dc", golden + "/nag/docs.jsonl.zst"], capture_output=True, check=True).stdout.decode().splitlines()]
pool = tmp + "/docs.jsonl"
with open(pool, "w") as f:
    for d in docs:
        f.write(json.dumps({k: d[k] for k in ("docid", "doc", "domain", "token_num")}) + "\n")

# 1. token ids
equal = 0
for d in docs:
    open(tmp + "/text", "w", newline="").write(d["doc"])
    ids = [int(x) for x in run("tokenize", "--model", smollm, tmp + "/text").split()]
    equal += ids[:120] == d["tokens"][:120]
say(equal == len(docs), "token ids equal on %d of %d documents (SmolLM2)" % (equal, len(docs)))

# 2. whole forward passes
for name, model, special in (("smollm2", smollm, []), ("gemma3", gemma, ["--special"])):
    if not model:
        print("not tried  %s: no model given" % name)
        continue
    texts = json.load(open("%s/forward/%s.json" % (golden, name)))
    by_id = {d["docid"]: d for d in docs}
    worst, top, same_ids = 0.0, 0, 0
    for t in texts:
        doc = t.get("doc", by_id[t["docid"]]["doc"])
        json.dump({"docid": t["docid"], "doc": doc}, open(tmp + "/one.jsonl", "w"))
        open(tmp + "/text", "w", newline="").write(doc)
        ids = [int(x) for x in run("tokenize", "--model", model, *special, tmp + "/text").split()]
        same_ids += ids[:len(t["tokens"])] == t["tokens"]
        run("score", "--model", model, "--input", tmp + "/one.jsonl", "--max-tokens", len(t["tokens"]), *special, "--output", tmp + "/s.jsonl", "--quiet")
        s = rows(tmp + "/s.jsonl")[0]
        worst = max(worst, abs(s["mean_nll"] - t["mean_nll"]))
        top += [i for i, _ in s["top"]] == t["top5"]
    say(same_ids == len(texts), "%s: token ids equal on %d of %d texts" % (name, same_ids, len(texts)))
    say(worst <= 1e-3, "%s: mean NLL within %.2e (bound 1e-3)" % (name, worst))
    say(top == len(texts), "%s: top-5 ids equal on %d of %d texts" % (name, top, len(texts)))
    grow = [t["tokens"][:24] for t in texts]
    for _ in range(12):
        npy(tmp + "/ids.npy", grow)
        run("activations", "--model", model, "--ids", tmp + "/ids.npy", "--sites", "final", "--pool", "last", "--logits", "--output", tmp + "/l.safetensors",
            "--quiet")
        logits = safetensors(tmp + "/l.safetensors")
        for i, g in enumerate(grow):
            v = logits["%d.logits" % i][1]
            grow[i] = g + [max(range(len(v)), key=v.__getitem__)]
    n = sum(g[24:] == t["greedy_after_24"] for g, t in zip(grow, texts))
    say(n >= 9, "%s: 12 greedy tokens equal on %d of %d texts" % (name, n, len(texts)))

# 3. NAG features
sites = ["up", "down", "q", "k", "v", "o"]
types = dict(up="fwd_up", down="fwd_down", q="att_q", k="att_k", v="att_v", o="att_o")
run("nag", "extract", "--model", smollm, "--input", pool, "--sites", ",".join(sites), "--output", tmp + "/f.jsonl", "--scores", tmp + "/scores.safetensors",
    "--scores-documents", len(docs), "--dtype", "f32", "--quiet")
mine = {r["docid"]: r for r in rows(tmp + "/f.jsonl")}
for s in sites:
    cells = same = bad = 0
    for d in docs:
        a, b, gap = mine[d["docid"]][types[s] + "_feature"]["layer_topk_value_index"], d[s], d[s + "_gap"]
        flat = [x for l in b for x in l] if isinstance(b[0], list) else b
        for l in range(30):
            cells += 1
            if set(a[10 * l:10 * l + 10]) == set(flat[10 * l:10 * l + 10]):
                same += 1
            elif gap[l] >= 1e-4:
                bad += 1
    say(same >= 0.995 * cells or (s in "kv" and bad == 0), "%s: top-10 sets equal in %.3f %% of %d cells" % (s, 100 * same / cells, cells))
    say(bad == 0, "%s: differing cells whose gap is 1e-4 or more: %d" % (s, bad))
ref, got = safetensors(golden + "/nag/scores.safetensors"), safetensors(tmp + "/scores.safetensors")
worst = 0.0
for k, (shape, a) in ref.items():
    b = got[k][1]
    big = max(abs(x) for x in a)
    worst = max(worst, max(abs(x - y) / max(abs(x), 1e-3 * big) for x, y in zip(a, b)))
say(worst <= 1e-4, "impact vectors of %d (document, site) pairs within %.2e relative (bound 1e-4)" % (len(ref), worst))

# 4. bf16 against fp32
run("nag", "extract", "--model", smollm, "--input", pool, "--output", tmp + "/b.jsonl", "--dtype", "bf16", "--quiet")
low = {r["docid"]: r for r in rows(tmp + "/b.jsonl")}
total = 0.0
for d in docs:
    a, b = (x[d["docid"]]["fwd_up_feature"]["layer_topk_value_index"] for x in (mine, low))
    for l in range(30):
        x, y = set(a[10 * l:10 * l + 10]), set(b[10 * l:10 * l + 10])
        total += len(x & y) / len(x | y)
say(total / (30 * len(docs)) >= 0.98, "bf16: mean per-layer Jaccard with fp32 %.4f (bound 0.98)" % (total / (30 * len(docs))))

def distances(features, targets):
    out = {}
    weight = [dict() for _ in range(30)]
    for t in targets:
        f = features[t]["fwd_up_feature"]["layer_topk_value_index"]
        for l in range(30):
            for k in f[10 * l:10 * l + 10]:
                weight[l][k] = weight[l].get(k, 0) + 1
    for docid, r in features.items():
        f = r["fwd_up_feature"]["layer_topk_value_index"]
        out[docid] = 1 - sum(weight[l].get(k, 0) for l in range(30) for k in f[10 * l:10 * l + 10]) / (300 * len(targets))
    return out

def spearman(a, b):
    def ranks(x):
        order = sorted(range(len(x)), key=x.__getitem__)
        r, i = [0.0] * len(x), 0
        while i < len(order):
            j = i
            while j + 1 < len(order) and x[order[j + 1]] == x[order[i]]:
                j += 1
            for k in range(i, j + 1):
                r[order[k]] = (i + j) / 2
            i = j + 1
        return r
    a, b = ranks(a), ranks(b)
    m = (len(a) - 1) / 2
    return sum((x - m) * (y - m) for x, y in zip(a, b)) / (sum((x - m) ** 2 for x in a) * sum((y - m) ** 2 for y in b)) ** 0.5

ranking = json.load(open(golden + "/nag/ranking.json"))
least = 1.0
for domain, r in ranking["target"].items():
    a, b = distances(mine, r["targets"]), distances(low, r["targets"])
    least = min(least, spearman([a[d["docid"]] for d in docs], [b[d["docid"]] for d in docs]))
say(least >= 0.999, "bf16: Spearman of distances with fp32 at least %.5f over %d targets (bound 0.999)" % (least, len(ranking["target"])))
subprocess.run(["rm", "-rf", tmp])
sys.exit(1 if failed else 0)
