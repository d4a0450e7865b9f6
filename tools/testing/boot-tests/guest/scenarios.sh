# SPDX-License-Identifier: GPL-2.0
# What the test machines do; each scenario is a function that prints what it sees.
# shellcheck shell=sh

# What "/" is.
facts() {
	busybox awk '$2 == "/" { print "root: " $1 " " $3 " " $4 }' /proc/mounts
	busybox awk '$5 == "/" { print "mount: " $1 ", parent " $2 }' /proc/self/mountinfo
	# How many mounts can be seen from the root, besides the three of init.sh.
	echo "pid 1: $(busybox cat /proc/1/comm) in $(busybox readlink /proc/1/cwd)"
	echo "mounts: $(($(busybox wc -l </proc/mounts) - 3))"
	busybox touch /writable && echo "write: ok"
	memory system
}

# What all tmpfs hold, in KiB.
memory() { busybox awk -v name="$1" '/^Shmem:/ { print name ": " $2 }' /proc/meminfo; }

show() { # show NAME COMMAND...: one line with the command's last one
	name=$1
	shift
	echo "$name: $("$@" 2>&1 | busybox tail -n 1)"
}

cgroups() {
	mounted /sys/fs/cgroup || busybox mount -t cgroup2 cgroup2 /sys/fs/cgroup
	busybox mkdir -p /run /tmp
}

runc() { cgroups; show runc /usr/sbin/runc run --bundle /bundle c; }
crun() { cgroups; show crun /usr/bin/crun run --bundle /bundle c; }
bubblewrap() { show bubblewrap bwrap --bind /bundle/rootfs / --proc /proc /bin/hello; }
bubblewrap_user() {
	show bubblewrap_user /usr/bin/setpriv --reuid 65534 --regid 65534 --clear-groups \
		bwrap --unshare-user --bind /bundle/rootfs / /bin/hello
}
containers() { runc; crun; bubblewrap; bubblewrap_user; }

nspawn() {
	cgroups
	show nspawn systemd-nspawn -q -D /bundle/rootfs --register=no --keep-unit --link-journal=no \
		--uuid=11111111222243338444555555555555 /bin/hello
}
lxc() {
	cgroups
	busybox mkdir -p /dev/pts /var/lib/lxc
	busybox mount -t devpts devpts /dev/pts
	printf '%s\n' 'lxc.rootfs.path = dir:/bundle/rootfs' 'lxc.net.0.type = none' \
		'lxc.console.path = none' 'lxc.mount.auto = proc:rw' >/tmp/lxc.conf
	for program in hello 'probe bottom'; do
		# shellcheck disable=SC2086 # two words
		lxc-execute -n c -f /tmp/lxc.conf -- /bin/$program
	done
}
by_podman() { # by_podman COMMAND...
	cgroups
	busybox mkdir -p /etc/containers /var/tmp /dev/shm
	echo '{ "default": [ { "type": "insecureAcceptAnything" } ] }' >/etc/containers/policy.json
	/usr/bin/podman --storage-driver vfs --cgroup-manager cgroupfs --events-backend none "$@"
}
podman() {
	show podman by_podman run --network none --log-driver none --rootfs /bundle/rootfs /bin/hello
}
# What runs from memory with a distribution's kernel.
distribution() {
	facts
	mounted /sys/kernel/security || busybox mount -t securityfs securityfs /sys/kernel/security
	echo "security modules: $(busybox cat /sys/kernel/security/lsm)"
	containers
	podman
}
podman_image() {
	by_podman load -q -i /image.tar
	show podman_image by_podman run --network none --log-driver none --pull never hello:1 /bin/hello
}
podman_build() {
	by_podman load -q -i /image.tar
	busybox mkdir /context
	printf '%s\n' 'FROM localhost/hello:1' 'RUN ["/bin/hello"]' >/context/Containerfile
	by_podman build --network none --pull=never --isolation oci /context 2>&1 |
		busybox grep 'container\|pivot_root' | busybox sed 's/^/podman_build: /'
}
containerd() {
	cgroups
	busybox mkdir -p /var/lib /etc/containerd
	# Kubernetes' part wants a network.
	printf '%s\n' 'version = 2' 'disabled_plugins = ["io.containerd.grpc.v1.cri"]' >/etc/containerd/config.toml
	/usr/bin/containerd --log-level error &
	until [ -S /run/containerd/containerd.sock ]; do busybox sleep 1; done
	ctr image import --snapshotter native /image.tar
	show containerd ctr run --rm --snapshotter native docker.io/library/hello:1 c /bin/hello
}
youki() { cgroups; /youki run --bundle /bundle c 2>&1 | busybox sed 's/^/youki: /'; }
util_linux() {
	# shellcheck disable=SC2016
	show util_linux unshare -m /bin/busybox sh -c 'busybox mount --bind /bundle/rootfs /bundle/rootfs &&
		cd /bundle/rootfs && /sbin/pivot_root . tmp && exec /bin/hello'
}
in_a_container() {
	show in_a_container bwrap --bind / / --dev /dev --proc /proc --unshare-pid \
		bwrap --bind /bundle/rootfs / /bin/hello
}
# All are there at once: they end when nobody can write to their standard input any more.
hundred() {
	busybox mkdir /tmp/out
	busybox mkfifo /tmp/hold
	exec 9<>/tmp/hold
	for n in $(busybox seq 100); do
		bwrap --unshare-all --bind /bundle/rootfs / /bin/probe hold </tmp/hold >"/tmp/out/$n" 2>&1 9>&- &
	done
	while [ "$(busybox cat /tmp/out/* | busybox wc -l)" -lt 100 ]; do busybox sleep 1; done
	show hundred busybox cat /tmp/out/1
	echo "at once: $(busybox cat /tmp/out/* | busybox grep -c 'hello from a container')"
	exec 9>&-
	wait
}

