# radixscope: `make run` and `make test` are all a newcomer needs. `make help` lists the rest.

BUILD ?= build
CC ?= cc

# Everything the project needs from the system, by pkg-config name. .ci/setup installs what is missing.
PACKAGES = ncursesw openblas jansson md4c libpcre2-8 libutf8proc libzstd zlib libmd msgpack
PKG_CONFIG ?= pkg-config
ifeq ($(shell uname -s),Darwin)# Homebrew keeps these two out of pkg-config's sight
BREW := $(shell brew --prefix 2>/dev/null)
export PKG_CONFIG_PATH := $(BREW)/opt/openblas/lib/pkgconfig:$(BREW)/opt/ncurses/lib/pkgconfig:$(PKG_CONFIG_PATH)
endif
# Asked once, and only when something is compiled: `make setup` may have to install pkg-config first.
# msgpack calls itself msgpack-c from version 5 on.
FOUND = $(if $(shell $(PKG_CONFIG) --exists msgpack-c && echo yes),$(PACKAGES:msgpack=msgpack-c),$(PACKAGES))
PKG_CFLAGS = $(eval PKG_CFLAGS := $(shell $(PKG_CONFIG) --cflags $(FOUND)))$(PKG_CFLAGS)
PKG_LIBS = $(eval PKG_LIBS := $(shell $(PKG_CONFIG) --libs $(FOUND)))$(PKG_LIBS)

# Where `make install` puts things (DESTDIR: below a folder that stands for the root, for packagers). The
# program finds its data beside itself first, so that an installed tree can also be moved.
PREFIX ?= /usr/local
ROOT = $(DESTDIR)$(PREFIX)
COMPLETIONS = bash-completion/completions/radixscope zsh/site-functions/_radixscope \
       fish/vendor_completions.d/radixscope.fish

# All cores, unless the caller gave -j.
JOBS = $(if $(findstring -j,$(MAKEFLAGS)),,-j$(shell getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2))
SUBMAKE = $(MAKE) --no-print-directory $(JOBS)

# -O2 and no -march: the same binary must run on every machine of its kind (design: kernels are chosen
# at run time). -ffp-contract=off: a fused multiply-add would make results depend on the compiler.
OPT ?= -O2 -g
WARN = -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wwrite-strings -Wundef \
       -Wdouble-promotion -Wvla
STRICT ?=# CI passes STRICT=-Werror; a user's newer compiler must not break the build
# POSIX, and mmap, mkstemp and getline on every system, whatever a library's pkg-config file asks for.
STD = -std=c11 -D_POSIX_C_SOURCE=200809L -D_DEFAULT_SOURCE -D_DARWIN_C_SOURCE
ALL_CFLAGS = $(STD) -ffp-contract=off $(OPT) $(WARN) $(STRICT) -Isrc -I. -pthread \
       $(PKG_CFLAGS) -DRADIXSCOPE_PREFIX='"$(PREFIX)"' $(CFLAGS)
ALL_LIBS = $(PKG_LIBS) -lm -pthread $(LDFLAGS)

