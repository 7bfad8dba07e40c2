#!/usr/bin/env python3
"""Makes cases.jsonl.zst: what Hugging Face's tokenizers makes of many kinds of tokenizer.json.

    python3 -m venv V && V/bin/pip install tokenizers==0.23.3 sentencepiece==0.2.3
    V/bin/python tests/golden/tokenizerjson/make.py

The first row holds the texts; each other row is a tokenizer, the ids of the texts (special tokens in them read, none added), for some texts the ids
with special tokens added and with those in the text taken for letters, and what the ids decode to. A tokenizer that only has bytes for tokens shows what
a normalizer does to a text, byte for byte; a vocabulary trained across all cuts shows where a pre-tokenizer cuts.
"""
import base64
import json
import pathlib
import subprocess
import sys
import tempfile

import sentencepiece
from sentencepiece import sentencepiece_model_pb2
from tokenizers import AddedToken, Regex, Tokenizer, decoders as dec, models, normalizers as norm, pre_tokenizers as pre, processors as post, trainers

here = pathlib.Path(__file__).parent
sys.path.insert(0, str(here.parent))
from hostile import texts

TEXTS = texts(60, seed=21)
ADDED_TEXTS = [
    "<|a|>", "x<|a|>y", " <|a|> ", "x <|a|> y", "x  <|b|>  y", "x\t<|b|>\n y", "x<|b|>y", "  <|b|>", "<|b|>  ", "<|a|><|b|><|a|>", "<|a|> <|b|> <|a|>",
    "one two", "xone", "one", "onex", "one.", "_one_", "one-one", "1one", "\u00e9one", "one\u0301", "one\u200d", "a one b", "\u24d0one", "one\u2166",
    "one\u00b2", "ONE One one", "<|A|>", "<|a|", "<|a|>|>", "<|a<|a|>", "tw", "two", "twoo", "two three", "twothree", "THREE three Three",
    "x<|a|><|b|> <mask>  one   new york     two", " \u00a0 <|b|>\u3000 \u2003 <mask>x", "one\u200done one\U0001d7ceone one",
    "\uff76\uff9e\uff76\uff9e\uff76\uff9e \u304b\u3099\u304b\u3099", "\u1112\u1161\u11ab\u1100\u1161\u11a8", "\u017elu\u0165", "z\u030clut\u030c",
    "Z\u030cLUT\u030c", "a \u017elu\u0165 b", "<mask>", "a <mask> b", "a<mask>b", "a \u00a0<mask>\u3000b", "new york", "new  york", "newyork", "xnew york",
    "new yorks", "<s>", "</s>", "<s></s>", "[CLS] x [SEP]", "<unk>", "[UNK]", "\u2581<s>", "a<0x41>b",
]


def cold(model, **parts):
    t = Tokenizer(model)
    for k, v in parts.items():
        setattr(t, k, v)
    return t


def trained(model, trainer, corpus, **parts):
    t = cold(model, **parts)
    t.train_from_iterator(corpus, trainer)
    return json.loads(t.to_str())["model"]


# ---- vocabularies ----
BYTES = {f"<0x{b:02X}>": b for b in range(256)}
def bytes_model():
    return models.BPE(vocab=dict(BYTES), merges=[], byte_fallback=True)

across = trained(models.BPE(), trainers.BpeTrainer(vocab_size=1600, min_frequency=1, show_progress=False), TEXTS)
def across_model(spaces=" ", **options):
    vocab = dict(BYTES)
    for w in sorted(across["vocab"], key=across["vocab"].get):
        vocab.setdefault(w.replace(" ", spaces), len(vocab))
    return models.BPE(vocab=vocab, merges=[tuple(x.replace(" ", spaces) for x in m) for m in across["merges"]], byte_fallback=True, **options)