# A container that may mount runs a program that looks what lies below its root.
in_container() { # in_container CAPABILITIES PROGRAM [OPTION]
	cgroups
	busybox mkdir -p /below
	# shellcheck disable=SC2086 # a list of words
	caps=$(busybox printf '"CAP_%s", ' $1)
	caps="[${caps%, }]"
	busybox sed -e 's|"rootfs"|"/bundle/rootfs"|' -e "s|\"/bin/hello\"|$2|" \
		-e "s|\"cwd\"|\"capabilities\": { \"bounding\": $caps, \"permitted\": $caps, \"effective\": $caps }, &|" \
		/bundle/config.json >/below/config.json
	# shellcheck disable=SC2086 # none or one
	/usr/sbin/runc run ${3:-} --bundle /below c
}
below_pivot() { in_container 'SYS_ADMIN SYS_CHROOT' '"/bin/probe", "bottom"'; }
below_no_pivot() { in_container 'SYS_ADMIN SYS_CHROOT' '"/bin/probe", "bottom"' --no-pivot; }

# What shutdown scripts do to all mounts, and what becomes of the root.
umounts() {
	facts
	move_root
	busybox cp /bin/busybox /scenarios.sh /bundle/rootfs/bin/
	in_container 'SYS_ADMIN DAC_OVERRIDE' '"/bin/busybox", "sh", "-c", ". /bin/scenarios.sh; umounts_by container"'
	busybox unshare -m /bin/busybox sh -c '. /scenarios.sh; umounts_by namespace'
	umounts_by root
}
umounts_by() { # umounts_by WHO
	for umount in 'busybox umount -a -t tmpfs' 'busybox umount /' 'busybox umount -l /' 'busybox umount -a -r' \
		'busybox umount -a -l -f' '/bin/umount -a -t tmpfs' '/bin/umount -l /'; do
		# The container has busybox alone.
		[ -e "${umount%% *}" ] || [ "${umount#busybox}" != "$umount" ] || continue
		said=$($umount 2>&1 | busybox grep ' /: \|^umount: /:')
		busybox mount -t proc proc /proc
		if busybox touch /written 2>/dev/null; then root=writable; else root='not writable'; fi
		echo "$1, $umount: ${said:-said nothing}, $root"
	done
}
move_root() {
	busybox mkdir -p /mnt
	show 'move the root' busybox mount --move / /mnt
	busybox mount --bind / /mnt
	show 'copy of the root' busybox umount /mnt
	busybox mount --rbind / /mnt
	show 'copy with all below' busybox umount -l /mnt
	busybox grep -q ' /mnt' /proc/mounts || echo 'copies: gone'
}

