"""What a stack file may say, and every mistake in one that says something else."""

from __future__ import annotations

from components.settings.apps import App
from components.settings.base import Problem, SettingsError
from components.settings.host import Box, ExistingBox, NetworkOptions, Operator, Server, memory_findings
from components.settings.identity import Authentik, Group, Person, RawObject
from components.settings.loading import check_file, load, parse_decrypted
from components.settings.mail import Email
from components.settings.model import Settings
from components.settings.parsing import parse

__all__ = [
    "App",
    "Authentik",
    "Box",
    "Email",
    "ExistingBox",
    "Group",
    "NetworkOptions",
    "Operator",
    "Person",
    "Problem",
    "RawObject",
    "Server",
    "Settings",
    "SettingsError",
    "check_file",
    "load",
    "memory_findings",
    "parse",
    "parse_decrypted",
]
