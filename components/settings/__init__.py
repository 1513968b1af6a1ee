"""What a stack file may say, and every mistake in one that says something else."""

from __future__ import annotations

from components.settings.apps import App, AppContext
from components.settings.host import (
    Box,
    Elsewhere,
    ExistingBox,
    NetworkOptions,
    NewServer,
    Operator,
    memory_problems,
)
from components.settings.identity import Authentik, Group, Person, RawObject
from components.settings.loading import check_file, load, parse_decrypted
from components.settings.mail import Email
from components.settings.model import Settings
from components.settings.parsing import parse

__all__ = [
    "App",
    "AppContext",
    "Authentik",
    "Box",
    "Elsewhere",
    "Email",
    "ExistingBox",
    "Group",
    "NetworkOptions",
    "NewServer",
    "Operator",
    "Person",
    "RawObject",
    "Settings",
    "check_file",
    "load",
    "memory_problems",
    "parse",
    "parse_decrypted",
]