# Three who try whatever may change what lies below.
attack() {
	echo 'by root:'
	busybox unshare -m /attack
	echo 'by a container with every capability:'
	in_container 'CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE
		NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT
		SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE
		AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ
		PERFMON BPF CHECKPOINT_RESTORE' '"/bin/attack"'
	echo 'by a user namespace:'
	/usr/bin/setpriv --reuid 65534 --regid 65534 --clear-groups unshare -Ur /attack
	bottom
}
attack_here() { busybox unshare -m /attack here; }

# shellcheck disable=SC2154 # kernel parameters that the kernel does not know
fuzz() { busybox unshare -m /fuzz "$seed" "$calls" ${where:+"$where"}; }

# The reproducer of opencontainers/runc#1962: in a container that sees only a part of /proc, somebody
# mounts the whole.
reproducer() { # reproducer COMMANDS: how the container's root becomes the root
	busybox cp /bin/busybox /bundle/rootfs/bin/
	show reproducer unshare -m /bin/busybox sh -ec "busybox mount --bind /bundle/rootfs /bundle/rootfs
		cd /bundle/rootfs; busybox mount -t proc proc proc; busybox mount -t tmpfs tmpfs proc/sys
		$1 busybox unshare -mrfp busybox sh -c 'busybox mount -t proc none /proc && echo the whole /proc'"
}
reproducer_pivot() { reproducer '/sbin/pivot_root . tmp; cd /; busybox umount -l /tmp; exec'; }
reproducer_no_pivot() { reproducer 'busybox mount --move . /; exec busybox chroot .'; }

# What people do without the feature: copy the system into a second tmpfs, and go there.
copy() {
	if busybox grep -q '^copy / ' /proc/mounts; then
		runc
		below_pivot
		return
	fi
	memory system
	busybox mkdir /copy
	busybox mount -t tmpfs copy /copy
	busybox mkdir /copy/proc /copy/sys /copy/dev
	busybox cp -a /bin /sbin /lib /lib64 /etc /usr /bundle /init /probe /scenarios.sh /copy/
	memory 'with the copy'
	exec busybox switch_root /copy /init
}

# The same of what "make bench" brings, by the ways of images in the field.
copied() {
	busybox mkdir /copy
	# shellcheck disable=SC2154 # kernel parameters that the kernel does not know
	busybox mount -t tmpfs ${size:+-o size="$size"} copy /copy
	busybox mkdir /copy/proc /copy/sys /copy/dev /copy/run /copy/tmp
	# shellcheck disable=SC2154
	case $copy in
	cp)	busybox cp -a /bin /init /probe /ready /scenarios.sh /payload /copy/ ;;
	tar)	busybox tar -c -C / bin init probe ready scenarios.sh payload | busybox tar -x -C /copy ;;
	esac
	exec busybox switch_root /copy /ready copied
}

