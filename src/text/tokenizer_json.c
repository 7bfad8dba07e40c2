#include "text/text.h"
gg_status gg__tokenizer_from_json(gg_tokenizer *t, const char *path) { return gg_fail(t->ctx, GG_EUNSUPPORTED, "%s: tokenizer.json is not read", path); }
