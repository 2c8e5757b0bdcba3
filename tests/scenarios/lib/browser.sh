# A real browser, or why there is none: sourced by a script that sets $fleetsim and $build, its build folder; $what is what it
# would look at. $chromium is the program.
node -e 'process.exit(process.versions.node.split(".")[0] < 20 ? 1 : 0)' 2>/dev/null ||
  { echo "skipped: $what: node 20 or newer is not installed"; exit 77; }
chromium=$(command -v chromium) || { echo "skipped: $what: chromium is not installed"; exit 77; }
[ -d "$build/browser/node_modules/playwright-core" ] ||
  { echo "skipped: $what: playwright-core is not in $build/browser, './fleetsim test' puts it there with npm"; exit 77; }