# Containers that stay, on a host with some mounts: what there is with so many, and what one more takes.
many() {
	cgroups
	# shellcheck disable=SC2154 # kernel parameters that the kernel does not know
	for n in $(busybox seq "$host"); do
		busybox mkdir -p "/host/$n"
		busybox mount -t tmpfs tmpfs "/host/$n"
	done
	busybox sed -i 's|"/bin/hello"|"/bin/probe", "hold"|' /bundle/config.json
	busybox mkfifo /tmp/hold
	exec 9<>/tmp/hold
	here 0
	for n in $(busybox seq 200); do
		case $n in 10 | 50 | 100 | 180 | 200) /probe now "before $n" ;; esac
		# shellcheck disable=SC2154
		/usr/bin/crun run ${no_pivot:+--no-pivot} --detach --bundle /bundle "c$n" </tmp/hold >/tmp/log 2>&1 ||
			busybox cat /tmp/log
		case $n in 10 | 50 | 100 | 180 | 200) here "$n" ;; esac
	done
	echo "running: $(busybox pidof probe | busybox wc -w)"
}
here() { # here N
	/probe now "with $1"
	echo 1 >/sys/kernel/slab/mnt_cache/shrink
	echo "mounts with $1: $(busybox cut -d ' ' -f 1 /sys/kernel/slab/mnt_cache/objects)"
	busybox awk -v n="$1" '/^(Slab|Percpu|KernelStack|PageTables):/ { sum += $2 } END { print "kernel with " n ": " sum }' /proc/meminfo
}

# What comes after PID 1 has gone on to an init proper, which starts init.sh again.
started() {
	[ $$ != 1 ] || return
	facts
	runc
}
# systemd goes down by way of an exitrd, which takes leave of the old root.
exitrd() {
	facts
	show umount busybox umount /
	busybox mkdir -p /run/initramfs/bin /run/initramfs/proc /run/initramfs/sys /run/initramfs/dev /run/initramfs/run
	busybox cp /bin/busybox /run/initramfs/bin/
	busybox cat >/run/initramfs/shutdown <<-'EOF'
		#!/bin/busybox sh
		exec >/dev/console 2>&1
		busybox awk '$2 == "/oldroot" { print "old root: " $1 " " $3 }' /proc/mounts
		busybox umount -l /oldroot && echo 'exitrd: has taken leave'
		busybox awk '$2 == "/" { print "new root: " $1 " " $3 }' /proc/mounts
		busybox reboot -f
	EOF
	busybox chmod 755 /run/initramfs/shutdown
	systemctl --no-block poweroff
	busybox sleep 100
}
# What was installed.
installed() {
	facts
	busybox grep PRETTY_NAME /etc/os-release
	# shellcheck disable=SC2016 # for dpkg-query
	show kernel dpkg-query -W -f '${Package} ${Status}\n' "linux-image-$(busybox uname -r)"
}
# The init of TinyCore sets limits on its root, and goes on in it or copies it.
tinycore() {
	started && return
	busybox mount -o remount,size=90%,nr_inodes=100000 /
	echo '::sysinit:/init' >/etc/inittab
	exec busybox init
}
# The init of minikube copies its root for pivot_root, and starts systemd.
minikube() { started || exec /lib/systemd/systemd; }
minikube_copying() {
	started && return
	busybox mkdir /sysroot
	busybox mount -t tmpfs -o size=90% tmpfs /sysroot
	(cd / && busybox find . -xdev ! -path './sysroot*' | busybox cpio -o -H newc) |
		(cd /sysroot && busybox cpio -i)
	busybox mkdir -p /sysroot/proc /sysroot/sys /sysroot/dev
	exec busybox switch_root /sysroot /lib/systemd/systemd
}

# PID 1 itself moves to a new root.
pivot_by_hand() { exec /probe pivot; }
pivot_keeping_the_console() { exec /probe pivot tmpfs keep; }
switch_root_by_hand() { exec /probe switch_root; }
pivot_by_hand_on_ramfs() { facts; exec /probe pivot ramfs; }

bottom() { /probe bottom; }

beneath() {
	/probe beneath /proc
	/probe beneath /
}

# How many uevent helpers have run, once no more do.
helpers() {
	before=none
	now=
	while [ "$before" != "$now" ]; do
		before=$now
		busybox sleep 2
		now=$(busybox stat -c %s /helpers)
	done
	echo "helpers: $now"
}

