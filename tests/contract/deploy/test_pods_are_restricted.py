import pytest

from tests.support.deploy import KUBERNETES, OVERLAYS, Manifest, containers, kustomized, pod_of

ALLOWED_VOLUMES = {
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "persistentVolumeClaim",
    "projected",
    "secret",
}
PODS = {
    f"{path.name}/{each['kind']}/{each['metadata']['name']}": each
    for path in (KUBERNETES / "base", *(KUBERNETES / "overlays" / name for name in OVERLAYS))
    for each in kustomized(path)
    if pod_of(each)
}


def _spec(name: str) -> Manifest:
    pod = pod_of(PODS[name])
    assert pod is not None
    spec: Manifest = pod["spec"]
    return spec


def test_the_namespace_enforces_the_profile() -> None:
    """The cluster itself refuses any pod that is not restricted."""
    (namespace,) = (o for o in kustomized(KUBERNETES / "base") if o["kind"] == "Namespace")
    labels = namespace["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"


@pytest.mark.parametrize("name", PODS)
def test_the_baseline_holds(name: str) -> None:
    """Baseline profile: nothing of the host, no privilege, no sysctl, no unusual capability."""
    spec = _spec(name)
    for member in ("hostNetwork", "hostPID", "hostIPC", "hostUsers"):
        assert member not in spec
    assert "sysctls" not in spec["securityContext"]
    for container in containers(PODS[name]):
        security = container["securityContext"]
        for member in ("privileged", "procMount", "seLinuxOptions", "appArmorProfile"):
            assert member not in security
        assert not [port for port in container.get("ports", []) if "hostPort" in port]


@pytest.mark.parametrize("name", PODS)
def test_the_restricted_profile_holds(name: str) -> None:
    """Restricted profile: volume types, no escalation, no root, seccomp, no capability."""
    spec = _spec(name)
    for volume in spec["volumes"]:
        assert set(volume) - {"name"} <= ALLOWED_VOLUMES
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["runAsUser"] == 10001
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in containers(PODS[name]):
        security = container["securityContext"]
        assert security["allowPrivilegeEscalation"] is False
        assert security["capabilities"] == {"drop": ["ALL"]}
        assert not {"runAsUser", "runAsNonRoot", "seccompProfile"} & security.keys()


@pytest.mark.parametrize("name", PODS)
def test_more_than_the_profile_asks(name: str) -> None:
    """No writable image, no token of the cluster, no services in the environment, bounded use."""
    spec = _spec(name)
    assert spec["automountServiceAccountToken"] is False
    assert spec["enableServiceLinks"] is False
    for container in containers(PODS[name]):
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        resources = container["resources"]
        assert {"cpu", "memory", "ephemeral-storage"} <= resources["requests"].keys()
        assert {"memory", "ephemeral-storage"} <= resources["limits"].keys()
        secrets = {v["name"] for v in spec["volumes"] if "secret" in v}
        mounts = {m["name"]: m for m in container["volumeMounts"]}
        assert all(mounts[secret]["readOnly"] for secret in secrets)
    for volume in spec["volumes"]:
        if "secret" in volume:
            assert volume["secret"]["defaultMode"] == 0o440
        if "emptyDir" in volume:
            assert volume["emptyDir"]["sizeLimit"]
