"""`flo2 fees` as operators run it, and the HTTP routes of operators and accounts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from flo2 import Account, StoreError
from flo2.cli.root import run
from flo2.cli.state import State
from flo2.testing.harness import running
from flo2.testing.paid import Paid

from .ledgers import a_store, at, calls  # noqa: TID252  # tests have no package

NOV = ["--month", "2025-11"]
MONTHS_BACK = -365 * 86_400_000_000
PLAN = 'subscription = "30"\n[requests]\nper = 1000\nprice = "1.50"\n'


@pytest.fixture
def state(tmp_path: Path) -> State:
    config = tmp_path / "flo2.toml"
    config.write_text('[plugins]\nonly = ["platform-fee"]\n')
    (tmp_path / "plan.toml").write_text(PLAN)
    (tmp_path / "wrong.toml").write_text('subscription = "-1"\ntokens = 3\n')
    environ = {"FLO2_DATA_DIR": str(tmp_path / "data"), "XDG_CONFIG_HOME": str(tmp_path / "conf")}
    store = a_store()
    calls(store, [at(3) + MONTHS_BACK + each for each in range(400)], paid="0.01")
    return State({**environ, "FLO2_CONFIG": str(config)}, store=store)


def told(state: State, capsys: Any, *args: str) -> Any:
    assert run(["fees", *args, "--json"], state) == 0
    state.as_json = False
    return json.loads(capsys.readouterr().out)


def test_from_a_plan_to_an_invoice_and_its_credit_note(state: State, tmp_path: Path, capsys: Any):
    assert told(state, capsys, "plans", "set", "team", str(tmp_path / "plan.toml")) == {
        "name": "team",
        "changed": True,
    }
    assigned = told(state, capsys, "plans", "assign", "team", "--from", "2025-11-16")
    assert assigned["assignments"] == [
        {"plan": "team", "since": "2025-11-16", "until": None, "seats": 0}
    ]
    told(state, capsys, "plans", "assign", "team", "--from", "2025-11-01", "--until", "2025-11-16")
    assert told(state, capsys, "plans", "list")[0]["accounts"] == ["default"]
    assert told(state, capsys, "plans", "show", "team")["subscription"] == "30"
    shown = told(state, capsys, "preview", *NOV)
    page = tmp_path / "page.html"

    issued = told(state, capsys, "issue", *NOV)
    again = told(state, capsys, "issue", *NOV)
    note = told(
        state, capsys, "credit", "1", "--amount", "5", "--reason", "outage", "--reference", "T-1"
    )

    assert "number" not in shown
    assert shown["lines"] == issued["lines"]
    assert (issued["number"], issued["total"]) == (1, "30.60")
    assert issued["tokens"]["providers"][0]["paid"] == "4"
    assert again == issued
    assert (note["number"], note["amount"], note["prev_hash"]) == (2, "5.00", issued["hash"])
    assert told(state, capsys, "list") == [issued, note]
    assert told(state, capsys, "verify") == {"documents": 2, "intact": True}
    assert run(["fees", "show", "1", "--html", str(page)], state) == 0
    out, err = capsys.readouterr()
    assert [line.split() for line in out.splitlines()] == [
        ["quantity", "days", "USD"],
        ["team:", "subscription", "1", "30.00"],
        ["team:", "requests", "400", "0.60"],
        ["due", "30.60"],
    ]
    assert "paid directly to acme: 4 USD\nmarkup on tokens: 0.00\n" in err
    assert "corrected by credit note 2: 5.00" in err
    assert "<h1>Invoice 1</h1>" in page.read_text()
    assert run(["fees", "list", "--csv"], state) == 0
    assert capsys.readouterr().out.splitlines()[3] == (
        "2,credit_note,default,2025-11,,outage,,,,USD,-5.00"
    )


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (["plans", "set", "team", "wrong.toml"], 1, "-1 is negative"),
        (["plans", "assign", "team", "--from", "2025-02-30"], 2, "--from"),
        (["plans", "assign", "none", "--from", "2025-11-01"], 1, "no fee plan 'none'"),
        (["issue", "--month", "2025-13"], 2, "'2025-13' is no month"),
        (["issue", "--month", "2025-11", "--account", "default"], 1, "has no fee plan"),
        (["show", "7"], 1, "there is no document 7"),
        (
            ["credit", "7", "--amount", "x", "--reason", "a", "--reference", "b"],
            2,
            "no decimal number",
        ),
    ],
)
def test_what_is_wrong_is_said(
    state: State,
    tmp_path: Path,
    capsys: Any,
    monkeypatch: pytest.MonkeyPatch,
    args: list[str],
    code: int,
    said: str,
):
    monkeypatch.chdir(tmp_path)
    assert run(["fees", *args], state) == code
    assert said in capsys.readouterr().err
    assert told(state, capsys, "list") == []


async def test_the_operator_charges_and_an_account_reads_only_its_own():
    given = {"plugins": {"only": ["platform-fee"]}, "pricing": {"paid": {}}}
    async with running(given, plugins={"paid": Paid()}) as house:
        house.gateway.store.put_account(Account("other", "Other", 0))

        async def ask(method: str, path: str, body: Any = None, key: str = house.admin) -> Any:
            answer = await house.driver.request(method, path, json=body, key=key)
            return answer.status, answer.json()

        assert await ask("PUT", "/api/fees/plans/team", {"subscription": "30"}) == (
            200,
            {"name": "team", "changed": True},
        )
        assert (await ask("PUT", "/api/fees/plans/bad", {"subscription": "-1"}))[0] == 400
        for account in ("default", "other"):
            path = f"/api/fees/assignments?account={account}"
            assert (await ask("POST", path, {"plan": "team", "since": "2025-11-01"}))[0] == 200
        path = "/api/fees/assignments?account=none"
        assert (await ask("POST", path, {"plan": "team", "since": "2025-11-01"}))[0] == 404
        assert (await ask("POST", path, {"plan": "team", "from": "2025-11-01"}))[0] == 400
        assert (await ask("GET", "/api/fees/plans"))[1]["data"][0]["name"] == "team"
        assert (await ask("GET", "/api/fees/preview/2025-11"))[1]["total"] == "30.00"
        assert (await ask("POST", "/api/fees/issue/9000-01"))[1]["error"]["code"] == (
            "month_not_over"
        )
        status, other = await ask("POST", "/api/fees/issue/2025-11?account=other")
        status, ours = await ask("POST", "/api/fees/issue/2025-11")
        assert (status, other["number"], ours["number"]) == (200, 1, 2)
        wish = {"amount": "1", "reason": "outage", "reference": "T-1"}
        status, note = await ask("POST", "/api/fees/documents/2/credits", wish)
        assert (status, note["number"]) == (200, 3)
        assert (await ask("POST", "/api/fees/documents/2/credits", {"amount": 1}))[0] == 400
        assert len((await ask("GET", "/api/fees/documents"))[1]["data"]) == 3

        key = house.key
        assert (await ask("GET", "/fees/documents", key=key))[1]["data"] == [ours, note]
        assert (await ask("GET", "/fees/documents/2", key=key)) == (200, ours)
        hidden = await ask("GET", "/fees/documents/1", key=key)
        missing = await ask("GET", "/fees/documents/4", key=key)
        assert hidden[0] == missing[0] == 404
        assert hidden[1]["error"]["message"] == "this account has no document 1"
        assert missing[1]["error"]["message"] == "this account has no document 4"
        assert (await ask("GET", "/fees/documents", key="flo2_sk_wrong"))[0] == 401
        assert (await ask("GET", "/api/fees/documents", key=key))[0] in {401, 403}
        page = await house.driver.request("GET", "/fees/documents/2?format=html", key=key)
        assert dict(page.headers)["content-security-policy"] == (
            "default-src 'none'; style-src 'unsafe-inline'"
        )
        assert "<h1>Invoice 2</h1>" in page.text

        setting = house.gateway.store.setting

        def broken(name: str) -> str | None:
            if name.startswith("platform_fee/"):
                raise StoreError("/srv/flo2.db does not open")
            return setting(name)

        house.gateway.store.setting = broken  # type: ignore[method-assign]
        status, answer = await ask("GET", "/api/fees/documents")
        assert (status, "/srv/flo2.db" in answer["error"]["message"]) == (503, True)
        status, answer = await ask("GET", "/fees/documents", key=key)
        assert (status, answer["error"]["code"]) == (503, "store_unavailable")
        assert "/srv/flo2.db" not in answer["error"]["message"]
