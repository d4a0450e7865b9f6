#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Goes down through an exitrd, a small system that takes over from systemd, and starts the newer system that lies on
# the disk, which tells of itself.
echo
echo "version: $(cat /etc/appliance-version)"
if [ "$(cat /etc/appliance-version)" = 1 ]; then
	mount -o ro /dev/vda1 /mnt
	cat /mnt/system.cpio.zst /mnt/newer.cpio.zst >/run/initrd
	kexec -s -l /mnt/kernel --initrd=/run/initrd --reuse-cmdline && echo 'newer: loaded'
	umount /mnt; rm /run/initrd
	mkdir -p /run/initramfs
	cd /run/initramfs || exit
	mkdir dev oldroot proc run sys
	# shellcheck disable=SC2046 # a list of words
	cp --parents $(ldd /usr/sbin/kexec | grep -o '/[^ ]*') /usr/sbin/kexec /usr/bin/busybox .
	cat >shutdown <<-"EOT"
		#!/usr/bin/busybox sh
		exec >/dev/ttyS0 2>&1
		echo
		alias busybox=/usr/bin/busybox
		busybox awk '$2 ~ "^/oldroot" { print $2 }' /proc/mounts | busybox sort -r | busybox xargs -n 1 /usr/bin/busybox umount
		echo "exitrd: $1, $(busybox grep -c " /oldroot" /proc/mounts) mounts of the old root are left"
		busybox awk '/^Shmem:/ { print "exitrd in memory: " $2 }' /proc/meminfo
		/usr/sbin/kexec -e
	EOT
	chmod 755 shutdown
	awk '/^Shmem:/ { print "in memory: " $2 }' /proc/meminfo
	exec systemctl --no-block kexec
fi
echo "root: $(findmnt -no FSTYPE /)"
echo "service: $(systemctl is-active hello)"
echo "container: $(journalctl -o cat -u "hello*" | grep "^hello from\|pivot_root" | tail -n 1)"
echo "SCENARIO-END"
exec systemctl poweroff --force --force
