/* The program: finds the verb and hands over. Verbs are the systems (systems/systems.def) and those of verbs.def; `help` is everywhere. */
#include "base/command.h"
#include "base/json.h"
#include "base/ranks.h"
#include "cli/verbs.h"
#include <dnnl.h>
#include <golgi/rows.h>
#include <stdio.h>

#define GG_SYSTEM(name, summary)                    \
    int gg_##name##_main(int argc, char **argv);    \
    int gg_##name##_reproduce(int argc, char **argv);
#include "systems/systems.def"
#undef GG_SYSTEM

static const gg_verb reproductions[] = {
#define GG_SYSTEM(name, summary) {#name, summary, gg_##name##_reproduce},
#include "systems/systems.def"
#undef GG_SYSTEM
};

static const gg_verb verbs[] = {
#define GG_SYSTEM(name, summary) {#name, summary, gg_##name##_main},
#include "systems/systems.def"
#undef GG_SYSTEM
#define GG_VERB(name, summary) {#name, summary, gg_cli_##name},
#include "cli/verbs.def"
#undef GG_VERB
};

enum { N_SYSTEMS = sizeof reproductions / sizeof *reproductions, N_VERBS = sizeof verbs / sizeof *verbs };

static const char head[] = "golgi - the neuron is the unit. Find, rank, switch and grow neurons in language models, spiking nets and brains.";

static void first_contact(void)
{
    fprintf(stderr,
            "%s\n\n"
            "  Choose training text by its neurons     golgi nag select --model M --target T.jsonl --pool P.jsonl --fraction 0.2 --output out.jsonl\n"
            "  Look inside a model                     golgi model show M\n"
            "  What one text does to it                golgi activations --model M --input text.jsonl --sites up --output acts.safetensors\n\n"
            "  golgi help VERB      all verbs: golgi list      figures of the papers, redone here: golgi reproduce NAME\n",
            head);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        first_contact();
        return 2;
    }
    return gg_verbs_run("", head, verbs, N_VERBS, argc, argv);
}

int gg_cli_reproduce(int argc, char **argv)
{
    return gg_verbs_run("reproduce", "Redoes the experiments of a paper on this machine: claim, paper's figure, ours, held or not.", reproductions, N_SYSTEMS,
                        argc, argv);
}

static json_t *verbs_json(const gg_verb *v, int n)
{
    json_t *list = json_array();
    for (int i = 0; list && i < n; i++)
        if (json_array_append_new(list, json_pack("{ss ss}", "name", v[i].name, "summary", v[i].summary)) != 0) {
            json_decref(list);
            return NULL;
        }
    return list;
}

static int not_run(gg_status s)
{
    return s == GG_END ? 0 : 2;
}

int gg_cli_list(int argc, char **argv)
{
    gg_command c = {.name = "list", .sentence = "Lists the systems - published methods about neurons - and the other verbs.", .example = "golgi list"};
    const gg_status s = gg_command_parse(&c, argc, argv);
    if (s != GG_OK)
        return not_run(s);
    if (c.json)
        return gg_command_close(&c, NULL, gg_json_print(NULL, json_pack("{so so}", "systems", verbs_json(verbs, N_SYSTEMS), "verbs",
                                                                        verbs_json(verbs + N_SYSTEMS, N_VERBS - N_SYSTEMS))));
    puts("Systems (golgi help NAME; golgi reproduce NAME)");
    for (int i = 0; i < N_VERBS; i++) {
        if (i == N_SYSTEMS)
            puts("\nVerbs (golgi help VERB)");
        printf("  %-14s  %s\n", verbs[i].name, verbs[i].summary);
    }
    return gg_command_close(&c, NULL, GG_OK);
}

int gg_cli_version(int argc, char **argv)
{
    gg_command c = {.name = "version", .sentence = "Says which version this is, and with what it was built.", .example = "golgi version"};
    const gg_status s = gg_command_parse(&c, argc, argv);
    if (s != GG_OK)
        return not_run(s);
    const dnnl_version_t *d = dnnl_version();
    char onednn[64];
    snprintf(onednn, sizeof onednn, "%d.%d.%d", d->major, d->minor, d->patch);
    const bool parquet = gg_rows_parquet(), mpi = gg_ranks_built();
    if (c.json)
        return gg_command_close(&c, NULL, gg_json_print(NULL, json_pack("{ss ss ss sb sb}", "version", gg_version(), "compiler", __VERSION__, "onednn", onednn,
                                                                        "parquet", (int)parquet, "mpi", (int)mpi)));
    printf("golgi %s\ncompiler %s, oneDNN %s, Parquet %s, MPI %s\n", gg_version(), __VERSION__, onednn, parquet ? "yes" : "no (tools/setup, then build again)",
           mpi ? "yes" : "no (tools/setup --cluster, then build again)");
    return gg_command_close(&c, NULL, GG_OK);
}
