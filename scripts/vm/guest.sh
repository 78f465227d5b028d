# The root of vm-run's guest: an initramfs with busybox, the modules for the scratch disk,
# the program and its files. Sourced.

# make_initramfs WORK PROGRAM [ARGUMENT...]
make_initramfs() {
  local work=$1 program=$2 root="$1/guest" pair
  shift
  mkdir -p "$root"/{bin,dev,etc,mod,proc,run,scratch,sys,tmp,vm}
  cp "$(static_busybox)" "$root/bin/busybox"
  install -m 755 "$here/init" "$root/init"
  install -m 755 "$program" "$root/vm/$(basename "$program")"
  for pair in ${added[@]+"${added[@]}"}; do add_file "$root" "$pair"; done
  describe_command "$@" >"$root/vm/command"
  add_modules "$root"
  (cd "$root" && find . -print0 | cpio --quiet --null -o -H newc -R 0:0 | gzip -1) >"$work/initramfs"
}

static_busybox() {
  local path
  path="$(command -v busybox)"
  ! ldd "$path" 2>/dev/null | grep -q '=>' || fail "$path is not static (package busybox-static)"
  echo "$path"
}

# SOURCE[:PATH]
add_file() {
  local root=$1 source=${2%%:*} path
  path="$(basename "$source")"
  case "$2" in *:*) path=${2#*:} ;; esac
  [ -e "$source" ] || fail "no such file: $source"
  mkdir -p "$(dirname "$root/$path")"
  cp -a "$source" "$root/$path"
}

# Shell text that sets the variables, and the program with its arguments. The program
# keeps its name: busybox heeds it.
describe_command() {
  local word
  for word in ${variables[@]+"${variables[@]}"}; do
    case "$word" in [A-Za-z_]*=*) ;; *) fail "not NAME=VALUE: $word" ;; esac
    echo "export ${word%%=*}=$(quoted "${word#*=}")"
  done
  printf 'set -- %s' "$(quoted "/vm/$(basename "$1")")"
  for word in "${@:2}"; do printf ' %s' "$(quoted "$word")"; done
  echo
}

quoted() { printf "'%s'" "${1//\'/\'\\\'\'}"; }

# The modules in the order in which they load: modprobe names each after what it needs.
# What is built in, or what this kernel does not have, is left out.
add_modules() {
  local root=$1 name path
  for name in virtio_pci virtio_blk "$filesystem" overlay loop fuse tmpfs $modules; do
    modprobe -d "$kernel" -S "$release" --show-depends "$name" 2>/dev/null || true
  done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }' >"$root/mod/paths"
  while read -r path; do
    cp "$path" "$root/mod/"
    basename "$path"
  done <"$root/mod/paths" >"$root/mod/order"
  rm "$root/mod/paths"
}