level = trained(models.BPE(), trainers.BpeTrainer(vocab_size=900, min_frequency=1, show_progress=False, initial_alphabet=sorted(pre.ByteLevel.alphabet())),
                TEXTS,
                pre_tokenizer=pre.ByteLevel(add_prefix_space=False, use_regex=False))
def level_model(**options):
    return models.BPE(vocab=level["vocab"], merges=[tuple(m) for m in level["merges"]], **options)

# characters, some of them without a token
plain = trained(models.BPE(unk_token="<unk>"), trainers.BpeTrainer(vocab_size=500, show_progress=False, special_tokens=["<unk>", "<s>", "</s>"],
                                                                   limit_alphabet=120), TEXTS,
                normalizer=norm.Sequence([norm.Prepend("\u2581"), norm.Replace(" ", "\u2581")]))
def plain_model(fallback=False, unk=True, **options):
    vocab = dict(plain["vocab"])
    if fallback:
        for b in BYTES:
            vocab[b] = len(vocab)
    return models.BPE(vocab=vocab, merges=[tuple(m) for m in plain["merges"]], unk_token="<unk>" if unk else None, byte_fallback=fallback, **options)

suffixed = trained(models.BPE(unk_token="<unk>", end_of_word_suffix="</w>"), trainers.BpeTrainer(vocab_size=500, show_progress=False,
        special_tokens=["<unk>"], end_of_word_suffix="</w>"), TEXTS,
                   normalizer=norm.Lowercase(), pre_tokenizer=pre.BertPreTokenizer())
prefixed = trained(models.BPE(unk_token="[UNK]", continuing_subword_prefix="##"),
                   trainers.BpeTrainer(vocab_size=500, show_progress=False, special_tokens=["[UNK]"], continuing_subword_prefix="##"), TEXTS,
                   pre_tokenizer=pre.Whitespace())

pieces = trained(models.WordPiece(unk_token="[UNK]"), trainers.WordPieceTrainer(vocab_size=700, show_progress=False, special_tokens=["[PAD]", "[UNK]",
        "[CLS]", "[SEP]", "[MASK]"]), TEXTS,
                 normalizer=norm.BertNormalizer(), pre_tokenizer=pre.BertPreTokenizer())
def pieces_model(**options):
    return models.WordPiece(vocab=pieces["vocab"], unk_token="[UNK]", **options)

unigram = trained(models.Unigram(), trainers.UnigramTrainer(vocab_size=500, show_progress=False, special_tokens=["<s>", "<pad>", "</s>", "<unk>"],
                                                            unk_token="<unk>"), TEXTS,
                  pre_tokenizer=pre.Sequence([pre.WhitespaceSplit(), pre.Metaspace()]))
def unigram_model(fallback=False):
    vocab = [tuple(v) for v in unigram["vocab"]]
    if fallback:
        vocab += [(b, 0.0) for b in BYTES]
    return models.Unigram(vocab=vocab, unk_id=3, byte_fallback=fallback)

# ---- a character map of SentencePiece: its own compiler, our rules ----
RULES = [("\u2460", "1"), ("\ufb01", "fi"), ("\ufb02", "fl"), ("\u00a0", " "), ("\u3000", " "), ("\t", " "), ("\n", " "), ("\r\n", " "), ("e\u0301",
        "\u00e9"), ("e\u0301\u0323", "E"), ("\u200b", ""), ("\u00ad", ""), ("\u2026", "..."),
         ("A", "a"), ("AB", "x"), ("\u304b\u3099", "\u304c"), ("\u0130", "i"), ("\uff21", "A"), ("\U0001f600", ":)"), ("'s", "\u2019s"), ("\ufe0f", "")]
