# Shared by the scripts; sourced, from the top of the tree. No side effects but PATH
# and the build variables.
#
# One target directory, one set of flags: what is tested is what is shipped, a static
# binary. `--target` is named so that build scripts and procedural macros stay dynamic.

if ! command -v cargo >/dev/null && [ -r "${CARGO_HOME:-$HOME/.cargo}/env" ]; then
  . "${CARGO_HOME:-$HOME/.cargo}/env"
fi
if ! command -v cargo >/dev/null; then
  echo "cargo is not on PATH: install a stable Rust toolchain (https://rustup.rs) and come again." >&2
  exit 1
fi
# dockerd, containerd and their like live in the sbin directories.
export PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"
TRIPLE="${LDWATCH_TARGET:-$(rustc -vV | sed -n 's/^host: //p')}"
TARGET_DIR="${CARGO_TARGET_DIR:-$PWD/target}"
export RUSTFLAGS="-C target-feature=+crt-static"
export RUSTDOCFLAGS="-D warnings -C target-feature=+crt-static"
export CARGO_TERM_COLOR="${CARGO_TERM_COLOR:-never}"

# What a static build needs beside the Rust toolchain, for install_missing.
BUILD_NEEDS=(cc:gcc libc.a:libc6-dev)

say() { printf '\n== %s\n' "$*"; }

is_root() { [ "$(id -u)" = 0 ]; }

# In a chroot a runtime's exec takes the root of the mount namespace, which is the
# machine's own: nothing may be attacked there.
refuse_chroot() {
  local here there
  here="$(stat -c %d:%i /)"
  there="$(nsenter --mount=/proc/self/ns/mnt stat -c %d:%i / 2>/dev/null || echo "$here")"
  [ "$here" = "$there" ] && return 0
  echo "this is a chroot: a container started here would reach the machine's own files" >&2
  return 1
}

# The first of the named packages that this Debian has.
first_package() {
  local name
  for name in "$@"; do
    if apt-cache show "$name" >/dev/null 2>&1; then echo "$name"; return; fi
  done
  echo "$1"
}

# Whether busybox runs in a root of its own: the dynamic one does not.
busybox_is_static() {
  command -v busybox >/dev/null && ! ldd "$(command -v busybox)" 2>/dev/null | grep -q '=>'
}

apt_installs() {
  # Another run of apt may be at work, and a mirror may stumble.
  DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 \
    install -y -q --no-install-recommends "$@" >/dev/null
}

# Whether a program is there, and of the kind that is needed.
has() {
  case "$1" in
    busybox) busybox_is_static ;;
    libc.a) [ -e "$(cc -print-file-name=libc.a 2>/dev/null)" ] ;;
    grpc) /usr/bin/python3 -c 'import grpc' 2>/dev/null ;;
    ensurepip) python3 -c 'import ensurepip, venv' 2>/dev/null ;;
    *) command -v "$1" >/dev/null ;;
  esac
}

# install_missing PROGRAM:PACKAGE[|PACKAGE]... installs only what is not there.
# Answers 1 when something is still missing.
install_missing() {
  local pair packages=() missing=() choices
  for pair in "$@"; do
    has "${pair%%:*}" || missing+=("$pair")
  done
  [ ${#missing[@]} = 0 ] && return 0
  if ! is_root || ! command -v apt-get >/dev/null; then
    echo "missing: ${missing[*]%%:*} (not installed: this needs root and apt)" >&2
    return 1
  fi
  say "installing what is missing: ${missing[*]%%:*}"
  apt-get update -q >/dev/null || echo "apt-get update failed; trying with the lists that are there" >&2
  for pair in "${missing[@]}"; do
    IFS='|' read -ra choices <<<"${pair#*:}"
    packages+=("$(first_package "${choices[@]}")")
  done
  mapfile -t packages < <(printf '%s\n' "${packages[@]}" | sort -u)
  # All at once, or else as many as go.
  if ! apt_installs "${packages[@]}"; then
    for pair in "${packages[@]}"; do
      apt_installs "$pair" || echo "could not install $pair" >&2
    done
  fi
  hash -r
  for pair in "${missing[@]}"; do
    has "${pair%%:*}" || { echo "still missing: ${pair%%:*}" >&2; return 1; }
  done
}
