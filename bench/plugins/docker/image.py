"""docker:index/remoteImage:RemoteImage: an image that the daemon has, pulled when it is missing."""

from __future__ import annotations

from typing import Any

import docker

from bench.plugins.base import Call, CheckFailed, Failed, Found
from bench.plugins.docker.bridge import Bridged
from bench.plugins.docker.text import explained, one_error, saying
from bench.plugins.values import UNKNOWN, Values


def find_image(client: Any, name: str, auth: dict[str, str] | None) -> Values:
    """The image called `name`, pulled if the daemon doesn't have it; raises docker's errors, or Failed."""
    try:
        found: Values = client.inspect_image(name)
    except docker.errors.NotFound:
        _pull(client, name, auth)
        found = client.inspect_image(name)
    return found


def _pull(client: Any, name: str, auth: dict[str, str] | None) -> None:
    front = f"unable to pull image {name}: error pulling image {name}: "
    tagged = "@" in name or ":" in name.rsplit("/", 1)[-1]
    try:
        for step in client.pull(
            name, tag=None if tagged else "latest", stream=True, decode=True, auth_config=auth
        ):
            if "error" in step:
                raise docker.errors.DockerException(f"{front}{step['error']}")
    except docker.errors.APIError as error:
        raise docker.errors.DockerException(f"{front}{explained(error)}") from error


class RemoteImage(Bridged):
    """An image of a registry. Found by name at every read: re-tagged by hand, it is another one."""

    token = "docker:index/remoteImage:RemoteImage"  # noqa: S105 - a type, no secret
    named = False

    def check(self, call: Call) -> Values:
        if "build" in call.news:
            raise CheckFailed(("build", "building images is not known to the bench; use the official plugin"))
        return super().check(call)

    def create(self, call: Call) -> tuple[str, Values]:
        if call.preview:
            unknown = dict.fromkeys(("id", "imageId", "repoDigest"), UNKNOWN)
            return "", self._outputs(self.state(call.news)) | unknown
        client = self._client()
        name = call.news["name"]
        with saying("Unable to read Docker image into resource: "):
            image = find_image(client, name, self.provider.registry_auth(name))
        outputs = self._outputs(self.state(call.news), image)
        return outputs["id"], outputs

    def read(self, call: Call) -> Found | None:
        try:
            with saying("", call.urn, "reading"):
                image = self._client().inspect_image(call.olds["name"])
        except Failed as error:
            if isinstance(error.__cause__, docker.errors.NotFound):
                return None
            raise
        known = {name: value for name, value in call.olds.items() if not name.startswith("__")}
        outputs = self._outputs(known, image)
        return self.found(call, outputs["id"], outputs)

    def update(self, call: Call) -> Values:
        known = {name: value for name, value in call.olds.items() if not name.startswith("__")}
        known |= dict.fromkeys(self.inputs) | self.state(call.news)
        if call.preview:
            return known
        name = call.news["name"]
        with saying("Unable to read Docker image into resource: ", call.urn, "updating"):
            return self._outputs(known, find_image(self._client(), name, self.provider.registry_auth(name)))

    def delete(self, call: Call) -> None:
        if call.olds.get("keepLocally"):
            return
        try:
            with saying("Unable to remove Docker image: ", call.urn, "deleting"):
                self._client().remove_image(call.olds["name"], force=bool(call.olds.get("forceRemove")))
        except Failed as error:
            if not isinstance(error.__cause__, docker.errors.NotFound):
                raise

    def _outputs(self, known: Values, image: Values | None = None) -> Values:
        found: Values = {**dict.fromkeys(self.inputs), **known}
        if image is None:
            return found
        repository = known["name"].split("@")[0].rsplit(":", 1)[0]
        digests = [digest for digest in image.get("RepoDigests") or [] if digest.startswith(f"{repository}@")]
        return found | {
            "id": image["Id"] + known["name"],
            "imageId": image["Id"],
            "repoDigest": digests[0] if digests else "",
        }

    def _client(self) -> Any:
        try:
            return self.provider.daemon.client()
        except Failed as error:
            raise Failed(one_error(error.message)) from error
