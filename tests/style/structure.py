"""What the compiler does not see of the structure: which room may include which, and what names mean.

usage: structure.py [TREE]

The rules, each a sentence when it is broken:
  1  an include goes where the table of rooms in CONTRIBUTING.md lets it
  2  rooms include each other one way, and inside a room at most three files form a circle
  3  a .c file stands in a room (sim/main.c is above them) and opens with a comment
  4  a static function's name is defined in one file of a room
  5  a public function's name begins with its header's, its file's or its room's name
  6  a kind of broker is named where it is made and where a scenario is read; all else asks for its traits
  7  the rooms that a run is made of include no library that brings sockets, threads or TLS, by any way
structure_test.py breaks each on purpose.
"""
import collections
import os
import re
import subprocess
import sys

CIRCLE_MAX = 3
# A definition or declaration as clang-format lays it out: it begins at the line's first column.
FUNCTION = re.compile(
    r"^(?P<static>static )?(?:inline |const |extern |_Noreturn )*"
    r"(?:struct \w+|enum \w+|unsigned \w+|[a-z]\w*)(?: const)?[ *\n]+(?P<name>[a-z]\w*)\((?P<rest>[^;{}]*?)\)\s*"
    r"(?P<end>[;{])",
    re.M,
)
INCLUDE = re.compile(r'^#include "([^"]+)"', re.M)
# What build/seams holds of their objects: a run can be linked without it, in virtual time.
RUN = ("scenario", "stage", "steps", "run")
OUTSIDE = re.compile(r"^#include (<(?:uv|openssl|curl|MQTT)[^>]*>)", re.M)
# Comments go, strings stay: a path in one may hold what looks like a comment.
COMMENT = re.compile(r'/\*.*?\*/|//[^\n]*|("(?:[^"\\\n]|\\.)*")', re.S)
OPENING = re.compile(r"(#define _\w+ ?\w*\n)*\s*/\*")
WORDS = {"if", "while", "for", "switch", "return", "sizeof", "defined"}


def tracked(tree):
    """Files of ours, by their paths from the tree's top."""
    try:
        out = subprocess.run(["git", "ls-files", "--cached", "sim", "include"], cwd=tree, text=True,
                             capture_output=True, check=True).stdout.split("\n")
    except (OSError, subprocess.CalledProcessError):
        out = [os.path.relpath(os.path.join(d, f), tree)
               for top in ("sim", "include") for d, _, names in os.walk(os.path.join(tree, top)) for f in names]
    return sorted(f for f in out if f.endswith((".c", ".h")) and os.path.isfile(os.path.join(tree, f)))


def room_of(path):
    """sim/x/... is room x, sim/main.c is 'main', the public headers are 'include'."""
    parts = path.split("/")
    if parts[0] == "include":
        return "include"
    return parts[1] if len(parts) > 2 else "main"


def allowed(tree):
    """The table under "## Rooms" of CONTRIBUTING.md: | `room` | what | `room`, `room` |"""
    text = open(os.path.join(tree, "CONTRIBUTING.md"), encoding="utf-8").read()
    part = text.split("## Rooms", 1)
    rows = re.findall(r"^\| `(\w+)` \|.*\| ?([^|]*?) ?\|$", part[1].split("\n## ")[0], re.M) if len(part) == 2 else []
    return {room: set(re.findall(r"`(\w+)`", may)) for room, may in rows}


class Tree:
    """The sources, and who includes whom."""

    def __init__(self, top):
        self.top = top
        self.files = tracked(top)
        self.text = {f: open(os.path.join(top, f), encoding="utf-8").read() for f in self.files}
        self.bare = {f: COMMENT.sub(lambda m: m.group(1) or "", t) for f, t in self.text.items()}
        self.includes = {f: [g for g in map(lambda i, f=f: self.resolve(f, i), INCLUDE.findall(t)) if g]
                         for f, t in self.bare.items()}

    def resolve(self, file, include):
        for place in (os.path.join(os.path.dirname(file), include), "sim/" + include, "include/" + include):
            if os.path.normpath(place) in self.text:
                return os.path.normpath(place)
        return None  # of a library, or made by the build


def circles(edges):
    """Strongly connected sets of more than one node (Tarjan), each sorted."""
    index, low, stack, found = {}, {}, [], []

    def visit(node):
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in edges[node]:
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            ring = []
            while not ring or ring[-1] != node:
                ring.append(stack.pop())
            if len(ring) > 1:
                found.append(sorted(ring))

    for node in sorted(edges):
        if node not in index:
            visit(node)
    return found


