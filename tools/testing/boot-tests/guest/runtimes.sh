#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Has each container runtime say hello, once by itself and once under strace, and tells of each whether it did and by
# which call the root changed.
d=/tmp/root
hello='/bin/busybox echo hello inside'
as_user='env HOME=/tmp/user XDG_RUNTIME_DIR=/tmp/user setpriv --reuid=1000 --regid=1000 --init-groups'

runtime() { # runtime NAME PACKAGE COMMAND
	said=$(timeout -k 5 300 sh -c "$3" 2>&1)
	traced=$(timeout -k 5 900 strace -f -qq -o /tmp/calls -e trace=pivot_root,chroot,mount sh -c "$3" 2>&1)
	if echo "$said" | tr -d '\r' | grep -qx 'hello inside'; then
		if grep -q 'pivot_root(.*) *= 0' /tmp/calls; then result='starts, by pivot_root'
		elif grep -q 'mount(.*, "/", .*MS_MOVE.*) = 0' /tmp/calls; then result='starts, by MS_MOVE'
		elif grep -q 'chroot(.*) *= 0' /tmp/calls; then result='starts, by chroot'
		elif echo "$traced" | tr -d '\r' | grep -qx 'hello inside'; then result='starts, and keeps the root'
		else
			echo "$traced" | tail -n 3
			result='starts, but not under strace'
		fi
	else
		echo "$said" | tail -n 3
		result="does not start: pivot_root gives $(sed -n 's/.*pivot_root(.*= -1 \(E[A-Z]*\) .*/\1/p' /tmp/calls | tail -n 1)"
	fi
	echo "runtime: $1: $(dpkg-query -W -f '${Version}' "$2"): $result"
}

# Applications and what they run on come from a repository.
flatpaks() {
	for f in runtime app; do
		mkdir -p /tmp/$f/files/bin /tmp/$f/export
		cp /usr/bin/busybox /tmp/$f/files/bin
	done
	printf '%s\n' '[Runtime]' name=org.example.Runtime runtime=org.example.Runtime/x86_64/1 >/tmp/runtime/metadata
	printf '%s\n' '[Application]' name=org.example.App runtime=org.example.Runtime/x86_64/1 command=busybox \
		>/tmp/app/metadata
	flatpak build-export --runtime --no-update-summary --files=files /tmp/repo /tmp/runtime 1
	flatpak build-export --no-update-summary /tmp/repo /tmp/app 1
	flatpak build-update-repo /tmp/repo
	flatpak remote-add --no-gpg-verify local file:///tmp/repo
	flatpak install -y --noninteractive local org.example.Runtime//1 org.example.App//1
}

# Snaps come from a store; here a directory is the base, and there is nothing in the snap.
snaps() {
	for f in bin dev etc/alternatives etc/ssl home lib/firmware lib/modules lib/udev media meta mnt opt proc root run \
		snap srv sys tmp usr/bin usr/lib/snapd usr/share usr/src var/lib/snapd var/log var/snap var/tmp; do
		mkdir -p /snap/base/1/$f
	done
	: >/snap/base/1/etc/nsswitch.conf
	cp /usr/bin/busybox /snap/base/1/bin
	mkdir -p /snap/hello/1 /var/snap /var/lib/snapd/cgroup /var/lib/snapd/seccomp/bpf
	for f in base hello; do ln -s 1 /snap/$f/current; done
	echo self-managed=true >/var/lib/snapd/cgroup/snap.hello.device
	echo @unrestricted >/tmp/profile
	/usr/lib/snapd/snap-seccomp compile /tmp/profile /var/lib/snapd/seccomp/bpf/snap.hello.hello.bin2
}

systemctl stop docker.socket docker containerd
for f in bin dev etc home lib mnt opt proc root run srv sys tmp usr/bin var; do mkdir -p $d/$f; done
cp /usr/bin/busybox $d/bin
for f in group hosts passwd resolv.conf; do : >$d/etc/$f; done
mkdir -p /etc/docker /tmp/bundle /tmp/user
chown 1000:1000 /tmp/user
echo 'user:x:1000:1000::/tmp/user:/bin/sh' >>/etc/passwd
echo 'user:x:1000:' >>/etc/group
echo user:100000:65536 | tee /etc/subuid >/etc/subgid
echo '{ "iptables": false, "ip6tables": false, "bridge": "none", "storage-driver": "overlay2" }' >/etc/docker/daemon.json
printf '%s\n' "lxc.rootfs.path = dir:$d" 'lxc.net.0.type = none' 'lxc.console.path = none' 'lxc.mount.auto = proc:rw' \
	>/tmp/lxc.conf
cd /tmp/bundle || exit
runc spec
sed -i -e "s|\"path\": \"rootfs\"|\"path\": \"$d\"|" -e 's/"terminal": true/"terminal": false/' \
	-e 's|"sh"|"/bin/busybox", "echo", "hello inside"|' config.json
flatpaks >/tmp/flatpaks 2>&1
snaps >/tmp/snaps 2>&1
echo; echo "root: $(findmnt -no FSTYPE /)"

runtime runc runc 'runc run c'
runtime crun crun 'crun run c'
runtime runsc runsc 'runsc --network=none --ignore-cgroups run c'
runtime podman podman "podman run --rm --network=none --rootfs $d $hello"
runtime buildah buildah "c=\$(buildah from scratch); buildah copy -q \$c $d /; buildah run --network=none \$c -- $hello"
runtime containerd containerd "containerd >/tmp/log 2>&1 & until ctr version >/dev/null 2>&1; do sleep 1; done
	ctr run --rm --rootfs $d c $hello; kill \$!; wait"
runtime dockerd docker.io "dockerd >/tmp/log 2>&1 & until docker info >/dev/null 2>&1; do sleep 1; done
	tar -C $d -c . | docker import - image
	docker run --rm --network=none image $hello; kill \$!; wait"
runtime systemd-nspawn systemd-container "systemd-nspawn -q --register=no --keep-unit -D $d $hello"
runtime lxc-execute lxc "lxc-execute -n c -f /tmp/lxc.conf -- $hello"
runtime bubblewrap bubblewrap "bwrap --bind $d / $hello"
runtime 'bubblewrap as a user' bubblewrap "$as_user bwrap --unshare-user --bind $d / $hello"
runtime flatpak flatpak 'flatpak run org.example.App echo hello inside'
# It would enter the mount namespace of its last run.
runtime snap-confine snapd "/usr/lib/snapd/snap-discard-ns hello; SNAP_INSTANCE_NAME=hello SNAP_NAME=hello SNAP_REVISION=1 \
	/usr/lib/snapd/snap-confine --base base snap.hello.hello $hello"
runtime ch-run charliecloud-runtime "$as_user ch-run $d -- $hello"
# When it waits, it is in its sandbox.
runtime virtiofsd virtiofsd "timeout 10 /usr/libexec/virtiofsd --shared-dir=$d --socket-path=/tmp/virtiofsd 2>&1 |
	sed 's/.*Waiting for vhost-user socket.*/hello inside/'"
runtime firejail firejail "firejail --quiet --noprofile /usr$hello"
runtime rootlesskit rootlesskit "$as_user rootlesskit --copy-up=/etc /usr$hello"
echo 'SCENARIO-END'
exec systemctl poweroff --force --force
