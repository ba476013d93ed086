"""Two coding agents as clients of the gateway, each finishing a task with tools.

The programs are the vendors' own, from their npm packages; a scripted model stands behind the
gateway. `python3 noxfile.py -s deep` installs them, pinned, into a folder of its own and names it
in FLO2_AGENTS.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import anyio
import pytest

from flo2.testing.replay import staged

pytestmark = [pytest.mark.anyio, pytest.mark.deep]

TASK = "Write a file named note.txt in this folder. It must hold: written by an agent"
PATIENCE_S = 120


@pytest.fixture(scope="module")
def anyio_backend():
    return "asyncio"


def program(name):
    folder = os.environ.get("FLO2_AGENTS")
    assert folder, "FLO2_AGENTS names no folder; run: python3 noxfile.py -s deep"
    found = shutil.which(name, path=Path(folder) / "node_modules" / ".bin")
    assert found, f"no program {name!r} below {folder}"
    return found


async def run(command, folder, home, **environ):
    """Run a program to its end; gives its exit code and all that it said."""
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "NO_COLOR": "1",
        "DISABLE_AUTOUPDATER": "1",
        **environ,
    }
    with anyio.fail_after(PATIENCE_S):
        done = await anyio.run_process(command, cwd=folder, env=env, check=False, input=b"")
    return done.returncode, (done.stdout + done.stderr).decode()


async def claude_code(stage, model, folder, home):
    command = [program("claude"), "--print", TASK, "--model", model]
    command += ["--allowedTools", "Write", "--permission-mode", "acceptEdits"]
    return await run(
        command,
        folder,
        home,
        ANTHROPIC_BASE_URL=stage.url,
        ANTHROPIC_AUTH_TOKEN=stage.key,
        ANTHROPIC_SMALL_FAST_MODEL=model,
        ANTHROPIC_DEFAULT_HAIKU_MODEL=model,
        CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC="1",
    )


async def codex(stage, model, folder, home):
    settings = home / ".codex" / "config.toml"
    settings.parent.mkdir(parents=True, exist_ok=True)
    settings.write_text(
        f'model = "{model}"\nmodel_provider = "flo2"\nmodel_reasoning_effort = "medium"\n'
        '[model_providers.flo2]\nname = "flo2"\nwire_api = "responses"\n'
        f'base_url = "{stage.url}/v1"\nenv_key = "FLO2_KEY"\n'
    )
    command = [program("codex"), "exec", "--skip-git-repo-check"]
    command += ["--dangerously-bypass-approvals-and-sandbox", TASK]
    return await run(command, folder, home, FLO2_KEY=stage.key)


AGENTS = {"claude": claude_code, "codex": codex}
TARGETS = {"anthropic": "anthropic/claude-sonnet-5", "openai": "openai/gpt-5.5"}
# An agent goes by the model's name in what it offers: under a route of a name that it knows, it
# does not notice who answers.
KNOWN = {"claude": "claude-sonnet-5", "codex": "gpt-5.5"}
WRITES = {"claude": "Write", "codex": "apply_patch"}


@pytest.mark.parametrize("provider", TARGETS)
@pytest.mark.parametrize("agent", AGENTS)
async def test_an_agent_finishes_its_task(agent, provider, scripted, tmp_path):
    (folder, model), home = scripted, tmp_path / "home"
    home.mkdir()

    def providers(url):
        return {
            "anthropic": {"kind": "anthropic", "base_url": url},
            "openai": {"kind": "openai", "base_url": f"{url}/v1"},
        }

    async with staged(providers, upstream=model) as stage:
        await stage.house.route(KNOWN[agent], "ordered", TARGETS[provider])
        code, said = await AGENTS[agent](stage, KNOWN[agent], folder, home)
        entries = await stage.house.entries()
    assert code == 0, said
    assert "The file is written." in said
    assert model.file.read_text().strip() == model.text
    assert model.calls == [WRITES[agent]]
    assert model.returned >= 1
    chats = [each for each in entries if each.intent.provider == provider and each.intent.api]
    assert {each.status for each in entries} <= {"settled", "unpriced"}, entries
    assert len(chats) == len(entries) == len(model.requests)