def wrong_includes(tree):
    may = allowed(tree.top)
    if not may:
        yield "CONTRIBUTING.md has no table of rooms under '## Rooms'"
    for file, others in tree.includes.items():
        room = room_of(file)
        for other in others:
            target = room_of(other)
            if target != room and target not in may.get(room, ()):
                yield f"{file} includes {other}: the table of rooms in CONTRIBUTING.md does not let '{room}' include '{target}'"


def wrong_circles(tree):
    rooms = collections.defaultdict(set)
    pairs = collections.defaultdict(set)
    for file, others in tree.includes.items():
        stem = file.rsplit(".", 1)[0]  # x.c and x.h are one place
        pairs[stem]
        rooms[room_of(file)]
        for other in others:
            if room_of(other) != room_of(file):
                rooms[room_of(file)].add(room_of(other))
            elif other.rsplit(".", 1)[0] != stem:
                pairs[stem].add(other.rsplit(".", 1)[0])
    for ring in circles(rooms):
        yield f"rooms include each other in a circle: {', '.join(ring)}"
    for ring in circles(pairs):
        if len(ring) > CIRCLE_MAX:
            yield f"{len(ring)} files include each other in a circle: {', '.join(ring)}"


def wrong_openings(tree):
    for file, text in tree.text.items():
        if file.endswith(".c") and room_of(file) == "main" and file != "sim/main.c":
            yield f"{file} stands in no room: nothing builds it"
        if file.endswith(".c") and not OPENING.match(text):
            yield f"{file} has no opening comment: what is it for, what is its happy path, how does it fail?"


def wrong_twins(tree):
    places = collections.defaultdict(set)
    for file, text in tree.bare.items():
        for found in FUNCTION.finditer(text):
            if found["static"] and found["end"] == "{" and found["name"] not in WORDS:
                places[room_of(file), found["name"]].add(file)
    for (room, name), files in sorted(places.items()):
        if len(files) > 1:
            yield f"'{name}' is a function of its own in {' and in '.join(sorted(files))}: one name, one meaning in '{room}'"


# Names that a library asks for.
GIVEN = re.compile(r"^(mbedtls|psa|p256)_")


def wrong_names(tree):
    homes = collections.defaultdict(set)  # where in its room a public function is defined: x.c gives x_
    for file, text in tree.bare.items():
        for found in FUNCTION.finditer(text):
            if not found["static"] and found["end"] == "{":
                homes[room_of(file), found["name"]].add(os.path.basename(file)[:-2])
    for file, text in tree.bare.items():
        if not file.endswith(".h"):
            continue
        room, stem = room_of(file), os.path.basename(file)[:-2]
        for found in FUNCTION.finditer(text):
            name = found["name"]
            if found["static"] or name in WORDS or GIVEN.match(name):
                continue
            prefixes = {room, "device" if room == "include" else room}
            for place in {stem} | homes[room, name]:  # metrics.h may say metric_, mosquitto_files.c mosquitto_
                prefixes |= {place, place.rstrip("s"), place.split("_")[0]}
            if not any(name == p or name.startswith(p + "_") for p in prefixes):
                yield f"{file} declares '{name}': a public name begins with '{stem}_', its file's name or '{room}_'"


# In the room itself a kind is its own file's affair; broker_check.c reads `broker: {local: WORD}` and URLs.
KIND = re.compile(r"\bBROKER_KIND_[A-Z]\w*")
KIND_PLACES = ("sim/base/broker_kinds.", "sim/broker/", "sim/scenario/broker_check.c")


def wrong_kinds(tree):
    for file, text in tree.bare.items():
        if not file.startswith(KIND_PLACES):
            for name in sorted(set(KIND.findall(text))):
                yield f"{file} asks for {name}: ask for a trait of the broker (sim/base/broker_kinds.h)"


def wrong_outside(tree):
    for file in tree.files:
        ways, seen = [[file]] if room_of(file) in RUN else [], {file}
        while ways:
            way = ways.pop()
            found = OUTSIDE.search(tree.bare[way[-1]])
            if found:
                yield f"{' includes '.join(way)}, which includes {found[1]}: a run must do without that library"
                break
            ways += [way + [other] for other in tree.includes[way[-1]] if other not in seen]
            seen.update(tree.includes[way[-1]])


RULES = (wrong_includes, wrong_circles, wrong_openings, wrong_twins, wrong_names, wrong_kinds, wrong_outside)


def main():
    tree = Tree(sys.argv[1] if len(sys.argv) > 1 else ".")
    if not any(f.startswith("sim/") for f in tree.files):
        print("found no source: this test saw nothing")
        return 1
    wrong = [sentence for rule in RULES for sentence in rule(tree)]
    print("\n".join(wrong) if wrong else f"{len(tree.files)} files, {len(allowed(tree.top))} rooms: all is where it belongs")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
