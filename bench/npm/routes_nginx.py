"""The routes below /nginx."""

from __future__ import annotations

from starlette.responses import JSONResponse

from bench.npm import access_lists, certificates, hosts
from bench.npm.asked import Answer, Asked, Handler
from bench.npm.errors import missing


def _hosts(asked: Asked) -> Answer:
    caller = asked.permitted("proxy_hosts")
    return hosts.listed(asked.manager, caller, asked.query.get("query", ""), asked.expand)


def _create_host(asked: Asked) -> Answer:
    body = asked.checked("POST /nginx/proxy-hosts")
    return hosts.create(asked.manager, asked.permitted("proxy_hosts", create=True), body)


def _host(asked: Asked) -> Answer:
    caller = asked.permitted("proxy_hosts")
    return hosts.shown(asked.manager, hosts.find(asked.manager, caller, asked.number), asked.expand)


def _update_host(asked: Asked) -> Answer:
    body = asked.checked("PUT /nginx/proxy-hosts/{hostID}")
    return hosts.update(asked.manager, asked.permitted("proxy_hosts", write=True), asked.number, body)


def _delete_host(asked: Asked) -> Answer:
    return hosts.remove(asked.manager, asked.permitted("proxy_hosts", write=True), asked.number)


def _switch_host(asked: Asked) -> Answer:
    what = asked.params["what"]
    if what not in ("enable", "disable"):
        raise missing(asked.path)
    caller = asked.permitted("proxy_hosts", write=True)
    return hosts.switch(asked.manager, caller, asked.number, on=what == "enable")


def _certificates(asked: Asked) -> Answer:
    caller = asked.permitted("certificates")
    rows = [row for row in asked.manager.store.all("certificate") if caller.sees(row)]
    ordered = sorted(rows, key=lambda row: str(row["nice_name"]))
    return [certificates.shown(asked.manager, row, asked.expand) for row in ordered]


def _create_certificate(asked: Asked) -> Answer:
    body = asked.checked("POST /nginx/certificates")
    return certificates.create(asked.manager, asked.permitted("certificates", create=True), body)


def _dns_providers(asked: Asked) -> Answer:
    asked.someone()
    return certificates.DNS_PROVIDERS


def _certificate(asked: Asked) -> Answer:
    caller = asked.permitted("certificates")
    row = certificates.find(asked.manager, caller, asked.number)
    return certificates.shown(asked.manager, row, asked.expand)


def _delete_certificate(asked: Asked) -> Answer:
    return certificates.remove(asked.manager, asked.permitted("certificates", write=True), asked.number)


def _validate(asked: Asked) -> Answer:
    asked.permitted("certificates")
    if "certificate" not in asked.files:
        return JSONResponse({"error": "No files were uploaded"}, 400)
    return certificates.validate(asked.files["certificate"], asked.files.get("certificate_key"))


def _upload(asked: Asked) -> Answer:
    if "certificate" not in asked.files:
        return JSONResponse({"error": "No files were uploaded"}, 400)
    caller = asked.permitted("certificates", write=True)
    return certificates.upload(asked.manager, caller, asked.number, asked.files)


def _renew(asked: Asked) -> Answer:
    return certificates.renew(asked.manager, asked.permitted("certificates", write=True), asked.number)


def _access_lists(asked: Asked) -> Answer:
    caller = asked.permitted("access_lists")
    rows = [row for row in asked.manager.store.all("access_list") if caller.sees(row)]
    ordered = sorted(rows, key=lambda row: str(row["name"]))
    return [access_lists.shown(asked.manager, row, asked.expand) for row in ordered]


def _create_access_list(asked: Asked) -> Answer:
    body = asked.checked("POST /nginx/access-lists")
    return access_lists.create(asked.manager, asked.permitted("access_lists", create=True), body)


def _access_list(asked: Asked) -> Answer:
    caller = asked.permitted("access_lists")
    row = access_lists.find(asked.manager, caller, asked.number)
    return access_lists.shown(asked.manager, row, asked.expand)


def _update_access_list(asked: Asked) -> Answer:
    body = asked.checked("PUT /nginx/access-lists/{listID}")
    caller = asked.permitted("access_lists", write=True)
    return access_lists.update(asked.manager, caller, asked.number, body)


def _delete_access_list(asked: Asked) -> Answer:
    return access_lists.remove(asked.manager, asked.permitted("access_lists", write=True), asked.number)


ROUTES: dict[str, dict[str, Handler | tuple[Handler, int]]] = {
    "/nginx/proxy-hosts": {"GET": _hosts, "POST": (_create_host, 201)},
    "/nginx/proxy-hosts/{number:int}": {"GET": _host, "PUT": _update_host, "DELETE": _delete_host},
    "/nginx/proxy-hosts/{number:int}/{what}": {"POST": _switch_host},
    "/nginx/certificates": {"GET": _certificates, "POST": (_create_certificate, 201)},
    "/nginx/certificates/dns-providers": {"GET": _dns_providers},
    "/nginx/certificates/validate": {"POST": _validate},
    "/nginx/certificates/{number:int}": {"GET": _certificate, "DELETE": _delete_certificate},
    "/nginx/certificates/{number:int}/upload": {"POST": _upload},
    "/nginx/certificates/{number:int}/renew": {"POST": _renew},
    "/nginx/access-lists": {"GET": _access_lists, "POST": (_create_access_list, 201)},
    "/nginx/access-lists/{number:int}": {
        "GET": _access_list,
        "PUT": _update_access_list,
        "DELETE": _delete_access_list,
    },
}
"""The handlers of each path by method, with the status of success if it is not 200."""
