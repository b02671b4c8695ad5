# chime - one Makefile for everything; `make help` lists the targets.

BUILD ?= build
PREFIX ?= /usr/local
DESTDIR ?=
CC = gcc
CLANG ?= clang
BINDIR = $(PREFIX)/bin
SBINDIR = $(PREFIX)/sbin
LIBEXECDIR = $(PREFIX)/libexec/chime
MANDIR = $(PREFIX)/share/man
DATADIR = $(PREFIX)/share/chime
UNITDIR = $(PREFIX)/lib/systemd/system
BASHDIR = $(PREFIX)/share/bash-completion/completions
ZSHDIR = $(PREFIX)/share/zsh/site-functions
FISHDIR = $(PREFIX)/share/fish/vendor_completions.d
SAN ?=

# ---- flags ----

CPPFLAGS += -I. -I$(BUILD) -D_GNU_SOURCE -DLIBEXECDIR='"$(LIBEXECDIR)"' \
	-DSBINDIR='"$(SBINDIR)"' -DDATADIR='"$(DATADIR)"' -DOPENSSL_NO_DEPRECATED
WARN = -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla
CFLAGS ?= -O2 -g
HARDEN = -fPIE -fstack-protector-strong -fstack-clash-protection
ifeq ($(shell uname -m),x86_64)
HARDEN += -fcf-protection
endif
LDFLAGS += -pie -Wl,-z,relro,-z,now,-z,noexecstack -Wl,--as-needed
ifneq ($(SAN),)
HARDEN += -fsanitize=$(SAN) -fno-omit-frame-pointer -fno-sanitize-recover=undefined
LDFLAGS += -fsanitize=$(SAN)
else
HARDEN += -D_FORTIFY_SOURCE=3 -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3
endif
ALL_CFLAGS = -std=c17 $(WARN) $(HARDEN) $(CFLAGS)
LDLIBS_ALL = -lssl -lcrypto -lprotobuf-c -lsqlite3 -levent_core -lyaml -ljansson -lsmartcols \
	-lncursesw -ltinfo -lm

# ---- sources ----

