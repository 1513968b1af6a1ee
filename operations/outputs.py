"""`gatehouse outputs`: what the apps' owners have to enter, as a table or as JSON."""

from __future__ import annotations

import json

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from operations.stack import Stack


def show(stack: Stack, *, show_secrets: bool, as_json: bool) -> None:
    """Print the stack's outputs; secrets as `[secret]` unless asked for."""
    # The Automation API tells secrets apart only at the top, and hands out those below in clear: ask the CLI.
    secrets = ["--show-secrets"] if show_secrets else []
    values = json.loads(stack.pulumi("stack", "output", "--json", *secrets).stdout)
    if as_json:
        print(json.dumps(values, indent=2))
        return
    table = Table(box=None, show_header=False, pad_edge=False)
    for name, value in sorted(values.items()):
        if isinstance(value, dict):
            for key, detail in value.items():
                lines = detail if isinstance(detail, dict) else {"": detail}
                for what, text in lines.items():
                    table.add_row(name, key, what, escape(str(text)))
        else:
            table.add_row(name, "", "", escape(str(value)))
    # As wide as it is: a value that is cut off, or broken into lines by us, cannot be copied.
    Console(width=4096).print(table)
