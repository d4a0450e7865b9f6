# SPDX-License-Identifier: GPL-2.0
# The front door. KSRC=/path/to/linux uses your own 6.12 or 6.18 tree; V=1 shows commands. LLVM=-19 names
# another compiler, and ARCH another architecture: one of these.

ARCH ?= x86_64
# Those that each kernel has, and 6.12, which is taken without KSRC.
ARCHES = $(filter-out x86_64,$(basename $(notdir $(shell grep -L '^\#: since$(if $(KSRC),\|^\#: before)' tools/testing/boot-tests/arches/*.config))))
export KSRC ARCH LLVM V
# The scripts read what make prints; with -C make 4.3 names directories as well, in spite of -s.
MAKEFLAGS += --no-print-directory

help:
	@echo 'make boot      show containers pivoting on a machine that runs from its initramfs'
	@echo 'make shell     the same machine with a shell; leave it with "exit" or Ctrl-A X'
	@echo 'make test      prove the main things; T=runc runs all cases with that word; ARCH=um is the fastest'
	@echo 'make test-all  prove everything, in hours: test, test-rest, test-arches, compilers, drift'
	@echo 'make test-rest prove what test leaves out, in more than an hour'
	@echo 'make test-arches  the same as test on $(ARCHES)'
	@echo 'make compilers build with old and new compilers, and prove the main things with each'
	@echo 'make peers     run the suites of others on the initramfs and on a disk, and compare'
	@echo 'make drift     apply the series to all releases of 6.12 that are to be had'
	@echo 'make clean-debian  do "make boot" and "make test" in a new Debian 13 and 12, as root; T=trixie in one'
	@echo 'make mutants   break the feature on purpose, and see which test catches it; T=no_seal one way'
	@echo 'make soak      boot 500 times, or N=50'
	@echo 'make bench     measure what it costs and saves; T=memory one part, SIZES="1 8" MiB instead of all'
	@echo 'make kselftest run the selftest of the series, as a kernel developer would'
	@echo 'make vng       run it in virtme-ng, on the root of this machine'
	@echo 'make check     check the series and the code around it, without building a kernel'
	@echo 'make check-series  build, boot and check the series patch by patch'
	@echo 'make randconfigs  compile it in 50 random configurations, or N=3, from that of SEED=1 on'
	@echo 'make appliance make one EFI file that boots a machine into memory, with podman; DIR= names what is in it'
	@echo 'make deb       make Debian packages of the kernel; CONFIG=/boot/config-... uses that configuration'
	@echo 'make series    write the patches as mails to build/series'
	@echo 'make docs      build the pages of the series as HTML; the last line is the path'
	@echo 'make clean     remove everything that was generated'
	@echo
	@echo 'Each of these needs the one before, makes it, and prints where it is:'
	@echo 'make source    the kernel as it is released'
	@echo 'make tree      that with the series'
	@echo 'make kernel    its image; K=debug one of kernels/ of boot-tests'
	@echo 'make initramfs what the test machines run from'

commands = setup source tree kernel initramfs boot shell test test-rest peers mutants bench soak kselftest vng \
	randconfigs check check-series appliance deb series series-7 docs compilers drift clean-debian

ifneq ($(LOCKED),$(CURDIR))
# One at a time in this directory.
$(commands):
	@mkdir -p build && LOCKED="$(CURDIR)" flock -n -E 75 build/.lock $(MAKE) $@ || \
		{ [ $$? != 75 ] || echo "make: another make runs in this checkout; wait for it" >&2; exit 1; }
else
# What needs what.
setup:
	@scripts/source check && scripts/setup
source:
	@scripts/source check && scripts/setup only git patch rsync xz-utils
	@scripts/source
tree: source
	@scripts/tree
kernel: setup tree
	@scripts/kernel $(K)
initramfs: kernel
	@scripts/initramfs $(filter demo,$(K))
boot shell: K = demo
boot: initramfs
	@scripts/demo
shell: initramfs
	@scripts/demo shell
# A name that is none is told before anything is built.
chosen: setup
	@[ -z "$(T)" ] || scripts/test check $(T)
test: chosen
test bench mutants compilers: initramfs
	@scripts/$@ $(T)
test-rest: initramfs
	@scripts/prove --ignored
peers: initramfs
	@scripts/prove --include-ignored peers
soak: export N ?= 500
soak: initramfs
	@scripts/prove --include-ignored again::again_and_again
kselftest: kernel
	@scripts/$@
given:
	@scripts/appliance check $(DIR)
appliance: K = appliance
appliance: given kernel
	@scripts/appliance $(DIR)
# Another configuration needs nothing of the test kernel.
deb: $(if $(CONFIG),setup tree,kernel)
	@scripts/$@
vng: K = vng
vng: kernel
	@scripts/vng REQUIRE=1
randconfigs: export N ?= 50
randconfigs: setup tree
	@scripts/randconfigs
docs: tree
	@scripts/docs
author:
	@scripts/series check
series: author tree
	@scripts/series
series-7:
	@scripts/series 7
check-series: kernel
check check-series: setup series series-7
	@scripts/$@
drift clean-debian: setup
	@scripts/$@ $(T)
endif

test-all: test test-rest test-arches compilers drift

# What CI chooses from.
arches:
	@echo $(ARCHES)

test-arches:
	@for arch in $(ARCHES); do $(MAKE) test ARCH=$$arch || exit 1; done

clean:
	rm -rf build

.NOTPARALLEL:
.PHONY: help test-all arches test-arches author given chosen clean $(commands)
