"""Types a line into an interactive zsh that has our completion, presses Tab, and prints what the terminal shows.

press-tab.py SCRIPT LINE WORD     WORD: what the list should have; it waits for it, at most 20 s
"""

import os
import pty
import select
import sys
import time

script, line, word = sys.argv[1:]
child, terminal = pty.fork()
if child == 0:
    os.environ.update(TERM="dumb", COLUMNS="200", LINES="50")
    os.execvp("zsh", ["zsh", "-f", "-i"])

seen = b""


def wait_for(text: bytes) -> None:
    global seen
    deadline = time.monotonic() + 20
    while text not in seen and time.monotonic() < deadline:
        if select.select([terminal], [], [], 0.1)[0]:
            seen += os.read(terminal, 65536)


setup = "autoload -Uz compinit; compinit -u -D; source '%s'; bindkey '^I' list-choices; print REA''DY\n"
os.write(terminal, (setup % script).encode())
wait_for(b"READY")
seen = b""
os.write(terminal, line.encode() + b"\t")
wait_for(word.encode())
os.kill(child, 9)
os.waitpid(child, 0)
print(seen.decode(errors="replace"))