with tempfile.TemporaryDirectory() as folder:
    (pathlib.Path(folder) / "rules.tsv").write_text("".join("%s\t%s\n" % (" ".join("%04X" % ord(c) for c in a), " ".join("%04X" % ord(c) for c in b)) for a,
                                                            b in RULES))
    (pathlib.Path(folder) / "text").write_text("\n".join(t for t in TEXTS if "\n" not in t))
    sentencepiece.SentencePieceTrainer.train(input=f"{folder}/text", model_prefix=f"{folder}/m", vocab_size=600, hard_vocab_limit=False,
                                             normalization_rule_tsv=f"{folder}/rules.tsv", minloglevel=2)
    proto = sentencepiece_model_pb2.ModelProto()
    proto.ParseFromString(pathlib.Path(f"{folder}/m.model").read_bytes())
charsmap = proto.normalizer_spec.precompiled_charsmap

# ---- the tokenizers ----
cases = []
def case(name, t, extra=(), special=False):
    cases.append((name, t, list(extra), special))

forms = {"NFC": norm.NFC(), "NFD": norm.NFD(), "NFKC": norm.NFKC(), "NFKD": norm.NFKD(), "Lowercase": norm.Lowercase(), "StripAccents": norm.StripAccents(),
         "Nmt": norm.Nmt(), "Strip": norm.Strip(),
         "Strip left": norm.Strip(left=True, right=False), "Strip right": norm.Strip(left=False, right=True), "Prepend": norm.Prepend("\u2581>"),
         "Replace": norm.Replace("ab", "<->"), "Replace one": norm.Replace(" ", "\u2581"), "Replace nothing": norm.Replace("", "x"),
         "Replace regex": norm.Replace(Regex(r"\s+|(?<=l)l"), "_"), "Replace empty match": norm.Replace(Regex(r"x*"), "-"), "ByteLevel": norm.ByteLevel(),
         "BertNormalizer": norm.BertNormalizer(), "Bert cased": norm.BertNormalizer(lowercase=False),
         "Bert bare": norm.BertNormalizer(clean_text=False, handle_chinese_chars=False, strip_accents=True, lowercase=False),
         "Bert accents": norm.BertNormalizer(strip_accents=False), "Sequence": norm.Sequence([norm.NFKD(), norm.StripAccents(), norm.Lowercase(),
                                                                                              norm.Replace(Regex(" {2,}"), " "), norm.Strip()]),
                                                                                              "Precompiled": norm.Precompiled(charsmap)}
for name, n in forms.items():
    case("normalizer " + name, cold(bytes_model(), normalizer=n))

cuts = {"WhitespaceSplit": pre.WhitespaceSplit(), "Whitespace": pre.Whitespace(), "BertPreTokenizer": pre.BertPreTokenizer(), "Digits": pre.Digits(),
        "Digits one": pre.Digits(individual_digits=True), "CharDelimiterSplit": pre.CharDelimiterSplit("a"),
        "Metaspace": pre.Metaspace(), "Metaspace first": pre.Metaspace(prepend_scheme="first"), "Metaspace never": pre.Metaspace(prepend_scheme="never"),
        "Metaspace whole": pre.Metaspace(split=False), "Split word": pre.Split(Regex(r"\w+"), "isolated"), "Split space": pre.Split(Regex(r"\s+"), "isolated"),
        "Split before capitals": pre.Split(Regex(r"(?<=\p{Ll})(?=\p{Lu})|(?=\d)"), "isolated"),
        "Split anywhere": pre.Split(Regex("l*"), "merged_with_previous"),
        "Split posix": pre.Split(Regex(r"[[:alpha:]]+|[[:punct:]a]|[[:space:]]{2}|[^[:alnum:][:blank:]]+"), "isolated"),
        "Split nothing": pre.Split("", "isolated"), "Split lines": pre.Split(Regex(r"^.|.$|\n$"), "isolated"),
        "Split digits": pre.Split(Regex(r"\d\D"), "merged_with_next"), "Split case": pre.Split(Regex("(?i)h|k|s"), "removed"),
        "Metaspace other": pre.Metaspace(replacement="_"), "ByteLevel": pre.ByteLevel(),
        "ByteLevel bare": pre.ByteLevel(add_prefix_space=False, use_regex=False),
        "Sequence": pre.Sequence([pre.Split(" ", "merged_with_next"), pre.Punctuation("removed"), pre.Digits(),
                                  pre.Split(Regex("[aeiou]+"), "merged_with_previous")])}
