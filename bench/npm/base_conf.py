"""nginx's own configuration: nginx.conf and the files that hosts include, with the behaviour of the real
ones.

What matters to a client is kept: relative includes below `conf.d/include/`, the `add_header` in
proxy.conf which hides those of the server level, X-Forwarded-* taken over from the client, X-Real-IP
believed of every private address, the rules of block-exploits that hit `next=/a/b`, one global map for
HSTS (in the hosts' files), a default server that refuses the handshake.
"""

from __future__ import annotations

from pathlib import Path

from bench.npm.layout import Layout

PROXY = """\
add_header       X-Served-By $host;
proxy_set_header Host $host;
proxy_set_header X-Forwarded-Scheme $x_forwarded_scheme;
proxy_set_header X-Forwarded-Proto  $x_forwarded_proto;
proxy_set_header X-Forwarded-For    $proxy_add_x_forwarded_for;
proxy_set_header X-Real-IP          $remote_addr;
proxy_pass       $forward_scheme://$server:$port$request_uri;
"""

FORCE_SSL = """\
set $plain "";
if ($scheme = http) { set $plain "P"; }
if ($request_uri ~ ^/\\.well-known/acme-challenge/) { set $plain "${plain}A"; }
set $trusted "${trust_forwarded_proto}:${http_x_forwarded_proto}";
if ($trusted = "T:https") { set $plain "${plain}T"; }
if ($plain = P) { return 301 https://$host$request_uri; }
"""

BLOCK_EXPLOITS = """\
set $refused 0;
if ($query_string ~ "[a-zA-Z0-9_]=https?://") { set $refused 1; }
if ($query_string ~ "[a-zA-Z0-9_]=(\\.\\.//?)+") { set $refused 1; }
if ($query_string ~ "[a-zA-Z0-9_]=/([a-z0-9_.]//?)+") { set $refused 1; }
if ($query_string ~ "union.*select.*\\(") { set $refused 1; }
if ($query_string ~ "concat.*\\(") { set $refused 1; }
if ($query_string ~ "(<|%3C).*script.*(>|%3E)") { set $refused 1; }
if ($query_string ~ "GLOBALS(=|\\[|%[0-9A-Z]{0,2})") { set $refused 1; }
if ($query_string ~ "proc/self/environ") { set $refused 1; }
if ($query_string ~ "base64_(en|de)code\\(.*\\)") { set $refused 1; }
if ($http_user_agent ~ "libwww-perl") { set $refused 1; }
if ($refused) { return 403; }
"""

ASSETS = """\
location ~* ^.*\\.(css|js|jpe?g|gif|png|webp|woff2?|eot|ttf|svg|ico)$ {
  proxy_cache public-cache;
  proxy_cache_key $host$request_uri;
  proxy_ignore_headers Set-Cookie Cache-Control Expires X-Accel-Expires;
  proxy_cache_valid any 30m;
  access_log off;
  include conf.d/include/proxy.conf;
}
"""

CIPHERS = """\
ssl_protocols TLSv1.2 TLSv1.3;
ssl_ciphers ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:\
ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305;
ssl_prefer_server_ciphers off;
"""

CACHE = "ssl_session_timeout 5m;\nssl_session_cache shared:SSL:10m;\n"


def write(layout: Layout, modules: list[Path], *, user: str | None) -> None:
    """Write nginx.conf and its includes. `modules` are loaded by their full path; workers run as `user`, root in
    the real image."""
    include = layout.conf / "conf.d" / "include"
    challenge = (
        "location ^~ /.well-known/acme-challenge/ {\n"
        '  auth_basic off; auth_request off; allow all; default_type "text/plain";\n'
        f"  root {layout.data / 'letsencrypt-acme-challenge'};\n}}\n"
    )
    files = {
        "proxy.conf": PROXY,
        "force-ssl.conf": FORCE_SSL,
        "block-exploits.conf": BLOCK_EXPLOITS,
        "assets.conf": ASSETS,
        "ssl-ciphers.conf": CIPHERS,
        "ssl-cache.conf": CACHE,
        "letsencrypt-acme-challenge.conf": challenge,
        "resolvers.conf": _resolvers(),
    }
    for name, text in files.items():
        (include / name).write_text(text)
    (layout.conf / "conf.d" / "default.conf").write_text(_default_servers(layout))
    (layout.conf / "nginx.conf").write_text(_main(layout, modules, user))
    welcome = layout.conf / "html" / "index.html"
    welcome.parent.mkdir(exist_ok=True)
    welcome.write_text("<!doctype html><title>Congratulations!</title><p>Nginx Proxy Manager stands here.\n")


