"""Each rule of structure.py, broken on purpose in a small tree: it must say so, and of the whole tree nothing."""
import os
import sys
import tempfile

import structure

ROOMS = "## Rooms\n\n| room | what | may include |\n|---|---|---|\n| `low` | below | |\n| `high` | above | `low` |\n\n## Next\n"
WHOLE = {
    "CONTRIBUTING.md": ROOMS,
    "sim/low/tap.h": "void tap_open(int how);\n",
    "sim/low/tap.c": '/* Opens taps. */\n#include "low/tap.h"\n\nstatic void turn(void)\n{\n}\n\nvoid tap_open(int how)\n{\n}\n',
    "sim/high/bath.h": "int bath_fill(void);\n",
    "sim/high/bath.c": '/* Fills baths. */\n#include "high/bath.h"\n#include "low/tap.h"\n\nint bath_fill(void)\n{\n}\n',
}
STATIC = "/* Another. */\nstatic void turn(void)\n{\n}\n"
RING = {f"sim/low/{a}.h": f'#include "low/{b}.h"\n' for a, b in ("pq", "qr", "rs", "sp")}
BENEATH = {"CONTRIBUTING.md": ROOMS.replace("| `high` |", "| `stage` | a run | `low` |\n| `high` |"), "sim/stage/act.c": '/* Acts. */\n#include "low/tap.h"\n'}
BROKEN = (
    ("an include against the arrows", {"sim/low/leak.c": '/* Leaks. */\n#include "high/bath.h"\n'}, "does not let 'low' include 'high'"),
    ("a room that the table does not know", {"sim/cellar/x.c": '/* X. */\n#include "low/tap.h"\n'}, "does not let 'cellar' include 'low'"),
    ("a table that is gone", {"CONTRIBUTING.md": "# Contributing\n"}, "has no table of rooms"),
    ("rooms that include each other", {"CONTRIBUTING.md": ROOMS.replace("below | |", "below | `high` |"),
                                       "sim/low/leak.c": '/* Leaks. */\n#include "high/bath.h"\n'}, "rooms include each other in a circle: high, low"),
    ("four files in a circle", RING, "4 files include each other in a circle: sim/low/p, sim/low/q, sim/low/r, sim/low/s"),
    ("no opening comment", {"sim/low/tap2.c": "int tap2;\n"}, "sim/low/tap2.c has no opening comment"),
    ("a file beside the rooms", {"sim/stray.c": "/* Strays. */\n"}, "sim/stray.c stands in no room"),
    ("one name for two functions", {"sim/low/other.c": STATIC}, "'turn' is a function of its own in sim/low/other.c and in sim/low/tap.c"),
    ("a kind of broker above its room", {"sim/high/bath.c": "/* Baths. */\nint kind = BROKER_KIND_REMOTE;\n"}, "sim/high/bath.c asks for BROKER_KIND_REMOTE"),
    ("a public name of nowhere", {"sim/low/tap.h": "void shut(int how);\n"}, "sim/low/tap.h declares 'shut'"),
    ("a library beneath a run", {**BENEATH, "sim/low/tap.h": "#include <uv.h>\nvoid tap_open(int how);\n"},
     "sim/stage/act.c includes sim/low/tap.h, which includes <uv.h>"),
    ("a library in a run", {**BENEATH, "sim/stage/act.c": "/* Acts. */\n#include <openssl/evp.h>\n"}, "sim/stage/act.c, which includes <openssl/evp.h>"),
)
SOUND = (
    ("a library beside a run", {**BENEATH, "sim/low/tap.c": WHOLE["sim/low/tap.c"] + "\n#include <uv.h>\n"}),
    ("three files in a circle", {f: t for f, t in {**RING, "sim/low/r.h": '#include "low/p.h"\n'}.items() if "/s." not in f}),
    ("one name in two rooms", {"sim/high/other.c": STATIC}),
    ("a macro that libraries ask for before the comment", {"sim/low/tap3.c": "#define _POSIX_C_SOURCE 200809L\n/* Taps. */\n"}),
    ("a declaration of the file that defines it", {"sim/low/internal.h": "void pipe_lay(void);\n", "sim/low/pipe.c": "/* Pipes. */\nvoid pipe_lay(void)\n{\n}\n"}),
)


def sentences(files):
    with tempfile.TemporaryDirectory() as top:
        for path, text in files.items():
            os.makedirs(os.path.dirname(os.path.join(top, path)), exist_ok=True)
            with open(os.path.join(top, path), "w", encoding="utf-8") as out:
                out.write(text)
        tree = structure.Tree(top)
        return [sentence for rule in structure.RULES for sentence in rule(tree)]


def main():
    bad = 0
    for what, change, expected in BROKEN:
        said = sentences({**WHOLE, **change})
        if not any(expected in s for s in said):
            print(f"{what}: '{expected}' was not said, but {said}")
            bad = 1
    for what, change in (("the whole tree", {}),) + SOUND:
        said = sentences({**WHOLE, **change})
        if said:
            print(f"{what}: is sound, and this was said: {said}")
            bad = 1
    return bad


if __name__ == "__main__":
    sys.exit(main())
