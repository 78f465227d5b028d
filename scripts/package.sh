# Shared by the scripts that package; sourced after common.sh.

export SOURCE_DATE_EPOCH="${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 1)}"
VERSION="$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -n 1)"

# A manual page as roff. The footer tells the version, never the day of the build.
render_man() {
  pandoc --standalone --from markdown-smart --to man \
    --metadata footer="ldwatch $VERSION" "$1"
}