def _resolvers() -> str:
    try:
        lines = Path("/etc/resolv.conf").read_text().splitlines()
    except OSError:
        lines = []
    found = [line.split()[1] for line in lines if line.startswith("nameserver ") and len(line.split()) > 1]
    servers = " ".join(f"[{one}]" if ":" in one else one for one in found)
    return f"resolver {servers} valid=10s ipv6=off;\n" if servers else ""


def _main(layout: Layout, modules: list[Path], user: str | None) -> str:
    scratch = layout.conf / "scratch"
    load = "".join(f"load_module {path};\n" for path in modules)
    run_as = f"user {user};\n" if user else ""
    temporary = "".join(
        f"  {kind}_temp_path {scratch / kind};\n"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    nginx = layout.data / "nginx"
    # nginx-light knows the block only with its module, which a machine may not have.
    has_stream = any("stream" in path.name for path in modules)
    stream = f"stream {{ include {nginx}/custom/stream[.]conf; }}\n" if has_stream else ""
    return f"""\
{load}{run_as}daemon off;
worker_processes 1;
pid {layout.conf / "nginx.pid"};
error_log {layout.logs / "fallback_error.log"} warn;
include {nginx}/custom/root[.]conf;
events {{ worker_connections 1024; }}
http {{
  types {{ text/html html; text/css css; application/javascript js; image/png png; image/svg+xml svg; }}
  default_type application/octet-stream;
  sendfile on;
  server_tokens off;
  tcp_nopush on;
  proxy_ignore_client_abort off;
  client_max_body_size 2000m;
  server_names_hash_bucket_size 1024;
  proxy_http_version 1.1;
  proxy_set_header Accept-Encoding "";
{temporary}  proxy_cache_path {scratch / "public"} levels=1:2 keys_zone=public-cache:10m max_size=64m;
  log_format proxy '[$time_local] $upstream_status $status - $request_method $scheme $host "$request_uri"'
                   ' [Client $remote_addr] [Length $body_bytes_sent] [Sent-to $server]';
  log_format standard '[$time_local] $status - $request_method $scheme $host "$request_uri"'
                      ' [Client $remote_addr] [Length $body_bytes_sent]';
  access_log {layout.logs / "fallback_access.log"} standard;
  include conf.d/include/resolvers.conf;
  set_real_ip_from 10.0.0.0/8;
  set_real_ip_from 172.16.0.0/12;
  set_real_ip_from 192.168.0.0/16;
  real_ip_header X-Real-IP;
  real_ip_recursive on;
  map $http_x_forwarded_proto $x_forwarded_proto {{ http http; https https; default $scheme; }}
  map $http_x_forwarded_scheme $x_forwarded_scheme {{ http http; https https; default $scheme; }}
  include {nginx}/custom/http_top[.]conf;
  include conf.d/*.conf;
  include {nginx}/default_host/*.conf;
  include {nginx}/proxy_host/*.conf;
  include {nginx}/temp/*.conf;
  include {nginx}/custom/http[.]conf;
}}
{stream}"""


def _default_servers(layout: Layout) -> str:
    plain = "\n  ".join(layout.listen(layout.http))
    tls = "\n  ".join(layout.listen(layout.https, flags=" ssl"))
    return f"""\
server {{
  {plain}
  set $server "127.0.0.1";  # the log's format needs the variable even before there is a host
  server_name localhost-nginx-proxy-manager;
  include conf.d/include/letsencrypt-acme-challenge.conf;
  location / {{ index index.html; root {layout.conf / "html"}; }}
}}
server {{
  {tls}
  server_name localhost;
  error_log /dev/null crit;
  include conf.d/include/ssl-ciphers.conf;
  ssl_reject_handshake on;
  return 444;
}}
"""
