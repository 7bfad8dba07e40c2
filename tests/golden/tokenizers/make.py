#!/usr/bin/env python3
"""Makes hostile.jsonl.zst: the ids that independent code gives for hard texts with the three vocabularies of this folder. Before, it checks
that this code gives the ids of the .out files for the .inp texts.

    python3 -m venv V && V/bin/pip install tokenizers==0.23.3 sentencepiece==0.2.3 gguf==0.19.0 protobuf
    V/bin/python tests/golden/tokenizers/make.py

gpt-2 and bert-bge: Hugging Face's tokenizers. llama-spm: SentencePiece itself, on a model that is put together from the file's tokens and scores.
"""
import json
import pathlib
import subprocess
import sys

import gguf
import sentencepiece
from sentencepiece import sentencepiece_model_pb2 as pb
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

here = pathlib.Path(__file__).parent
sys.path.insert(0, str(here.parent))
from hostile import texts


def read(name):
    r = gguf.GGUFReader(here / f"{name}.gguf")
    return lambda key: r.fields[f"tokenizer.ggml.{key}"].contents()


def gpt2():
    f = read("gpt-2")
    t = Tokenizer(models.BPE(vocab={w: i for i, w in enumerate(f("tokens"))}, merges=[tuple(m.split(" ")) for m in f("merges")]))
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    return lambda s: t.encode(s).ids


def bert():
    vocab = {}
    for i, w in enumerate(read("bert-bge")("tokens")): # words have U+2581 in front there, the rest of a word nothing
        vocab[w[1:] if w.startswith("\u2581") else w if w.startswith("[") and w.endswith("]") and len(w) > 1 else "##" + w] = i
    t = Tokenizer(models.WordPiece(vocab=vocab, unk_token="[UNK]"))
    t.normalizer = normalizers.BertNormalizer()
    t.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return lambda s: t.encode(s).ids


def llama():
    f = read("llama-spm")
    m = pb.ModelProto()
    for w, score, kind in zip(f("tokens"), f("scores"), f("token_type")):
        m.pieces.add(piece=w, score=score, type=kind)
    m.trainer_spec.model_type = pb.TrainerSpec.BPE
    m.trainer_spec.byte_fallback = True
    m.trainer_spec.vocab_size = len(m.pieces)
    m.normalizer_spec.add_dummy_prefix = True
    m.normalizer_spec.remove_extra_whitespaces = False
    m.normalizer_spec.escape_whitespaces = True
    p = sentencepiece.SentencePieceProcessor(model_proto=m.SerializeToString())
    return lambda s: p.encode(s)


oracles = {"bert-bge": bert(), "gpt-2": gpt2(), "llama-spm": llama()}
for name, encode in oracles.items():
    inputs = (here / f"{name}.gguf.inp").read_text(encoding="utf-8").split("\n__ggml_vocab_test__\n")[:-1]
    outputs = [[int(x) for x in line.split()] for line in (here / f"{name}.gguf.out").read_text().splitlines()]
    assert len(inputs) == len(outputs) == 46
    for s, ids in zip(inputs, outputs):
        if encode(s) != ids:
            print(name, repr(s), encode(s), ids)
rows = [{"text": s, **{name: encode(s) for name, encode in oracles.items()}} for s in texts(200, seed=22)]
text = "".join(json.dumps(r, ensure_ascii=False, separators=(",", ":")) + "\n" for r in rows)
subprocess.run(["zstd", "-q", "-19", "-f", "-o", here / "hostile.jsonl.zst"], input=text.encode(), check=True)
print(len(rows), "texts")
