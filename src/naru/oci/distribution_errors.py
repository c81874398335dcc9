"""The registry's error codes as classes: our registry raises them, our client decodes into them.

Spec: distribution-spec v1.1, §Error Codes.
"""

from __future__ import annotations

from naru import errors


class RegistryError(errors.NaruError):
    """A failure that a registry names with a code."""

    code = "UNKNOWN"


class BlobUnknownError(RegistryError, errors.NotFoundError):
    """The registry does not have the blob."""

    code = "BLOB_UNKNOWN"


class BlobUploadInvalidError(RegistryError, errors.InvalidInputError):
    """The upload cannot be finished as asked."""

    code = "BLOB_UPLOAD_INVALID"


class BlobUploadUnknownError(RegistryError, errors.NotFoundError):
    """There is no such upload, or no longer."""

    code = "BLOB_UPLOAD_UNKNOWN"


class DigestInvalidError(RegistryError, errors.InvalidInputError):
    """What was sent is not what its digest says."""

    code = "DIGEST_INVALID"


class ManifestBlobUnknownError(RegistryError, errors.NotFoundError):
    """A manifest names content that the registry lacks."""

    code = "MANIFEST_BLOB_UNKNOWN"


class ManifestInvalidError(RegistryError, errors.InvalidInputError):
    """The manifest cannot be read."""

    code = "MANIFEST_INVALID"


class ManifestUnknownError(RegistryError, errors.NotFoundError):
    """The repository has no such manifest or tag."""

    code = "MANIFEST_UNKNOWN"


class NameInvalidError(RegistryError, errors.InvalidInputError):
    """The repository name is not one."""

    code = "NAME_INVALID"


class NameUnknownError(RegistryError, errors.NotFoundError):
    """The registry has no such repository."""

    code = "NAME_UNKNOWN"


class SizeInvalidError(RegistryError, errors.InvalidInputError):
    """What was sent is not as long as told."""

    code = "SIZE_INVALID"


class UnauthorizedError(RegistryError, errors.UnauthenticatedError):
    """The registry wants to know who asks."""

    code = "UNAUTHORIZED"


class DeniedError(RegistryError, errors.ForbiddenError):
    """The registry knows who asks, and refuses."""

    code = "DENIED"


class UnsupportedError(RegistryError, errors.NotSupportedError):
    """The registry does not do this."""

    code = "UNSUPPORTED"


class TooManyRequestsError(RegistryError, errors.UnavailableError):
    """The registry asks for patience: for `asked_pause_s` seconds, if it says how much."""

    asked_pause_s: float | None = None

    code = "TOOMANYREQUESTS"


BY_CODE: dict[str, type[RegistryError]] = {
    kind.code: kind for kind in RegistryError.__subclasses__()
}
