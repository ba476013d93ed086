"""AWS's own vectors for Signature Version 4, and what keys look like."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from flo2 import SecretError
from flo2_provider_bedrock.credentials import Keys, parts_of, read_keys
from flo2_provider_bedrock.sigv4 import sign

# The published example credential of the test suite.
KEYS = Keys("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
AT = datetime(2015, 8, 30, 12, 36, tzinfo=UTC)
ID = "AKIA" + "ABCD" * 4
HOST = {"host": "example.amazonaws.com"}
FORM = {**HOST, "content-type": "application/x-www-form-urlencoded"}


@pytest.mark.parametrize(
    ("name", "method", "target", "headers", "body", "signed", "signature"),
    [
        (
            "get-vanilla",
            "GET",
            "/",
            HOST,
            b"",
            "host;x-amz-date",
            "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
        ),
        (
            "post-vanilla",
            "POST",
            "/",
            HOST,
            b"",
            "host;x-amz-date",
            "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
        ),
        (
            "get-vanilla-query-order-key-case",
            "GET",
            "/?Param2=value2&Param1=value1",
            HOST,
            b"",
            "host;x-amz-date",
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
        ),
        (
            "get-header-value-trim",
            "GET",
            "/",
            {**HOST, "my-header1": " value1 ", "my-header2": ' "a   b   c" '},
            b"",
            "host;my-header1;my-header2;x-amz-date",
            "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736",
        ),
        (
            "get-header-key-duplicate",
            "GET",
            "/",
            {**HOST, "my-header1": "value2,value2,value1"},
            b"",
            "host;my-header1;x-amz-date",
            "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea",
        ),
        (
            "post-x-www-form-urlencoded",
            "POST",
            "/",
            FORM,
            b"Param1=value1",
            "content-type;host;x-amz-date",
            "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
        ),
    ],
)
def test_published_vectors(name, method, target, headers, body, signed, signature):
    added = sign(
        method, target, headers, body, keys=KEYS, region="us-east-1", service="service", at=AT
    )
    assert added == {
        "x-amz-date": "20150830T123600Z",
        "authorization": (
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
            f"SignedHeaders={signed}, Signature={signature}"
        ),
    }, name


def test_a_session_token_is_sent_and_signed():
    """Vector post-sts-token/post-sts-header-before."""
    token = (
        "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwA"
        "eMicRXmxfpSPfIeoIYRqTflfKD8YUuwthAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8p"
        "hUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d+xo0rKwT"
        "38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabI"
        "Qwj2ICCR/oLxBA=="
    )
    keys = Keys(KEYS.access_key_id, KEYS.secret_access_key, token)
    added = sign("POST", "/", HOST, b"", keys=keys, region="us-east-1", service="service", at=AT)
    assert added["x-amz-security-token"] == token
    assert added["authorization"].endswith(
        "SignedHeaders=host;x-amz-date;x-amz-security-token, "
        "Signature=85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead"
    )


def test_a_path_is_encoded_once_more():
    """For an encoded colon `%3A` the signature covers `%253A`, as every AWS client signs it."""
    once, twice = (
        sign("GET", target, HOST, b"", keys=KEYS, region="r", service="s", at=AT)["authorization"]
        for target in ("/model/a%3Ab", "/model/a:b")
    )
    assert once != twice


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        (f"{ID}:s/e+c", Keys(ID, "s/e+c")),
        (f"ASIA{ID[4:]}:s:t==", Keys(f"ASIA{ID[4:]}", "s", "t==")),
        ("bedrock-api-key-abc", None),
        ("ABSKQmVkcm9ja0FQSUtleS1hYmM=", None),
        ("x:y", None),
    ],
)
def test_a_credential_is_a_key_or_signs(text, keys):
    assert read_keys(text) == keys


@pytest.mark.parametrize(
    "text",
    [ID, f"{ID}:", f"ASIA{ID[4:]}:s:t:u"],
)
def test_half_a_credential_is_refused_and_not_shown(text):
    with pytest.raises(SecretError, match="ACCESS_KEY_ID:SECRET_ACCESS_KEY") as refused:
        read_keys(text)
    assert text not in str(refused.value)


def test_every_part_is_a_secret_and_none_shows():
    assert parts_of(f"{ID}:s:t") == (f"{ID}:s:t", "s", "t")
    assert repr(Keys(ID, "s", "t")) == (f"Keys(access_key_id='{ID}')")
