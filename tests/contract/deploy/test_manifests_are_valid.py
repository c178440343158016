import kubernetes_validate
import pytest

from tests.support.deploy import (
    KUBERNETES,
    OVERLAYS,
    Manifest,
    containers,
    kustomized,
    pod_of,
)

OLDEST = "1.30"
ALL = [KUBERNETES / "base", *(KUBERNETES / "overlays" / name for name in OVERLAYS)]
BUILT = {path.name: kustomized(path) for path in ALL}


def _named(objects: list[Manifest], kind: str) -> dict[str, Manifest]:
    return {each["metadata"]["name"]: each for each in objects if each["kind"] == kind}


@pytest.mark.parametrize("version", [OLDEST, kubernetes_validate.latest_version()])
@pytest.mark.parametrize("name", BUILT)
def test_kubernetes_own_schemas_accept_every_object(name: str, version: str) -> None:
    """Every object is valid, strictly, in the oldest version that we support and the newest."""
    assert len(BUILT[name]) == 26
    for each in BUILT[name]:
        kubernetes_validate.validate(each, version, strict=True)


def test_the_check_would_see_a_mistake() -> None:
    """The strict schemas refuse a member that does not exist, as a misspelt one."""
    broken = kustomized(KUBERNETES / "base")
    (deployment, *_) = _named(broken, "Deployment").values()
    deployment["spec"]["template"]["spec"]["securityContext"]["runAsNonroot"] = True
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(deployment, OLDEST, strict=True)


@pytest.mark.parametrize("name", BUILT)
def test_what_is_referred_to_exists(name: str) -> None:
    """Selectors find their pods, ports their names, mounts their volumes, and configuration is
    there; secrets are referred to and none is made here."""
    objects = BUILT[name]
    assert not _named(objects, "Secret")
    configs = _named(objects, "ConfigMap")
    for each in objects:
        pod = pod_of(each)
        if pod is None:
            continue
        volumes = {volume["name"] for volume in pod["spec"]["volumes"]}
        (container,) = containers(each)
        assert {mount["name"] for mount in container["volumeMounts"]} == volumes
        for source in container["envFrom"]:
            assert source["configMapRef"]["name"] in configs
    for service_name, service in _named(objects, "Service").items():
        deployment = _named(objects, "Deployment")[service_name]
        labels = deployment["spec"]["template"]["metadata"]["labels"]
        assert service["spec"]["selector"].items() <= labels.items()
        (port,) = containers(deployment)[0]["ports"]
        (offered,) = service["spec"]["ports"]
        assert (offered["targetPort"], offered["port"]) == (port["name"], port["containerPort"])


@pytest.mark.parametrize("name", BUILT)
def test_a_roll_out_drops_nothing(name: str) -> None:
    """No pod goes before its successor is ready; a leaving one still answers, and has the time."""
    objects = BUILT[name]
    budgets = _named(objects, "PodDisruptionBudget")
    for service, deployment in _named(objects, "Deployment").items():
        assert deployment["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
        spec = deployment["spec"]["template"]["spec"]
        (container,) = spec["containers"]
        sleep = container["lifecycle"]["preStop"]["sleep"]["seconds"]
        assert sleep >= 5
        drain = {"issuer": 15, "revocation": 35, "audit": 15}[service]
        assert spec["terminationGracePeriodSeconds"] >= sleep + drain + 5
        assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "http"}
        for probe in ("livenessProbe", "startupProbe"):
            assert container[probe]["httpGet"] == {"path": "/livez", "port": "http"}
        selector = budgets[service]["spec"]["selector"]["matchLabels"]
        assert selector == deployment["spec"]["selector"]["matchLabels"]


@pytest.mark.parametrize("name", BUILT)
def test_every_pod_has_a_network_policy_of_its_own(name: str) -> None:
    """By default nothing may connect; each kind of pod says what it needs beside that."""
    objects = BUILT[name]
    policies = _named(objects, "NetworkPolicy")
    everybody = policies["default"]["spec"]
    assert everybody["podSelector"] == {}
    assert everybody["policyTypes"] == ["Ingress", "Egress"]
    assert "ingress" not in everybody
    for each in objects:
        pod = pod_of(each)
        if pod is not None:
            policy = policies[each["metadata"]["name"]]["spec"]
            assert policy["podSelector"]["matchLabels"] == pod["metadata"]["labels"]


@pytest.mark.parametrize("name", OVERLAYS)
def test_images_are_named_by_version(name: str) -> None:
    """What an overlay deploys has a tag that does not move by itself."""
    for each in BUILT[name]:
        for container in containers(each):
            tag = container["image"].rpartition(":")[2]
            assert tag not in {"", "latest"}
            assert ":" in container["image"]


def test_the_owners_passwords_reach_migrations_only() -> None:
    """Only migration jobs mount the owner's secret: a service has nothing but its own role."""
    for each in BUILT["base"]:
        pod = pod_of(each)
        if pod is None:
            continue
        mounted = {v["secret"]["secretName"] for v in pod["spec"]["volumes"] if "secret" in v}
        owners = {one for one in mounted if one.endswith("-owner")}
        service, _, job = each["metadata"]["name"].partition("-")
        assert owners == ({f"revocast-{service}-owner"} if job else set())
        assert mounted - owners <= {f"revocast-{service}"}
