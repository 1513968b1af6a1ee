"""The containers of a client, one row each: environment, volumes, networks, limits, rights, what it publishes.

Only Nginx Proxy Manager is published to the world, on 80 and 443, and authentik's outposts to the networks that the
stack file names; the two administration ports are on loopback, where the SSH tunnel ends. The operators' own containers
are on a network of their own, the databases on another, and Nginx Proxy Manager and the outposts reach authentik on a
third, where the proxy's address is believed and nobody else can have it.
"""

from __future__ import annotations

from pydantic import SecretStr

from components.containers import networks, releases
from components.containers.networks import APPS, DATA_NET, EDGE, LOOPBACK, WORLD, WORLD6
from components.containers.outposts import outpost_specs
from components.containers.releases import Release
from components.containers.spec import ContainerSpec, Folder, Port, Volume
from components.secrets import Secrets
from components.settings import Settings

# The password comes by standard input: command lines show in `ps` on the box.
_REDIS_START = """exec docker-entrypoint.sh redis-server - <<END
save 60 1
requirepass $REDISCLI_AUTH
END
"""
# What comes by IPv6 has ports of its own inside (see Port), and goes on from there to those of IPv4.
_FROM_IPV6 = "".join(
    f"server {{ listen {inside}; proxy_pass 127.0.0.1:{to}; }}\n" for inside, to in ((8080, 80), (8443, 443))
)
# What an entry point needs that starts as root, gives its directory to its own user and becomes that user.
STEP_DOWN = ("CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_SETGID", "CAP_SETUID")


def postgres(secrets: Secrets) -> ContainerSpec:
    """authentik's database."""
    return ContainerSpec(
        name="postgres",
        # authentik keeps sessions and tasks in it: from 2025.10 on it opens half as many connections again.
        command=("postgres", "-c", "max_connections=200"),
        env={
            "POSTGRES_DB": "authentik",
            "POSTGRES_USER": "authentik",
            "POSTGRES_PASSWORD": secrets.value("postgres/password"),
        },
        volumes=(Volume(Folder("postgres"), "/var/lib/postgresql/data"),),
        # Over TCP: the server that the entry point sets the database up with listens on its socket only.
        health=(
            "CMD",
            "pg_isready",
            "--quiet",
            "--host=127.0.0.1",
            "--dbname=authentik",
            "--username=authentik",
        ),
        memory_mb=768,
        keeps=STEP_DOWN,
        tmpfs=("/tmp", "/var/run/postgresql"),  # noqa: S108  (the container's own)
        shm_mb=128,
        stop_seconds=60,  # a fast shutdown writes everything back first
    )


def redis(secrets: Secrets) -> ContainerSpec:
    """authentik's cache, up to 2025.8."""
    return ContainerSpec(
        name="redis",
        command=("sh", "-c", _REDIS_START),
        env={"REDISCLI_AUTH": secrets.value("redis/password")},
        volumes=(Volume(Folder("redis"), "/data"),),
        health=("CMD-SHELL", "redis-cli ping | grep -q PONG"),
        memory_mb=256,
        keeps=STEP_DOWN,
        tmpfs=("/tmp",),  # noqa: S108
    )


def authentik(settings: Settings, secrets: Secrets, release: Release) -> tuple[ContainerSpec, ContainerSpec]:
    """authentik's server and worker."""
    env = _authentik_env(settings, secrets, release)
    first = {
        # Read at the very first start, and by the worker alone.
        "AUTHENTIK_BOOTSTRAP_EMAIL": settings.operators[0].email,
        "AUTHENTIK_BOOTSTRAP_PASSWORD": secrets.value("authentik/bootstrap-password"),
        "AUTHENTIK_BOOTSTRAP_TOKEN": secrets.value("authentik/bootstrap-token"),
    }
    volumes = (release.data, releases.volume("authentik/templates", "/templates"))
    stores = ("postgres", "redis") if settings.wants_redis and release.redis else ("postgres",)

    def spec(role: str, **more: object) -> ContainerSpec:
        return ContainerSpec(
            name=f"authentik-{role}",
            version=settings.authentik.version,
            needs=stores,
            command=(role,),
            health=("CMD", "ak", "healthcheck"),
            memory_mb=1536,
            shm_mb=release.shm_mb,
            health_seconds=10,
            # A first start makes the whole schema (70 to 90 s on two cores); an upgrade may take minutes.
            start_seconds=300,
            wait_seconds=600,
            **more,  # type: ignore[arg-type]
        )

    server = spec(
        "server",
        env=env,
        volumes=volumes,
        ports=(Port(9000, 9000, LOOPBACK),),
        networks=(APPS, DATA_NET, EDGE),
        place=networks.AUTHENTIK_SERVER,
    )
    certificates = releases.volume("authentik/certs", "/certs")
    worker = spec("worker", env=env | first, volumes=(*volumes, certificates), networks=(DATA_NET, EDGE))
    return server, worker


