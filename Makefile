# golgi. The two lines that matter:
#   make demo      set up, build, do the main job on a real model and show it
#   make check     set up, build, run every test: plain and under sanitizers; ends with "N passed, N failed"
# Also: `make` (build/golgi), `make test T=base/file` (one test program), `make tests` (build them all), `make check-quick` (plain tests,
# no set-up), `make check-clang`, `make check-long` (fuzzing, threads under ThreadSanitizer, faults and kills at full strength,
# reports in a browser), `make check-cluster` (Slurm and MPI on this machine), `make fuzz SECONDS=600`, `make coverage`, `make install`,
# `make man`, `make dist` (packaging/install.mk), `make clean`.
# SAN=1 builds under ASan and UBSan in build/asan, SAN=thread under ThreadSanitizer in build/tsan; CC=clang works; V=1 shows the commands.
MAKEFLAGS += --no-print-directory
ifeq ($(MAKELEVEL),0)
MAKEFLAGS += -j$(shell nproc)
endif

CC      ?= cc
CXX     ?= c++
SAN     ?= 0
V       ?= 0
Q       := $(if $(filter 1,$V),,@)
ifeq ($(SAN),1)
B       := build/asan
OPT     := -O1 -g -fsanitize=address,undefined,float-cast-overflow -fno-sanitize-recover=all -fno-omit-frame-pointer
else ifeq ($(SAN),thread)
B       := build/tsan
OPT     := -O1 -g -fsanitize=thread
else ifeq ($(SAN),coverage)
B       := build/coverage
OPT     := -O1 -g --coverage
else
B       := build
OPT     := -O3 -g
endif
-include config.mk

WARN     := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wwrite-strings -Wvla -Werror
ifneq ($(SAN),0) # instrumented code misleads gcc's analysis of values; the plain build and clang's have it
WARN     += -Wno-format-truncation -Wno-maybe-uninitialized -Wno-stringop-overflow
endif
CPPFLAGS += -Iinclude -Isrc -I. -D_GNU_SOURCE $(ARROW_CFLAGS)
SHARE    := -fvisibility=hidden -pthread -fPIC -fno-semantic-interposition -ffile-prefix-map=$(CURDIR)=.
CFLAGS   := -std=c17 $(OPT) $(WARN) $(SHARE) -fno-math-errno -ffp-contract=off
CXXFLAGS := -std=c++20 $(OPT) -Wall -Wextra -Werror $(SHARE)
LDLIBS   := -Wl,--as-needed -ldnnl -llapacke -lopenblas -ljansson -lpcre2-8 -lutf8proc -lzstd -lz -lcrypto -lgomp $(ARROW_LIBS) \
            $(MPI_LIBS) $(IMAGE_LIBS) -lm -pthread

