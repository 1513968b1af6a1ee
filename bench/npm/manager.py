"""What the parts of the emulator share, and how rows become files that nginx runs with."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass

from bench.npm.auth import Tokens
from bench.npm.certbot import Certbot
from bench.npm.errors import internal
from bench.npm.host_conf import Writer
from bench.npm.layout import Layout
from bench.npm.nginx import Nginx, NginxError
from bench.npm.store import Row, Store, public


@dataclass
class Manager:
    """One Nginx Proxy Manager. Nothing here serialises requests: neither does the real one."""

    layout: Layout
    store: Store
    tokens: Tokens
    nginx: Nginx
    certbot: Certbot
    writer: Writer

    def expanded(self, host: Row) -> Row:
        """A proxy host with its certificate and access list, whole, as its file needs them."""
        certificate = (
            self.store.get("certificate", host["certificate_id"]) if host["certificate_id"] else None
        )
        access = self.store.get("access_list", host["access_list_id"]) if host["access_list_id"] else None
        return {**host, "certificate": certificate, "access_list": access}

    def shown_host(self, host: Row) -> Row:
        """A proxy host with its relations, as answers to writes show it."""
        full = self.expanded(host)
        owner = self.store.get("user", host["owner_user_id"])
        return {
            **public(host),
            "certificate": shown_relation(full["certificate"], meta={}),
            "owner": public(owner) if owner else None,
            "access_list": shown_relation(full["access_list"]),
        }

    def configure(self, host: Row) -> Row:
        """Write the host's file; if nginx then refuses, put it aside and say so in `meta`, without failing.

        Returns the row as it is afterwards. Raises ApiError 500 if nginx refused before anything was
        written: one broken file makes every later write fail.
        """
        self._or_500(self.nginx.test)
        self._drop(host)
        path = self.layout.host_conf(host["id"])
        path.write_text(self.writer.host(self.expanded(host)))
        try:
            self.nginx.test()
            result: Row = {"nginx_online": True, "nginx_err": None}
        except NginxError as refused:
            result = {"nginx_online": False, "nginx_err": str(refused)}
            if path.exists():
                shutil.move(path, path.with_suffix(".conf.err"))
        host = self.store.patch("proxy_host", host["id"], meta={**host["meta"], **result})
        self.reload()
        return host

    def take_down(self, host: Row) -> None:
        """Remove the host's file and reload."""
        self._drop(host)
        self.reload()

    def rewrite_bare(self, hosts: list[Row]) -> None:
        """Write hosts without looking at their certificate and access list, as the real one does after a
        certificate request for their domains and after the deletion of their access list."""
        for host in hosts:
            self.layout.host_conf(host["id"]).write_text(self.writer.host(host))

    def reload(self) -> None:
        """Reload nginx; ApiError 500 if it refuses."""
        self._or_500(self.nginx.reload)

    def using(self, domains: list[str]) -> list[Row]:
        """The proxy hosts that answer to one of the domains, whatever the case."""
        wanted = {name.lower() for name in domains}
        return [
            host
            for host in self.store.all("proxy_host")
            if wanted & {name.lower() for name in host["domain_names"]}
        ]

    def _drop(self, host: Row) -> None:
        path = self.layout.host_conf(host["id"])
        path.unlink(missing_ok=True)
        path.with_suffix(".conf.err").unlink(missing_ok=True)

    def _or_500(self, act: Callable[[], None]) -> None:
        try:
            act()
        except NginxError as refused:
            raise internal(stack=[f"Error: {refused}"]) from refused


def shown_relation(row: Row | None, **changes: object) -> Row | None:
    """A row as a relation of another one: with its mark of deletion, which the row itself doesn't show."""
    return {**public(row), "is_deleted": False, **changes} if row else None
