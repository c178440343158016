"""A broker that lets nobody in without TLS and a password, and then only to what was granted."""

import datetime
import secrets
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.protocol.admin import CreateAclsRequest, DeleteAclsRequest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from devstack.kafka import Kafka
from devstack.ports import LOOPBACK, free_port
from messaging.acls import Grant, grants

OPERATIONS = {"Read": 3, "Write": 4, "Describe": 8, "DescribeConfigs": 10}
KINDS = {"topic": 2, "group": 3}
LITERAL = ALLOW = 3
DENY = 2
"""Kafka's numbers (org.apache.kafka.common.acl and .resource)."""

PRINCIPALS = {
    "issuer": "issuer",
    "revocation": "revocation",
    "audit": "audit",
    "sample_api": "resource-server",
    "owner": "",
}
"""Who has a password, and what it is granted; the owner may do everything."""


@dataclass(frozen=True, slots=True)
class GuardedKafka:
    """The broker; `bootstrap` is its guarded address. The direct one is for tests, as the owner."""

    broker: Kafka
    port: int
    ca: Path
    passwords: dict[str, str] = field(
        default_factory=lambda: {name: secrets.token_urlsafe(16) for name in PRINCIPALS}
    )

    @property
    def bootstrap(self) -> str:
        """`host:port` behind TLS and SASL."""
        return f"{LOOPBACK}:{self.port}"

    def settings(self, prefix: str, name: str) -> dict[str, str]:
        """The environment that lets a process in as `name`."""
        return {
            f"{prefix}KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
            f"{prefix}KAFKA_SASL_MECHANISM": "PLAIN",
            f"{prefix}KAFKA_SASL_USERNAME": name,
            f"{prefix}KAFKA_SASL_PASSWORD": self.passwords[name],
            f"{prefix}KAFKA_CA_PATH": str(self.ca),
        }

    def environment(self) -> dict[str, str]:
        """What the whole system has, each process for itself, and the owner who makes topics."""
        told = self.settings("REVOCAST_", "owner")
        for name in ("issuer", "revocation", "audit", "sample_api"):
            told |= self.settings(f"REVOCAST_{name.upper()}_", name)
        return told

    def security(self, name: str) -> dict[str, Any]:
        """aiokafka's arguments to be let in as `name`."""
        return {
            "security_protocol": "SASL_SSL",
            "ssl_context": ssl.create_default_context(cafile=str(self.ca)),
            "sasl_mechanism": "PLAIN",
            "sasl_plain_username": name,
            "sasl_plain_password": self.passwords[name],
        }

    async def grant(self) -> None:
        """Grant every principal what `python -m messaging acls` says, and nothing else."""
        async with self._admin() as admin:
            for name, service in PRINCIPALS.items():
                for grant in grants(service) if service else []:
                    request = CreateAclsRequest(*_rule(name, grant, ALLOW))
                    answer = await admin._send_to_controller(request)
                    assert [code for code, _ in answer.creation_responses] == [0], answer

    @asynccontextmanager
    async def refusing(self, name: str, grant: Grant) -> AsyncIterator[None]:
        """Refuse a principal one of its operations for a while; its connections live on."""
        rule = _rule(name, grant, DENY)
        async with self._admin() as admin:
            made = await admin._send_to_controller(CreateAclsRequest(*rule))
            assert [code for code, _ in made.creation_responses] == [0], made
            yield
            ended = await admin._send_to_controller(DeleteAclsRequest(*rule))
            assert [len(matching) for _, _, matching in ended.filter_responses] == [1], ended

    @asynccontextmanager
    async def _admin(self) -> AsyncIterator[AIOKafkaAdminClient]:
        admin = AIOKafkaAdminClient(bootstrap_servers=self.broker.bootstrap)
        await admin.start()
        try:
            yield admin
        finally:
            await admin.close()


def _rule(name: str, grant: Grant, kind: int) -> tuple[int, str, int, str, str, int, int]:
    kinds = KINDS[grant.kind], grant.name, LITERAL
    return *kinds, f"User:{name}", "*", OPERATIONS[grant.operation], kind


@contextmanager
def guarded_kafka(directory: Path) -> Iterator[GuardedKafka]:
    """Start it, without any grant; stop it."""
    direct, guarded, controller = (free_port() for _ in range(3))
    ca, keystore = certificate(directory)
    passwords = {name: secrets.token_urlsafe(16) for name in PRINCIPALS}
    users = " ".join(f'user_{name}="{password}"' for name, password in passwords.items())
    login = "org.apache.kafka.common.security.plain.PlainLoginModule"
    broker = Kafka(
        directory / "kafka",
        port=direct,
        settings={
            "listeners": (
                f"PLAINTEXT://{LOOPBACK}:{direct},GUARDED://{LOOPBACK}:{guarded},"
                f"CONTROLLER://{LOOPBACK}:{controller}"
            ),
            "advertised.listeners": (
                f"PLAINTEXT://{LOOPBACK}:{direct},GUARDED://{LOOPBACK}:{guarded}"
            ),
            "listener.security.protocol.map": (
                "PLAINTEXT:PLAINTEXT,GUARDED:SASL_SSL,CONTROLLER:PLAINTEXT"
            ),
            "controller.quorum.voters": f"1@{LOOPBACK}:{controller}",
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": "User:ANONYMOUS;User:owner",
            "listener.name.guarded.sasl.enabled.mechanisms": "PLAIN",
            "listener.name.guarded.plain.sasl.jaas.config": f"{login} required {users};",
            "listener.name.guarded.ssl.keystore.type": "PEM",
            "listener.name.guarded.ssl.keystore.location": str(keystore),
        },
    )
    try:
        broker.start()
        yield GuardedKafka(broker, guarded, ca, passwords)
    finally:
        broker.stop()


def certificate(directory: Path) -> tuple[Path, Path]:
    """A certificate that signs itself: what clients trust, and what the broker shows."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a broker under test")])
    now = datetime.datetime.now(datetime.UTC)
    usage = x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=True,
        crl_sign=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address(LOOPBACK))]), critical=False
        )
        .sign(key, hashes.SHA256())
        .public_bytes(serialization.Encoding.PEM)
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    ca, keystore = directory / "ca.pem", directory / "broker.pem"
    ca.write_bytes(certificate)
    keystore.write_bytes(private + certificate)
    return ca, keystore
