"""The same cases against an independent evaluator, npm's @cloud-copilot/iam-simulate (AGPL: only run, only here)."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.access.policy.asking import decide
from tests.access.policy.cases import ALLOW, Case, Document
from tests.access.policy.cases.drawn import draw
from tests.access.policy.test_decisions import CASES

PACKAGE = "@cloud-copilot/iam-simulate@0.1.173"
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "celaje-tests" / "iam-simulate"
WANTED = 335
DRAWN = 2000
# The evaluator shifts by 32 bits, which JavaScript does not, and so finds no address in 0.0.0.0/0.
WRONG = {"IpAddress 0.0.0.0/0 against 203.0.113.9"}


@pytest.fixture(scope="module")
def oracle() -> Path:
    """A folder in which the evaluator is installed."""
    if shutil.which("npm") is None or shutil.which("node") is None:
        pytest.skip("npm is not installed: the independent evaluator cannot be run")
    if not (CACHE / "node_modules/@cloud-copilot/iam-simulate").exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        command = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", str(CACHE), PACKAGE]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        if done.returncode:
            pytest.skip(f"npm could not install the independent evaluator: {done.stderr[-300:]}")
    shutil.copy(Path(__file__).with_name("oracle.mjs"), CACHE / "oracle.mjs")
    return CACHE


def _levels(name: str, levels: list[list[Document]]) -> list[dict[str, Any]]:
    return [{"orgIdentifier": f"{name}-{n}", "policies": _named(level)} for n, level in enumerate(levels)]


def _named(documents: list[Document]) -> list[dict[str, Any]]:
    return [{"name": f"policy-{n}", "policy": _strings(policy)} for n, policy in enumerate(documents)]


def _strings(value: Any) -> Any:
    """Booleans in conditions as text, which is all that the evaluator's types admit."""
    if isinstance(value, dict):
        return {key: _strings(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_strings(item) for item in value]
    return str(value).lower() if isinstance(value, bool) else value


def _simulation(case: Case) -> dict[str, Any]:
    simulation: dict[str, Any] = {
        "identityPolicies": _named(case.identity),
        "serviceControlPolicies": _levels("ou", case.scp),
        "resourceControlPolicies": _levels("ou", case.rcp),
        "request": {
            "action": case.action,
            "principal": case.caller,
            "resource": {"resource": case.resource, "accountId": case.owner},
            "contextVariables": case.context,
        },
    }
    if case.boundary:
        simulation["permissionBoundaryPolicies"] = _named([case.boundary])
    if case.session:
        simulation["sessionPolicy"] = _strings(case.session[0])
    if case.policy:
        simulation["resourcePolicy"] = _strings(case.policy)
    return simulation


def _answers(oracle: Path, cases: list[Case]) -> list[dict[str, str]]:
    done = subprocess.run(
        ["node", "oracle.mjs"],
        input=json.dumps([_simulation(case) for case in cases]),
        capture_output=True,
        text=True,
        cwd=oracle,
        timeout=120,
        check=True,
    )
    found: list[dict[str, str]] = json.loads(done.stdout)
    return found


def test_an_independent_evaluator_agrees(oracle: Path) -> None:
    cases = [case for case in CASES if case.oracle and case.name not in WRONG]
    answers = _answers(oracle, cases)
    refused = [
        (case.name, answer["error"][:200]) for case, answer in zip(cases, answers, strict=True) if "error" in answer
    ]
    compared = len(cases) - len(refused)
    print(f"{compared} cases compared, {len(refused)} not understood by the evaluator")
    differences = [
        f"{case.name}: expected {case.expect}, evaluator says {answer['result']}"
        for case, answer in zip(cases, answers, strict=True)
        if "error" not in answer and answer["result"] != _word(case)
    ]
    assert not differences, "\n".join(differences)
    assert compared >= WANTED, refused


def _word(case: Case) -> str:
    if case.expect == ALLOW:
        return "Allowed"
    return "ExplicitlyDenied" if case.expect.startswith("explicit") else "ImplicitlyDenied"


def test_it_agrees_on_cases_drawn_at_random(oracle: Path) -> None:
    cases = [draw(seed) for seed in range(DRAWN)]
    differences = []
    seen = Counter[str]()
    for case, answer in zip(cases, _answers(oracle, cases), strict=True):
        decision = decide(case)
        ours = "Allowed" if decision.allowed else "ExplicitlyDenied" if decision.explicit else "ImplicitlyDenied"
        seen[ours] += 1
        if answer.get("result") != ours:
            differences.append(f"{ours}, evaluator says {answer}: {case}")
    print(f"{DRAWN} drawn cases compared: {dict(seen)}")
    assert not differences, "\n".join(differences[:3])
    assert min(seen[word] for word in ("Allowed", "ExplicitlyDenied", "ImplicitlyDenied")) > DRAWN // 20
