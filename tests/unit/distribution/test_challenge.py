"""Reading WWW-Authenticate."""

from __future__ import annotations

from naru.distribution.challenge import Challenge, parse_challenges


def one(header: str) -> Challenge:
    (challenge,) = parse_challenges([header])
    return challenge


def test_bearer_with_quoted_parameters() -> None:
    challenge = one('Bearer realm="https://auth.example/token",service="r",scope="a:b:pull,push"')
    assert challenge.scheme == "bearer"
    assert dict(challenge.parameters) == {
        "realm": "https://auth.example/token",
        "service": "r",
        "scope": "a:b:pull,push",
    }


def test_scheme_and_names_are_case_insensitive() -> None:
    challenge = one('BASIC Realm="x"')
    assert (challenge.scheme, dict(challenge.parameters)) == ("basic", {"realm": "x"})


def test_several_challenges_in_one_header() -> None:
    found = parse_challenges(['Negotiate, Basic realm="a, b", Bearer realm=x , service=y'])
    assert [c.scheme for c in found] == ["negotiate", "basic", "bearer"]
    assert found[1].parameters["realm"] == "a, b"
    assert dict(found[2].parameters) == {"realm": "x", "service": "y"}


def test_escaped_quotes_belong_to_the_value() -> None:
    assert one(r'Basic realm="a \"b\" \\"').parameters["realm"] == 'a "b" \\'


def test_blanks_around_the_equals_sign() -> None:
    assert one('Bearer realm = "x" , service = y').parameters["service"] == "y"


def test_first_of_equal_parameters_counts() -> None:
    assert one('Bearer realm="a",realm="b"').parameters["realm"] == "a"


def test_unquoted_url_is_taken() -> None:
    assert one("Bearer realm=https://a/token").parameters["realm"] == "https://a/token"


def test_nonsense_is_no_challenge() -> None:
    assert parse_challenges(["", ",,", '"x"', "=1"]) == []


def test_open_quote_ends_the_header_but_not_what_came_before() -> None:
    found = parse_challenges(['Basic realm="ok", Bearer realm="open'])
    assert found[0].parameters["realm"] == "ok"
