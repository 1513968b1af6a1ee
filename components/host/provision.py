"""Makes a box that answers SSH into one that containers can run on; `python -m components.host.provision`.

Standard input has one JSON document (`Order`), since it holds keys; standard output gets one line, which
Pulumi keeps in its state. Every step looks first and may be killed anywhere: the next run goes on from there.

With `--first-contact` the box may still have the host key that it booted with (or, for a box that existed
before, the one in the stack file). Without it only the derived host key is accepted.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tenacity import RetryCallState, Retrying, stop_after_delay, wait_exponential

from components.host.shell import (
    BoxError,
    HostKeyMismatchError,
    KeyRefusedError,
    Shell,
    UnreachableError,
    carry_out,
    pinned,
)
from components.host.user_data import hardening_record, hardening_script

HERE = Path(__file__).parent
# A server at Hetzner answers SSH about 20 to 60 s after it was made; a box that reboots takes no longer.
REACH_SECONDS = 300.0
# sshd answers before cloud-init has put host key and user in place: for a moment, wrong ones are no news.
SETTLE_SECONDS = 45.0
CLOUD_INIT_SECONDS = 900
HARDEN_SECONDS = 1800


@dataclass(frozen=True, kw_only=True)
class Order:
    """What is to be done, as JSON says it."""

    client: str
    address: str
    port: int = 22
    """Where its sshd listens."""
    ssh: tuple[str, ...]
    """The ssh command up to its options, with the deploy key."""
    host_private: str
    """The derived host key, private part (secret)."""
    host_public: str
    first_public: str
    """The host key of the first contact, public part."""
    first_user: str = "deploy"
    """Who may log in at the first contact; anyone but deploy does so with the operator's own keys."""
    accounts: tuple[tuple[str, str], ...]
    """Names and public keys of who may log in, deploy first."""
    hardening: tuple[str, ...] = ()
    """The arguments of harden.sh, each a flag and its value; a new server's are none, as at its first boot."""
    volume: str | None = None
    """Id of Hetzner's volume that holds the data."""
    folders: tuple[tuple[str, str, int | None], ...] = ()
    """What is laid out in it for the containers: path, mode, owner (`components.containers.spec.Folder`)."""
    guarded: bool = False
    """Whether to stop before anything is changed on a box where somebody else has something."""
    scripts: str = ""
    """Hash of what runs on the box: it makes an order differ from the last one when only a script changed."""
    reach_seconds: float = REACH_SECONDS
    settle_seconds: float = SETTLE_SECONDS

    @classmethod
    def parse(cls, text: str) -> Order:
        """Raises BoxError for anything but a complete document, without repeating it."""
        try:
            raw: dict[str, Any] = json.loads(text)
            raw["ssh"] = tuple(raw["ssh"])
            raw["accounts"] = tuple((name, key) for name, key in raw["accounts"])
            raw["hardening"] = tuple(raw.get("hardening", ()))
            raw["folders"] = tuple((path, mode, owner) for path, mode, owner in raw.get("folders", ()))
            return cls(**raw)
        except (ValueError, KeyError, TypeError, AttributeError):
            raise BoxError("the order on standard input is not what this program takes") from None

    @property
    def opened(self) -> list[str]:
        """The ports besides 80 and 443 that the hardening leaves open."""
        pairs = zip(self.hardening[::2], self.hardening[1::2], strict=True)
        return list(dict.fromkeys(value.partition("=")[0] for flag, value in pairs if flag == "--open"))


