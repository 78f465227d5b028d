# bash completion of ldwatch(8)

_ldwatch() {
    local current="${COMP_WORDS[COMP_CWORD]}" before="${COMP_WORDS[COMP_CWORD - 1]}"
    local words=""
    COMPREPLY=()
    case "$before" in
        -c | --config)
            mapfile -t COMPREPLY < <(compgen -f -- "$current")
            compopt -o filenames 2>/dev/null
            return
            ;;
        --proc)
            mapfile -t COMPREPLY < <(compgen -d -- "$current")
            compopt -o filenames 2>/dev/null
            return
            ;;
    esac
    if [ "$COMP_CWORD" -eq 1 ]; then
        words="run scan list whois probe check selftest status --help --version"
    else
        case "${COMP_WORDS[1]}" in
            run) words="--config --json --syslog --help --version" ;;
            scan | list | status) words="--config --json --help --version" ;;
            whois) words="--proc --json --help --version" ;;
            probe | selftest) words="--json --help --version" ;;
            check) words="--config --help --version" ;;
        esac
    fi
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}

complete -F _ldwatch ldwatch
