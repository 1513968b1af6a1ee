"""How an emulator is run: which version, which credentials, how slowly it starts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bench.authentik.defaults import Bootstrap
from bench.authentik.mails import MailServer
from bench.authentik.proxies import PRIVATE

VERSION = "2026.2.2"


@dataclass(frozen=True)
class Settings:
    """Settings of a server or worker. Times are seconds after the start at which a step of a first start happens.

    The real authentik needs 70 s to get ready, 88 s until the token works, 93 s for all default objects.
    """

    version: str = VERSION
    secret_key: str = field(default="", repr=False)
    bootstrap: Bootstrap = field(default_factory=Bootstrap)
    ready_after: float = 0.0
    token_after: float = 0.0
    objects_after: float = 0.0
    latency: bool = False
    trusted_proxies: str = PRIVATE
    mail: MailServer = field(default_factory=MailServer)

    @classmethod
    def of(cls, environment: Mapping[str, str], more: Mapping[str, object]) -> Settings:
        """The settings that authentik's and the bench's environment variables name; `more` wins."""
        read = environment.get
        found: dict[str, object] = {
            "version": read("GATEHOUSE_BENCH_AUTHENTIK_VERSION", VERSION),
            "secret_key": read("AUTHENTIK_SECRET_KEY", ""),
            "bootstrap": Bootstrap.of(environment),
            "mail": MailServer.of(environment),
            "trusted_proxies": read("AUTHENTIK_LISTEN__TRUSTED_PROXY_CIDRS", PRIVATE),
            "ready_after": float(read("GATEHOUSE_BENCH_AUTHENTIK_READY_AFTER", "1")),
            "token_after": float(read("GATEHOUSE_BENCH_AUTHENTIK_TOKEN_AFTER", "2")),
            "objects_after": float(read("GATEHOUSE_BENCH_AUTHENTIK_OBJECTS_AFTER", "3")),
        }
        return cls(**{**found, **more})  # type: ignore[arg-type]  # names and types are those of the fields above
