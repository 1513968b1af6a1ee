"""What an app may have beside its protocol: a back channel, and fields that no setting stands for."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from components.settings.base import Model
from components.settings.forms import Url
from components.settings.secret_forms import Plain, Sealed


class Scim(Model):
    """A back channel: authentik makes the app's accounts and groups, and takes them away."""

    url: Url
    """Where the app answers SCIM, such as https://api.slack.example/scim/v2."""

    token: Sealed
    """The token that the app gave out for it."""

    compatibility: Literal["default", "aws", "slack", "sfdc", "gitlab", "webex", "vcenter"] = "default"
    """Whose peculiarities authentik minds."""


class ExtraFields(Model):
    """Fields of authentik's API that no setting stands for, by their own names, laid over what gatehouse declares.
    Other objects are referred to by their names, as in `objects`."""

    provider: dict[str, Plain] = Field(default_factory=dict)
    """Of the app's provider."""

    application: dict[str, Plain] = Field(default_factory=dict)
    """Of the app's application."""
