"""Names of models, and the list of them."""

from __future__ import annotations

import anyio
import pytest

from flo2 import (
    Credential,
    InvalidRequest,
    ModelInfo,
    Profile,
    ProviderError,
    Secret,
    Services,
    Wire,
)
from flo2.testing import FakeUpstream
from flo2_provider_bedrock import Bedrock
from flo2_provider_bedrock.models import billed_as, in_path

NOVA, CLAUDE = "us.amazon.nova-2-lite-v1:0", "eu.anthropic.claude-opus-4-6-v1"
ARN = "arn:aws:bedrock:eu-west-1:123456789012"
KEYS = f"AKIA{'TEST' * 4}:s3cr3t/access+key/of/a/test"


def make(wire=None):
    return Bedrock(Bedrock.Config(), Services(wire=wire or Wire()))


@pytest.mark.parametrize(
    ("model", "segment", "billed"),
    [
        (NOVA, "us.amazon.nova-2-lite-v1%3A0", NOVA),
        (
            f"{ARN}:inference-profile/{CLAUDE}",
            f"arn%3Aaws%3Abedrock%3Aeu-west-1%3A123456789012%3Ainference-profile%2F{CLAUDE}",
            CLAUDE,
        ),
        (
            "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-pro-v1:0",
            "arn%3Aaws%3Abedrock%3Aus-east-1%3A%3Afoundation-model%2Famazon.nova-pro-v1%3A0",
            "amazon.nova-pro-v1:0",
        ),
        (
            f"{ARN}:application-inference-profile/ab12",
            "arn%3Aaws%3Abedrock%3Aeu-west-1%3A123456789012%3Aapplication-inference-profile%2Fab12",
            f"{ARN}:application-inference-profile/ab12",
        ),
    ],
)
def test_names_of_models(model, segment, billed):
    assert (in_path(model), billed_as(model)) == (segment, billed)


@pytest.mark.parametrize(
    "model", ["", "..", ".", "a/../b", "a//b", "a b", "a?b", "a#b", "a%2e", "é"]
)
def test_what_is_no_model_reaches_no_other_operation(model):
    with pytest.raises(InvalidRequest, match="no name of a Bedrock model"):
        in_path(model)


def test_it_knows_its_names():
    names = (
        NOVA,
        CLAUDE,
        "meta.llama3-8b",
        f"{ARN}:imported-model/x",
        "gpt-4o",
        "claude-opus-5",
        "",
    )
    assert [make().knows(name) for name in names] == [True] * 4 + [False] * 3


@pytest.mark.parametrize(
    ("model", "profile"),
    [
        (NOVA, Profile(system_turns=False)),
        ("anthropic.claude-v2:1", Profile(max_output_tokens=4096, system_turns=False)),
        (
            "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
            Profile(max_output_tokens=64_000, system_turns=False),
        ),
        (CLAUDE, Profile(max_output_tokens=128_000, adaptive_thinking=True, system_turns=False)),
    ],
)
def test_profiles(model, profile):
    assert make().profile(model) == profile


def list_models(*pages, secret=KEYS):
    upstream, found = FakeUpstream(), []
    for page in pages:
        upstream.reply(json=page)

    async def test():
        async with Wire(transport=upstream.transport()) as wire:
            found.extend(await make(wire).models(Credential("c", Secret(secret))))

    anyio.run(test)
    return upstream, found


def test_models_and_inference_profiles_are_listed():
    upstream, found = list_models(
        {
            "modelSummaries": [
                {
                    "modelId": "amazon.nova-pro-v1:0",
                    "modelName": "Nova Pro",
                    "providerName": "Amazon",
                    "inferenceTypesSupported": ["ON_DEMAND"],
                },
                {"modelId": "anthropic.claude-x", "inferenceTypesSupported": []},
            ]
        },
        {"inferenceProfileSummaries": [], "nextToken": "a/b"},
        {
            "inferenceProfileSummaries": [
                {
                    "inferenceProfileId": CLAUDE,
                    "inferenceProfileName": "EU Opus",
                    "createdAt": "2025-02-19T00:00:00Z",
                }
            ]
        },
    )
    assert found == [
        ModelInfo("amazon.nova-pro-v1:0", "bedrock", 0, "Nova Pro", "Amazon"),
        ModelInfo(CLAUDE, "bedrock", 1_739_923_200, "EU Opus"),
    ]
    assert [request.target for request in upstream.requests] == [
        "/foundation-models",
        "/inference-profiles?maxResults=1000",
        "/inference-profiles?maxResults=1000&nextToken=a%2Fb",
    ]
    assert all("AWS4-HMAC-SHA256" in r.headers["authorization"] for r in upstream.requests)


@pytest.mark.parametrize(
    "pages",
    [
        [{}],
        [{"modelSummaries": [1]}],
        [{"modelSummaries": []}, {"inferenceProfileSummaries": [{}]}],
        [{"modelSummaries": []}, {"inferenceProfileSummaries": None}],
    ],
)
def test_an_odd_model_list_is_an_error(pages):
    with pytest.raises(ProviderError, match="answered its model list with something else"):
        list_models(*pages)


@pytest.mark.parametrize(
    ("model", "window", "output"),
    [
        ("amazon.nova-pro-v1:0", 300_000, 10_000),
        ("eu.amazon.nova-pro-v1:0", 300_000, 10_000),
        ("global.anthropic.claude-opus-4-6-v1", 1_000_000, 128_000),
        ("anthropic.claude-3-haiku-20240307-v1:0", 200_000, 4096),
        (
            "arn:aws:bedrock:eu-west-1:123456789012:inference-profile/eu.amazon.nova-lite-v1:0",
            300_000,
            10_000,
        ),
    ],
)
def test_what_its_models_can_do_is_known(model, window, output):
    facts = make().describe(model)
    assert (facts.context_window, facts.max_output_tokens) == (window, output)


def test_its_list_tells_modalities():
    model = {
        "modelId": "acme.embed-v1",
        "inferenceTypesSupported": ["ON_DEMAND"],
        "inputModalities": ["TEXT", "IMAGE"],
        "outputModalities": ["EMBEDDING"],
    }
    _, (found,) = list_models({"modelSummaries": [model]}, {"inferenceProfileSummaries": []})
    facts = found.facts
    assert (facts.source, facts.input, facts.output) == (
        "the provider's own list",
        {"text", "image"},
        {"embedding"},
    )