shell() {
	echo 'Leave with "exit", or Ctrl-A X if all hangs. The root of this machine:'
	busybox grep ' / ' /proc/mounts
	busybox setsid busybox cttyhack busybox sh </dev/console >/dev/console 2>&1
}

# The new root's init waits until the old one has been removed in the background.
switched() { # switched COMMAND...
	busybox mkdir /new
	busybox mount -t tmpfs tmpfs /new
	busybox cp -a /bin /sbin /lib /lib64 /usr /probe /scenarios.sh /new/ 2>/dev/null
	busybox mkdir -p /new/proc /new/sys /new/dev /new/bundle
	busybox mount -t devtmpfs devtmpfs /new/dev
	busybox cat >/new/init <<-'EOF'
		#!/bin/busybox sh
		. /scenarios.sh
		busybox mount -t proc proc /proc
		busybox grep ' / tmpfs ' /proc/mounts | busybox tail -n 1
		before=none
		now=
		while [ "$before" != "$now" ]; do
			before=$now
			busybox sleep 1
			now=$(memory left)
		done
		echo "$now"
		echo "switched: pid $$"
		busybox reboot -f
	EOF
	busybox chmod 755 /new/init
	exec "$@" /new /init
}
switch_root_busybox() { switched busybox switch_root; }
switch_root_util_linux() { switched /sbin/switch_root; }
switch_root_other_util_linux() {
	libraries=$(busybox dirname "$(busybox find /other -name libc.so.6)")
	switched "$(busybox find /other -name 'ld-linux*' -type f)" --library-path "$libraries" \
		"$(busybox find /other -name switch_root)"
}

# What the archive has brought: each entry of the root's file system, but not what is mounted there:
# /proc has as many links as there are processes.
entries() {
	busybox find / -xdev ! -path / ! -path /proc ! -path /sys ! -path /dev -exec busybox stat -c '%f %h %u %g %t:%T %n' {} + |
		busybox sed 's/ 0:0 / /' | busybox sort -k 5
}
files() {
	facts
	echo "init: $0"
	echo "release: $(busybox cat /release)"
	if [ -e /kernel ]; then echo "microcode: $(busybox cat /kernel/x86/microcode/GenuineIntel.bin)"; fi
	entries | busybox grep ' /rich/'
	contents=$(busybox find / -xdev -type f -size +0 -exec busybox md5sum {} + |
		busybox sort -k 2 | busybox md5sum)
	echo "files: $(entries | busybox md5sum) $contents"
	retained=none
	[ ! -e /sys/firmware/initrd ] || retained=$(busybox md5sum </sys/firmware/initrd)
	echo "retained: $retained"
}
# The same where it would take long.
names() {
	facts
	echo "files: $(busybox find / -xdev | busybox wc -l) $(busybox find / -xdev | busybox sort | busybox md5sum)"
}
large() {
	facts
	size=$(busybox stat -c %s /large)
	for at in 0 255 511; do
		size="$size $(busybox dd if=/large bs=1M skip=$at count=1 2>/dev/null | busybox head -n 1)"
	done
	echo "large: $size"
	echo "files: $(busybox find / -xdev | busybox md5sum)"
}

# What the kernel looks up for others by a path.
core_dumps() {
	echo /core >/proc/sys/kernel/core_pattern
	# shellcheck disable=SC3045 # busybox has it
	ulimit -c unlimited
	busybox sh -c 'kill -SEGV $$'
	[ ! -s /core ] || echo 'core file: ok'
	echo '|/helper' >/proc/sys/kernel/core_pattern
	busybox sh -c 'kill -SEGV $$'
	[ ! -s /helpers ] || echo 'core pipe: ok'
}
modules() {
	echo /helper >/proc/sys/kernel/modprobe
	busybox mount -t nosuchfs none /run 2>&1
	[ ! -s /helpers ] || echo 'modprobe: ok'
}
firmware() {
	busybox mkdir -p /lib/firmware
	echo 'some firmware' >/lib/firmware/some.bin
	printf some.bin >/sys/devices/virtual/misc/test_firmware/trigger_request
	echo "firmware: $(busybox cat /dev/test_firmware)"
}

