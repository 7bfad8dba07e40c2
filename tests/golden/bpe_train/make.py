#!/usr/bin/env python3
"""A byte-level BPE vocabulary trained by Hugging Face's tokenizers (0.22) on the example targets: python make.py, from the root of the tree."""
import json
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

texts = [json.loads(line)["doc"] for name in ("scripture", "pycode") for line in open(f"examples/target-{name}.jsonl", encoding="utf-8")]
texts += ["naïve café — 漢字 漢字 漢字 😀😀 😀", "aaaaaaaaaaa aaaa aaa aaaaaa", "\t\tif x:\n\n\n        y\r\n"] * 3
t = Tokenizer(models.BPE())
t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
t.decoder = decoders.ByteLevel()
t.train_from_iterator(texts, trainers.BpeTrainer(vocab_size=700, min_frequency=2, special_tokens=["<|endoftext|>"],
                                                 initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
merges = json.loads(t.to_str())["model"]["merges"]
sample = [t.encode(x).ids for x in texts[:4]]
json.dump({"texts": texts, "merges": merges, "n_vocab": t.get_vocab_size(), "ids": sample}, open("tests/golden/bpe_train/expected.json", "w"), indent=0)
