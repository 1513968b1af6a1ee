"""Tells the agency's chat of everybody who fails to log in to an authentik."""

from __future__ import annotations

import pulumi

from components.identity.generated.core import Group
from components.identity.generated.events import NotificationRule, NotificationTransport
from components.identity.generated.policies import EventMatcherPolicy, PolicyBinding

config = pulumi.Config()
server = pulumi.ProviderResource(
    "pulumi-python",
    "authentik",
    {
        f"{pulumi.get_project()}:address": config.require("address"),
        f"{pulumi.get_project()}:token": config.require_secret("token"),
        f"{pulumi.get_project()}:line": "2026.8",
    },
)
opts = pulumi.ResourceOptions(provider=server)

# A field that refers to another object takes that object, or the name of one that is there already.
watchers = Group("watchers", name="watchers", opts=opts)
chat = NotificationTransport(
    "chat", name="agency chat", mode="webhook", webhook_url=config.require("webhook"), opts=opts
)
rule = NotificationRule(
    "failed-logins",
    name="failed logins",
    severity="warning",
    transports=[chat, "default-local-transport"],
    destination_group=watchers,
    opts=opts,
)
failed = EventMatcherPolicy("failed-logins", name="a login failed", action="login_failed", opts=opts)
PolicyBinding("failed-logins", target=rule, policy=failed, order=0, opts=opts)
