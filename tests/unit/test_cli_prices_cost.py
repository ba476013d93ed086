from __future__ import annotations

import io
import json
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flo2.cli.bench import Bench
from flo2.cli.price_cost import answer_lines
from flo2.cli.root import run
from flo2.cli.state import State
from flo2.memory_store import MemoryStore
from flo2.prices import build
from flo2_pricing_list import PriceList

BOOK = build([PriceList().layer()])
CHAT = {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100}
QUESTION = {
    "provider": "openai",
    "api": "chat",
    "model": "gpt-4o-2024-08-06",
    "at": "2026-11-20T12:00:00Z",
    "usage": CHAT | {"prompt_tokens_details": {"cached_tokens": 400}},
}
LINES = [
    {"dimension": "cache_read_tokens", "quantity": 400, "unit_price": "1.25", "per": 1_000_000,
     "amount": "0.0005", "row": "openai/gpt-4o/cache_read_tokens"},
    {"dimension": "input_tokens", "quantity": 600, "unit_price": "2.5", "per": 1_000_000,
     "amount": "0.0015", "row": "openai/gpt-4o/input_tokens"},
    {"dimension": "output_tokens", "quantity": 100, "unit_price": "10", "per": 1_000_000,
     "amount": "0.001", "row": "openai/gpt-4o/output_tokens"},
]  # fmt: skip


@pytest.fixture
def ask(tmp_path, capsys, monkeypatch):
    (tmp_path / "flo2.toml").write_text("")
    environ = {"FLO2_DATA_DIR": str(tmp_path), "FLO2_CONFIG": str(tmp_path / "flo2.toml")}

    def call(data, *options):
        given = data if isinstance(data, bytes) else json.dumps(data).encode()
        monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(given)))
        code = run(["prices", "cost", *options], State(environ, store=MemoryStore()))
        told = capsys.readouterr()
        return code, told.out, told.err

    return call


def answer(ask, **changes):
    code, out, _ = ask(QUESTION | changes, "--json")
    assert code == 0
    found = json.loads(out)
    assert found.pop("book").startswith("sha256:")
    return found


def test_a_usage_object_is_priced_line_by_line(ask):
    found = answer(ask)
    found["lines"].sort(key=lambda line: line["dimension"])
    assert found == {
        "status": "priced", "total": "0.003", "currency": "USD", "lines": LINES, "reason": None,
    }  # fmt: skip


ANTHROPIC = {
    "input_tokens": 10, "output_tokens": 20, "cache_read_input_tokens": 1000,
    "cache_creation_input_tokens": 100,
    "cache_creation": {"ephemeral_5m_input_tokens": 60, "ephemeral_1h_input_tokens": 40},
    "server_tool_use": {"web_search_requests": 2}, "service_tier": "standard",
}  # fmt: skip
GEMINI = {
    "promptTokenCount": 1000, "cachedContentTokenCount": 600, "candidatesTokenCount": 50,
    "thoughtsTokenCount": 50, "totalTokenCount": 1100,
}  # fmt: skip


@pytest.mark.parametrize(
    ("provider", "api", "model", "usage", "total"),
    [
        # 10 × 3 + 20 × 15 + 1000 × 0.3 + 60 × 3.75 + 40 × 6, and two searches
        ("anthropic", "messages", "claude-sonnet-4-5-20250929", ANTHROPIC, "0.021095"),
        ("google", "generate_content", "gemini-2.5-flash", GEMINI, "0.000388"),
        ("google-vertex", "generate_content", "gemini-2.5-flash", GEMINI, "0.000388"),
        ("bedrock", "converse", "amazon.nova-lite-v1:0",
         {"inputTokens": 1000, "outputTokens": 1000, "totalTokens": 2000}, "0.0003"),
        ("openai", "responses", "gpt-4o",
         {"input_tokens": 1000, "output_tokens": 100, "total_tokens": 1100,
          "output_tokens_details": {"reasoning_tokens": 50}}, "0.0035"),
        ("openai", "embeddings", "text-embedding-3-small",
         {"prompt_tokens": 1000, "total_tokens": 1000}, "0.00002"),
        ("openai", "embedding", "text-embedding-3-small",
         {"prompt_tokens": 1000, "total_tokens": 1000}, "0.00002"),
        ("xai", "chat", "grok-4.3", CHAT, "0.0015"),
        ("deepseek", "chat", "deepseek-v3.1-terminus", CHAT, "0.000365"),
        ("groq", "chat", "llama-3.3-70b-versatile", CHAT, "0.000669"),
        ("mistral", "chat", "mistral-small-latest", CHAT, "0.00021"),
        ("perplexity", "chat", "sonar", CHAT, None),  # its fee by request has no row
    ],
)  # fmt: skip
def test_each_provider_is_read_its_own_way(ask, provider, api, model, usage, total):
    found = answer(ask, provider=provider, api=api, model=model, usage=usage)
    assert found["total"] == total, found["reason"]
    assert found["status"] == ("unpriced" if total is None else "priced")


def test_a_provider_that_nobody_knows_is_unpriced_through_any_api(ask):
    for api, usage in (("generate_content", GEMINI), ("messages", ANTHROPIC), ("chat", CHAT)):
        found = answer(ask, provider="nobody", api=api, usage=usage)
        assert (found["status"], found["reason"]) == (
            "unpriced",
            "no price row for provider 'nobody'",
        )