LIB_SRC  = $(filter-out src/cli/main.c,$(wildcard src/*/*.c)) $(filter-out ui/main.c,$(wildcard ui/*.c))
LIB_OBJ  = $(LIB_SRC:%.c=$(BUILD)/%.o) $(BUILD)/gen/source_text.o
# What the code pane shows: headers with the numbered algorithms, and the files that follow them.
SHOWN_SRC = $(foreach f,radix req evict,src/cache/$f.h src/cache/$f.c)
MAIN_OBJ = $(BUILD)/src/cli/main.o
TEST_SRC = $(wildcard tests/*/test_*.c)
TEST_BIN = $(TEST_SRC:tests/%.c=$(BUILD)/tests/%)
HELP_SRC = $(wildcard tests/support/*.c)
HELP_OBJ = $(HELP_SRC:%.c=$(BUILD)/%.o)
BENCH_BIN = $(patsubst tests/bench/%.c,$(BUILD)/bench/%,$(wildcard tests/bench/bench_*.c))

.PHONY: all run test keys setup build tests-build asan tsan fuzz fuzz-cache soak bench install uninstall docs depcheck lint format clean help
.DELETE_ON_ERROR:
.SECONDARY:

all: setup ## install what is missing, then build
	@+$(SUBMAKE) build

run: all ## build and open the scenario in the stepper (plain text without a terminal)
	@$(BUILD)/radixscope play shared-system-prompt

test: setup ## build and run every test; the last line counts them
	@+$(SUBMAKE) build tests-build depcheck
	@BUILD=$(BUILD) sh tests/run.sh

setup: ## install missing system packages (does nothing when all is there)
	@CC="$(CC)" PKG_CONFIG="$(PKG_CONFIG)" sh .ci/setup $(PACKAGES) cmocka

build: $(BUILD)/radixscope
	@:
tests-build: $(TEST_BIN)
	@:

$(BUILD)/radixscope: $(MAIN_OBJ) $(BUILD)/libradixscope.a
	@echo "  LINK  $@"
	@$(CC) -o $@ $(MAIN_OBJ) $(BUILD)/libradixscope.a $(OPT) $(ALL_LIBS)

$(BUILD)/libradixscope.a: $(LIB_OBJ)
	@rm -f $@
	@$(AR) rcs $@ $(LIB_OBJ)

$(BUILD)/gen/source_text.c: ui/source.awk $(SHOWN_SRC)
	@mkdir -p $(@D)
	@echo "  GEN   $@"
	@awk -f $^ > $@

$(BUILD)/gen/%.o: $(BUILD)/gen/%.c Makefile
	@$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/%.o: %.c Makefile
	@mkdir -p $(@D)
	@echo "  CC    $<"
	@$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/tests/%: $(BUILD)/tests/%.o $(HELP_OBJ) $(BUILD)/libradixscope.a
	@$(CC) -o $@ $< $(HELP_OBJ) $(BUILD)/libradixscope.a $(OPT) $(ALL_LIBS) $(shell $(PKG_CONFIG) --libs cmocka)

# XXH3 is what the tree is measured against; nothing else needs it.
$(BUILD)/tests/bench/%.o: ALL_CFLAGS += $(shell $(PKG_CONFIG) --cflags libxxhash)

$(BUILD)/bench/%: $(BUILD)/tests/bench/%.o $(BUILD)/libradixscope.a
	@mkdir -p $(@D)
	@$(CC) -o $@ $< $(BUILD)/libradixscope.a $(OPT) $(ALL_LIBS)

# The sanitizers' builds live beside the ordinary one, so that switching costs no rebuild.
asan: setup ## every test under AddressSanitizer, UndefinedBehaviorSanitizer and LeakSanitizer
	@+$(SUBMAKE) BUILD=$(BUILD)/asan \
	  OPT="-O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all" build tests-build
	@BUILD=$(BUILD)/asan ASAN_OPTIONS=detect_leaks=1 LSAN_OPTIONS=suppressions=$(CURDIR)/tests/lsan.supp:print_suppressions=0 sh tests/run.sh

tsan: setup ## every test under ThreadSanitizer
	@+$(SUBMAKE) BUILD=$(BUILD)/tsan OPT="-O1 -g -fsanitize=thread" build tests-build
	@BUILD=$(BUILD)/tsan sh tests/run.sh

# RUNS=3400000 gives the parsers ten million executions in all. The parsers need clang (libFuzzer).
fuzz: setup ## parsers and cache on random input, about a minute (RUNS=… of each parser, ITERS=… of the cache)
	@BUILD=$(BUILD) sh tests/model/fuzz.sh $${RUNS:-100000}
	@BUILD=$(BUILD) sh tests/trace/fuzz.sh $${RUNS:-100000}
	@BUILD=$(BUILD) sh tests/trace/fuzz_foreign.sh $${RUNS:-100000}
	@$(MAKE) --no-print-directory fuzz-cache ITERS=$${ITERS:-300000}

keys: setup ## 100,000 random keys on every view and size under AddressSanitizer (KEYS=…, SEED=…)
	@+$(SUBMAKE) BUILD=$(BUILD)/asan \
	  OPT="-O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all" \
	  $(BUILD)/asan/tests/ui/test_app
	@KEYS=$${KEYS:-100000} LSAN_OPTIONS=suppressions=$(CURDIR)/tests/lsan.supp:print_suppressions=0 $(BUILD)/asan/tests/ui/test_app

fuzz-cache: setup ## 10 million random cache operations under AddressSanitizer (ITERS=…, SEED=…)
	@+$(SUBMAKE) BUILD=$(BUILD)/asan \
	  OPT="-O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all" \
	  $(BUILD)/asan/tests/cache/test_radix
	@ITERS=$${ITERS:-10000000} $(BUILD)/asan/tests/cache/test_radix

soak: setup ## a million requests through the scheduler, with aborts: no slot may be lost (REQUESTS=…)
	@+$(SUBMAKE) build $(BUILD)/tests/engine/test_sched
	@REQUESTS=$${REQUESTS:-1000000} $(BUILD)/tests/engine/test_sched

bench: ## measurements, as ratios within one run
	@CC="$(CC)" PKG_CONFIG="$(PKG_CONFIG)" sh .ci/setup $(PACKAGES) libxxhash
	@+$(SUBMAKE) build $(BENCH_BIN)
	@bad=0; for b in $(BENCH_BIN); do echo "== $$b"; $$b || bad=1; done; exit $$bad

# What data/ holds for the program itself: not what the model was trained with.
DATA = cd data && find . -type f ! -name '.*' ! -name '*.py' ! -name '*.tsv.gz' ! -path '*/__pycache__/*'

install: build ## install below PREFIX (/usr/local), and below DESTDIR if that is given
	@set -e; umask 022; \
	put() { mkdir -p "$$(dirname "$$3")"; install -m "$$1" "$$2" "$$3"; }; \
	put 755 $(BUILD)/radixscope "$(ROOT)/bin/radixscope"; \
	put 644 docs/radixscope.1 "$(ROOT)/share/man/man1/radixscope.1"; \
	for f in README.md LICENSE docs/*.md; do put 644 "$$f" "$(ROOT)/share/doc/radixscope/$$f"; done; \
	($(DATA)) | while read -r f; do put 644 "data/$$f" "$(ROOT)/share/radixscope/$$f"; done; \
	for f in lessons/*.md; do put 644 "$$f" "$(ROOT)/share/radixscope/$$f"; done; \
	for f in $(COMPLETIONS); do \
	  $(BUILD)/radixscope completion "$${f%%[-/]*}" > $(BUILD)/completion; \
	  put 644 $(BUILD)/completion "$(ROOT)/share/$$f"; \
	done; rm -f $(BUILD)/completion
	@echo "radixscope is in $(ROOT)/bin; make uninstall takes it away"

uninstall: ## remove what make install with the same PREFIX and DESTDIR put there
	rm -rf "$(ROOT)/share/radixscope" "$(ROOT)/share/doc/radixscope"
	rm -f "$(ROOT)/bin/radixscope" "$(ROOT)/share/man/man1/radixscope.1"
	for f in $(COMPLETIONS); do rm -f "$(ROOT)/share/$$f"; done

docs: build ## write the generated manual page anew
	@$(BUILD)/radixscope help man > docs/radixscope.1
	@$(BUILD)/radixscope lesson figures > $(BUILD)/figures
	@awk -v list=$(BUILD)/figures '/^```$$/ && quoted { while ((getline line < list) > 0) print line; quoted = 0 } \
	  !quoted { print } /^`radixscope lesson figures` prints/ { soon = 1 } /^```$$/ && soon { quoted = 1; soon = 0 }' \
	  docs/writing-lessons.md > $(BUILD)/writing-lessons.md && cat $(BUILD)/writing-lessons.md > docs/writing-lessons.md

depcheck: ## dependencies point one way (docs/architecture.md)
	@sh tests/depcheck.sh

lint: ## clang-tidy and cppcheck
	@sh tests/lint.sh

clean: ## remove everything built
	rm -rf $(BUILD)

help: ## this list
	@echo 'make run and make test are all that is needed; the rest:'
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 16

-include $(shell [ -d $(BUILD) ] && find $(BUILD) -name '*.d' -not -path '$(BUILD)/asan/*' -not -path '$(BUILD)/tsan/*')