class Provision:
    """One run. `scratch` is a private directory for the two known-hosts files."""

    def __init__(self, order: Order, scratch: Path, *, first_contact: bool) -> None:
        self.order = order
        self.first_contact = first_contact
        self.real = self._shell(order.ssh, "deploy", order.host_public, scratch / "real")
        # A box that was there lets in the operator's own keys, with their agent and configuration.
        first_ssh = order.ssh if order.first_user == "deploy" else ("ssh",)
        self.first = self._shell(first_ssh, order.first_user, order.first_public, scratch / "first")
        self.done: list[str] = []
        self._answered: float | None = None

    def _shell(self, ssh: tuple[str, ...], user: str, public: str, known_hosts: Path) -> Shell:
        order = self.order
        return pinned(ssh, user, order.address, order.port, order.client, public, known_hosts)

    def run(self) -> str:
        """All steps in order; gives the line to print. Raises BoxError."""
        try:
            known = self._reach()
            self._check_for_others(self.real if known else self.first)
            if not known:
                self._install_host_key()
            cloud_init = self._wait_for_cloud_init()
            self._accounts()
            self._harden(cloud_init)
            self._create_folders()
            # As deploy itself and over a new connection, as Docker's provider will come.
            version = self._run_patiently("docker version --format '{{.Server.Version}}'", root=False).strip()
        except (UnreachableError, HostKeyMismatchError, KeyRefusedError) as error:
            raise BoxError(self._explain(error)) from None
        self.done.append(f"docker {version} answers")
        return f"{self.order.address}: " + ", ".join(self.done)

    def _check_for_others(self, way: Shell) -> None:
        if not self.order.guarded:
            return
        port = str(self.order.port)
        if found := self._retrying()(way.run, _text("takeover.sh"), port).strip():
            things = "".join(f"\n  {line}" for line in found.splitlines())
            *ports, last = (port, "80", "443", *self.order.opened)
            raise BoxError(
                f"{self.order.address}: somebody else uses this box, and nothing was changed on it. gatehouse would "
                f"write /etc/docker/daemon.json, restart Docker and deny every port but {', '.join(ports)} and {last}. "
                f"Found:{things}\nTake a box that does nothing else; or, if all of this may be cut off, set "
                f"`adopt: true` in gatehouse:box and run `up` again"
            )

    def _install_host_key(self) -> None:
        if self.order.first_user != "deploy":
            # A box that was there has no deploy user yet; cloud-init made it on a new one.
            self._retrying()(self.first.run, _text("accounts.sh"), stdin=self._account_lines())
        # Last, since no new connection gets in by the old key after this.
        self._retrying()(self._replace_host_key)
        self._run_patiently("true", root=False)
        self.done.append("host key installed")

    def _replace_host_key(self) -> None:
        if not self._probe():  # else it has been replaced, and the connection was lost before that was said
            self.first.run(_text("host_key.sh"), stdin=self.order.host_private)

    def _run_patiently(self, script: str, *arguments: str, **how: Any) -> str:
        """Run a script on the box, again when the way there was lost: sshd is reloaded while the box settles."""
        said: str = self._retrying()(self.real.run, script, *arguments, **how)
        return said

    def _reach(self) -> bool:
        """Wait until the box lets us in; False if it still has the host key of the first contact."""
        return bool(self._retrying()(self._probe))

    def _retrying(self) -> Retrying:
        return Retrying(
            retry=self._worth_another_try,
            stop=stop_after_delay(self.order.reach_seconds),
            wait=wait_exponential(multiplier=0.25, min=0.5, max=5),
            reraise=True,
        )

    def _worth_another_try(self, state: RetryCallState) -> bool:
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, UnreachableError):
            return True
        if not isinstance(error, HostKeyMismatchError | KeyRefusedError) or not self.first_contact:
            return False
        self._answered = self._answered or time.monotonic()
        return time.monotonic() - self._answered < self.order.settle_seconds

    def _probe(self) -> bool:
        try:
            self.real.run("true", root=False, timeout=60)
        except HostKeyMismatchError:
            if not self.first_contact:
                raise
            self.first.run("true", root=False, timeout=60)
            return False
        return True

    def _explain(self, error: BoxError) -> str:
        """What the operator can do about a box that ssh did not get into."""
        order = self.order
        where = f"{order.address}, port {order.port}"
        if isinstance(error, HostKeyMismatchError):
            return (
                f"{error}\nThe machine at {where} does not have the SSH host key of {order.client}'s box: "
                f"nothing was sent to it. That key follows from the root secret: if gatehouse:rootSecret was "
                f"changed, write the former one again, and count nothing up. If not, compare with what "
                f"`ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key` says on the provider's console: somebody may be in "
                f"between. Only a box that was made anew outside of gatehouse takes `gatehouse:rebuild` counted up"
            )
        if isinstance(error, KeyRefusedError):
            own = (
                ""
                if order.first_user == "deploy"
                else f" (at the first contact: {order.first_user}, your own)"
            )
            return (
                f"{error}\nThe box at {where} has the right host key but refuses the user deploy with the "
                f"derived key{own}. On the provider's console, look at its ~/.ssh/authorized_keys, at "
                f"`AllowGroups` in /etc/ssh/sshd_config.d, and at `journalctl -u ssh`"
            )
        return (
            f"{error}\nNo SSH connection to {where}, for {order.reach_seconds:.0f} s, or it was lost: is the "
            f"server on, and are you within `gatehouse:network.sshFrom`? Then run `up` again: it goes on "
            f"from here"
        )

    def _wait_for_cloud_init(self) -> str:
        """The state that cloud-init ended in; `none` where there is no cloud-init."""
        script = """
            command -v cloud-init >/dev/null || { echo none; exit; }
            timeout "$1" cloud-init status --wait >/dev/null 2>&1 && code=0 || code=$?
            [ "$code" != 124 ] || { echo "cloud-init has not ended after $1 s" >&2; exit 1; }
            cloud-init status 2>/dev/null | sed -n 's/^status: //p'
        """
        return self._run_patiently(script, str(CLOUD_INIT_SECONDS), timeout=CLOUD_INIT_SECONDS + 60).strip()

    def _account_lines(self) -> str:
        return "".join(f"{name} {key.strip()}\n" for name, key in self.order.accounts)

    def _accounts(self) -> None:
        self._run_patiently(_text("accounts.sh"), stdin=self._account_lines())

    def _create_folders(self) -> None:
        lines = (
            f"{path} {mode} {'-' if owner is None else owner}\n" for path, mode, owner in self.order.folders
        )
        volume = [self.order.volume] if self.order.volume else []
        self._run_patiently(_text("layout.sh"), *volume, stdin="".join(lines))

    def _harden(self, cloud_init: str) -> None:
        wanted = hardening_record([*self.order.hardening])
        if self._run_patiently("cat /etc/gatehouse/hardening 2>/dev/null || true").strip() == wanted:
            self.done.append("already hardened")
            return
        install = """
            set -e; umask 022; cd /usr/local/lib; mkdir -p gatehouse; new=$(mktemp gatehouse/.harden.XXXXXX)
            cat >"$new"; chmod 0755 "$new"; mv -f "$new" gatehouse/harden
        """
        self._run_patiently(install, stdin=hardening_script())
        # As a unit of its own, so that it comes to its end when the connection to us does not last as long.
        start = """
            unit=gatehouse-harden-$$
            systemd-run --quiet --wait --collect --unit=$unit /usr/local/lib/gatehouse/harden "$@" ||
              { journalctl -q -o cat -n 25 -u $unit >&2; exit 1; }
        """
        try:
            self._run_patiently(start, *self.order.hardening, timeout=HARDEN_SECONDS)
        except BoxError as error:
            note = f" (cloud-init had ended as `{cloud_init}`)" if cloud_init not in ("done", "none") else ""
            raise type(error)(f"hardening did not end well{note}: {error}") from None
        # Docker's group reaches new connections only, and the accounts made before Docker came lack it.
        self._accounts()
        self.done.append("hardened")


def _text(name: str) -> str:
    return (HERE / name).read_text(encoding="utf-8")


def main(arguments: list[str]) -> int:
    """Exit status 0 with one line on standard output, or 1 with what is wrong on standard error."""
    first_contact = "--first-contact" in arguments
    return carry_out(
        lambda text, scratch: Provision(Order.parse(text), scratch, first_contact=first_contact).run()
    )


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
