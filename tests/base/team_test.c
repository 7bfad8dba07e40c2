/* Threads that stay: every piece once, no allocation, sleep and wake. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdatomic.h>
#include <unistd.h>
#include "base/team.h"

enum { PIECES = 1000 };
static atomic_int seen[PIECES], workers;

static void count(void *user, int64_t piece, int worker)
{
    atomic_fetch_add(&seen[piece], 1);
    if (worker < 0 || worker >= gg_team_threads(user))
        atomic_fetch_add(&seen[piece], 100);
    atomic_fetch_or(&workers, 1 << worker);
}

static void every_piece_is_done_once_however_many_threads(void **state)
{
    (void)state;
    gg_context *ctx = NULL;
    assert_int_equal(gg_context_create(&ctx, NULL), GG_OK);
    for (int threads = 1; threads <= 5; threads += 2) {
        gg_team *t = NULL;
        assert_int_equal(gg_team_create(&t, ctx, threads), GG_OK);
        assert_int_equal(gg_team_threads(t), threads);
        const int64_t before = gg_context_allocations(ctx);
        for (int round = 1; round <= 300; round++) {
            gg_team_run(t, round % 7 * (PIECES / 7), count, t);
            if (round % 100 == 0)
                usleep(5000); /* the others fall asleep */
        }
        assert_int_equal(gg_context_allocations(ctx), before);
        gg_team_free(t);
        for (int64_t i = 0; i < PIECES; i++) {
            int want = 0;
            for (int round = 1; round <= 300; round++)
                want += i < round % 7 * (PIECES / 7);
            assert_int_equal(atomic_exchange(&seen[i], 0), want);
        }
    }
    gg_team_free(NULL);
    assert_int_equal(gg_context_bytes(ctx, NULL), 0);
    gg_context_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_piece_is_done_once_however_many_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
