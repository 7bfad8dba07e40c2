/* One writer at a time: a lock beside an output that takes long to make. */
#ifndef GG_BASE_LOCK_H
#define GG_BASE_LOCK_H
#include <golgi/base.h>

/* PATH.lock holds the holder's process, host and time while the work goes on. GG_EBUSY names that holder. The lock of a process that died
 * without a word is taken over. Outputs that are not files ("-", devices, pipes) need none: *out = NULL. */
typedef struct gg_lock gg_lock;
gg_status gg_lock_take(gg_lock **out, gg_context *ctx, const char *path);
void gg_lock_free(gg_lock *l); /* removes the file; NULL is fine */

/* Removes what writers that died left of the output: temporaries (.NAME.tmp) that no process holds. For the holder of its lock. */
void gg_lock_sweep(gg_context *ctx, const char *path);
/* The same for every output of a folder. */
void gg_lock_sweep_folder(gg_context *ctx, const char *folder);
#endif