def _authentik_env(settings: Settings, secrets: Secrets, release: Release) -> dict[str, str]:
    env = {
        "AUTHENTIK_SECRET_KEY": secrets.value("authentik/secret-key"),
        "AUTHENTIK_POSTGRESQL__HOST": "gatehouse-postgres",
        "AUTHENTIK_POSTGRESQL__NAME": "authentik",
        "AUTHENTIK_POSTGRESQL__USER": "authentik",
        "AUTHENTIK_POSTGRESQL__PASSWORD": secrets.value("postgres/password"),
        # Its default trusts every private network; only NPM may say where a request came from. The loopback is the
        # container's own: its outpost says there by which scheme it was reached. Who comes through the box's loopback
        # has the address of a bridge.
        "AUTHENTIK_LISTEN__TRUSTED_PROXY_CIDRS": f"127.0.0.0/8,{EDGE.host(networks.NPM)}/32",
        # There is no Docker socket in the worker for it to find outposts by.
        "AUTHENTIK_OUTPOSTS__DISCOVER": "false",
        "AUTHENTIK_DISABLE_UPDATE_CHECK": "true",
        "AUTHENTIK_DISABLE_STARTUP_ANALYTICS": "true",
        "AUTHENTIK_ERROR_REPORTING__ENABLED": "false",
    }
    if release.redis:
        env["AUTHENTIK_REDIS__HOST"] = "gatehouse-redis"
        env["AUTHENTIK_REDIS__PASSWORD"] = secrets.value("redis/password")
    if release.base_url:
        env["AUTHENTIK_WEB__BASE_URL"] = settings.issuer_base
    mail = settings.email
    if mail is not None:
        env |= {
            "AUTHENTIK_EMAIL__HOST": mail.host,
            "AUTHENTIK_EMAIL__PORT": str(mail.port),
            "AUTHENTIK_EMAIL__FROM": mail.sender,
            "AUTHENTIK_EMAIL__USE_TLS": str(mail.tls == "starttls").lower(),
            "AUTHENTIK_EMAIL__USE_SSL": str(mail.tls == "tls").lower(),
            "AUTHENTIK_EMAIL__TIMEOUT": "30",
        }
        if mail.username is not None:
            env["AUTHENTIK_EMAIL__USERNAME"] = plain(mail.username)
        if mail.password is not None:
            env["AUTHENTIK_EMAIL__PASSWORD"] = plain(mail.password)
    return env


def npm(settings: Settings, secrets: Secrets, identity: str) -> ContainerSpec:
    """Nginx Proxy Manager: TLS, and everything that the world talks to."""
    ipv6 = settings.server is not None and settings.network.ipv6
    world = [Port(80, 80, WORLD), Port(443, 443, WORLD)]
    world6 = [Port(8080, 80, WORLD6), Port(8443, 443, WORLD6)] if ipv6 else []
    return ContainerSpec(
        name="npm",
        # Set at the very first start, before port 81 answers: until there is a user, anyone may make one.
        env={
            "INITIAL_ADMIN_EMAIL": identity,
            "INITIAL_ADMIN_PASSWORD": secrets.value("npm/admin-password"),
        },
        volumes=(Volume(Folder("npm"), "/data"), Volume(Folder("letsencrypt"), "/etc/letsencrypt")),
        networks=(APPS, EDGE),
        place=networks.NPM,
        ports=(*world, *world6, Port(81, 81, LOOPBACK)),
        files=(("/data/nginx/custom/stream.conf", _FROM_IPV6),) if world6 else (),
        health=("CMD", "/usr/bin/check-health"),
        memory_mb=768,
        # Its supervisor, nginx, node and certbot need more than the others; these they do not.
        drops=("CAP_AUDIT_WRITE", "CAP_MKNOD", "CAP_NET_RAW", "CAP_SETFCAP", "CAP_SETPCAP", "CAP_SYS_CHROOT"),
        start_seconds=120,
    )


def admin_identity(settings: Settings) -> str:
    """Who logs in to NPM, for as long as the client is there: this is what a client's first run takes.

    NPM takes it at its first start only, so it must not be a person's: whoever came to be the first operator would lock
    gatehouse out. Nor may it follow the domain, so later runs take it from the state (`components.memory`).
    Let's Encrypt's account gets this address too. Lower case, as NPM demands.
    """
    return f"gatehouse@{settings.domain}"


def all_specs(settings: Settings, secrets: Secrets, identity: str | None = None) -> list[ContainerSpec]:
    """All containers of a client, each after what it needs. `identity`: of NPM's administrator, if it is settled."""
    release = releases.release(settings.authentik.line)
    cache = [redis(secrets)] if settings.wants_redis else []
    proxy = npm(settings, secrets, identity or admin_identity(settings))
    return [
        postgres(secrets),
        *cache,
        *authentik(settings, secrets, release),
        proxy,
        *outpost_specs(settings, secrets),
    ]


def plain(value: SecretStr | str) -> str:
    """The text of a setting that may be sealed."""
    return value.get_secret_value() if isinstance(value, SecretStr) else value
