#!/usr/bin/env python3
"""Makes the pool and the targets in examples/ from a larger labelled pool.

    tools/make-pool.py SOURCE.jsonl.zst --golgi build/golgi --model models/SmolLM2-135M-Instruct.Q4_1.gguf

SOURCE has columns docid, doc, domain, license. Taken are 50 documents of each domain whose licence is permissive or public domain, and for two of the
domains 5 more as a target. Which ones: the first in the order of the SHA-256 of their ids, so that the choice depends on nothing else; texts that
come twice are passed over. token_num is the number of the model's tokens, without special ones and without a bound.
Needs the zstd program. The same source gives the same documents, whatever the machine.
"""
import argparse
import hashlib
import json
import pathlib
import subprocess

DOMAINS = {  # name: what its licence must begin with
    "database": "public domain",
    "jargon": "public domain",
    "lexicon": "WordNet licence",
    "postgres": "PostgreSQL licence",
    "pycode": "PSF licence",
    "pydoc": "PSF licence",
    "rust": "MIT or Apache-2.0",
    "scripture": "public domain",
}
PER_DOMAIN = 50
TARGETS = {"scripture": 5, "pycode": 5}


def rows_of(path):
    text = subprocess.run(["zstd", "-dc", path], check=True, stdout=subprocess.PIPE).stdout
    return [json.loads(line) for line in text.decode().splitlines() if line.strip()]


def order(row):
    return hashlib.sha256(row["docid"].encode()).digest()


def choose(source):
    """Returns the pool's rows and, by domain, the targets' rows."""
    pool, targets, seen, taken = [], {d: [] for d in TARGETS}, set(), {d: 0 for d in DOMAINS}
    for row in sorted(source, key=order):
        domain, text = row["domain"], " ".join(row["doc"].split())
        if domain not in DOMAINS or not text or text in seen:
            continue
        if not row["license"].startswith(DOMAINS[domain]):
            raise SystemExit(f"{row['docid']}: the licence \"{row['license']}\" is not the one known for {domain}")
        seen.add(text)
        if len(targets.get(domain, ())) < TARGETS.get(domain, 0):
            targets[domain].append(row)
        elif taken[domain] < PER_DOMAIN:
            taken[domain] += 1
            pool.append(row)
    short = [d for d in DOMAINS if taken[d] < PER_DOMAIN]
    if short:
        raise SystemExit(f"too few documents of {', '.join(short)}")
    return pool, targets


def as_lines(rows, golgi, model):
    out = []
    for row in rows:
        run = subprocess.run([golgi, "tokenize", "--quiet", "--model", model, "-"], input=row["doc"].encode(), stdout=subprocess.PIPE, check=True)
        kept = {k: row[k] for k in ("docid", "doc", "domain", "license")}
        out.append(json.dumps(kept | {"token_num": len(run.stdout.split())}, ensure_ascii=False))
    return "".join(line + "\n" for line in out)


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("source", help="the labelled pool (.jsonl.zst)")
    p.add_argument("--golgi", default="build/golgi", help="the program that counts tokens")
    p.add_argument("--model", required=True, help="the model whose tokens are counted")
    p.add_argument("--output", default=pathlib.Path(__file__).resolve().parent.parent / "examples", type=pathlib.Path, help="folder written to")
    a = p.parse_args()
    pool, targets = choose(rows_of(a.source))
    lines = as_lines(pool, a.golgi, a.model)
    subprocess.run(["zstd", "-19", "-q", "-f", "-o", a.output / "pool.jsonl.zst"], input=lines.encode(), check=True)
    for domain, rows in targets.items():
        (a.output / f"target-{domain}.jsonl").write_text(as_lines(rows, a.golgi, a.model))
    print(f"{len(pool)} documents of {len(DOMAINS)} domains, {', '.join(f'{len(r)} as target-{d}' for d, r in targets.items())}")


if __name__ == "__main__":
    main()
