#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Boots a kernel in QEMU with an initramfs that holds nothing but the test, and
# prints the test's TAP. x86_64 only.
set -eu

usage()
{
	cat <<EOF
usage: vmtest.sh [-k IMAGE | -b DIRECTORY] [-a PARAMETERS] [-r] [-h]
  -k IMAGE       boot this kernel, instead of the one built in this tree
  -b DIRECTORY   build a small kernel from this tree in DIRECTORY, and boot it
  -a PARAMETERS  add these to the kernel's command line
  -r             fail if the kernel has neither EMPTY_ROOTFS nor nullfs
The exit status is 0 if the test passes, 1 if it fails, 4 if it is skipped.
EOF
}

skip()
{
	echo "1..0 # SKIP $*"
	exit 4
}

fail()
{
	echo "Bail out! $*"
	exit 1
}

here=$(cd "$(dirname "$0")" && pwd)
tree=$(cd "$here/../../../../.." && pwd)
image=$tree/arch/x86/boot/bzImage
params=
build=
while getopts k:b:a:rh option; do
	case $option in
	k) image=$OPTARG ;;
	b) build=$OPTARG ;;
	a) params="$params $OPTARG" ;;
	r) params="$params REQUIRE=1" ;;
	h) usage; exit 0 ;;
	*) usage >&2; exit 1 ;;
	esac
done

[ "$(uname -m)" = x86_64 ] || skip "this machine is not x86_64"
for tool in qemu-system-x86_64 "${CC:-cc}" make; do
	command -v "$tool" >/dev/null || skip "$tool is not installed"
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM HUP

build_kernel()
{
	mkdir -p "$1" || fail "$1 cannot be made"
	o=$(cd "$1" && pwd)
	export ARCH=x86_64
	{
		make -C "$tree" O="$o" tinyconfig &&
		"$tree/scripts/kconfig/merge_config.sh" -m -O "$o" "$o/.config" \
			"$here/config" &&
		make -C "$tree" O="$o" olddefconfig &&
		make -C "$tree" O="$o" -j"$(nproc)" bzImage
	} >"$o/build.log" 2>&1 </dev/null ||
		{ tail -n 20 "$o/build.log" >&2; fail "the kernel does not build"; }
	image=$o/arch/x86/boot/bzImage
}

[ -z "$build" ] || build_kernel "$build"
[ -r "$image" ] ||
	fail "there is no kernel $image; build one with -b, or name one with -k"

mkdir "$work/out"
make -s -C "$here" OUTPUT="$work/out" >"$work/make.log" 2>&1 ||
	{ cat "$work/make.log" >&2; fail "the test does not build"; }
"${CC:-cc}" -O2 -o "$work/gen_init_cpio" "$tree/usr/gen_init_cpio.c" ||
	fail "gen_init_cpio does not build"
cat >"$work/list" <<EOF
dir /dev 755 0 0
nod /dev/console 600 0 0 c 5 1
dir /proc 755 0 0
dir /run 755 0 0
file /init $work/out/init 755 0 0
file /empty_rootfs_test $work/out/empty_rootfs_test 755 0 0
EOF
"$work/gen_init_cpio" "$work/list" >"$work/initramfs" ||
	fail "the initramfs could not be made"

boot() # boot SECONDS ACCELERATOR
{
	serial=$work/serial.$2
	qemu-system-x86_64 -accel "$2" -cpu max -m 256 -nodefaults -display none \
		-no-reboot -serial stdio -kernel "$image" -initrd "$work/initramfs" \
		-append "console=ttyS0 quiet panic=-1 no_timer_check PIVOT_FOR_GOOD=1$params" \
		</dev/null >"$serial" 2>"$work/qemu.log" &
	qemu=$!
	left=$1
	until grep -q '^# exit status: ' "$serial" || [ ! -e /proc/$qemu/exe ] ||
	      [ "$left" = 0 ]; do
		sleep 1
		left=$((left - 1))
	done
	# Not waited for: one that hangs in the host's kernel does not die.
	kill -9 $qemu 2>/dev/null || :
	tr -d '\r' <"$serial" >"$work/console"
	grep -q '^# exit status: ' "$work/console"
}

# That /dev/kvm can be opened proves little: it may hang. ACCEL=tcg saves the try.
{ [ "${ACCEL:-kvm}" = kvm ] && [ -w /dev/kvm ] && boot 20 kvm; } || boot 300 tcg ||
	{ cat "$work/console" "$work/qemu.log" >&2; fail "the test did not end"; }

sed -n '/^TAP version/,/^# exit status: /p' "$work/console"
grep -q '^# Totals: pass:0 fail:0 .* skip:[1-9]' "$work/console" && exit 4
exit "$(sed -n 's/^# exit status: //p' "$work/console")"
