# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# What the scripts share; each begins with `. "${0%/*}/lib.sh"`, and then stands in the project's directory.
set -eu
cd "${0%/*}/.."
mkdir -p build/tmp
tests=tools/testing/boot-tests

die() { echo "${0##*/}: $*" >&2; exit 1; }

# What a file in arches/ or kernels/ says besides its configuration: words FILE KEY
words() { sed -n "s/^#: $2 //p" "$1"; }

# The names of the files in a directory of boot-tests: names arches
names() { (cd "$tests/$1" && for f in *.config; do printf '%s ' "${f%.config}"; done); }

# Whether a version is at least another one: version_ge 1.85.1 1.78
version_ge() { [ "$(printf '%s\n%s\n' "$1" "$2" | sort -V | head -n 1)" = "$2" ]; }

# A kernel tree's version, as the directories in patches/ are called: version_of TREE
version_of() { sed -n 's/^VERSION = //p; s/^PATCHLEVEL = //p' "$1/Makefile" | paste -sd.; }

# The directory in patches/ for a kernel tree: its version's, or the nearest lower one's.
patches_for() {
	v=$(version_of "$1")
	! version_ge "$v" 7.0 || die "$1 is Linux $v, which has nullfs and does not need this"
	best=
	for d in patches/*.*; do
		# The lowest that there is sorts first.
		if version_ge "$v" "${d#*/}"; then best=$d; fi
	done
	[ -n "$best" ] || die "$1 is Linux $v; there are patches for $(cd patches && echo ./*.* | sed 's|\./||g') and newer"
	echo "$best"
}

# Copies what was built in one directory to another, where little has to be built again: copy_objects FROM TO.
# The commands that Kbuild has noted name the directory.
copy_objects() {
	rm -rf "$2.new"
	mkdir -p "${2%/*}"
	cp -a "$1" "$2.new"
	find "$2.new/tools" "$2.new/rust" -name '.*.cmd' -exec sed -i "s|$1/|$2/|g" {} +
	rm -rf "$2"
	mv "$2.new" "$2"
}
