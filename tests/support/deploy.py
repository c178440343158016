"""Reads what is deployed: manifests as Kustomize would put them together, compose, Dockerfiles."""

import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from audit.settings import AuditSettings
from issuer.settings import IssuerSettings
from revocation.settings import RevocationSettings
from servicekit.settings import ServiceSettings

CHECKOUT = Path(__file__).parents[2]
KUBERNETES = CHECKOUT / "deploy/kubernetes"
OVERLAYS = ("local", "production")
SETTINGS: dict[str, type[ServiceSettings]] = {
    "issuer": IssuerSettings,
    "revocation": RevocationSettings,
    "audit": AuditSettings,
}
UNDERSTOOD = {
    "apiVersion",
    "kind",
    "namespace",
    "labels",
    "resources",
    "configMapGenerator",
    "images",
    "replicas",
}
Manifest = dict[str, Any]


def kustomized(directory: Path) -> list[Manifest]:
    """The objects of a kustomization, names without the hashes that Kustomize adds to some.

    Only what ours use is understood; anything else fails instead of being left out.
    """
    recipe = _one(directory / "kustomization.yaml")
    assert set(recipe) <= UNDERSTOOD, set(recipe) - UNDERSTOOD
    objects: list[Manifest] = []
    for resource in recipe["resources"]:
        path = directory / resource
        objects += kustomized(path) if path.is_dir() else list(_all(path))
    for generated in recipe.get("configMapGenerator", []):
        _generate(objects, generated)
    for image in recipe.get("images", []):
        _set_image(objects, image)
    for replicas in recipe.get("replicas", []):
        _find(objects, "Deployment", replicas["name"])["spec"]["replicas"] = replicas["count"]
    for each in objects:
        _label(each, recipe)
    return objects


def _generate(objects: list[Manifest], generated: Manifest) -> None:
    data = dict(literal.split("=", 1) for literal in generated["literals"])
    if generated.get("behavior") == "merge":
        _find(objects, "ConfigMap", generated["name"])["data"] |= data
        return
    metadata = {"name": generated["name"]}
    objects.append({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data})


def _set_image(objects: list[Manifest], image: Manifest) -> None:
    used = [c for o in objects for c in containers(o) if c["image"] == image["name"]]
    assert used, f"nothing has the image {image['name']}"
    for container in used:
        container["image"] = f"{image.get('newName', image['name'])}:{image['newTag']}"


def _label(each: Manifest, recipe: Manifest) -> None:
    if "namespace" in recipe and each["kind"] != "Namespace":
        each["metadata"]["namespace"] = recipe["namespace"]
    for labels in recipe.get("labels", []):
        each["metadata"].setdefault("labels", {}).update(labels["pairs"])


def _find(objects: list[Manifest], kind: str, name: str) -> Manifest:
    (found,) = (o for o in objects if o["kind"] == kind and o["metadata"]["name"] == name)
    return found


def pod_of(each: Manifest) -> Manifest | None:
    """The pod template of a Deployment or a Job; None for anything else."""
    template: Manifest | None = each.get("spec", {}).get("template")
    return template


def containers(each: Manifest) -> list[Manifest]:
    """All containers of an object's pods."""
    spec = (pod_of(each) or {}).get("spec", {})
    return [*spec.get("initContainers", []), *spec.get("containers", [])]


def environment(each: Manifest, objects: list[Manifest]) -> dict[str, str]:
    """What the first container of an object gets, config maps included."""
    (container,) = containers(each)
    given: dict[str, str] = {}
    for source in container.get("envFrom", []):
        given |= _find(objects, "ConfigMap", source["configMapRef"]["name"])["data"]
    return given | {named["name"]: named["value"] for named in container.get("env", [])}


def compose() -> Manifest:
    """`docker-compose.yml`, its anchors resolved."""
    return _one(CHECKOUT / "docker-compose.yml")


@dataclass(frozen=True)
class Dockerfile:
    """A Dockerfile as instructions, continued lines joined."""

    path: Path

    @property
    def instructions(self) -> list[tuple[str, str]]:
        text = re.sub(r"\\\n\s*", "", self.path.read_text())
        lines = [line for line in text.splitlines() if line and not line.startswith("#")]
        return [(word.upper(), rest) for word, rest in (line.split(" ", 1) for line in lines)]

    @property
    def last_stage(self) -> list[tuple[str, str]]:
        """The instructions of the image itself."""
        begins = [n for n, (word, _) in enumerate(self.instructions) if word == "FROM"]
        return self.instructions[begins[-1] :]

    def of(self, word: str) -> list[str]:
        """The arguments of every instruction of a kind."""
        return [rest for each, rest in self.instructions if each == word]

    @property
    def environment(self) -> dict[str, str]:
        """What the image itself sets."""
        pairs = [
            pair for word, rest in self.last_stage if word == "ENV" for pair in shlex.split(rest)
        ]
        return dict(pair.split("=", 1) for pair in pairs)


DOCKERFILES = {name: Dockerfile(CHECKOUT / f"services/{name}/Dockerfile") for name in SETTINGS}


def _one(path: Path) -> Manifest:
    (document,) = _all(path)
    return document


def _all(path: Path) -> Iterator[Manifest]:
    for document in yaml.safe_load_all(path.read_text()):
        yield json.loads(json.dumps(document))  # what YAML's anchors share becomes separate