for how in ("isolated", "removed", "merged_with_previous", "merged_with_next", "contiguous"):
    cuts["Punctuation " + how] = pre.Punctuation(how)
    cuts["Split string " + how] = pre.Split("l", how)
    cuts["Split word " + how] = pre.Split("the", how)
    cuts["Split regex " + how] = pre.Split(Regex(r"\s|\p{N}+|(?i:the)"), how)
    cuts["Split inverted " + how] = pre.Split(Regex(r"\w+|[^\w\s]+"), how, invert=True)
for name, p in cuts.items():
    case("pre-tokenizer " + name, cold(across_model(spaces="\u2581" if "Metaspace" in name else "\u0120" if "ByteLevel" in name else " "), pre_tokenizer=p))

case("bpe gpt2", cold(level_model(), pre_tokenizer=pre.ByteLevel(), decoder=dec.ByteLevel(), post_processor=post.ByteLevel()))
case("bpe nfkc lower", cold(level_model(), normalizer=norm.Sequence([norm.NFKC(), norm.Lowercase()]), pre_tokenizer=pre.ByteLevel(add_prefix_space=False),
                            decoder=dec.ByteLevel()))
case("bpe byte normalizer", cold(level_model(), normalizer=norm.ByteLevel(), decoder=dec.ByteLevel()))
LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
t = cold(level_model(ignore_merges=True), pre_tokenizer=pre.Sequence([pre.Split(Regex(LLAMA3), "isolated"), pre.ByteLevel(add_prefix_space=False,
        use_regex=False)]), decoder=dec.ByteLevel())
t.add_special_tokens(["<s>", "</s>", AddedToken("<|a|>", special=True)])
t.post_processor = post.Sequence([post.ByteLevel(trim_offsets=False), post.TemplateProcessing(single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>",
        t.token_to_id("<s>"))])])
case("bpe llama3", t, ADDED_TEXTS, True)
t = cold(level_model(), pre_tokenizer=pre.ByteLevel(add_prefix_space=False), decoder=dec.ByteLevel())
t.add_special_tokens(["<s>", "</s>", AddedToken("<mask>", lstrip=True, special=True)])
t.post_processor = post.RobertaProcessing(("</s>", t.token_to_id("</s>")), ("<s>", t.token_to_id("<s>")))
case("bpe roberta", t, ADDED_TEXTS, True)
case("bpe falcon", cold(level_model(), pre_tokenizer=pre.Sequence([pre.Punctuation("contiguous"), pre.ByteLevel(add_prefix_space=False), pre.Digits(),
                                                                   pre.Split(Regex("[0-9][0-9][0-9]"), "isolated")]), decoder=dec.ByteLevel()))
few = {w: i for i, w in enumerate(w for w in sorted(level["vocab"], key=level["vocab"].get) if not set("xyz\u00c3\u00e2") & set(w))}
few["<unk>"] = len(few)
few_merges = [tuple(m) for m in level["merges"] if m[0] in few and m[1] in few and m[0] + m[1] in few]
case("bpe bytes missing", cold(models.BPE(vocab=few, merges=few_merges), pre_tokenizer=pre.ByteLevel(add_prefix_space=False), decoder=dec.ByteLevel()))
case("bpe bytes missing, unknown", cold(models.BPE(vocab=few, merges=few_merges, unk_token="<unk>"), pre_tokenizer=pre.ByteLevel(add_prefix_space=False),
                                        decoder=dec.ByteLevel()))
