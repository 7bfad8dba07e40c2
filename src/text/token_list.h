/* A list of tokens (golgi/tokenizer.h) that grows by one: while text is encoded, and while a model writes. */
#ifndef GG_TEXT_TOKEN_LIST_H
#define GG_TEXT_TOKEN_LIST_H
#include <golgi/tokenizer.h>

gg_status gg__token_list_add(gg_token_list *l, gg_context *ctx, int32_t id);
#endif
