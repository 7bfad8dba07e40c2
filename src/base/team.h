/* A team: threads that stay, for work handed out thousands of times a second without allocating. (gg_parallel starts its threads anew
 * and suits work of milliseconds.) One caller at a time. */
#ifndef GG_BASE_TEAM_H
#define GG_BASE_TEAM_H
#include <golgi/base.h>

typedef struct gg_team gg_team;

/* n_threads >= 1, the calling thread included. Fewer if the system gives no more. GG_ENOMEM. */
gg_status gg_team_create(gg_team **out, gg_context *ctx, int n_threads);
void gg_team_free(gg_team *t); /* NULL is fine */
int gg_team_threads(const gg_team *t);

/* body(user, piece, worker) once for each piece in [0, n), any order; comes back when all are done. worker < gg_team_threads.
 * A piece must not depend on which worker does it. With one thread, or one piece, it is a plain loop. */
typedef void (*gg_piece)(void *user, int64_t piece, int worker);
void gg_team_run(gg_team *t, int64_t n, gg_piece body, void *user);
#endif
