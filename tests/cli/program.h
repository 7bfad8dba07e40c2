/* Runs the program as a person would and keeps what it said: what all tests of the program share. */
#ifndef GG_TESTS_PROGRAM_H
#define GG_TESTS_PROGRAM_H
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define TINY "tests/golden/tinygguf/tiny.gguf"

struct said {
    int code;         /* exit code; 128 + signal when killed */
    char out[1 << 16];
    char err[1 << 16];
};

static inline void slurp(char *text, size_t n, const char *path)
{
    FILE *f = fopen(path, "rb");
    size_t got = f ? fread(text, 1, n - 1, f) : 0;
    text[got] = 0;
    if (f)
        fclose(f);
}

/* The program under test is $GOLGI (tests/run sets it), or stands beside the tests' own folder: build/tests/... -> build/golgi. */
static inline const char *golgi(void)
{
    static char path[4096];
    const char *given = getenv("GOLGI");
    if (!path[0] && given)
        snprintf(path, sizeof path, "%s", given);
    if (!path[0]) {
        const ssize_t n = readlink("/proc/self/exe", path, sizeof path - 16);
        path[n > 0 ? n : 0] = 0;
        char *cut = strstr(path, "/tests/cli/");
        snprintf(cut ? cut : path, 8, "/golgi");
    }
    return path;
}

/* Runs a line of the shell in which $D is the folder, $G the program and $M the tiny model. */
static inline void run_line(struct said *s, const char *dir, const char *words)
{
    char line[16384];
    snprintf(line, sizeof line, "D=%s; G=%s; M=" TINY "; { %s; } >%s/.out 2>%s/.err </dev/null", dir, golgi(), words, dir, dir);
    signal(SIGINT, SIG_DFL); /* a shell's background jobs ignore it, and what they start does */
    const int state = system(line);
    s->code = WIFEXITED(state) ? WEXITSTATUS(state) : 128 + WTERMSIG(state);
    char path[4200];
    snprintf(path, sizeof path, "%s/.out", dir);
    slurp(s->out, sizeof s->out, path);
    snprintf(path, sizeof path, "%s/.err", dir);
    slurp(s->err, sizeof s->err, path);
}

/* Runs the program with these words; dir is the folder that relative paths ("$D/...") mean. */
static inline void run(struct said *s, const char *dir, const char *words)
{
    char line[8192];
    snprintf(line, sizeof line, "$G %s", words);
    run_line(s, dir, line);
}

static inline void put_file(const char *dir, const char *name, const void *data, size_t n)
{
    char path[4200];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(data, 1, n, f) != n || fclose(f))
        abort();
}

static inline void put_text(const char *dir, const char *name, const char *text)
{
    put_file(dir, name, text, strlen(text));
}

static inline bool present(const char *dir, const char *name)
{
    char path[4200];
    struct stat st;
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return stat(path, &st) == 0;
}

/* A fresh folder, removed by remove_folder. */
static inline char *make_folder(void)
{
    static char dir[] = "/tmp/golgi-test-XXXXXX";
    strcpy(dir + sizeof dir - 7, "XXXXXX");
    return mkdtemp(dir);
}

/* The same where nothing is written to a disk, for tests that write thousands of files; in /tmp where there is no such place. */
static inline char *make_folder_in_memory(void)
{
    static char dir[] = "/dev/shm/golgi-test-XXXXXX";
    strcpy(dir + sizeof dir - 7, "XXXXXX");
    return mkdtemp(dir) ? dir : make_folder();
}

static inline void remove_folder(const char *dir)
{
    char line[4200];
    snprintf(line, sizeof line, "chmod -R u+w %s; rm -rf %s", dir, dir);
    if (system(line))
        abort();
}
static char *D;       /* the folder of this test */
static struct said s; /* what was said last */

static inline int prepare_folder(void **state)
{
    (void)state;
    D = make_folder();
    return 0;
}

static inline int tidy(void **state)
{
    (void)state;
    remove_folder(D);
    return 0;
}

/* The program with these words, or a line of the shell, which must succeed. */
static inline void must(const char *words)
{
    run(&s, D, words);
    if (s.code)
        fail_msg("golgi %s: exit %d: %s", words, s.code, s.err);
}

static inline void shell(const char *line)
{
    run_line(&s, D, line);
    if (s.code)
        fail_msg("%s: exit %d: %s", line, s.code, s.err);
}

/* What a run that succeeded said. */
static inline json_t *json_said(void)
{
    json_error_t e;
    json_t *j = json_loads(s.out, 0, &e);
    if (s.code || !j)
        fail_msg("exit %d: %s\n%.600s\n%.600s", s.code, e.text, s.out, s.err);
    return j;
}

static inline json_t *must_json(const char *words)
{
    must(words);
    return json_said();
}

static inline bool same_file(const char *a, const char *b)
{
    char line[12800];
    snprintf(line, sizeof line, "cmp -s %s/%s %s/%s", D, a, D, b);
    return system(line) == 0;
}
#endif