# How many mounts and inodes there are.
objects() {
	facts
	objects=
	for cache in mnt_cache shmem_inode_cache inode_cache; do
		# Not what a CPU keeps for later.
		echo 1 >/sys/kernel/slab/$cache/shrink
		objects="$objects $cache $(busybox cut -d ' ' -f 1 /sys/kernel/slab/$cache/objects)"
	done
	echo "objects:$objects"
}
# What has leaked besides.
leaks() {
	objects
	busybox mount -t debugfs debugfs /sys/kernel/debug
	# What is new has to be found twice.
	for n in 1 2 3; do
		echo scan >/sys/kernel/debug/kmemleak && echo "scanned: $n"
		busybox sleep 6
	done
	busybox cat /sys/kernel/debug/kmemleak
}
provoked() {
	busybox mount -t debugfs debugfs /sys/kernel/debug
	echo WARNING >/sys/kernel/debug/provoke-crash/DIRECT
}

# Security modules.
selinux() {
	busybox mount -t selinuxfs selinuxfs /sys/fs/selinux
	busybox dd if=/policy of=/sys/fs/selinux/load bs=1M 2>/dev/null
	/probe label /release
	echo secret >/secret
	/probe label /secret system_u:object_r:secret_t
	echo 1 >/sys/fs/selinux/enforce
	for file in release secret; do
		show "by anybody, $file" busybox cat /$file
		show "confined, $file" /usr/bin/setpriv --selinux-label system_u:system_r:confined_t /bin/busybox cat /$file
	done
}
apparmor() { # apparmor [OPTION]
	cgroups
	busybox mount -t securityfs securityfs /sys/kernel/security
	busybox dd if=/profile of=/sys/kernel/security/apparmor/.replace bs=1M 2>/dev/null
	for file in release secret; do
		busybox mkdir -p /bundle/$file
		echo $file >/bundle/rootfs/$file
		busybox sed -e 's|"rootfs"|"/bundle/rootfs"|' -e "s|\"/bin/hello\"|\"/bin/probe\", \"read\", \"/$file\"|" \
			/bundle/config.json >/bundle/$file/config.json
		# shellcheck disable=SC2086 # none or one
		show "by anybody, $file" /usr/sbin/runc run $1 --bundle /bundle/$file c
		busybox sed -i 's|"cwd"|"apparmorProfile": "confined", &|' /bundle/$file/config.json
		# shellcheck disable=SC2086
		show "confined, $file" /usr/sbin/runc run $1 --bundle /bundle/$file c
	done
}
apparmor_no_pivot() { apparmor --no-pivot; }
ipe() {
	busybox mount -t tmpfs tmpfs /run
	busybox cp /probe /run/hello
	busybox cp /probe /tmp/hello
	show 'in the initramfs' /tmp/hello
	show 'elsewhere' busybox sh -c 'exec /run/hello'
}
ima() {
	busybox mount -t securityfs securityfs /sys/kernel/security
	# shellcheck disable=SC2154 # a kernel parameter that the kernel does not know
	[ -z "$fsname" ] || echo "measure func=FILE_CHECK mask=MAY_READ fsname=$fsname" >/sys/kernel/security/ima/policy
	busybox cat /release
	/probe bottom >/dev/null
	busybox awk '{ print $4, $5 }' /sys/kernel/security/ima/ascii_runtime_measurements >/tmp/measured
	for file in /init /probe /release; do
		busybox grep -q " $file\$" /tmp/measured && echo "measured: $file"
	done
	echo "files: $(busybox wc -l </tmp/measured) $(busybox sort /tmp/measured | busybox md5sum)"
}
landlock() {
	cd /landlock || return
	for test in *_test; do
		./"$test" >/tmp/log 2>&1
		busybox grep '^not ok' /tmp/log
		echo "$test: $(busybox grep -c '^ok' /tmp/log) passed, $(busybox grep -c '# SKIP' /tmp/log) skipped"
	done
}

