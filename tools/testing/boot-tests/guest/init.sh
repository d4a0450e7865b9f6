#!/bin/busybox sh
# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash
# PID 1 of the test machines, or what PID 1 starts: runs the scenario that the command line names.
export PATH=/bin:/sbin:/usr/bin:/usr/sbin
alias reboot='busybox reboot'
# Somebody may have been here before.
mounted() { busybox grep -qs " $1 " /proc/mounts; }
mounted /proc || busybox mount -t proc proc /proc
mounted /sys || busybox mount -t sysfs sysfs /sys
mounted /dev || busybox mount -t devtmpfs devtmpfs /dev
# shellcheck source=/dev/null
. /scenarios.sh
scenario=facts
# shellcheck disable=SC2013 # words are what it is about
for word in $(busybox cat /proc/cmdline); do
	case $word in scenario=*) scenario=${word#*=} ;; esac
done
"$scenario" </dev/null 2>&1
echo "SCENARIO-END $scenario"
busybox reboot -f
