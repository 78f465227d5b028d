# A Debian guest with systemd: its disk, and its run. Sourced after common.sh, by root.
#
# The guest runs /vm/guest on its console; everything below $work/vm is in its /vm. What
# is kept and where: LDWATCH_VM_KEEP=1 keeps $work.

VM_NEEDS=(qemu-system-x86_64:qemu-system-x86 debootstrap:debootstrap mkfs.ext4:e2fsprogs busybox:busybox-static)

# make_work: a place for everything, gone at the end.
make_work() {
  work="$(mktemp -d "${TMPDIR:-/var/tmp}/ldwatch-vm.XXXXXX")"
  if [ -n "${LDWATCH_VM_KEEP:-}" ]; then
    echo "kept: $work"
  else
    trap 'rm -rf --one-file-system "$work"' EXIT
  fi
  mkdir "$work/vm"
}

# container_image MARK: the file tree of the guest's containers below $work/image, and as
# image.tar in the guest: busybox, and a file that no host has.
container_image() {
  local name
  mkdir -p "$work/image/bin" "$work/image/etc" "$work/image/tmp" "$work/image/proc" "$work/image/sys" "$work/image/dev"
  cp "$(command -v busybox)" "$work/image/bin/busybox"
  for name in sh sleep rm cat; do ln -s busybox "$work/image/bin/$name"; done
  touch "$work/image/$1"
  tar -C "$work/image" -cf "$work/vm/image.tar" .
}

# newer_package DEB NEW: the same content in a higher version.
newer_package() {
  dpkg-deb -R "$1" "$work/newer"
  sed -i 's/^Version: .*/&.1/' "$work/newer/DEBIAN/control"
  dpkg-deb --root-owner-group -b "$work/newer" "$2" >/dev/null
}

# disk RELEASE: its disk, kernel and initrd. The function `prepare ROOT`, where there is
# one, changes the tree first.
disk() {
  local root="$work/$1" base
  base="$(scripts/vm/base "$1" | tail -n 1)"
  mkdir "$root"
  tar -C "$root" --numeric-owner -xf "$base"
  cp -r "$work/vm" "$root/vm"
  cp scripts/vm/guest.service "$root/etc/systemd/system/guest.service"
  mkdir -p "$root/etc/systemd/system/multi-user.target.wants"
  ln -s ../guest.service "$root/etc/systemd/system/multi-user.target.wants/guest.service"
  # No login on the console, no network to wait for.
  ln -sf /dev/null "$root/etc/systemd/system/serial-getty@ttyS0.service"
  ln -sf /dev/null "$root/etc/systemd/system/systemd-networkd-wait-online.service"
  echo guest >"$root/etc/hostname"
  [ "$(type -t prepare)" != function ] || prepare "$root"
  cp "$root"/boot/vmlinuz-* "$work/$1.vmlinuz"
  cp "$root"/boot/initrd.img-* "$work/$1.initrd"
  mkfs.ext4 -q -d "$root" "$work/$1.disk" 4G
  rm -rf --one-file-system "$root"
}

# boot RELEASE [WORD...]: runs it, further words on the kernel's command line; its
# console goes to stdout and to $work/RELEASE.log. Holds when /vm/guest said "passed".
boot() {
  local release=$1
  shift
  case " $* " in *unified_cgroup*) ;; *) set -- systemd.unified_cgroup_hierarchy=1 "$@" ;; esac
  timeout "${LDWATCH_VM_LIMIT:-3600}" qemu-system-x86_64 -accel tcg,thread=multi -cpu max -m 2048 -smp 2 \
    -nographic -nic none -kernel "$work/$release.vmlinuz" -initrd "$work/$release.initrd" \
    -drive "file=$work/$release.disk,format=raw,if=virtio,cache=unsafe" \
    -append "console=ttyS0 root=/dev/vda rw quiet apparmor=0 panic=-1 $*" \
    </dev/null | sed -u 's/\r//g' | tee "$work/$release.log"
  rm -f "$work/$release.disk"
  grep -q '^guest: passed$' "$work/$release.log"
}
