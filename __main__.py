"""gatehouse: reads the stack's settings, builds one client, exports its outputs."""

from __future__ import annotations

import sys

import pulumi

from components.client import Client
from components.settings import SettingsError, load

sys.tracebacklimit = 0  # an operator reads what is wrong, not where our code noticed it
try:
    settings = load()
except SettingsError as error:
    raise pulumi.RunError(str(error)) from None

for name, value in Client(settings).outputs.items():
    pulumi.export(name, value)
