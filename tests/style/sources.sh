# shellcheck shell=sh
# Sourced by the style tests: prints the tracked files that match the patterns, or all such files outside a checkout.
sources() {
  if git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
    git ls-files --cached --deduplicate -- "$@" | while IFS= read -r file; do
      [ ! -f "$file" ] || printf '%s\n' "$file"
    done
    return
  fi
  for pattern; do
    find . -name "$pattern" -type f ! -path './build*' ! -path './out/*' ! -path './.git/*'
  done | sed 's,^\./,,' | sort
}
