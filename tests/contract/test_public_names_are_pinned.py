import ast
from collections.abc import Iterator

import pytest

from tests.support.events import CONTRACTS

SOURCE = CONTRACTS / "src/revocast_contracts"
PUBLIC = {
    "__init__": "",
    "__main__": """
        main
    """,
    "activity": """
        AccountCreated AccountDisabled AccountPasswordSet ClientChanged ClientRegistered
        ConsentGranted ConsentWithdrawn GuessCounted LoginFailed LoginSucceeded SessionEnded
        SigningKeyAdded SigningKeyRetired
    """,
    "asyncapi": """
        KAFKA_BINDING RELEASE asyncapi_document
    """,
    "checkpoints": """
        CheckpointSigned
    """,
    "codec": """
        TYPES UndecodableError UnknownData decode encode place validate
    """,
    "dead_letters": """
        LetterDied
    """,
    "envelope": """
        CONTENT_TYPE Data Draft Event TYPE_PREFIX uuid7
    """,
    "generate": """
        generate generated_files
    """,
    "lifecycle": """
        ClientDisabled DenyReason EndCause FamilyEnded Grant KillApplied Network StaleClass
        TokenDenied TokenIssued TokenPresentedStale TokenReplayed TokenRevoked TokenRotated
        WatermarkPassed
    """,
    "lifetimes": """
        ENTRY_LIFETIME LONGEST_ACCESS_TOKEN PENDING_RESENT REVOCATIONS_RETENTION SKEW
        WATERMARK_INTERVAL
    """,
    "open_words": """
        MARK OpenWhenRead READING
    """,
    "revocations": """
        EntryCause EntryState RevocationEntry RevocationWatermark
    """,
    "schemas": """
        event_schema
    """,
    "selectors": """
        Selector SelectorKind jti_hash keyed_hash subject_hash
    """,
    "signals": """
        AnomalyDetected AnomalyRule KillCompleted KillDecided ReuseDetected
    """,
    "topic_table": """
        topics_page
    """,
    "topics": """
        AUDIT_CHECKPOINTS DEAD_LETTER ISSUER_ACTIVITY PREFIX REVOCATIONS SECURITY_SIGNALS SUFFIX
        TOKEN_LIFECYCLE TOPICS TOPIC_BY_NOUN Topic WATERMARK_SOURCES
    """,
    "yaml": """
        to_yaml
    """,
}


def names(module: str) -> Iterator[str]:
    """What a module defines at its top level."""
    for node in ast.parse((SOURCE / f"{module}.py").read_text()).body:
        match node:
            case ast.ClassDef() | ast.FunctionDef():
                yield node.name
            case ast.AnnAssign(target=ast.Name(id=name)):
                yield name
            case ast.Assign(targets=targets):
                yield from (target.id for target in targets if isinstance(target, ast.Name))


def test_every_module_is_pinned() -> None:
    """A new module of the contracts is listed here."""
    assert {file.stem for file in SOURCE.glob("*.py")} == set(PUBLIC)


@pytest.mark.parametrize("module", PUBLIC)
def test_a_public_name_comes_and_goes_on_purpose(module: str) -> None:
    """Resource servers import these: the SDK is published together with the contracts."""
    public = {name for name in names(module) if not name.startswith("_")}
    assert public == set(PUBLIC[module].split())