case("bpe bytes missing, unknown fused", cold(models.BPE(vocab=few, merges=few_merges, unk_token="<unk>", fuse_unk=True),
                                              pre_tokenizer=pre.ByteLevel(add_prefix_space=False), decoder=dec.ByteLevel()))

llama_decoder = dec.Sequence([dec.Replace("\u2581", " "), dec.ByteFallback(), dec.Fuse(), dec.Strip(" ", 1, 0)])
t = cold(plain_model(fallback=True, fuse_unk=True), normalizer=norm.Sequence([norm.Prepend("\u2581"), norm.Replace(" ", "\u2581")]), decoder=llama_decoder)
t.add_special_tokens(["<unk>", "<s>", "</s>"])
t.post_processor = post.TemplateProcessing(single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", 1)])
case("bpe llama2", t, ADDED_TEXTS, True)
t = cold(plain_model(fallback=True), normalizer=norm.Replace(" ", "\u2581"), pre_tokenizer=pre.Split(" ", "merged_with_previous"),
         decoder=dec.Sequence([dec.Replace("\u2581", " "), dec.ByteFallback(), dec.Fuse()]))
t.add_special_tokens(["<s>", "</s>"])
t.post_processor = post.TemplateProcessing(single="<s> $A </s>", pair="<s> $A <s> $B", special_tokens=[("<s>", 1), ("</s>", 2)])
case("bpe gemma", t, ADDED_TEXTS, True)
for scheme in ("always", "first", "never"):
    t = cold(plain_model(), pre_tokenizer=pre.Metaspace(prepend_scheme=scheme, split=scheme != "first"), decoder=dec.Metaspace(prepend_scheme=scheme))
    t.add_tokens(["<|a|>", "<|b|>"])
    case("bpe metaspace " + scheme, t, ADDED_TEXTS)
for fuse in (False, True):
    case("bpe unknown" + " fused" * fuse, cold(plain_model(fuse_unk=fuse), pre_tokenizer=pre.Metaspace(), decoder=dec.Metaspace()))
    case("bpe nothing for unknown" + " fused" * fuse, cold(plain_model(unk=False, fuse_unk=fuse), pre_tokenizer=pre.Metaspace(), decoder=dec.Metaspace()))
    case("bpe suffix" + " fused" * fuse, cold(models.BPE(vocab=suffixed["vocab"], merges=[tuple(m) for m in suffixed["merges"]], unk_token="<unk>",
                                                         end_of_word_suffix="</w>", fuse_unk=fuse),
                                             normalizer=norm.Lowercase(), pre_tokenizer=pre.BertPreTokenizer(), decoder=dec.BPEDecoder("</w>")))
    case("bpe prefix" + " fused" * fuse, cold(models.BPE(vocab=prefixed["vocab"], merges=[tuple(m) for m in prefixed["merges"]], unk_token="[UNK]",
                                                         continuing_subword_prefix="##", fuse_unk=fuse),
                                             pre_tokenizer=pre.Whitespace(), decoder=dec.WordPiece("##")))
case("bpe without decoder", cold(plain_model(), pre_tokenizer=pre.Metaspace()))

t = cold(pieces_model(), normalizer=norm.BertNormalizer(), pre_tokenizer=pre.BertPreTokenizer(), decoder=dec.WordPiece("##"))
t.add_special_tokens(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"])
t.post_processor = post.TemplateProcessing(single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
case("wordpiece bert", t, ADDED_TEXTS, True)
t = cold(pieces_model(max_input_chars_per_word=7), normalizer=norm.BertNormalizer(lowercase=False), pre_tokenizer=pre.BertPreTokenizer(),
         decoder=dec.WordPiece("##", cleanup=False), post_processor=post.BertProcessing(("[SEP]", 3), ("[CLS]", 2)))
case("wordpiece short words", t, special=True)
case("wordpiece whole text", cold(pieces_model(max_input_chars_per_word=1000), pre_tokenizer=pre.WhitespaceSplit()))

t = cold(unigram_model(), normalizer=norm.Sequence([norm.Replace("``", '"'), norm.NFKD(), norm.StripAccents(), norm.Lowercase(), norm.Precompiled(charsmap)]),
         pre_tokenizer=pre.Sequence([pre.WhitespaceSplit(), pre.Metaspace()]), decoder=dec.Metaspace())
t.add_special_tokens(["<s>", "<pad>", "</s>", "<unk>", AddedToken("<mask>", lstrip=True, special=True)])
t.post_processor = post.TemplateProcessing(single="<s> $A </s>", pair="<s> $A </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)])
case("unigram albert", t, ADDED_TEXTS, True)
case("unigram plain", cold(unigram_model(), pre_tokenizer=pre.Metaspace(), decoder=dec.Metaspace()))
case("unigram uncut", cold(unigram_model(), normalizer=norm.Sequence([norm.Prepend("\u2581"), norm.Replace(" ", "\u2581")])))
case("unigram bytes", cold(unigram_model(fallback=True), pre_tokenizer=pre.Metaspace(), decoder=dec.Sequence([dec.ByteFallback(), dec.Metaspace()])))

# ---- added tokens ----
for n, m in [(None, level_model()), (norm.Lowercase(), level_model()), (norm.NFC(), level_model()), (None, bytes_model()), (norm.NFC(), bytes_model())]:
    for kind in ("special", "not special"):
        special = kind == "special"
        t = cold(m, **({"normalizer": n} if n else {}))
        if not m.byte_fallback:
            t.pre_tokenizer, t.decoder = pre.ByteLevel(add_prefix_space=False), dec.ByteLevel()
        tokens = [AddedToken("<|a|>", special=special), AddedToken("<|b|>", lstrip=True, rstrip=True, special=special), AddedToken("one", single_word=True,
                special=special), AddedToken("two", rstrip=True, special=special),
                  AddedToken("Three", normalized=True, special=special), AddedToken("three", normalized=False, special=special), AddedToken("\u017elu\u0165",
                          normalized=True, special=special), AddedToken("<mask>", lstrip=True, special=special),
                  AddedToken("new york", single_word=True, lstrip=True, normalized=True, special=special), AddedToken("the", normalized=False, special=special)]
        (t.add_special_tokens if special else t.add_tokens)(tokens)
        case(f"added {kind} {type(n).__name__ if n else 'plain'}{' to bytes' * m.byte_fallback}", t, ADDED_TEXTS)

# ---- out ----
rows = [{"texts": TEXTS, "added": ADDED_TEXTS}]
for name, t, extra, special in cases:
    all_texts = extra + TEXTS
    row = {"name": name, "tokenizer": json.loads(t.to_str()), "n_added": len(extra)}
    ids = [t.encode(x, add_special_tokens=False).ids for x in all_texts]
    row["ids"] = ids
    if "Lowercase" not in name or not extra: # there the library gives the text of an added token as it is after normalizing
        row["decoded"] = [t.decode(i, skip_special_tokens=False) for i in ids]
    if extra or special:
        part = all_texts[:60]
        row["around"] = [t.encode(x).ids for x in part]
        if "decoded" in row:
            row["around_decoded"] = [t.decode(i) for i in row["around"]]
        if not name.startswith("unigram"): # there the library finds special tokens even in letters
            t.encode_special_tokens = True
            row["letters"] = [t.encode(x, add_special_tokens=False).ids for x in part]
    rows.append(row)
    print(f"{name}: {sum(map(len, ids))} ids")
text = "".join(json.dumps(r, ensure_ascii=False, separators=(",", ":")) + "\n" for r in rows)
subprocess.run(["zstd", "-q", "-19", "--long=23", "-f", "-o", here / "cases.jsonl.zst"], input=text.encode("utf-8"), check=True)
print(len(cases), "tokenizers,", len(text), "bytes")
