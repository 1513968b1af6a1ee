"""gatehouse: reads the stack's settings, builds one client, exports its outputs."""

from __future__ import annotations

import pulumi

from components.client import Client
from components.identity.specs import PlanError
from components.settings import SettingsError, load

try:
    outputs = Client(load()).outputs
except (SettingsError, PlanError) as error:  # an operator reads what is wrong, not where our code noticed it
    raise pulumi.RunError(str(error)) from None

for name, value in outputs.items():
    pulumi.export(name, value)
