/* One piece of work on a thread of its own, while the caller goes on: what is needed in the end and not at the beginning. */
#ifndef GG_BASE_BESIDE_H
#define GG_BASE_BESIDE_H
#include <golgi/base.h>

typedef struct gg_beside gg_beside;

/* Starts body(user). Where the system gives no thread it is done by gg_beside_end. user lives until then. GG_ENOMEM. */
gg_status gg_beside_start(gg_beside **out, gg_context *ctx, gg_status (*body)(void *user), void *user);
/* Waits for it: its failure, with its message. Frees b. */
gg_status gg_beside_end(gg_beside *b);
/* Nobody wants it any more: it is told so, waited for and freed. NULL is fine. */
void gg_beside_drop(gg_beside *b);
/* Inside a body: was it dropped? To be asked now and then by what takes long. False anywhere else. */
bool gg_beside_unwanted(void);
#endif
