/* golgi/golgi.h - every public header of golgi but those of systems (golgi/nag.h, ...). See base.h for the rules they share.
 *
 *     // cc program.c $(pkg-config --cflags --libs golgi)
 *     #include <golgi/golgi.h>
 *     #include <stdio.h>
 *
 *     int main(void)
 *     {
 *         printf("golgi %s, models of %s\n", gg_version(), gg_model_families());
 *         return 0;
 *     }
 */
#ifndef GOLGI_GOLGI_H
#define GOLGI_GOLGI_H
#include <golgi/action.h>
#include <golgi/array.h>
#include <golgi/base.h>
#include <golgi/cluster.h>
#include <golgi/data.h>
#include <golgi/grad.h>
#include <golgi/listener.h>
#include <golgi/lm.h>
#include <golgi/metrics.h>
#include <golgi/model.h>
#include <golgi/nn.h>
#include <golgi/optim.h>
#include <golgi/rows.h>
#include <golgi/site.h>
#include <golgi/stats.h>
#include <golgi/tensors.h>
#include <golgi/tokenizer.h>
#include <golgi/toplist.h>
#include <golgi/trainer.h>
#endif
