# SPDX-License-Identifier: GPL-2.0
# The front door. KSRC=/path/to/linux uses your own 6.12 or 6.18 tree; V=1 shows commands. ARCH=arm64 and
# LLVM=-19 name another architecture and compiler; neither has booted yet.

ARCH ?= x86_64
export KSRC ARCH LLVM V
LOCKED = @mkdir -p build && flock -n -E 75 build/.lock $(1) || \
	{ [ $$? != 75 ] || echo "make: another make runs in this checkout; wait for it" >&2; exit 1; }

help:
	@echo 'make boot      show containers pivoting on a machine that runs from its initramfs'
	@echo 'make shell     the same machine with a shell; leave it with "exit" or Ctrl-A X'
	@echo 'make test      prove the main things; T=runc runs all tests that match'
	@echo 'make test-all  prove everything, in more than an hour; make test-rest what test leaves out'
	@echo 'make mutants   break the feature on purpose, and see which test catches it; T=no_seal one way'
	@echo 'make soak      boot 500 times, or N=50'
	@echo 'make bench     measure what it costs and saves; T=memory one part, SIZES="1 8" MiB instead of all'
	@echo 'make counts    print how much of each kind these have tried, as a table'
	@echo 'make kselftest run the selftest of the series, as a kernel developer would'
	@echo 'make vng       run it in virtme-ng, on the root of this machine'
	@echo 'make check     check and build the series patch by patch, and the code around it'
	@echo 'make kernel    build the patched kernel; the last line is its path'
	@echo 'make deb       make Debian packages of it; CONFIG=/boot/config-... uses that configuration'
	@echo 'make series    write the patches as mails to build/series'
	@echo 'make docs      build the pages of the series as HTML; the last line is the path'
	@echo 'make clean     remove everything that was generated'

boot shell test test-rest mutants bench counts kselftest vng check docs kernel deb series:
	$(call LOCKED,scripts/run $@ $(T))

test-all: test test-rest counts

soak: export N ?= 500
soak:
	$(call LOCKED,scripts/run test again_and_again)

clean:
	rm -rf build

.PHONY: help boot shell test test-rest test-all mutants bench soak counts kselftest vng check docs kernel deb series clean
