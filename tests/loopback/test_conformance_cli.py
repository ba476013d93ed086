"""`python -m flo2.testing`: options, report, exit code."""

from __future__ import annotations

import json
import socket

import pytest
from click.testing import CliRunner

from flo2.testing.__main__ import main


def invoke(*arguments):
    return CliRunner().invoke(main, arguments)


@pytest.fixture
def port():
    with socket.create_server(("127.0.0.1", 0)) as held:
        return held.getsockname()[1]


def test_it_runs_against_flo2_by_itself():
    result = invoke("--against-flo2", "--surface", "openai.embeddings", "--json")
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert (report["counts"]["fail"], report["counts"]["pass"] > 10) == (0, True)


def test_it_needs_a_gateway_a_key_and_a_model():
    result = invoke("http://127.0.0.1:1", "--key", "a-key")
    assert (result.exit_code, "--model; or --against-flo2" in result.output) == (2, True)


def test_it_says_when_nothing_answers(port):
    result = invoke(f"http://127.0.0.1:{port}", "--key", "a-key", "--model", "m1")
    assert result.exit_code == 1
    assert "is the gateway running there?" in result.output


def test_it_is_the_provider_on_request(port):
    # The client speaks to the kit's own upstream, which is no gateway and refuses nothing.
    url = f"http://127.0.0.1:{port}"
    asked = ("--key", "a-key", "--model", "m1", "--surface", "openai.chat")
    result = invoke(url, *asked, "--serve-upstream", str(port), "-v")
    assert result.exit_code == 1
    assert f"The kit's upstream listens at {url}." in result.stderr
    assert "  pass  openai.chat: error_400" not in result.stdout  # it sees the client's key
    assert "        the client's key went on to the provider" in result.stdout


def test_it_says_when_the_port_is_taken():
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = str(held.getsockname()[1])
        asked = ("http://127.0.0.1:1", "--key", "a-key", "--model", "m1")
        result = invoke(*asked, "--serve-upstream", port)
    assert result.exit_code == 1
    assert f"cannot listen on port {port}" in result.output
