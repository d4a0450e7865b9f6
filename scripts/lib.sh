# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# What the scripts share; each begins with `. "${0%/*}/lib.sh"`, and then stands in the project's directory.
set -eu
cd "${0%/*}/.."
mkdir -p build/tmp
tests=tools/testing/boot-tests

# Who is interrupted also tidies up.
trap 'exit 1' INT TERM HUP

die() { echo "${0##*/}: $*" >&2; exit 1; }

# Dies where build/ has less than so many GB left: room GB
room() {
	left=$(df -Pk build | awk 'NR == 2 { printf "%.1f", $4 / 1e6 }')
	version_ge "$left" "$1" || die "the disk of $PWD/build has $left GB left, and $1 are needed; please make room there"
}

x86_only() { [ "$ARCH" = x86_64 ] || die "it is done on x86_64, not ARCH=$ARCH"; }

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

# A text with the figures of COSTS.md in the place of their names: with_figures FILE
with_figures() {
	# shellcheck disable=SC2016 # for sed
	sed -n 's/^| `\([A-Z]*\)` | \([0-9,]*\) |.*/s%@\1@%\2%g/p' $tests/COSTS.md >build/tmp/figures
	sed -f build/tmp/figures "$1" >build/tmp/text
	! grep -o '@[A-Z]*@' build/tmp/text >&2 || die "$1 names figures that COSTS.md does not have; make bench writes it"
	cat build/tmp/text
}

# Copies what was built in one directory to another, where little has to be built again: copy_objects FROM TO.
# The commands that Kbuild has noted name the directory.
copy_objects() {
	rm -rf "$2.new"
	mkdir -p "${2%/*}"
	cp -a "$1" "$2.new"
	# Without Rust there is no such directory, and not each architecture has tools.
	mkdir -p "$2.new/rust" "$2.new/tools"
	find "$2.new/tools" "$2.new/rust" -name '.*.cmd' -exec sed -i "s|$1/|$2/|g" {} +
	rm -rf "$2"
	mv "$2.new" "$2"
}

# From here on apt knows these suites of Debian alone: apt_of SUITE...
apt_of() {
	apt=$PWD/build/apt/$(echo "$*" | tr ' ' _)
	mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial"
	mirror=$(scripts/mirror)
	for suite; do echo "deb $mirror $suite main"; done >"$apt/sources.list"
	cat >"$apt/conf" <<-EOT
		Dir::Etc::SourceList "$apt/sources.list";
		Dir::Etc::SourceParts "/dev/null";
		Dir::State::Lists "$apt/lists";
		Dir::Cache "$apt/cache";
	EOT
	export APT_CONFIG="$apt/conf"
	apt-get -q update >build/tmp/apt.log 2>&1 ||
		{ grep -m 1 '^E:' build/tmp/apt.log >&2; die "the package lists of $* could not be fetched; is there a network?"; }
}

# Puts a Python program into build/NAME: venv NAME VERSION PACKAGE...
venv() {
	[ "$(cat "build/$1/version" 2>/dev/null)" != "$2" ] || return 0
	echo "${0##*/}: fetching $1 $2"
	program=$1
	version=$2
	shift 2
	rm -rf "build/$program"
	{ python3 -m venv "build/$program" && "build/$program/bin/pip" -q install "$program==$version" "$@"; } \
		>build/tmp/pip.log 2>&1 ||
		{ tail -n 3 build/tmp/pip.log >&2; die "$program could not be installed; is there a network?"; }
	echo "$version" >"build/$program/version"
}

# Builds the programs of a crate into DIRECTORY/bin: crate DIRECTORY NAME VERSION FEATURES
crate() {
	CARGO_NET_RETRY=10 "$CARGO" install -q --locked --root "$1" "$2" --version "$3" --no-default-features \
		--features "$4" 2>"build/tmp/$2.log" ||
		die "$2 could not be fetched and built; is there a network? build/tmp/$2.log says more"
}

# For a script that checks many things: quiet NAME COMMAND... runs a command that says nothing when all is well.
failed=0
say() { echo "${0##*/}: $*"; }
quiet() {
	title=$1
	shift
	say "$title"
	# A function called by "if" or "||" would go on after a command that fails.
	set +e
	(set -e; "$@") >build/tmp/quiet.log 2>&1
	status=$?
	set -e
	if [ $status != 0 ] || [ -s build/tmp/quiet.log ]; then
		cat build/tmp/quiet.log
		say "FAILED: $title"
		# shellcheck disable=SC2034 # who calls it looks
		failed=1
	fi
}
