"""A command on a terminal of its own, and what somebody would see there.

usage: terminal.py COLUMNSxROWS [WHEN ACTION] COMMAND...
WHEN is a text that is on the screen, ACTION what is done a second later, once: Ctrl-C, Enter, kill, or COLUMNSxROWS, a new size.

Prints how often a picture was painted, the largest one ("seen: LINE"), what is there in the end ("end: LINE"), where the
cursor is, and what terminals do not forgive; ends as the command did. The emulation knows what fleetsim sends, and
complains of everything else: a line that wraps, a mode that would have to be put back.
"""
import codecs, fcntl, os, pty, re, select, signal, struct, sys, termios, time, unicodedata

WAIT_S = 120
CONTROL = re.compile(r"\x1b\[(\??)([\d;]*)([A-Za-z])")


def columns_of(letter):
    if unicodedata.combining(letter):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1


class Screen:
    def __init__(self, columns):
        self.columns = columns
        self.lines, self.row, self.column = [[]], 0, 0
        self.painted, self.picture, self.faults, self.wrapped = 0, [], [], set()

    def next_row(self):
        self.row += 1
        if self.row == len(self.lines):
            self.lines.append([])

    def put(self, letter):
        line, width = self.lines[self.row], columns_of(letter)
        if self.column + width > self.columns:
            self.wrapped.add(self.row)
            self.next_row()
            line, self.column = self.lines[self.row], 0
        line.extend(" " * (self.column - len(line)))
        line[self.column : self.column + max(width, 1)] = [letter] + [""] * (width - 1)
        self.column += width

    def control(self, private, number, kind):
        if kind == "K":
            del self.lines[self.row][self.column :]
        elif kind == "J":
            del self.lines[self.row][self.column :]
            del self.lines[self.row + 1 :]
        elif kind == "A":
            up = int(number or 1)
            self.painted += 1
            self.row -= up
            picture = self.text()[self.row :]
            if len(picture) >= len(self.picture):
                self.picture = picture
            if any(row >= self.row for row in self.wrapped):
                self.faults.append("a line of a picture wraps: " + "\n".join(picture))
        elif kind != "m" or private:
            self.faults.append("a mode is set: " + private + number + kind)

    def show(self, text):
        """Returns what is not whole yet."""
        at = 0
        while at < len(text):
            if text[at] == "\x1b":
                found = CONTROL.match(text, at)
                if found is None:
                    return text[at:]
                self.control(*found.groups())
                at = found.end()
                continue
            if text[at] == "\r":
                self.column = 0
            elif text[at] == "\n":
                self.next_row()
            else:
                self.put(text[at])
            at += 1
        return ""

    def text(self):
        return ["".join(line).rstrip() for line in self.lines]


def size_of(word):
    found = re.fullmatch(r"(\d+)x(\d+)", word)
    return (int(found[1]), int(found[2])) if found else None


def set_size(terminal, size):
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))


def act(action, pid, terminal, screen):
    if action == "Ctrl-C":
        os.write(terminal, b"\x03")
    elif action == "Enter":
        os.write(terminal, b"\r")
    elif action == "kill":
        os.kill(pid, signal.SIGKILL)
    else:
        set_size(terminal, size_of(action))
        screen.painted, screen.picture = 0, []


def main():
    size, arguments = size_of(sys.argv[1]), sys.argv[2:]
    action = None
    if arguments[1] in ("Ctrl-C", "Enter", "kill") or size_of(arguments[1]):
        (when, action), arguments = arguments[:2], arguments[2:]
    terminal, inside = pty.openpty()
    set_size(terminal, size)
    pid = os.fork()
    if pid == 0:
        os.setsid()
        fcntl.ioctl(inside, termios.TIOCSCTTY, 0)
        for descriptor in (0, 1, 2):
            os.dup2(inside, descriptor)
        os.closerange(3, 64)
        os.execvp(arguments[0], arguments)
    os.close(inside)
    screen, rest, began, seen = Screen(size[0]), "", time.time(), None
    decoder = codecs.getincrementaldecoder("utf-8")()
    while time.time() - began < WAIT_S:
        if action and seen and time.time() >= seen + 1:
            act(action, pid, terminal, screen)
            action = None
        if not select.select([terminal], [], [], 0.2)[0]:
            continue
        try:
            more = os.read(terminal, 65536)
        except OSError:
            break
        if not more:
            break
        rest = screen.show(rest + decoder.decode(more))
        if action and not seen and any(when in line for line in screen.text()):
            seen = time.time()
    else:
        os.kill(pid, signal.SIGKILL)
        screen.faults.append("it did not end")
    status = os.waitpid(pid, 0)[1]
    if action:
        screen.faults.append("it never said: " + when)
    print("painted", screen.painted)
    for line in screen.picture:
        print("seen:", line)
    for line in screen.text():
        print("end:", line)
    print("lines", len(screen.text()) - 1, "widest", max(map(len, screen.picture), default=0))
    print("cursor at", "the left" if screen.column == 0 else screen.column)
    for fault in screen.faults:
        print("FAULT", fault)
    sys.exit(1 if screen.faults else 128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status))


main()
