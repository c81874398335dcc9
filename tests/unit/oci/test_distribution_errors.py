"""The registry's codes, both ways."""

from __future__ import annotations

from naru import errors
from naru.oci import distribution_errors


def test_every_code_of_the_spec_has_a_class() -> None:
    assert set(distribution_errors.BY_CODE) == {
        "BLOB_UNKNOWN",
        "BLOB_UPLOAD_INVALID",
        "BLOB_UPLOAD_UNKNOWN",
        "DIGEST_INVALID",
        "MANIFEST_BLOB_UNKNOWN",
        "MANIFEST_INVALID",
        "MANIFEST_UNKNOWN",
        "NAME_INVALID",
        "NAME_UNKNOWN",
        "SIZE_INVALID",
        "UNAUTHORIZED",
        "DENIED",
        "UNSUPPORTED",
        "TOOMANYREQUESTS",
    }


def test_every_class_is_a_kind_of_failure_too() -> None:
    kinds = set(errors.NaruError.__subclasses__()) - {distribution_errors.RegistryError}
    for code, kind in distribution_errors.BY_CODE.items():
        assert kind.code == code
        assert any(issubclass(kind, known) for known in kinds)
        assert kind("text").message == "text"
