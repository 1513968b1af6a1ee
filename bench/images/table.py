"""The images that the bench has, under the names that production uses, as data.

Each behaves outwardly as the real one does: environment, ports, volumes, users, commands (sources: the images' own
entry points and documentation, facts in docs). What is in them is Debian's packages and the bench's own code.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from bench.rootfs import Layer

_HERE = Path(__file__).parent
CODE = "/opt/gatehouse-bench"
WHEELS = f"{CODE}/wheels"
VERSION = "GATEHOUSE_BENCH_AUTHENTIK_VERSION"
"""In the environment of authentik's image: the tag that it was pulled by."""
AUTHORITY = f"{CODE}/ca"
_PYTHON = {
    "PYTHONPATH": f"{CODE}:{WHEELS}",
    "PYTHONUNBUFFERED": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
    "SSL_CERT_FILE": "/etc/ssl/certs/ca-certificates.crt",
}


@dataclass(frozen=True)
class Image:
    """One image. `tags` of None stands for any version number: the image is told which in VERSION.

    `code` adds the bench's Python code and its wheels, `authority` the key of the bench's certificate authority.
    """

    name: str
    tags: tuple[str, ...] | None
    layers: tuple[Layer, ...]
    entrypoint: tuple[str, ...]
    command: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    ports: tuple[int, ...] = ()
    volumes: tuple[str, ...] = ()
    user: str = ""
    directory: str = "/"
    stop_signal: str = ""
    health: tuple[str, ...] = ()
    code: bool = False
    authority: bool = False


def _script(name: str) -> str:
    return (_HERE / "scripts" / name).read_text()


def _accounts(name: str, uid: int, gid: int, home: str) -> Layer:
    """The real image's user and group ids: what is on a volume belongs to them."""
    return Layer(
        f"{name}-user",
        script=f"groupadd -g {gid} {name}; useradd -u {uid} -g {gid} -d {home} -M -s /bin/bash {name}",
    )


POSTGRES = Image(
    name="docker.io/library/postgres",
    tags=("16-alpine",),
    layers=(
        _accounts("postgres", 70, 70, "/var/lib/postgresql"),
        Layer(
            "postgres",
            packages=("postgresql-15", "postgresql-client-15", "locales"),
            script="""
localedef -i en_US -f UTF-8 en_US.UTF-8
ln -s /usr/lib/postgresql/15/bin/* /usr/local/bin/ 2>/dev/null || true
# Just-in-time compilation is a third of the image; without its library Postgres leaves it out.
rm -rf /usr/lib/*/libLLVM* /usr/lib/postgresql/15/lib/llvmjit* /usr/lib/postgresql/15/lib/bitcode
rm -rf /var/lib/postgresql/* /etc/postgresql /etc/ssl/private/ssl-cert-snakeoil.key
install -d -o postgres -g postgres -m 1777 /var/lib/postgresql/data /run/postgresql
mkdir /docker-entrypoint-initdb.d
""",
            files=(("/usr/local/bin/docker-entrypoint.sh", _script("postgres.sh"), 0o755),),
        ),
    ),
    entrypoint=("docker-entrypoint.sh",),
    command=("postgres",),
    environment={"PGDATA": "/var/lib/postgresql/data", "LANG": "en_US.utf8", "PG_MAJOR": "15"},
    ports=(5432,),
    volumes=("/var/lib/postgresql/data",),
    stop_signal="SIGINT",
)
REDIS = Image(
    name="docker.io/library/redis",
    tags=("7-alpine",),
    layers=(
        _accounts("redis", 999, 1000, "/home/redis"),
        Layer(
            "redis",
            packages=("redis-server",),
            script="install -d -o redis -g redis /data",
            files=(("/usr/local/bin/docker-entrypoint.sh", _script("redis.sh"), 0o755),),
        ),
    ),
    entrypoint=("docker-entrypoint.sh",),
    command=("redis-server",),
    ports=(6379,),
    volumes=("/data",),
    directory="/data",
)
AUTHENTIK = Image(
    name="ghcr.io/goauthentik/server",
    tags=None,
    layers=(
        _accounts("authentik", 1000, 1000, "/authentik"),
        Layer(
            "authentik",
            script="install -d -o authentik -g authentik /authentik /data /media /certs /templates /blueprints",
            files=(("/usr/local/bin/ak", _script("ak.sh"), 0o755),),
        ),
    ),
    entrypoint=("ak",),
    environment=dict(_PYTHON),
    ports=(9000, 9443, 9300),
    user="1000",
    health=("CMD", "ak", "healthcheck"),
    code=True,
)
NPM = Image(
    name="docker.io/jc21/nginx-proxy-manager",
    tags=("2.15.1",),
    layers=(
        Layer(
            "npm",
            packages=("nginx-light", "libnginx-mod-http-headers-more-filter", "libnginx-mod-stream"),
            script="rm -rf /etc/nginx/sites-enabled /var/www/html",
            files=(("/usr/bin/check-health", "#!/bin/sh\nexec python3 -m bench.npm.health\n", 0o755),),
        ),
    ),
    entrypoint=("python3", "-m", "bench.npm"),
    environment={
        **_PYTHON,
        "GATEHOUSE_BENCH_CA_CERT": f"{AUTHORITY}/cert.pem",
        "GATEHOUSE_BENCH_CLOUDFLARE": "https://api.cloudflare.com/client/v4",
    },
    ports=(80, 81, 443),
    volumes=("/data",),
    code=True,
    authority=True,
)
WHOAMI = Image(
    name="docker.io/gatehouse/whoami-oidc",
    tags=("1",),
    layers=(),
    entrypoint=("python3", "-m", "bench.relying_party"),
    environment=dict(_PYTHON),
    ports=(8080,),
    user="65534",
    code=True,
)
OUTPOSTS = tuple(
    Image(
        name=f"ghcr.io/goauthentik/{kind}",
        tags=None,
        layers=(
            Layer(
                f"{kind}-outpost",
                files=((f"/{kind}", f'#!/bin/sh\nexec python3 -m bench.outposts {kind} "$@"\n', 0o755),),
            ),
        ),
        entrypoint=(f"/{kind}",),
        environment=dict(_PYTHON),
        ports=(*ports, 9300),
        user="1000",
        health=("CMD", f"/{kind}", "healthcheck"),
        code=True,
    )
    for kind, ports in (("ldap", (3389, 6636)), ("radius", (1812,)))
)
IMAGES = (POSTGRES, REDIS, AUTHENTIK, NPM, WHOAMI, *OUTPOSTS)
