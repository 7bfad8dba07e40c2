#!/usr/bin/env python3
"""Makes the fixtures of this folder: what Hugging Face's tokenizers does with the pipelines that the pre-tokenizers' names in GGUF files stand for.

    python3 -m venv V && V/bin/pip install tokenizers==0.23.3
    V/bin/python tests/golden/pretokenizers/make.py

The pipelines are those of the tokenizer.json files that the models were published with. The vocabulary is trained on the very texts and without
any pre-tokenizer, so that tokens reach across every place where a pipeline should cut: a cut that is missing shows in the ids.
"""
import json
import pathlib
import subprocess
import sys

from tokenizers import Regex, Tokenizer, models, pre_tokenizers as pre, trainers

here = pathlib.Path(__file__).parent
sys.path.insert(0, str(here.parent))
from hostile import texts

LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
QWEN2 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
TEKKEN = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
          r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"
          r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")
GPT4O = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
         r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
         r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")
LETTERS = (r"\s?[A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯ"
           r"Ͱ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ-ჅᎠ-Ᏽᏸ-ᏽᲐ-ᲺᲽ-Ჿᴀ-ᴫᵫ-ᵷᵹ-ᶚḀ-ἕἘ-Ἕἠ-ὅὈ-Ὅὐ-ὗὙὛὝὟ-\u1F7Dᾀ-ᾴᾶ-ᾼ\u1FBEῂ-ῄῆ-ῌῐ-\u1FD3ῖ-\u1FDBῠ-Ῥῲ-ῴῶ-ῼ"
           r"ℂℇℊ-ℓℕℙ-ℝℤ\u2126ℨ\u212A-ℭℯ-ℴℹℼ-ℿⅅ-ⅉⅎↃↄⰀ-ⱻⱾ-ⳤⳫ-ⳮⳲⳳꙀ-ꙭꚀ-ꚛꜢ-ꝯꝱ-ꞇꞋ-ꞎꭰ-ꮿﬀ-ﬆﬓ-ﬗＡ-Ｚａ-ｚ𐐀-𐑏𐒰-𐓓𐓘-𐓻𐲀-𐲲𐳀-𐳲𑢠-𑣟𞤀-𞥃]+")
CJK = "[一-龥ࠀ-一가-퟿]+"


def split(pattern):
    return pre.Split(Regex(pattern), "isolated")


def level(use_regex=False):
    return pre.ByteLevel(add_prefix_space=False, use_regex=use_regex)


digits = pre.Digits(individual_digits=True)
PIPELINES = {
    "gpt-2": (["mpt", "olmo"], [level(True)]),
    "smollm": (["starcoder", "refact", "command-r"], [digits, level(True)]),
    "llama-bpe": ([], [split(LLAMA3), level()]),
    "qwen2": ([], [split(QWEN2), level()]),
    "falcon": ([], [pre.Punctuation("contiguous"), level(True), pre.Digits(individual_digits=False), split("[0-9][0-9][0-9]")]),
    "deepseek-llm": ([], [split(r"[\r\n]"), split(LETTERS), split(r"\s?[!-/:-~！-／：-～‘-‟　-。]+"), split(r"\s+$"), split(CJK), digits, level()]),
    "deepseek-coder": ([], [split(r"[\r\n]"), split(r"\s?\p{L}+"), split(r"\s?\p{P}+"), split(CJK), digits, level()]),
    "tekken": ([], [split(TEKKEN), level()]),
    "gpt-4o": ([], [split(GPT4O), level()]),
}
IGNORE_MERGES = ("llama-bpe", "tekken")

all_texts = texts()
trained = Tokenizer(models.BPE())
trained.pre_tokenizer = level()
trained.train_from_iterator(all_texts, trainers.BpeTrainer(vocab_size=3000, min_frequency=1, show_progress=False, initial_alphabet=pre.ByteLevel.alphabet()))
model = json.loads(trained.to_str())["model"]
tokens = sorted(model["vocab"], key=model["vocab"].get)
merges = [tuple(m) for m in model["merges"]]
# a token that no merge makes: only a tokenizer that looks the whole piece up finds it
tokens.append("Ġworld!")
(here / "vocab.json").write_text(json.dumps({"tokens": tokens, "merges": [" ".join(m) for m in merges]}, ensure_ascii=False, separators=(",", ":")) + "\n")

rows = [{"text": t} for t in all_texts + ["Hello world! world!", " ".join(all_texts)]]
for name, (also, steps) in PIPELINES.items():
    t = Tokenizer(models.BPE(vocab={w: i for i, w in enumerate(tokens)}, merges=merges, ignore_merges=name in IGNORE_MERGES))
    t.pre_tokenizer = pre.Sequence(steps)
    for row in rows:
        row[name] = t.encode(row["text"]).ids
text = json.dumps({n: also for n, (also, _) in PIPELINES.items()}) + "\n"
text += "".join(json.dumps(r, ensure_ascii=False, separators=(",", ":")) + "\n" for r in rows)
subprocess.run(["zstd", "-q", "-19", "-f", "-o", here / "cases.jsonl.zst"], input=text.encode(), check=True)
print(len(rows), "texts", {n: sum(len(r[n]) for r in rows) for n in PIPELINES})
