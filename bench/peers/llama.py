"""llama.cpp's prefill: python llama.py MODEL.gguf DOCUMENTS.jsonl THREADS

The first 120 tokens of each document through llama.cpp, without special ones, and nothing else: no features, logits of the last token alone.
One document a call, and four in one batch of 480. Prints lines "NAME DOCUMENTS TOKENS SECONDS CPU-SECONDS"; the model is
loaded, and a call was made, before the clock starts."""
import json
import sys
import time
import llama_cpp

model, documents, threads = sys.argv[1:]
TOKENS = 120
docs = [json.loads(line)["doc"].encode() for line in open(documents)]
net = llama_cpp.Llama(model_path=model, n_ctx=128, verbose=False)
params = llama_cpp.llama_context_default_params()
params.n_ctx = params.n_batch = params.n_ubatch = 4 * 128
params.n_seq_max = 4
params.n_threads = params.n_threads_batch = int(threads)
context = llama_cpp.llama_init_from_model(net.model, params)
memory = llama_cpp.llama_get_memory(context)


def prefill(texts, batch):
    """Documents side by side, each a sequence of its own; how many tokens."""
    llama_cpp.llama_memory_clear(memory, False)
    n = 0
    for s, text in enumerate(texts):
        ids = net.tokenize(text, add_bos=False, special=False)[:TOKENS]
        for t, token in enumerate(ids):
            batch.token[n], batch.pos[n], batch.n_seq_id[n], batch.logits[n] = token, t, 1, t + 1 == len(ids)
            batch.seq_id[n][0] = s
            n += 1
    batch.n_tokens = n
    if llama_cpp.llama_decode(context, batch) != 0:
        sys.exit("llama_decode failed")
    llama_cpp.llama_synchronize(context)
    return n


batch = llama_cpp.llama_batch_init(4 * TOKENS, 0, 4)
for size in (1, 4):
    prefill(docs[:size], batch)
    start, cpu = time.perf_counter(), time.process_time()
    tokens = sum(prefill(docs[i:i + size], batch) for i in range(0, len(docs), size))
    print(f"llama.cpp-{size}", len(docs), tokens, time.perf_counter() - start, time.process_time() - cpu, flush=True)
llama_cpp.llama_batch_free(batch)
llama_cpp.llama_free(context)
