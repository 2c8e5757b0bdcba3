# What README and its like tell people to copy, taken from there: so that what is tested is what they copy.

# block FILE HEADING [N]: the Nth fenced block, from 1, between this heading and the next one of any kind
block() {
  awk -v heading="$2" -v n="${3:-1}" '
    /^```/ { inside = !inside; if (inside && below) seen++; next }
    !inside && /^#/ { below = ($0 == heading) }
    inside && below && seen == n' "$1"
}