# Suites that others wrote, in /peers, where a list names their programs: what each line of a program's TAP says, and
# its exit status.
peers() {
	cgroups
	busybox mkdir -p /dev/pts /dev/shm /mnt /opt/busybox /root /var/tmp
	busybox chmod 1777 /tmp /var/tmp
	busybox mount -t devpts devpts /dev/pts
	busybox mount -t tmpfs tmpfs /run
	# What systemd as PID 1 would have made.
	busybox ln -s /proc/self/fd /dev/fd
	busybox mkdir -p /run/systemd/inaccessible/dir
	busybox mkfifo /run/systemd/inaccessible/fifo
	busybox touch /run/systemd/inaccessible/reg
	python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("/run/systemd/inaccessible/sock")'
	# What the packages do not have, such as awk.
	busybox --install -s /opt/busybox
	export PATH="$PATH:/opt/busybox" HOME=/root OCI_RUNTIME=/usr/bin/crun INIT=/peers/init
	export TS_OPT_parsable=yes TS_OPT_show_diff=yes TS_OPT_use_system_commands=yes
	while read -r dir program; do
		cd "/peers/$dir" || exit
		test=${dir##*/}/$program
		busybox timeout -s KILL 900 "./$program" </dev/null >/tmp/log 2>&1
		status=$?
		busybox sed -n -e "s|^ok [0-9]* *-* *\(.*\)# *[Ss][Kk][Ii][Pp].*|peer: $test: \1: is skipped|p" -e t \
			-e "s|^ok [0-9]* *-* *\(.*\)|peer: $test: \1: passes|p" \
			-e "s|^not ok [0-9]* *-* *\(.*\)|peer: $test: \1: fails|p" \
			-e "s|^.*: \(\[[0-9]*\] .*[^ ]\)  *\.\.\. OK.*|peer: $test: \1: passes|p" \
			-e "s|^.*: \(\[[0-9]*\] .*[^ ]\)  *\.\.\. FAILED.*|peer: $test: \1: fails|p" \
			-e "s|^.*: \(\[[0-9]*\] .*[^ ]\)  *\.\.\. .*|peer: $test: \1: is skipped|p" /tmp/log
		! busybox grep -q '^1\.\.0 # *SKIP\|\.\.\. SKIPPED (' /tmp/log || status=77
		case $status in
		0) echo "peer: $test: passes" ;;
		4|77) echo "peer: $test: is skipped" ;;
		*)
			busybox tail -n 5 /tmp/log
			echo "peer: $test: fails"
			;;
		esac
	done </peers/list
}

# The same kernel and archive three times more.
kexecs() {
	facts
	count=$(busybox sed -n 's/.* kexec=//p' /proc/cmdline)
	count=${count:-0}
	echo "boot: $count"
	[ "$count" -lt 3 ] || return
	line=$(busybox sed 's/ kexec=.*//' /proc/cmdline)
	busybox cp /sys/firmware/initrd /tmp/initrd
	kexec -l /bzImage --initrd=/tmp/initrd --append="$line kexec=$((count + 1))" && kexec -e
}
# PID 1 ends, and a second kernel looks at the memory of the first.
crash() {
	if [ -e /proc/vmcore ]; then
		facts
		echo "dump: $(busybox dd if=/proc/vmcore bs=1 skip=1 count=3 2>/dev/null)"
		return
	fi
	line=$(busybox sed 's/crashkernel=[^ ]*//' /proc/cmdline)
	busybox cp /sys/firmware/initrd /tmp/initrd
	kexec -p /bzImage --initrd=/tmp/initrd --append="$line nr_cpus=1 initramfs_options=size=90%" && exit
}

run_init() { switched /usr/lib/klibc/bin/run-init; }
