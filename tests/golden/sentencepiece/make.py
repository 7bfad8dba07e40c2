#!/usr/bin/env python3
"""Makes the fixtures of this folder: small SentencePiece models, written as GGUF files as converters do, and what SentencePiece itself makes of texts.

    python3 -m venv V && V/bin/pip install sentencepiece==0.2.3 gguf==0.19.0 protobuf
    V/bin/python tests/golden/sentencepiece/make.py
"""
import json
import pathlib
import subprocess
import sys
import tempfile

import gguf
import numpy
import sentencepiece
from sentencepiece import sentencepiece_model_pb2 as pb

here = pathlib.Path(__file__).parent
sys.path.insert(0, str(here.parent))
from hostile import texts

RULES = [("\u2460", "1"), ("\ufb01", "fi"), ("\u00a0", " "), ("\u3000", " "), ("\t", " "), ("\n", " "), ("\r\n", " "), ("e\u0301", "\u00e9"),
         ("e\u0301\u0323", "E"), ("\u200b", ""), ("\u00ad", ""), ("\u2026", "..."),
         ("A", "a"), ("AB", "x"), ("\u304b\u3099", "\u304c"), ("\u0130", "i"), ("\uff21", "A"), ("\U0001f600", ":)"), ("\ufe0f", "")]
MODELS = { # the ways that models differ: T5, XLM-R, llama, gemma, phi-3
    "unigram": dict(model_type="unigram", rules=True),
    "unigram-plain": dict(model_type="unigram", add_dummy_prefix=False, remove_extra_whitespaces=False),
    "unigram-symbols": dict(model_type="unigram", add_dummy_prefix=False, remove_extra_whitespaces=False, user_defined_symbols=["<sep>", "\u00a7\u00b6"],
                            control_symbols=["<ctl>"]),
    "unigram-bytes": dict(model_type="unigram", byte_fallback=True, character_coverage=0.98),
    "bpe": dict(model_type="bpe", byte_fallback=True, remove_extra_whitespaces=False, character_coverage=0.98),
    "bpe-no-prefix": dict(model_type="bpe", byte_fallback=True, add_dummy_prefix=False, remove_extra_whitespaces=False, character_coverage=0.98,
                          user_defined_symbols=["\u2581\u2581", "\u2581\u2581\u2581", "<sep>", "the", "\n\n"]),
    "bpe-no-bytes": dict(model_type="bpe", remove_extra_whitespaces=False, character_coverage=0.98),
}
TEXTS = texts(80, seed=23) + ["a<sep>b", "<sep>", " <sep> x <sep>", "foo bar", "foo  bar", "a foo bar b foobar", "hello world how now brown cow", "<ctl>",
                              "<s> x </s>", "<unk>", "the then bathe", "\n\n\n\nx\n\n", "<0x41>"]

rows = []
for name, o in MODELS.items():
    o = dict(o)
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        if o.pop("rules", False):
            (folder / "rules.tsv").write_text("".join("%s\t%s\n" % (" ".join("%04X" % ord(c) for c in a), " ".join("%04X" % ord(c) for c in b)) for a,
                                                      b in RULES))
            o["normalization_rule_tsv"] = folder / "rules.tsv"
        else:
            o["normalization_rule_name"] = "identity"
        (folder / "text").write_text("\n".join(t.replace("\n", "\u2581") for t in TEXTS[::2]))
        sentencepiece.SentencePieceTrainer.train(input=folder / "text", model_prefix=folder / "m", vocab_size=900, hard_vocab_limit=False, minloglevel=2,
                                                 max_sentence_length=100000, **o)
        proto = pb.ModelProto()
        proto.ParseFromString((folder / "m.model").read_bytes())
    w = gguf.GGUFWriter(here / f"{name}.gguf", "t5" if o["model_type"] == "unigram" else "llama")
    w.add_tokenizer_model("t5" if o["model_type"] == "unigram" else "llama")
    w.add_tokenizer_pre("default")
    w.add_token_list([(p.piece.replace("\u2581", " ") if p.type == p.USER_DEFINED else p.piece).encode() for p in proto.pieces])
    w.add_token_scores([p.score for p in proto.pieces])
    w.add_token_types([p.type for p in proto.pieces])
    w.add_unk_token_id(proto.trainer_spec.unk_id)
    w.add_bos_token_id(proto.trainer_spec.bos_id)
    w.add_eos_token_id(proto.trainer_spec.eos_id)
    w.add_add_space_prefix(proto.normalizer_spec.add_dummy_prefix)
    w.add_remove_extra_whitespaces(proto.normalizer_spec.remove_extra_whitespaces)
    if proto.normalizer_spec.precompiled_charsmap:
        w.add_precompiled_charsmap(proto.normalizer_spec.precompiled_charsmap)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.close()
    p = sentencepiece.SentencePieceProcessor(model_proto=proto.SerializeToString())
    # the file has spaces in these symbols, SentencePiece also finds them in a text that spells U+2581
    spelled = any("\u2581" in s for s in o.get("user_defined_symbols", []))
    ids = [None if spelled and "\u2581" in t else p.encode(t) for t in TEXTS]
    rows.append({"name": name, "ids": ids, "decoded": [None if i is None else p.decode(i) for i in ids]})
    print(name, len(proto.pieces), "pieces", sum(len(i) for i in ids if i), "ids")
text = "".join(json.dumps(r, ensure_ascii=False, separators=(",", ":")) + "\n" for r in [{"texts": TEXTS}] + rows)
subprocess.run(["zstd", "-q", "-19", "-f", "-o", here / "cases.jsonl.zst"], input=text.encode(), check=True)
