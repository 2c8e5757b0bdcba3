#!/bin/sh
# Rooms, circles, opening comments and names are as structure.py says; and each of its rules notices what breaks it.
set -eu
command -v python3 >/dev/null || { echo "skipped: no python3"; exit 77; }
python3 -B tests/style/structure_test.py
python3 -B tests/style/structure.py
