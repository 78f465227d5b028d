# Reads logs of scripts/vm/prove. `form`: line, summary, text or markdown.

FNR == 1 {
  column = FILENAME
  sub(/.*\//, "", column)
  sub(/\.log$/, "", column)
  columns[++width] = column
}
/^caught  |^MISSED  |^not possible  / && !/^row/ { attacks++ }
/^caught  / { felled++ }
/^result linux / { release = $3 }
/^result rung / { rung = $3 }
/^result selftest / { selftest = $3 }

/^row / {
  name = $0
  sub(/^row /, "", name)
  sub(/: .*/, "", name)
  rest = substr($0, length("row " name ": ") + 1)
  if (!(name in known)) { known[name] = 1; names[++height] = name }
  cell[name, column] = outcome(rest)
}
# What the table of pids says against a row that was caught.
/^run [0-9]+: .*: (no pid|a pid|a process is told)/ {
  name = $0
  sub(/^run [0-9]+: /, "", name)
  sub(/: (no pid|a pid|a process is told).*/, "", name)
  cell[name, column] = "PID"
}

function outcome(text) {
  if (text ~ /^caught/ && text ~ /pid known/) return "pid"
  if (text ~ /^caught/ && text ~ / by [a-z+]*sweep/) return "sweep"
  if (text ~ /^caught/ && text ~ / by  on /) return "quiet"
  if (text ~ /^caught/) return "told"
  if (text ~ /^not possible/) return "-"
  return text ~ /^MISSED/ ? "MISSED" : "WRONG"
}

END {
  if (form == "line") line()
  else if (form == "summary") summary()
  else table()
}

function count(what,   i, sum) {
  for (i = 1; i <= height; i++) sum += (cell[names[i], columns[1]] == what)
  return sum + 0
}

function line() {
  printf "%s: self-test %d of %d", rung == "" ? "no answer" : "rung " rung, felled, attacks
  if (height) {
    printf "; catalogue: %d with pid, %d without, %d by the sweep, %d rightly quiet, ",
      count("pid"), count("told"), count("sweep"), count("quiet")
    printf "%d missed, %d wrong, %d against the table of pids, %d not possible",
      count("MISSED"), count("WRONG"), count("PID"), count("-")
  }
  print ""
}

function summary(   part, told) {
  split(columns[1], part, ",")
  # What this machine calls its kernel is of no interest.
  if (part[2] == "here") sub(/-.*/, "", release)
  told = count("pid") + count("told") + count("sweep") + count("PID")
  printf "| %s | %s | %s | %s | %d of %d | %d | %d | %d | %d | %d |\n", part[1], release, part[2], part[3], felled, attacks,
    told, count("pid"), count("sweep"), count("MISSED") + count("WRONG"), count("-")
}

function table(   i, j, bar) {
  bar = form == "markdown"
  row("", 0, bar)
  if (bar) {
    printf "|---|"
    for (j = 1; j <= width; j++) printf "---|"
    print ""
  }
  for (i = 1; i <= height; i++) row(names[i], i, bar)
}

# The heading, or the cells of one row.
function row(name, at, bar,   j, text) {
  printf bar ? "| %s |" : "%-48s", at ? name : (bar ? "act" : "")
  for (j = 1; j <= width; j++) {
    text = at ? cell[name, columns[j]] : heading(columns[j])
    printf bar ? " %s |" : " %-13s", text
  }
  print ""
}

function heading(column,   part) {
  split(column, part, ",")
  return form == "markdown" ? part[2] " " part[3] : part[1] "/" part[3] (part[2] == "xfs" ? "x" : "")
}
