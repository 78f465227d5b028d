# The kernels of vm-run: which there are, and how one gets into the cache. Sourced.
#
# A kernel in the cache is a directory with `vmlinuz`, `release` and `lib/modules`, the
# modules unpacked and with an index. `release` is written last: it says that all is there.

# Series, suite: Debian's kernels as they are maintained today.
KERNELS="5.10 bullseye-security
6.1 bookworm-security
6.12 trixie
7.2 sid"
KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg
cache="${LDWATCH_VM_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/ldwatch-vm}"

list_kernels() { echo "$KERNELS"; }

suite_of() { echo "$KERNELS" | awk -v series="$1" '$1 == series { print $2 }'; }

# The mirror that this machine's own apt uses for a suite of that kind.
mirror_of() {
  local kind='/debian/?$'
  case "$1" in *-security) kind='debian-security/?$' ;; esac
  apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -E "$kind" | sort -u | head -n 1
}

# Prints the directory of a kernel; fetches it when it is not there.
kernel_directory() {
  local directory="$cache/$1"
  mkdir -p "$cache"
  (
    flock 9
    [ -s "$directory/release" ] || fetch "$1" "$directory"
  ) 9>"$cache/lock-$1" || return
  echo "$directory"
}

# apt with lists, cache and state of its own: this machine's are left alone.
own_apt() {
  local apt=$1 command=$2 program=apt-get
  shift 2
  [ "$command" != pkgnames ] || program=apt-cache
  "$program" -q -o Dir::Etc::SourceList="$apt/sources.list" -o Dir::Etc::SourceParts=/dev/null \
    -o Dir::State="$apt/state" -o Dir::State::Status=/dev/null -o Dir::Cache="$apt/cache" \
    -o APT::Architecture=amd64 -o APT::Sandbox::User=root -o Acquire::Languages=none \
    -o Acquire::Check-Valid-Until=false -o Acquire::Retries=3 "$command" "$@"
}

fetch() {
  local series=$1 directory=$2 suite mirror apt packages
  suite="$(suite_of "$series")"
  mirror="$(mirror_of "$suite")"
  [ -n "$mirror" ] || fail "apt on this machine names no mirror for $suite (apt-get indextargets)"
  [ -r "$KEYRING" ] || fail "$KEYRING is missing (package debian-archive-keyring)"
  apt="$cache/apt-$suite"
  rm -rf "$directory"
  mkdir -p "$apt/state/lists/partial" "$apt/cache/archives/partial" "$directory/packages"
  echo "deb [signed-by=$KEYRING] $mirror $suite main" >"$apt/sources.list"
  note "looking for Linux $series in $suite"
  own_apt "$apt" update >"$apt/log" 2>&1 || fail "apt-get update for $suite: $(tail -n 2 "$apt/log")"
  packages="$(packages_of "$apt" "$series")"
  [ -n "$packages" ] || fail "$suite has no linux-image-$series.*-cloud-amd64"
  note "fetching" $packages
  # shellcheck disable=SC2086
  (cd "$directory/packages" && own_apt "$apt" download $packages >"$apt/log" 2>&1) ||
    fail "download: $(tail -n 2 "$apt/log")"
  unpack "$directory"
}

# The newest signed image of a series. From 7.x on the image is an empty package, and the
# kernel and its modules are in two others.
packages_of() {
  local apt=$1 series=$2 image name
  image="$(own_apt "$apt" pkgnames linux-image- |
    grep -E "^linux-image-${series//./\\.}\.[0-9][^ ]*-cloud-amd64$" | sort -V | tail -n 1)" || true
  [ -n "$image" ] || return 0
  for name in image binary modules; do
    own_apt "$apt" pkgnames linux- | grep -xF "${image/image/$name}" || true
  done
}

unpack() {
  local directory=$1 package root="$1/root" release image
  for package in "$directory/packages"/*.deb; do dpkg-deb -x "$package" "$root"; done
  release="$(find "$root" -path '*/lib/modules/*' -prune -printf '%f\n' | sort -u | head -n 1)"
  [ -n "$release" ] || fail "no modules in $(ls "$directory/packages")"
  # In /boot, or beside the modules.
  image="$(find "$root" -name "vmlinuz-$release" -o -name vmlinuz | head -n 1)"
  [ -n "$image" ] || fail "no vmlinuz in $(ls "$directory/packages")"
  mv "$image" "$directory/vmlinuz"
  mkdir -p "$directory/lib/modules"
  mv "$(find "$root" -type d -path "*/lib/modules/$release" | head -n 1)" "$directory/lib/modules/"
  find "$directory/lib/modules" -name '*.ko.xz' -exec xz -d {} +
  find "$directory/lib/modules" -name '*.ko.zst' -exec zstd -q -d --rm {} +
  # A package of modules alone has no list of what is built in, and depmod warns of it.
  depmod -b "$directory" "$release" 2>"$directory/depmod.log" || fail "$(cat "$directory/depmod.log")"
  rm -rf "$root" "$directory/packages"
  echo "$release" >"$directory/release"
}