def test_the_context_of_the_caller_goes_first(ask):
    plain, flex = ({**QUESTION, "model": "o3"}, {"context": {"service_tier": "flex"}})
    assert answer(ask, **plain)["total"] == "0.0022"
    assert answer(ask, **plain | flex)["total"] == "0.0011"
    unknown = answer(ask, **plain, context={"service_tier": "ultra"})
    assert (unknown["status"], unknown["total"], unknown["lines"]) == ("unpriced", None, [])
    assert "service_tier='ultra'" in unknown["reason"]


def test_the_instant_decides(ask):
    fields = {"provider": "mistral", "api": "chat", "model": "mistral-small-latest", "usage": CHAT}
    assert answer(ask, **fields, at="2026-03-15T23:59:59.999999Z")["total"] == "0.00013"
    assert answer(ask, **fields, at="2026-03-16T01:00:00+01:00")["total"] == "0.00021"


def test_a_usage_that_does_not_add_up_is_pending(ask):
    found = answer(ask, usage=CHAT | {"total_tokens": 7})
    assert (found["status"], found["total"]) == ("pending", None)
    assert found["reason"] == "total_tokens 7 is not prompt 1000 + completion 100"


def test_the_provider_s_own_figure_stands_beside(ask):
    usage = CHAT | {"cost_in_usd_ticks": 14_000_000}
    found = answer(ask, provider="xai", model="grok-4.3", usage=usage)
    assert (found["total"], found["reported"]) == ("0.0015", "0.0014")


BAD = [
    (b"", "this is no JSON"),
    (b"{", "this is no JSON"),
    (b"[1]", "expected a JSON object, got [1]"),
    (QUESTION | {"useage": {}}, "unknown key 'useage'"),
    ({k: v for k, v in QUESTION.items() if k != "model"}, "missing key 'model'"),
    (QUESTION | {"model": 7}, "model must be text, got 7"),
    (QUESTION | {"provider": ""}, "provider must be text, got ''"),
    (QUESTION | {"api": "chats"}, "there is no API 'chats'; known: chat, "),
    (QUESTION | {"usage": 5}, "usage must be an object, got 5"),
    (QUESTION | {"context": []}, "context must be an object, got []"),
    (QUESTION | {"context": {"speed": 2}}, "context.speed must be text, got 2"),
    (QUESTION | {"at": "soon"}, "at must be an instant such as 2026-11-25T12:00:00Z, got 'soon'"),
    (QUESTION | {"at": 5}, "at must be an instant"),
    (QUESTION | {"at": "9999-12-31T23:59:59-14:00"}, "at must be an instant"),
    (b'{"usage": ' + b"9" * 5000 + b"}", "a number of 5000 digits is none that anything counts"),
    (QUESTION | {"api": "speech", "model": "tts-1"}, "billed by what the request holds"),
]


@pytest.mark.parametrize(("data", "message"), BAD)
def test_bad_input_is_refused_with_the_reason(ask, data, message):
    code, out, err = ask(data, "--json")
    assert (code, out) == (2, "")
    assert message in json.loads(err)["error"]["message"]


def test_of_many_lines_each_has_its_own_answer(ask):
    lines = [json.dumps(QUESTION).encode(), b"", b"nope", b"[]", json.dumps(QUESTION).encode()]
    code, out, _ = ask(b"\n".join(lines), "--jsonl")
    found = [json.loads(line) for line in out.splitlines()]
    assert [each["status"] for each in found] == ["priced", "error", "error", "priced"]
    assert [each["error"]["line"] for each in found if "error" in each] == [3, 4]
    assert found[0] == found[3]
    assert code == 2
    assert ask(lines[0] + b"\r\n", "--jsonl")[0] == 0


def test_people_see_it_as_on_paper(ask):
    code, out, err = ask(QUESTION)
    assert code == 0
    assert "input_tokens        600 × 2.5 / 1000000  = 0.0015" in out
    assert "    row openai/gpt-4o/input_tokens" in out
    assert "= 0.003 USD\n" in out
    assert err.startswith("book sha256:")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)
KEYS = st.sampled_from([*CHAT, "prompt_tokens_details", "cached_tokens", "cost"])


@settings(max_examples=30)
@given(st.lists(st.dictionaries(KEYS, JSON, max_size=4), min_size=1, max_size=20))
def test_no_usage_object_is_lost_or_ends_the_rest(usages):
    data = b"\n".join(json.dumps(QUESTION | {"usage": each}).encode() for each in usages)
    with Bench(State({}, store=MemoryStore())) as bench:
        vars(bench)["book"] = BOOK
        found = list(answer_lines(data, bench))
    assert len(found) == len(usages)
    for answer_, _ in found:
        assert answer_["status"] in {"priced", "unpriced", "pending", "error"}
        assert (answer_.get("total") is None) is (answer_["status"] != "priced")


@pytest.mark.parametrize(
    ("uses", "message"),
    [
        (["input_tokens=1", "input_tokens=2"], "input_tokens is given twice; add the two up"),
        (["input_tokens=-1"], "input_tokens=-1 is no whole number of 0 or more"),
        (["input_tokens=" + "9" * 5000], "is no whole number of 0 or more"),
    ],
)
def test_a_usage_to_explain_is_not_guessed_at(tmp_path, capsys, uses, message):
    state = State({"FLO2_DATA_DIR": str(tmp_path)}, store=MemoryStore())
    options = [word for use in uses for word in ("--use", use)]
    assert run(["prices", "explain", "openai/gpt-4o", *options], state) == 2
    assert message in capsys.readouterr().err
