/* Chromium without a window, driven as its developer tools drive it: JSON messages, each ended by NUL, over two pipes (descriptors 3 and 4 of the
 * browser). What the page complains about and what it asks the network for is counted as it comes. */
#ifndef GG_TESTS_CHROMIUM_H
#define GG_TESTS_CHROMIUM_H
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <time.h>
#include "plot/support.h"

typedef struct browser {
    pid_t pid;
    int to, from;
    int64_t id;             /* of the last message sent */
    const char *page;       /* session of the one page */
    json_t *keeps_page;
    char *text;             /* what has come and is not read yet */
    size_t n, cap;
    char complaints[8192];  /* errors and warnings of the page, a line each */
    int n_requests;         /* of the page since it was last opened, its own file and pictures within it aside */
    bool loaded;
} browser;

enum { SECONDS = 60 };

static inline double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static inline const char *chromium_name(void)
{
    static const char *const names[] = {"chromium", "chromium-browser", "google-chrome"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (have(names[i]))
            return names[i];
    return NULL;
}

static inline void complain(browser *b, const char *what, const char *text)
{
    const size_t n = strlen(b->complaints);
    snprintf(b->complaints + n, sizeof b->complaints - n, "%s: %s\n", what, text ? text : "?");
}

static inline void note(browser *b, const json_t *message)
{
    const char *method = json_string_value(json_object_get(message, "method"));
    const json_t *p = json_object_get(message, "params");
    if (!method)
        return;
    if (strcmp(method, "Page.loadEventFired") == 0)
        b->loaded = true;
    if (strcmp(method, "Network.requestWillBeSent") == 0 && strcmp(json_string_value(json_object_get(p, "type")), "Document") != 0) {
        const char *url = json_string_value(json_object_get(json_object_get(p, "request"), "url"));
        if (strncmp(url, "data:", 5) != 0) {
            b->n_requests++;
            complain(b, "request", url);
        }
    }
    if (strcmp(method, "Runtime.exceptionThrown") == 0)
        complain(b, "exception", json_string_value(json_object_get(json_object_get(json_object_get(p, "exceptionDetails"), "exception"), "description")));
    if (strcmp(method, "Runtime.consoleAPICalled") == 0) {
        const char *type = json_string_value(json_object_get(p, "type"));
        if (strcmp(type, "error") == 0 || strcmp(type, "warning") == 0 || strcmp(type, "assert") == 0)
            complain(b, type, json_string_value(json_object_get(json_array_get(json_object_get(p, "args"), 0), "value")));
    }
    if (strcmp(method, "Log.entryAdded") == 0) {
        const json_t *entry = json_object_get(p, "entry");
        const char *level = json_string_value(json_object_get(entry, "level"));
        if (strcmp(level, "error") == 0 || strcmp(level, "warning") == 0)
            complain(b, level, json_string_value(json_object_get(entry, "text")));
    }
}

/* The next message; NULL when none came in time or the browser is gone. */
static inline json_t *next_message(browser *b, double until)
{
    for (;;) {
        char *end = b->n ? memchr(b->text, 0, b->n) : NULL;
        if (end) {
            json_t *message = json_loads(b->text, 0, NULL);
            const size_t used = (size_t)(end - b->text) + 1;
            memmove(b->text, b->text + used, b->n -= used);
            return message;
        }
        struct pollfd p = {.fd = b->from, .events = POLLIN};
        const double left = until - now();
        if (left <= 0 || poll(&p, 1, (int)(1000 * left) + 1) <= 0)
            return NULL;
        if (b->cap - b->n < 65536)
            b->text = realloc(b->text, b->cap = 2 * b->cap + 65536);
        const ssize_t got = read(b->from, b->text + b->n, b->cap - b->n);
        if (got <= 0)
            return NULL;
        b->n += (size_t)got;
    }
}

/* Sends a command (to the page, once there is one) and waits for its result, which the caller drops. parameters is taken over. */
static inline json_t *command(browser *b, const char *method, json_t *parameters)
{
    json_t *message = json_pack("{s:I, s:s, s:o}", "id", (json_int_t)++b->id, "method", method, "params", parameters ? parameters : json_object());
    if (b->page)
        json_object_set_new(message, "sessionId", json_string(b->page));
    char *text = json_dumps(message, JSON_COMPACT);
    json_decref(message);
    const size_t n = strlen(text) + 1;
    for (size_t put = 0; put < n;) {
        const ssize_t w = write(b->to, text + put, n - put);
        if (w <= 0)
            fail_msg("%s: the browser is gone", method);
        put += (size_t)w;
    }
    free(text);
    const double until = now() + SECONDS;
    for (json_t *m; (m = next_message(b, until)) != NULL; json_decref(m)) {
        note(b, m);
        const json_t *id = json_object_get(m, "id");
        if (!id || json_integer_value(id) != b->id)
            continue;
        const json_t *error = json_object_get(m, "error");
        if (error)
            fail_msg("%s: %s", method, json_string_value(json_object_get(error, "message")));
        json_t *result = json_incref(json_object_get(m, "result"));
        json_decref(m);
        return result;
    }
    fail_msg("%s: no answer within %d seconds", method, SECONDS);
    return NULL;
}

static inline void order(browser *b, const char *method, json_t *parameters)
{
    json_decref(command(b, method, parameters));
}

/* Reads what comes for some seconds. */
static inline void listen_for(browser *b, double seconds)
{
    const double until = now() + seconds;
    for (json_t *m; (m = next_message(b, until)) != NULL; json_decref(m))
        note(b, m);
}

/* False: it could not be started. profile: a folder for its files. */
static inline bool browser_start(browser *b, const char *profile)
{
    *b = (browser){.pid = -1};
    char folder_option[200];
    snprintf(folder_option, sizeof folder_option, "--user-data-dir=%s", profile);
    const char *const argv[] = {chromium_name(), "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
                                "--disable-extensions", "--disable-background-networking", "--disable-component-update", "--force-color-profile=srgb",
                                "--remote-debugging-pipe", folder_option, "about:blank", NULL};
    int down[2], up[2];
    assert_int_equal(pipe2(down, O_CLOEXEC), 0);
    assert_int_equal(pipe2(up, O_CLOEXEC), 0);
    const int in_3 = fcntl(down[0], F_DUPFD_CLOEXEC, 10), out_4 = fcntl(up[1], F_DUPFD_CLOEXEC, 10); /* out of the way of 3 and 4 */
    close(down[0]);
    close(up[1]);
    b->to = fcntl(down[1], F_DUPFD_CLOEXEC, 10);
    b->from = fcntl(up[0], F_DUPFD_CLOEXEC, 10);
    close(down[1]);
    close(up[0]);
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_adddup2(&files, in_3, 3);
    posix_spawn_file_actions_adddup2(&files, out_4, 4);
    posix_spawn_file_actions_addopen(&files, 2, "/dev/null", O_WRONLY, 0); /* it talks about buses and graphics cards */
    signal(SIGPIPE, SIG_IGN);
    extern char **environ;
    const int error = posix_spawnp(&b->pid, argv[0], &files, NULL, (char *const *)argv, environ);
    posix_spawn_file_actions_destroy(&files);
    close(in_3);
    close(out_4);
    if (error)
        return false;
    json_t *target = command(b, "Target.createTarget", json_pack("{s:s}", "url", "about:blank"));
    b->keeps_page = command(b, "Target.attachToTarget", json_pack("{s:O, s:b}", "targetId", json_object_get(target, "targetId"), "flatten", 1));
    json_decref(target);
    b->page = json_string_value(json_object_get(b->keeps_page, "sessionId"));
    static const char *const domains[] = {"Page.enable", "Runtime.enable", "Log.enable", "Network.enable"};
    for (size_t i = 0; i < sizeof domains / sizeof *domains; i++)
        order(b, domains[i], NULL);
    return true;
}

static inline void browser_end(browser *b)
{
    if (b->pid > 0) {
        close(b->to); /* a browser whose pipe is closed ends */
        int status;
        for (int i = 0; i < 100 && waitpid(b->pid, &status, WNOHANG) == 0; i++)
            usleep(100000);
        kill(b->pid, SIGKILL);
        waitpid(b->pid, &status, 0);
    }
    close(b->from);
    json_decref(b->keeps_page);
    free(b->text);
    *b = (browser){.pid = -1};
}

/* Opens a file in a window of that size. scheme: "light" or "dark"; media: "" (screen) or "print". */
static inline void open_page(browser *b, const char *path, int width, int height, const char *scheme, const char *media)
{
    char url[512];
    snprintf(url, sizeof url, "file://%s", path);
    b->complaints[0] = 0;
    b->n_requests = 0;
    b->loaded = false;
    order(b, "Emulation.setDeviceMetricsOverride",
          json_pack("{s:i, s:i, s:i, s:b}", "width", width, "height", height, "deviceScaleFactor", width < 600 ? 2 : 1, "mobile", width < 600));
    order(b, "Emulation.setEmulatedMedia", json_pack("{s:s, s:[{s:s, s:s}]}", "media", media, "features", "name", "prefers-color-scheme", "value", scheme));
    order(b, "Page.navigate", json_pack("{s:s}", "url", url));
    const double until = now() + SECONDS;
    while (!b->loaded && now() < until)
        listen_for(b, 0.05);
    assert_true(b->loaded);
    listen_for(b, 0.2); /* late complaints */
}

/* The value of a JavaScript expression (promises are waited for), as by a person's own act; the caller drops it. */
static inline json_t *value_of(browser *b, const char *expression)
{
    json_t *r = command(b, "Runtime.evaluate",
                        json_pack("{s:s, s:b, s:b, s:b}", "expression", expression, "returnByValue", 1, "awaitPromise", 1, "userGesture", 1));
    const json_t *thrown = json_object_get(r, "exceptionDetails");
    if (thrown)
        fail_msg("%s\nthrows %s", expression, json_string_value(json_object_get(json_object_get(thrown, "exception"), "description")));
    json_t *value = json_incref(json_object_get(json_object_get(r, "result"), "value"));
    json_decref(r);
    return value;
}

static inline double number_of(browser *b, const char *expression)
{
    json_t *v = value_of(b, expression);
    if (!json_is_number(v))
        fail_msg("%s is no number", expression);
    const double x = json_number_value(v);
    json_decref(v);
    return x;
}

static inline bool is_true(browser *b, const char *expression)
{
    json_t *v = value_of(b, expression);
    const bool yes = json_is_true(v);
    json_decref(v);
    return yes;
}

/* Freed by free. */
static inline char *text_of(browser *b, const char *expression)
{
    json_t *v = value_of(b, expression);
    if (!json_is_string(v))
        fail_msg("%s is no text", expression);
    char *text = strdup(json_string_value(v));
    json_decref(v);
    return text;
}

/* A click of the mouse on the middle of the first element that the selector finds. */
static inline void click(browser *b, const char *selector)
{
    char expression[600];
    snprintf(expression, sizeof expression,
             "(() => { const e = document.querySelector(%s); e.scrollIntoView({block: 'center'}); const r = e.getBoundingClientRect(); "
             "return [r.x + r.width / 2, r.y + r.height / 2]; })()",
             selector);
    json_t *at = value_of(b, expression);
    static const char *const act[] = {"mousePressed", "mouseReleased"};
    for (int i = 0; i < 2; i++)
        order(b, "Input.dispatchMouseEvent", json_pack("{s:s, s:O, s:O, s:s, s:i}", "type", act[i], "x", json_array_get(at, 0), "y", json_array_get(at, 1),
                                                       "button", "left", "clickCount", 1));
    json_decref(at);
}

static inline int base64_digit(int c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c ? strchr(digits, c) : NULL;
    return at ? (int)(at - digits) : -1;
}

/* What the page looks like: the whole of it, or the element that the selector finds, as a PNG file. */
static inline void picture_of(browser *b, const char *selector, const char *path)
{
    char expression[400];
    snprintf(expression, sizeof expression,
             "(() => { const r = document.querySelector(%s).getBoundingClientRect(); return [r.x + scrollX, r.y + scrollY, r.width, r.height]; })()", selector);
    json_t *r = value_of(b, expression);
    json_t *clip = json_pack("{s:O, s:O, s:O, s:O, s:i}", "x", json_array_get(r, 0), "y", json_array_get(r, 1), "width", json_array_get(r, 2), "height",
                             json_array_get(r, 3), "scale", 1);
    json_decref(r);
    json_t *shot = command(b, "Page.captureScreenshot", json_pack("{s:s, s:b, s:o}", "format", "png", "captureBeyondViewport", 1, "clip", clip));
    const char *data = json_string_value(json_object_get(shot, "data"));
    assert_non_null(data);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    uint32_t bits = 0;
    int n = 0;
    for (; *data && base64_digit(*data) >= 0; data++) {
        bits = bits << 6 | (uint32_t)base64_digit(*data);
        n += 6;
        if (n >= 8)
            putc((int)(bits >> (n -= 8) & 255), f);
    }
    assert_int_equal(fclose(f), 0);
    json_decref(shot);
}
#endif