LIB_SRC := $(filter-out src/cli/%,$(wildcard src/*/*.c systems/*/*.c))
CXX_SRC := $(if $(ARROW_LIBS),$(wildcard src/io/*_arrow.cc))
CLI_SRC := $(wildcard src/cli/*.c)
LIB_OBJ := $(LIB_SRC:%.c=$B/%.o) $(CXX_SRC:%.cc=$B/%.o)
CLI_OBJ := $(CLI_SRC:%.c=$B/%.o)
TEST_SRC := $(filter-out tests/long/%,$(wildcard tests/*/*_test.c))
TEST_BIN := $(TEST_SRC:tests/%.c=$B/tests/%)
LONG_BIN := $(patsubst tests/%.c,$B/tests/%,$(wildcard tests/long/*_test.c))

.PHONY: all tests test demo setup check check-quick check-clang check-long check-thread tests-long FORCE coverage fuzz fuzz-programs bench clean
all: $B/golgi

$B/golgi: $(CLI_OBJ) $B/libgolgi.a
	@echo "  link  $@"
	$Q$(CC) $(OPT) -o $@ $^ $(LDFLAGS) $(LDLIBS)

$B/libgolgi.a: $(LIB_OBJ)
	@rm -f $@
	$Q$(AR) rcs $@ $^

# Objects are as old as the options they were compiled with.
FLAGS_NOW := $(CPPFLAGS) $(MPI_CFLAGS) $(IMAGE_CFLAGS) $(CFLAGS) $(CXXFLAGS)
$B/flags: FORCE
	@mkdir -p $(@D)
	@echo '$(FLAGS_NOW)' | cmp -s - $@ || echo '$(FLAGS_NOW)' > $@

$B/%.o: %.c $B/flags
	@mkdir -p $(@D)
	@echo "  cc    $<"
	$Q$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$B/%.o: %.cc $B/flags
	@mkdir -p $(@D)
	@echo "  c++   $<"
	$Q$(CXX) $(CPPFLAGS) $(CXXFLAGS) -MMD -MP -c -o $@ $<

# Objects that look for Arrow, MPI or image libraries follow the configuration.
$(filter $B/src/io/% $B/src/base/ranks.o,$(LIB_OBJ)): $(wildcard config.mk)
$B/src/base/ranks.o: CPPFLAGS += $(MPI_CFLAGS)
$B/src/io/image.o: CPPFLAGS += $(IMAGE_CFLAGS)

# Counting every number's loop would make them ten times slower: floors above them are what a report is for.
ifeq ($(SAN),coverage)
$(filter $B/src/math/% $B/src/grad/loops%,$(LIB_OBJ)): private CFLAGS := $(subst -O1 -g --coverage,-O3 -g,$(CFLAGS))
endif

$B/tests/%: tests/%.c $B/libgolgi.a
	@mkdir -p $(@D)
	@echo "  test  $<"
	$Q$(CC) $(CPPFLAGS) -Itests $(CFLAGS) -O1 -MMD -MP -o $@ $< $(TEST_OBJ) $B/libgolgi.a $(LDFLAGS) $(TEST_LDFLAGS) -lcmocka $(LDLIBS)

# These run the verbs within themselves and step between them and what they call.
VERB_OBJ := $(filter-out $B/src/cli/main.o,$(CLI_OBJ))
$B/tests/cli/faults_test $B/tests/cli/kill_test: $(VERB_OBJ)
$B/tests/cli/faults_test $B/tests/cli/kill_test: private TEST_OBJ := $(VERB_OBJ)
$B/tests/cli/faults_test: private TEST_LDFLAGS := -Wl,--wrap=gg_context_create,--wrap=gg_context_free,--wrap=pthread_create
$B/tests/base/command_test: private TEST_LDFLAGS := -Wl,--wrap=gg_time
$B/tests/base/beside_test: private TEST_LDFLAGS := -Wl,--wrap=pthread_create
$B/tests/cli/kill_test: private TEST_LDFLAGS := -Wl,--wrap=gg_run,--wrap=open,--wrap=rename,--wrap=remove,--wrap=unlink,--wrap=unlinkat,--wrap=mkdir

$B/bench/%: bench/%.c $B/libgolgi.a
	@mkdir -p $(@D)
	$Q$(CC) $(CPPFLAGS) -Itests $(CFLAGS) -MMD -MP -o $@ $< $B/libgolgi.a $(LDFLAGS) $(LDLIBS)

# what this machine can do, and how near products and kernels come to it; the diary is bench/SPEED.md
bench: $B/golgi
	@$< bench

tests: $(TEST_BIN)

test: $B/tests/$(T)_test
	tests/run --show $B $(T)

setup:
	@tools/setup

demo: setup
	@+$(MAKE) all
	@examples/demo.sh

check: setup
	@+$(MAKE) all tests
	@+$(MAKE) SAN=1 all tests
	@+$(MAKE) check-clang
	@tests/run build build/asan

check-quick: all tests
	@tests/run $B

# golgi nag extract on a real Slurm and under a real mpirun, started here on loopback; installs both. Root starts Slurm.
check-cluster:
	@tools/setup --cluster
	@+$(MAKE) all
	@tests/cluster/run $B

# Another compiler sees other mistakes; nothing it makes is run.
check-clang:
	@+$(MAKE) CC=clang CXX=clang++ B=build/clang OPT=-O1 all tests

# Every parser against libFuzzer, SECONDS for each. What was found is kept in build/fuzz/corpus; a crash leaves its input in build/fuzz.
SECONDS  ?= 10
FUZZ_BIN := $(patsubst tests/fuzz/%_fuzz.c,build/fuzz/%,$(wildcard tests/fuzz/*_fuzz.c))
fuzz:
	@+$(MAKE) CC=clang CXX=clang++ B=build/fuzz fuzz-programs \
	    OPT="-O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize=vptr,function -fno-sanitize-recover=undefined"
	@tools/fuzz $(SECONDS)
fuzz-programs: $(FUZZ_BIN)
build/fuzz/%: tests/fuzz/%_fuzz.c build/fuzz/libgolgi.a
	@echo "  link  $@"
	$Q$(CC) $(CPPFLAGS) -Itests $(CFLAGS) -fsanitize=fuzzer -MMD -MP -o $@ $< build/fuzz/libgolgi.a $(LDFLAGS) $(LDLIBS)

# What takes longer than a check may, or programs that building and testing do without (a browser): every parser fuzzed for ten seconds,
# the parallel paths under ThreadSanitizer, the tests that know GOLGI_LONG at full strength, and those of tests/long.
check-long:
	@tools/setup --long
	@+$(MAKE) all tests tests-long
	@+$(MAKE) fuzz SECONDS=10
	@+$(MAKE) check-thread
	@+$(MAKE) SAN=1 all build/asan/tests/cli/faults_test
	@GOLGI_LONG=1 tests/run --show build/asan cli/faults
	@GOLGI_LONG=1 LIMIT=3600 tests/run --long $B

tests-long: $(LONG_BIN)

# The programs that run threads, each with its threads. What the suppressions leave out, and why, is written in them.
THREAD_TESTS := base/work base/team base/beside base/progress io/parts grad/engine grad/scan math/tsne math/cluster math/linear \
                nn/trainer model/run systems/nag systems/nag_shards systems/nag_rank systems/nag_model cli/verbs
check-thread:
	@+$(MAKE) SAN=thread all $(THREAD_TESTS:%=build/tsan/tests/%_test)
	@tools/check-thread $(THREAD_TESTS)

# Lines that the tests reach, by folder; the report is build/coverage/report.txt.
coverage:
	@+$(MAKE) SAN=coverage all tests
	@tools/coverage

include packaging/install.mk

clean:
	rm -rf build

-include $(shell find $B -mindepth 1 -path build/asan -prune -o -path build/clang -prune -o -path build/fuzz -prune -o -path build/tsan -prune \
           -o -path build/coverage -prune -o -name '*.d' -print 2>/dev/null)
