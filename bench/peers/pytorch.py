"""NAG's features with PyTorch: python pytorch.py published|hooks-f32|hooks-bf16 MODEL.gguf DOCUMENTS.jsonl OUTPUT.jsonl THREADS

published    what the published extraction does, written anew: the whole causal model in float32 with its head, eager attention, batches of 8
             padded on the left
hooks-*      the best that PyTorch does with little effort: no head, no cache, its fused attention, batches of 8, 16 and 32

All: the first 120 tokens, no special ones; mean |up| over a document's tokens by a hook, ten largest of each layer, a line of JSON a document. Prints lines
"NAME DOCUMENTS TOKENS SECONDS CPU-SECONDS"; the model is loaded, and a batch was run, before the clock starts."""
import json
import os
import sys
import time
import torch
import transformers

how, model, documents, output, threads = sys.argv[1:]
TOKENS, K = 120, 10
torch.set_num_threads(int(threads))
transformers.utils.logging.set_verbosity_error()
transformers.utils.logging.disable_progress_bar()
folder, name = os.path.split(os.path.abspath(model))
dtype = torch.bfloat16 if how == "hooks-bf16" else torch.float32
tokenizer = transformers.AutoTokenizer.from_pretrained(folder, gguf_file=name)
attention = "eager" if how == "published" else "sdpa"
net = transformers.AutoModelForCausalLM.from_pretrained(folder, gguf_file=name, torch_dtype=dtype, attn_implementation=attention).eval()
tokenizer.padding_side = "left"
if tokenizer.pad_token is None:
    tokenizer.pad_token = tokenizer.eos_token
docs = [json.loads(line) for line in open(documents)]

mask, found = None, []


def hook(module, inputs, y):
    m = mask[:, :, None].to(y.dtype)
    found.append(((y.abs() * m).sum(1) / m.sum(1).clamp(min=1e-6)).float().topk(K).indices)


for layer in net.model.layers:
    layer.mlp.up_proj.register_forward_hook(hook)
run = (lambda x: net(**x)) if how == "published" else (lambda x: net.model(**x, use_cache=False))


def features(batch):
    """Lists of the batch's neurons and its tokens."""
    global mask
    x = tokenizer([d["doc"] for d in batch], add_special_tokens=False, truncation=True, max_length=TOKENS, padding=True, return_tensors="pt")
    x = {k: x[k] for k in ("input_ids", "attention_mask")}
    mask = x["attention_mask"]
    found.clear()
    run(x)
    return torch.stack(found, 1).flatten(1).tolist(), int(mask.sum())


with torch.inference_mode():
    for size in (8,) if how == "published" else (8, 16, 32):
        features(docs[:size])
        tokens, start, cpu = 0, time.perf_counter(), time.process_time()
        with open(output, "w") as out:
            for i in range(0, len(docs), size):
                lists, n = features(docs[i:i + size])
                tokens += n
                for d, f in zip(docs[i:i + size], lists):
                    out.write(json.dumps({"docid": d["docid"], "up_feature": {"layer_topk_value_index": f}}) + "\n")
        name = "published" if how == "published" else f"{how}-{size}"
        print(name, len(docs), tokens, time.perf_counter() - start, time.process_time() - cpu, flush=True)
