#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Runs dockerd with overlay2 straight on the root. Without rules for a firewall and without the network it needs nothing
# of the kernel besides.
mkdir -p /etc/docker /tmp/image/bin /tmp/build
echo '{ "iptables": false, "ip6tables": false, "bridge": "none", "storage-driver": "overlay2" }' >/etc/docker/daemon.json
systemctl reset-failed docker
systemctl restart docker
cp /usr/bin/busybox /tmp/image/bin
printf 'FROM image\nRUN ["/bin/busybox", "touch", "/built"]\n' >/tmp/build/Dockerfile
echo text >/tmp/text
tar -C /tmp/image -c . | docker import - image >/dev/null
last() { "$@" 2>&1 | tail -n 1; }
echo; echo "root: $(findmnt -no FSTYPE /)"
echo "storage: $(docker info --format '{{.Driver}}')"
echo "run: $(docker run --rm --network=none image /bin/busybox echo hello from docker 2>&1 | grep -o 'hello.*\|pivot_root.*')"
docker run -d --name container --network=none image /bin/busybox sleep 1000 >/dev/null 2>&1
echo "exec: $(last docker exec container /bin/busybox echo inside)"
echo "cp: $(last docker cp /tmp/text container:/text; last docker exec container /bin/busybox cat /text)" | paste -sd' '
echo "build: $(DOCKER_BUILDKIT=0 last docker build --network=none -t built /tmp/build)"
echo "built: $(last docker run --rm --network=none built /bin/busybox ls /built)"
echo "SCENARIO-END"
exec systemctl poweroff --force --force
