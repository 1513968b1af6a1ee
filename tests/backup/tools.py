"""Stands for what the scripts of a backup call on a box, but for restic: Docker with what runs in it, curl, df, sleep.

Each tool is this file by another name. A database is a file below `databases`, and what its dump holds is that file's
text between two marks, so that half a dump can be told from a whole one. Every call is written to `calls`; a file
`faults/<tool>` that holds `<number> <what>` makes its call with that number do so: `fail`, `cut`, or `kill` the script.
"""

from __future__ import annotations

import os
import re
import signal
import sys
from pathlib import Path

ROOT = Path(os.environ.get("GATEHOUSE_ROOT", "/nowhere"))
DATABASES, STOPPED = ROOT / "databases", ROOT / "stopped"
BEGIN, END = "PGDMP\n", "\nTHE END\n"


def main() -> int:
    """Be the tool that this was called as."""
    tool, arguments = Path(sys.argv[0]).name, sys.argv[1:]
    with (ROOT / "calls").open("a") as calls:
        calls.write(" ".join([tool, *arguments]).replace("\n", " ") + "\n")
    fault = faulty(tool)
    if fault == "kill":
        os.kill(script(), signal.SIGKILL)
        return 137
    if fault == "fail":
        print(f"{tool}: No space left on device", file=sys.stderr)
        return 1
    return int(TOOLS[tool](arguments, fault) or 0)


def faulty(tool: str) -> str:
    """What goes wrong with this call of the tool."""
    count = ROOT / "faults" / f"{tool}.count"
    number = int(count.read_text()) + 1 if count.exists() else 1
    count.write_text(str(number))
    order = ROOT / "faults" / tool
    at, _, what = order.read_text().partition(" ") if order.exists() else ("0", "", "")
    return what if int(at) == number else ""


def script() -> int:
    """The process of the script itself, which may have called this from a subshell."""
    pid = os.getppid()
    while True:
        parent = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        if b"/usr/local/lib/gatehouse/" not in Path(f"/proc/{parent}/cmdline").read_bytes():
            return pid
        pid = parent


def docker(arguments: list[str], fault: str) -> int:
    """The few commands of Docker that the scripts use."""
    match arguments:
        case ["exec", "-i", "gatehouse-postgres", "pg_dump", *rest]:
            text = BEGIN + (DATABASES / rest[-1]).read_text() + END
            sys.stdout.write(text[: len(text) // 2] if fault == "cut" else text)
        case ["exec", "-i", "gatehouse-postgres", "pg_restore", *rest]:
            text = sys.stdin.read()
            if not (text.startswith(BEGIN) and text.endswith(END)):
                print("pg_restore: error: unexpected end of file", file=sys.stderr)
                return 1
            if "--dbname" in rest:
                (DATABASES / rest[rest.index("--dbname") + 1]).write_text(text[len(BEGIN) : -len(END)])
        case ["exec", "-i", "gatehouse-postgres", "psql", *_]:
            return psql(sys.stdin.read())
        case ["exec", "gatehouse-redis", *_]:
            return 1
        case ["inspect", "--format", form, name]:
            print("healthy" if "Health" in form else "true" if "Running" in form else f"sha256:{name}")
        case ["image", "inspect", *_]:
            print((ROOT / "image").read_text().strip())
        case ["stop", *names]:
            STOPPED.write_text("\n".join(name for name in names if name.startswith("gatehouse-")))
        case ["start", *_]:
            STOPPED.unlink(missing_ok=True)
        case _:
            raise SystemExit(f"docker: {arguments}")
    return 0


def psql(statements: str) -> int:
    """The statements of the scripts; those of a transaction all together."""
    for statement in statements.split(";"):
        words = statement.split()
        names = re.findall(r"(?:database|if exists|rename to|datname =) '?(authentik\w*)", statement)
        match words:
            case ["drop", *_]:
                (DATABASES / names[0]).unlink(missing_ok=True)
            case ["create", *_]:
                (DATABASES / names[0]).write_text("")
            case ["alter", *_]:
                if (DATABASES / names[1]).exists():
                    raise SystemExit(f"ERROR: database {names[1]} already exists")
                (DATABASES / names[0]).rename(DATABASES / names[1])
            case ["select", "1", *_]:
                print(1 if (DATABASES / names[0]).exists() else "")
            case ["select", size, *_] if size.startswith("pg_database_size"):
                print((ROOT / "size").read_text() if (ROOT / "size").exists() else 1000)
    return 0


TOOLS = {
    "docker": docker,
    "curl": lambda _arguments, _fault: sys.stdin.read() and 0,
    "sleep": lambda _arguments, _fault: 0,
}

if __name__ == "__main__":
    sys.exit(main())
