#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Tells what has come of a system that make appliance has made, in which podman starts a container at boot.

# An update: a new root in memory takes over, while the kernel runs on.
if grep -qw update /proc/cmdline && [ ! -e /run/updated ]; then
	awk '/^Shmem:/ { print "\nbefore: " $2 }' /proc/meminfo
	echo "root before: $(findmnt -no FSTYPE /)"
	touch /run/updated
	mkdir /run/nextroot
	mount -t tmpfs -o size=90% tmpfs /run/nextroot
	cd /run/nextroot || exit
	mkdir dev proc run sys tmp
	for f in /*; do [ -e "${f#/}" ] || cp -a "$f" .; done
	exec systemctl soft-reboot
fi
/usr/lib/systemd/systemd-networkd-wait-online --timeout=60
mkdir -p /tmp/root/bin
cp /usr/bin/busybox /tmp/root/bin/
run=$(podman run --rm --network=none --rootfs /tmp/root /bin/busybox echo hello from a directory 2>&1)
echo; echo "root: $(findmnt -no FSTYPE /)"
echo "host: $(cat /etc/hostname)"
echo "id: $(cat /etc/machine-id)"
echo "address: $(ip -4 -o address show scope global | awk '$2 ~ /^e/ { print $4 }')"
echo "secure boot: $(od -An -tu1 -j4 /sys/firmware/efi/efivars/SecureBoot-* | tr -d " ")"
echo "run: $run"
awk '/^Shmem:/ { print "after: " $2 }' /proc/meminfo
echo "lockdown: $(cat /sys/kernel/security/lockdown)"
echo "service: $(systemctl is-active hello)"
echo "container: $(journalctl -o cat -u "hello*" | grep "^hello from\|pivot_root" | tail -n 1)"
echo "SCENARIO-END"
exec systemctl poweroff --force --force
