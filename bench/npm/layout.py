"""Where things lie: as in the container by default, below one directory for tests."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Layout:
    """Directories, and where nginx listens.

    `bind` empty means all addresses, as in the container; of both families with `ipv6`.
    """

    data: Path = Path("/data")
    letsencrypt: Path = Path("/etc/letsencrypt")
    conf: Path = Path("/etc/nginx")
    bind: str = ""
    ipv6: bool = True
    http: int = 80
    https: int = 443

    @classmethod
    def below(cls, directory: Path, *, http: int, https: int) -> Layout:
        """Everything below `directory`, listening on loopback: what an ordinary user can run."""
        return cls(
            data=directory / "data",
            letsencrypt=directory / "letsencrypt",
            conf=directory / "nginx",
            bind="127.0.0.1",
            http=http,
            https=https,
        )

    @property
    def logs(self) -> Path:
        """Access and error logs."""
        return self.data / "logs"

    def host_conf(self, host: int) -> Path:
        """The configuration file of one proxy host."""
        return self.data / "nginx" / "proxy_host" / f"{host}.conf"

    @property
    def default_conf(self) -> Path:
        """What answers to an unknown Host."""
        return self.data / "nginx" / "default_host" / "site.conf"

    def password_file(self, access_list: int) -> Path:
        """The access list's users."""
        return self.data / "access" / str(access_list)

    def certificate(self, number: int, provider: str) -> tuple[Path, Path]:
        """The chain and the private key of a certificate."""
        place = (
            self.letsencrypt / "live" / f"npm-{number}"
            if provider == "letsencrypt"
            else self.data / "custom_ssl" / f"npm-{number}"
        )
        return place / "fullchain.pem", place / "privkey.pem"

    def credentials(self, number: int) -> Path:
        """The DNS credentials of a Let's Encrypt certificate, as certbot's plugin reads them."""
        return self.letsencrypt / "credentials" / f"credentials-{number}"

    def listen(self, port: int, *, flags: str = "") -> list[str]:
        """The `listen` directives for a port, IPv4 and IPv6."""
        everywhere = [str(port), f"[::]:{port}"] if self.ipv6 else [str(port)]
        where = [f"{self.bind}:{port}"] if self.bind else everywhere
        return [f"listen {address}{flags};" for address in where]

    def make(self) -> None:
        """Make the directories that the real image makes."""
        for path in (
            self.conf / "conf.d" / "include",
            self.data / "nginx" / "proxy_host",
            self.data / "nginx" / "default_host",
            self.data / "nginx" / "default_www",
            self.data / "nginx" / "custom",
            self.data / "nginx" / "temp",
            self.data / "letsencrypt-acme-challenge",
            self.data / "custom_ssl",
            self.data / "access",
            self.logs,
            self.letsencrypt / "live",
            self.letsencrypt / "credentials",
        ):
            path.mkdir(parents=True, exist_ok=True)
        for secret in (self.data / "custom_ssl", self.letsencrypt / "live", self.letsencrypt / "credentials"):
            secret.chmod(0o700)