PROTOS = proto/event.proto proto/control.proto
PB_C = $(PROTOS:%.proto=$(BUILD)/%.pb-c.c)
PB_H = $(PROTOS:%.proto=$(BUILD)/%.pb-c.h)
LIB_C = $(wildcard proto/*.c) $(wildcard daemon/core/*.c) \
	$(filter-out daemon/main.c,$(wildcard daemon/*.c)) \
	$(wildcard daemon/edge/*.c) $(wildcard daemon/command/*.c)
CLIENT_C = $(wildcard client/*.c) $(wildcard client/monitor/*.c)
LAUNCHER_C = $(wildcard daemon/launcher/*.c)
SHEPHERD_C = $(wildcard daemon/shepherd/*.c)
RECORD_C = $(wildcard client/record/*.c) client/json.c client/say.c
UNIT_C = $(wildcard tests/unit/test_*.c)
HARNESS_C = $(wildcard tests/e2e/launcher_*.c)
SIM_C = $(wildcard tests/sim/*.c)

object = $(patsubst %.c,$(BUILD)/%.o,$(1))
LIB_O = $(call object,$(LIB_C)) $(PB_C:.c=.o) $(BUILD)/schema/migrations.o
PROGRAMS = $(addprefix $(BUILD)/,chimed chime-launcher chime-shepherd chime chime-record)
UNITS = $(UNIT_C:tests/unit/%.c=$(BUILD)/unit/%)

.PHONY: all help packages check unit sim sim-mutants fuzz e2e lint bench soak pictures demo \
	install uninstall clean
.DEFAULT_GOAL := all
.SECONDARY:
.DELETE_ON_ERROR:

all: $(PROGRAMS)

help:
	@sed -n 's/^## //p' Makefile

## make            builds the five programs into build/
## make demo       finds what is missing, installs it, builds, runs three servers
## make check      finds what is missing, installs it, builds, runs every test
## make unit | sim | fuzz | e2e | lint     one kind of test
## make sim SEEDS=N | SEED=N               more seeds, or one again
## make sim-mutants                        bugs the simulator must catch
## make soak       ten minutes of kill -9 and loss
## make bench      figures, beside this machine's floor
## make SAN=address,undefined check        the same under sanitizers
## make install DESTDIR= PREFIX=           and make uninstall

# ---- building ----

# A changed set of flags rebuilds everything.
$(BUILD)/flags: FORCE
	@mkdir -p $(BUILD)
	@echo '$(CC) $(CPPFLAGS) $(ALL_CFLAGS)' | cmp -s - $@ || \
		echo '$(CC) $(CPPFLAGS) $(ALL_CFLAGS)' > $@
FORCE:

$(BUILD)/%.pb-c.c: %.proto
	@mkdir -p $(@D)
	@if command -v protoc-c >/dev/null; then protoc-c --c_out=$(BUILD) $<; \
	else protoc --c_out=$(BUILD) $<; fi
$(BUILD)/%.pb-c.h: $(BUILD)/%.pb-c.c ;
$(BUILD)/proto/control.pb-c.c: proto/event.proto

$(BUILD)/schema/migrations.c: $(wildcard schema/*.sql) schema/embed.sh
	@mkdir -p $(@D)
	@sh schema/embed.sh $(sort $(wildcard schema/*.sql)) > $@

$(BUILD)/packaging/completions.c: $(wildcard packaging/completions/*)
	@mkdir -p $(@D)
	@sh packaging/completions/embed.sh > $@

$(BUILD)/%.o: %.c $(BUILD)/flags | $(PB_H)
	@mkdir -p $(@D)
	@echo "  CC    $<"
	@$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c $< -o $@
$(BUILD)/%.o: $(BUILD)/%.c $(BUILD)/flags | $(PB_H)
	@$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c $< -o $@

$(BUILD)/libchime.a: $(LIB_O)
	@rm -f $@ && ar rcs $@ $^

$(BUILD)/chimed: $(BUILD)/daemon/main.o $(BUILD)/libchime.a
	@echo "  LD    $@" && $(CC) $(ALL_CFLAGS) $(LDFLAGS) $^ $(LDLIBS_ALL) -o $@
$(BUILD)/libclient.a: $(call object,$(filter-out client/main.c,$(CLIENT_C))) \
		$(BUILD)/packaging/completions.o
	@rm -f $@ && ar rcs $@ $^
$(BUILD)/chime: $(BUILD)/client/main.o $(BUILD)/libclient.a $(BUILD)/libchime.a
	@echo "  LD    $@" && $(CC) $(ALL_CFLAGS) $(LDFLAGS) $^ $(LDLIBS_ALL) -o $@
$(BUILD)/chime-launcher: $(call object,$(LAUNCHER_C)) $(BUILD)/libchime.a
	@echo "  LD    $@" && $(CC) $(ALL_CFLAGS) $(LDFLAGS) $^ -lyaml -lcrypto -o $@
$(BUILD)/chime-shepherd: $(call object,$(SHEPHERD_C)) $(BUILD)/libchime.a
	@echo "  LD    $@" && $(CC) $(ALL_CFLAGS) $(LDFLAGS) $^ -o $@
$(BUILD)/chime-record: $(call object,$(RECORD_C)) $(BUILD)/libchime.a
	@echo "  LD    $@" && $(CC) $(ALL_CFLAGS) $(LDFLAGS) $^ -lpcap $(LDLIBS_ALL) -o $@

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)

# ---- tests ----

link_unit = @mkdir -p $(@D) && $(CC) $(ALL_CFLAGS) $(LDFLAGS) $^ -lcmocka $(LDLIBS_ALL) -o $@

$(BUILD)/unit/test_client_%: $(BUILD)/tests/unit/test_client_%.o $(BUILD)/libclient.a \
		$(BUILD)/libchime.a
	$(link_unit)
$(BUILD)/unit/%: $(BUILD)/tests/unit/%.o $(BUILD)/libchime.a
	$(link_unit)

packages:
	@sh packages.sh

units: $(UNITS)
unit: units
	@sh tests/run.sh unit $(UNITS)

# What chime-record is made of, without its main, for its tests.
$(BUILD)/librecord.a: $(call object,$(filter-out %/main.c,$(RECORD_C)))
	@rm -f $@ && ar rcs $@ $^
$(BUILD)/unit/test_packet $(BUILD)/unit/test_record_%: LDLIBS_ALL += -lpcap
$(BUILD)/unit/test_packet: $(BUILD)/librecord.a
$(BUILD)/unit/test_record_%: $(BUILD)/tests/unit/test_record_%.o $(BUILD)/librecord.a \
		$(BUILD)/libchime.a
	$(link_unit)
# Nor what the shepherd writes.
$(BUILD)/unit/test_output: $(BUILD)/daemon/shepherd/capture.o

# ---- fuzzing: everything once more, by clang, with libFuzzer and sanitizers ----

FUZZ_SECONDS ?= 3
FUZZ_C = $(wildcard tests/fuzz/fuzz_*.c)
FUZZ_TARGETS = $(FUZZ_C:tests/fuzz/fuzz_%.c=%)
FUZZ_SAN = address,undefined
FUZZ_CFLAGS = -std=c17 $(WARN) -O1 -g -fno-omit-frame-pointer -fno-sanitize-recover=undefined
FUZZ_LIB_O = $(LIB_C:%.c=$(BUILD)/fuzz/%.o) $(PB_C:$(BUILD)/%.c=$(BUILD)/fuzz/%.o) \
	$(BUILD)/fuzz/schema/migrations.o
FUZZ_RECORD_O = $(patsubst %.c,$(BUILD)/fuzz/%.o,$(filter-out %/main.c,$(RECORD_C)))

$(BUILD)/fuzz/%.o: %.c $(BUILD)/flags | $(PB_H)
	@mkdir -p $(@D)
	@echo "  FUZZ  $<"
	@$(CLANG) $(CPPFLAGS) $(FUZZ_CFLAGS) -fsanitize=fuzzer-no-link,$(FUZZ_SAN) -MMD -MP \
		-c $< -o $@
$(BUILD)/fuzz/%.o: $(BUILD)/%.c $(BUILD)/flags | $(PB_H)
	@mkdir -p $(@D)
	@$(CLANG) $(CPPFLAGS) $(FUZZ_CFLAGS) -fsanitize=fuzzer-no-link,$(FUZZ_SAN) -MMD -MP \
		-c $< -o $@
$(BUILD)/fuzz/libchime.a: $(FUZZ_LIB_O)
	@rm -f $@ && ar rcs $@ $^
$(BUILD)/fuzz/librecord.a: $(FUZZ_RECORD_O)
	@rm -f $@ && ar rcs $@ $^
$(BUILD)/fuzz/fuzz_%: $(BUILD)/fuzz/tests/fuzz/fuzz_%.o $(BUILD)/fuzz/librecord.a \
		$(BUILD)/fuzz/libchime.a
	@$(CLANG) -fsanitize=fuzzer,$(FUZZ_SAN) $^ -lpcap $(LDLIBS_ALL) -o $@

fuzz-programs: $(FUZZ_TARGETS:%=$(BUILD)/fuzz/fuzz_%)
fuzz:
	@$(MAKE) --no-print-directory -j$$(nproc) fuzz-programs
	@BUILD=$(BUILD) FUZZ_SECONDS=$(FUZZ_SECONDS) bash tests/fuzz/run.sh $(BUILD)/fuzz \
		$(FUZZ_TARGETS)

# ---- lint ----

lint: $(BUILD)/libchime.a $(BUILD)/chime-sim
	@BUILD=$(BUILD) bash tests/lint/run.sh

# ---- everything, from nothing ----

# Each kind runs to its end even when one before it failed; the sum decides.
KINDS = lint unit sim sim-mutants fuzz e2e
check:
	@sh packages.sh install
	@rm -rf $(BUILD)/results && mkdir -p $(BUILD)/results
	@$(MAKE) --no-print-directory -j$$(nproc) all units
	@for kind in $(KINDS); do $(MAKE) --no-print-directory $$kind || true; done
	@sh tests/total.sh $(BUILD)/results $(KINDS)

demo:
	@sh packages.sh install
	@$(MAKE) --no-print-directory -j$$(nproc) all
	@$(BUILD)/chime demo $(DEMO)

# ---- installing ----

MAN_PAGES = $(wildcard man/*.[1-8])

install: all
	install -d $(DESTDIR)$(BINDIR) $(DESTDIR)$(SBINDIR) $(DESTDIR)$(LIBEXECDIR) \
		$(DESTDIR)$(UNITDIR) $(DESTDIR)$(DATADIR)/examples/demo
	install -m 755 $(BUILD)/chime $(BUILD)/chime-record $(DESTDIR)$(BINDIR)
	install -m 755 $(BUILD)/chimed $(DESTDIR)$(SBINDIR)
	install -m 755 $(BUILD)/chime-launcher $(BUILD)/chime-shepherd $(DESTDIR)$(LIBEXECDIR)
	sed 's|@SBINDIR@|$(SBINDIR)|' packaging/chimed.service.in \
		> $(DESTDIR)$(UNITDIR)/chimed.service
	install -m 644 packaging/chimed.yaml $(DESTDIR)$(DATADIR)/examples/chimed.yaml
	install -D -m 644 packaging/wireshark/chime.lua $(DESTDIR)$(DATADIR)/wireshark/chime.lua
	install -d $(DESTDIR)$(BASHDIR) $(DESTDIR)$(ZSHDIR) $(DESTDIR)$(FISHDIR)
	CHIME_CONFIG=/dev/null $(BUILD)/chime completion bash > $(DESTDIR)$(BASHDIR)/chime
	CHIME_CONFIG=/dev/null $(BUILD)/chime completion zsh > $(DESTDIR)$(ZSHDIR)/_chime
	CHIME_CONFIG=/dev/null $(BUILD)/chime completion fish > $(DESTDIR)$(FISHDIR)/chime.fish
	install -m 644 examples/demo/*.yaml $(DESTDIR)$(DATADIR)/examples/demo
	@for page in $(MAN_PAGES); do \
		section=man$${page##*.}; \
		install -d $(DESTDIR)$(MANDIR)/$$section && \
		install -m 644 $$page $(DESTDIR)$(MANDIR)/$$section; \
	done

# Configuration, data and jobs are the operator's: they stay.
uninstall:
	rm -f $(DESTDIR)$(BINDIR)/chime $(DESTDIR)$(BINDIR)/chime-record $(DESTDIR)$(SBINDIR)/chimed
	rm -f $(DESTDIR)$(UNITDIR)/chimed.service
	rm -rf $(DESTDIR)$(LIBEXECDIR) $(DESTDIR)$(DATADIR)
	rm -f $(DESTDIR)$(BASHDIR)/chime $(DESTDIR)$(ZSHDIR)/_chime $(DESTDIR)$(FISHDIR)/chime.fish
	@for page in $(MAN_PAGES); do \
		rm -f $(DESTDIR)$(MANDIR)/man$${page##*.}/$${page#man/}; \
	done

clean:
	rm -rf $(BUILD)

# ---- the simulator ----

SEEDS ?= 500
SEED ?=

$(BUILD)/chime-sim: $(call object,$(SIM_C)) $(BUILD)/libchime.a
	@echo "  LD    $@" && $(CC) $(ALL_CFLAGS) $(LDFLAGS) $^ $(LDLIBS_ALL) -o $@

sim: $(BUILD)/chime-sim
	@$(if $(SEED),,BUILD=$(BUILD) sh tests/sim/run.sh sim) \
		$(BUILD)/chime-sim $(if $(SEED),--seed $(SEED),--seeds $(SEEDS))

# ---- end to end: real processes, loopback and own namespaces ----

E2E_HARNESS_O = $(BUILD)/tests/e2e/launcher_harness.o
E2E_PROGRAMS = $(patsubst tests/e2e/%.c,$(BUILD)/e2e/%,\
	$(filter-out %/launcher_harness.c,$(HARNESS_C)))

$(BUILD)/e2e/%: $(BUILD)/tests/e2e/%.o $(E2E_HARNESS_O) $(BUILD)/libchime.a
	$(link_unit)
$(BUILD)/truth: $(BUILD)/tests/e2e/truth/truth.o
	@$(CC) $(ALL_CFLAGS) $(LDFLAGS) $^ -o $@
$(BUILD)/recordtool: $(BUILD)/tests/bench/recordtool.o $(BUILD)/librecord.a \
		$(BUILD)/libchime.a
	@$(CC) $(ALL_CFLAGS) $(LDFLAGS) $^ -lpcap $(LDLIBS_ALL) -o $@
$(BUILD)/floor: $(BUILD)/tests/bench/floor.o
	@$(CC) $(ALL_CFLAGS) $(LDFLAGS) $^ -lsqlite3 -o $@

$(BUILD)/ptydrive: $(BUILD)/tests/e2e/monitor/ptydrive.o
	@$(CC) $(ALL_CFLAGS) $(LDFLAGS) $^ -lutil -o $@
$(BUILD)/screen_try: $(BUILD)/tests/e2e/monitor/screen_try.o $(BUILD)/libclient.a \
		$(BUILD)/libchime.a
	@$(CC) $(ALL_CFLAGS) $(LDFLAGS) $^ $(LDLIBS_ALL) -o $@
$(BUILD)/glance: $(BUILD)/tests/bench/glance.o
	@$(CC) $(ALL_CFLAGS) $(LDFLAGS) $^ -lutil -o $@
$(BUILD)/attacker: $(BUILD)/tests/e2e/attack/attacker.o $(BUILD)/libchime.a
	@$(CC) $(ALL_CFLAGS) $(LDFLAGS) $^ $(LDLIBS_ALL) -o $@
E2E_TOOLS = $(addprefix $(BUILD)/,truth attacker ptydrive screen_try recordtool)
e2e: all $(E2E_PROGRAMS) $(E2E_TOOLS)
	@BUILD=$(abspath $(BUILD)) bash tests/run.sh e2e $(E2E_PROGRAMS) tests/e2e/*.bats

SOAK_SECONDS ?= 600
soak: all $(BUILD)/truth
	@BUILD=$(abspath $(BUILD)) SOAK_SECONDS=$(SOAK_SECONDS) bash tests/soak/soak.bash

bench: all $(addprefix $(BUILD)/,truth floor glance recordtool)
	@BUILD=$(abspath $(BUILD)) bash tests/bench/bench.bash
	@echo
	@BUILD=$(abspath $(BUILD)) bash tests/bench/monitor.bash

# The README's pictures of the monitor, from a real run.
pictures: all
	@BUILD=$(abspath $(BUILD)) bash tests/screens/pictures.bash

# One seeded bug at a time; each must be caught by some seed, or the simulator proves nothing.
sim-mutants: $(call object,$(SIM_C)) $(BUILD)/libchime.a
	@CC='$(CC) $(CPPFLAGS) $(ALL_CFLAGS) $(LDFLAGS)' LIBS='$(LDLIBS_ALL)' BUILD=$(BUILD) \
		sh tests/sim/run.sh sim-mutants sh tests/sim/mutants.sh $(BUILD) $^
