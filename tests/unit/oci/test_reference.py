"""References: Docker's grammar, short forms and error texts."""

from __future__ import annotations

import pytest

from naru.errors import InvalidInputError
from naru.oci.digest import Digest
from naru.oci.reference import Reference, is_tag, split_search_term

DIGEST = "sha256:" + "ab" * 32


@pytest.mark.parametrize(
    ("text", "canonical", "familiar"),
    [
        ("nginx", "docker.io/library/nginx", "nginx"),
        ("nginx:1.2", "docker.io/library/nginx:1.2", "nginx:1.2"),
        ("user/app", "docker.io/user/app", "user/app"),
        ("docker.io/nginx", "docker.io/library/nginx", "nginx"),
        ("index.docker.io/library/nginx", "docker.io/library/nginx", "nginx"),
        ("library/nginx", "docker.io/library/nginx", "nginx"),
        ("library/a/b", "docker.io/library/a/b", "library/a/b"),
        ("localhost/a", "localhost/a", "localhost/a"),
        ("localhost:5000/a:b", "localhost:5000/a:b", "localhost:5000/a:b"),
        ("UPPER/a", "UPPER/a", "UPPER/a"),
        ("host.example/a/b/c", "host.example/a/b/c", "host.example/a/b/c"),
        ("[::1]:5000/a", "[::1]:5000/a", "[::1]:5000/a"),
        ("f/a__b.c-d---e:T_.-1", "docker.io/f/a__b.c-d---e:T_.-1", "f/a__b.c-d---e:T_.-1"),
        (f"a@{DIGEST}", f"docker.io/library/a@{DIGEST}", f"a@{DIGEST}"),
        (f"h:1/a:t@{DIGEST}", f"h:1/a:t@{DIGEST}", f"h:1/a:t@{DIGEST}"),
        ("localhost", "docker.io/library/localhost", "localhost"),
        ("a:5000", "docker.io/library/a:5000", "a:5000"),
        ("docker.io/a.b/c", "docker.io/a.b/c", "docker.io/a.b/c"),
        (
            "library/" + "ab" * 32,
            "docker.io/library/" + "ab" * 32,
            "docker.io/library/" + "ab" * 32,
        ),
    ],
)
def test_short_and_whole_forms_agree(text: str, canonical: str, familiar: str) -> None:
    reference = Reference.parse(text)
    assert reference.canonical == canonical
    assert reference.familiar == str(reference) == familiar
    assert Reference.parse(canonical) == Reference.parse(familiar) == reference


# What `docker pull` 28.2.2 says about each of these.
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "invalid reference format"),
        (
            "Busybox",
            "invalid reference format: repository name (library/Busybox) must be lowercase",
        ),
        ("foo/Bar", "invalid reference format: repository name (foo/Bar) must be lowercase"),
        ("FOO.com/a/B", "invalid reference format: repository name (a/B) must be lowercase"),
        ("a:b:c", "invalid reference format"),
        ("-x", "invalid reference format"),
        ("a:", "invalid reference format"),
        ("a//b", "invalid reference format"),
        (".a/b", "invalid reference format"),
        ("a___b", "invalid reference format"),
        ("a..b", "invalid reference format"),
        ("a__b.c/x", "invalid reference format"),
        ("/x", "invalid reference format"),
        ("x/", "invalid reference format"),
        ("a:tag_with$", "invalid reference format"),
        ("a\n", "invalid reference format"),
        ("http://x/y", "invalid reference format"),
        ("a:" + "t" * 129, "invalid reference format"),
        ("é", "invalid reference format"),
        ("a@sha256:abc", "invalid reference format"),
        ("a@sha256:" + "01" * 16, "invalid checksum digest length"),
        ("a@md5:" + "01" * 16, "unsupported digest algorithm"),
        ("a@sha256:" + "AB" * 32, "invalid checksum digest format"),
        ("a" * 256, "repository name must not be more than 255 characters"),
        (
            "ab" * 32,
            f"invalid repository name ({'ab' * 32}), cannot specify 64-byte hexadecimal strings",
        ),
    ],
)
def test_bad_references_get_dockers_words(text: str, message: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        Reference.parse(text)
    assert caught.value.message == message


def test_255_characters_of_repository_are_allowed() -> None:
    assert len(Reference.parse("h.x/" + "a" * 255).repository) == 255


def test_the_default_tag_fills_only_a_gap() -> None:
    assert Reference.parse("a").with_default_tag().tag == "latest"
    assert Reference.parse("a:b").with_default_tag().tag == "b"
    assert Reference.parse(f"a@{DIGEST}").with_default_tag().tag == ""


def test_parts_can_be_exchanged() -> None:
    reference = Reference.parse(f"h.x/a:b@{DIGEST}")
    assert reference.with_tag("c").familiar == "h.x/a:c"
    assert reference.with_digest(Digest(DIGEST)).familiar == f"h.x/a@{DIGEST}"
    with pytest.raises(InvalidInputError, match="invalid tag format"):
        reference.with_tag("not a tag")


def test_tags_are_told_from_other_words() -> None:
    assert is_tag("_1.2-x")
    assert not is_tag(".a")
    assert not is_tag("")
    assert not is_tag("a\n")


@pytest.mark.parametrize(
    ("term", "registry", "word"),
    [
        ("nginx", "docker.io", "nginx"),
        ("user/nginx", "docker.io", "user/nginx"),
        ("UPPER/nginx", "docker.io", "UPPER/nginx"),
        ("index.docker.io/nginx", "docker.io", "nginx"),
        ("localhost/nginx", "localhost", "nginx"),
        ("host.example:5000/", "host.example:5000", ""),
        ("host.example", "docker.io", "host.example"),
    ],
)
def test_a_search_is_for_the_registry_that_its_term_names(
    term: str, registry: str, word: str
) -> None:
    assert split_search_term(term) == (registry, word)
