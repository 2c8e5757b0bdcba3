#!/bin/sh
# What shells and man have of the program, from the program. The build calls it, after it has linked it.
# usage: shell_files.sh PROGRAM FOLDER GZIP
set -eu
program=$1 folder=$2 gzip=$3
mkdir -p "$folder"
"$program" completion bash >"$folder/fleetsim"
"$program" completion zsh >"$folder/_fleetsim"
"$program" completion fish >"$folder/fleetsim.fish"
"$program" man | "$gzip" -9nc >"$folder/fleetsim.1.gz"
