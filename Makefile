# golgi. The two lines that matter:  make demo   make check
# `make` alone builds build/golgi. SAN=1 builds under ASan+UBSan in build/asan; CC=clang works too.
MAKEFLAGS += --no-print-directory
CC      ?= cc
CXX     ?= c++
SAN     ?= 0
ifeq ($(SAN),1)
B       := build/asan
OPT     := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
else
B       := build
OPT     := -O3 -g
endif
-include config.mk

WARN    := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wwrite-strings -Wvla -Werror
CPPFLAGS += -Iinclude -Isrc -I. -D_GNU_SOURCE
CFLAGS  := -std=c17 $(OPT) $(WARN) -fvisibility=hidden -fno-math-errno -ffp-contract=off -pthread
CXXFLAGS := -std=c++20 $(OPT) -Wall -Wextra -fvisibility=hidden -pthread $(ARROW_CFLAGS)
LDLIBS  := -ldnnl -llapacke -lopenblas -ljansson -lpcre2-8 -lutf8proc -lzstd -lz -lcrypto -lgomp -lm -pthread $(ARROW_LIBS)

LIB_SRC := $(filter-out src/cli/% %_arrow.cc,$(wildcard src/*/*.c systems/*/*.c))
CXX_SRC := $(if $(ARROW_LIBS),$(wildcard src/io/*_arrow.cc))
CLI_SRC := $(wildcard src/cli/*.c)
LIB_OBJ := $(LIB_SRC:%.c=$B/%.o) $(CXX_SRC:%.cc=$B/%.o)
CLI_OBJ := $(CLI_SRC:%.c=$B/%.o)
TEST_SRC := $(wildcard tests/*/*_test.c)
TEST_BIN := $(TEST_SRC:tests/%.c=$B/tests/%)
LINK    := $(if $(CXX_SRC),$(CXX),$(CC)) $(filter -fsanitize=%,$(OPT))

.PHONY: all clean tests
all: $B/golgi

$B/golgi: $(CLI_OBJ) $B/libgolgi.a
	$(LINK) -o $@ $(CLI_OBJ) $B/libgolgi.a $(LDFLAGS) $(LDLIBS)

$B/libgolgi.a: $(LIB_OBJ)
	@rm -f $@
	$(AR) rcs $@ $(LIB_OBJ)

$B/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$B/%.o: %.cc
	@mkdir -p $(@D)
	$(CXX) $(CPPFLAGS) $(CXXFLAGS) -MMD -MP -c -o $@ $<

$B/tests/%: tests/%.c $B/libgolgi.a
	@mkdir -p $(@D)
	$(LINK:$(CXX)%=$(CC)%) $(CPPFLAGS) $(CFLAGS) -Itests -MMD -MP -o $@ $< $B/libgolgi.a $(LDFLAGS) $(LDLIBS) -lcmocka $(if $(CXX_SRC),-lstdc++)

tests: $(TEST_BIN)

# make test T=math/kernels runs one test program
test: $B/tests/$(T)_test
	$<

clean:
	rm -rf build

-include $(shell find $B -name '*.d' 2>/dev/null)
