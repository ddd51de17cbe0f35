"""The alert rules, held to the numbers of docs/slo.md: for each plan and segment each window fires above its line, does
not below it, and does not once the shorter window is clean again."""
import json
import re
import subprocess

import pytest
import yaml
from conftest import DEPLOY, ROOT, need
from documents import codes, section, share, tables

RULES = [DEPLOY / "prometheus" / name for name in ("objectives.yml", "recording.yml", "alerts.yml")]
PLANS, SEGMENTS = ("Starter", "Pro", "Enterprise"), ("general", "scientific", "medical")
PAIRS = [(plan, segment) for plan in PLANS for segment in SEGMENTS]
SLO = "docs/slo.md"
MINUTES = {"5m": 5, "30m": 30, "1h": 60, "2h": 120, "6h": 360, "1d": 1440, "3d": 4320}


def error_budgets():
    head, *rows = next(tables(section(SLO, "Errors")))
    return {(row[0], segment): share(cell) for row in rows for segment, cell in zip(head[1:], row[1:])}


def bounds_s():
    return {plan: int(bound.removesuffix(" ms")) / 1000 for plan, bound in list(tables(section(SLO, "Added latency")))[0][1:]}


def slow_budgets():
    by_segment = {segment: share(cell) for segment, cell in list(tables(section(SLO, "Added latency")))[1][1:]}
    return {(plan, segment): by_segment[segment] for plan, segment in PAIRS}


def windows():
    """How many times the budget, the longer and the shorter window, and what happens."""
    _, *rows = next(tables(section(SLO, "Alarms")))
    factor = lambda text: 1.0 if text.startswith("once") else float(text.split()[0])
    return [(factor(row[0]), row[1], row[2], row[3]) for row in rows]


def promtool(folder, tests, interval="1m"):
    """Runs unit tests of rules, evaluated so often; what it says where one fails."""
    file = folder / "rules_test.yml"
    order = [group["name"] for rule in RULES for group in yaml.safe_load(rule.read_text())["groups"]]
    whole = {"rule_files": [str(rule) for rule in RULES], "group_eval_order": order, "evaluation_interval": interval,
             "tests": tests}
    file.write_text(json.dumps(whole))
    ran = subprocess.run([need("promtool"), "test", "rules", file], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr


# Two in the rules' five minutes: the fewest that a rate can be made of.
SCRAPE_S = 150


def counter(*steps):
    """The values of a counter that grows by so much a minute for so many minutes, one step after the other."""
    parts, value = ["0"], 0.0
    for minutes, growth in steps:
        scrapes, more = minutes * 60 // SCRAPE_S, growth * SCRAPE_S / 60
        parts.append(f"{value + more:.9f}+{more:.9f}x{scrapes - 1}")
        value += growth * minutes
    return " ".join(parts)


def series(name, labels, *steps):
    told = ", ".join(f'{key}="{value}"' for key, value in labels.items())
    return {"series": f"{name}{{{told}}}", "values": counter(*steps)}


def errors(pair, *phases, code="internal_error", callers=0):
    """Answers of which a share is refused by us, and mistakes of callers beside them, so many an answer; a phase is
    minutes, answers a minute, share."""
    labels = {"instance": "one", "plan": pair[0], "data_segment": pair[1]}
    bad = [(minutes, answers * part) for minutes, answers, part in phases]
    mistakes = [(minutes, answers * callers) for minutes, answers, _ in phases]
    good = [(minutes, answers * (1 - part)) for minutes, answers, part in phases]
    return [
        series("topdog_requests_total", labels | {"operation": "chat", "status_class": "2xx"}, *good),
        series("topdog_requests_total", labels | {"operation": "chat", "status_class": "5xx"}, *bad),
        series("topdog_refusals_total", labels | {"code": code}, *bad),
    ] + ([
        series("topdog_requests_total", labels | {"operation": "chat", "status_class": "4xx"}, *mistakes),
        series("topdog_refusals_total", labels | {"code": "scope_missing"}, *mistakes),
    ] if callers else [])


def slow(pair, *phases):
    """Settled requests of which a share takes longer than the plan's bound: all of those up to the next."""
    labels = {"instance": "one", "plan": pair[0], "data_segment": pair[1]}
    every, bound = [(minutes, count) for minutes, count, _ in phases], bounds_s()[pair[0]]
    fast = [(minutes, count * (1 - part)) for minutes, count, part in phases]
    none = [(minutes, 0) for minutes, _, _ in phases]
    name = "topdog_gateway_overhead_seconds"
    within = lambda le: fast if le == bound else every if le > bound else none
    found = [series(f"{name}_bucket", labels | {"le": f"{le:g}"}, *within(le)) for le in (0.005, 0.01, 0.025, 0.1, 0.5)]
    return found + [series(f"{name}_bucket", labels | {"le": "+Inf"}, *every), series(f"{name}_count", labels, *every)]


def firing(name, severity, minute, pairs):
    samples = [{"labels": f'ALERTS{{alertname="{name}", alertstate="firing", severity="{severity}", plan="{plan}", '
                          f'data_segment="{segment}"}}', "value": 1} for plan, segment in pairs]
    return {"expr": f'ALERTS{{alertname="{name}"}}', "eval_time": f"{minute}m", "exp_samples": samples}


KINDS = {
    "Error": (errors, error_budgets),
    "Latency": (slow, slow_budgets),
}
MANY = 1_000_000


def history(row):
    """What was before, so that no other window of the same alert is over its line: minutes and requests a minute."""
    long = windows()[row][1]
    # Three times the budget for a day is once for three days, unless there was more traffic before.
    return {"1h": (360, MANY), "6h": (30, MANY), "1d": (2880, 10 * MANY), "3d": (30, MANY)}[long]


@pytest.mark.parametrize("row", range(4))
@pytest.mark.parametrize("kind", KINDS)
def test_each_window_fires_for_each_plan_and_segment_above_its_line_only(tmp_path, kind, row):
    make, budgets = KINDS[kind]
    factor, long, short, severity = windows()[row]
    name = f"TopDog{'Error' if kind == 'Error' else 'Latency'}BudgetBurns{'Fast' if row < 2 else 'Slowly'}"
    every = 5 if row < 2 else 30
    before, lasts, clean = history(row), MINUTES[long] + every, MINUTES[short] + (10 if row < 2 else 30)
    assert severity == ("page" if row < 2 else "ticket")

    def test(times, after, expected, at):
        inputs = [one for pair in PAIRS
                  for one in make(pair, (*before, 0), (lasts, MANY, times * factor * budgets()[pair]), (after, MANY, 0))]
        return {"interval": f"{SCRAPE_S}s", "input_series": inputs,
                "promql_expr_test": [firing(name, severity, at, PAIRS if expected else [])]}

    end = before[0] + lasts
    tests = [
        test(1.01, clean, True, end),
        test(0.99, clean, False, end),
        # Still over the line in the longer window, clean in the shorter one.
        test(1.35, clean, False, end + clean),
    ]
    promtool(tmp_path, tests, f"{every}m")


@pytest.mark.parametrize("kind", KINDS)
def test_a_few_failures_among_few_requests_wake_nobody(tmp_path, kind):
    make, _ = KINDS[kind]
    # All fail, but it is four in the hour; then six.
    tests = []
    for count, expected in ((4, []), (6, PAIRS)):
        inputs = [one for pair in PAIRS for one in make(pair, (360, 0.001, 0), (65, count / 60, 1))]
        name = f"TopDog{kind}BudgetBurnsFast"
        tests.append({"interval": f"{SCRAPE_S}s", "input_series": inputs, "promql_expr_test": [firing(name, "page", 425, expected)]})
    promtool(tmp_path, tests, "5m")


def ratio_test(inputs, minute, value):
    expected = [{"labels": '{plan="Pro", data_segment="general"}', "value": value}]
    # Binary fractions are not decimal ones.
    return {"interval": f"{SCRAPE_S}s", "input_series": inputs,
            "promql_expr_test": [{"expr": "round(plan_segment:topdog_errors:ratio_rate5m, 0.0001)",
                                  "eval_time": f"{minute}m", "exp_samples": expected}]}


def refusal_codes():
    """Every code of errors.md with its statuses."""
    found = {}
    for row in next(tables((ROOT / "docs/errors.md").read_text()))[1:]:
        for code in codes(row[1].split(",")[0]):
            found.setdefault(code, set()).add(int(row[0]))
    return found


def ours():
    rows = list(tables(section(SLO, "Errors")))[1][1:]
    return set(codes(next(row[1] for row in rows if row[0] == "ours")))


def test_what_is_ours_is_what_the_manual_says_and_every_code_has_an_owner():
    # A refusal with 500 or 503 is Top Dog's own: the rule of crates/domain/src/refusal.rs.
    assert ours() == {code for code, statuses in refusal_codes().items() if statuses <= {500, 503}}


@pytest.mark.parametrize("code", sorted(refusal_codes()))
def test_only_codes_of_ours_burn_the_budget(tmp_path, code):
    is_ours = code in ours()
    inputs = errors(("Pro", "general"), (20, 100, 0.25), code=code, callers=0 if code == "scope_missing" else 5)
    # Callers' mistakes in any number change nothing. Where it is not ours, the good answers are all that counts.
    promtool(tmp_path, [ratio_test(inputs, 20, 0.25 if is_ours else 0)])


def test_an_answer_that_is_cut_off_counts_once_and_a_refused_one_not_twice(tmp_path):
    labels = {"instance": "one", "plan": "Pro", "data_segment": "general"}
    good = series("topdog_requests_total", labels | {"operation": "chat", "status_class": "2xx"}, (20, 100))
    ended = lambda growth: series("topdog_outcomes_total", labels | {"outcome": "internal_error"}, (20, growth))
    refused = lambda code, growth: series("topdog_refusals_total", labels | {"code": code}, (20, growth))
    promtool(tmp_path, [
        ratio_test([good, ended(10)], 20, 0.1),
        # Refused after it was admitted: both counters have it.
        ratio_test([good, ended(25), refused("provider_key_unreadable", 25)], 20, 0.2),
        ratio_test([good, ended(35), refused("provider_key_unreadable", 25)], 20, 0.28),
        # A vault of the customer's that is away is none of ours.
        ratio_test([good, ended(25), refused("provider_key_unreachable", 25)], 20, 0),
        # A provider's failure leaves the share as it is.
        ratio_test([good, ended(10), series("topdog_outcomes_total", labels | {"outcome": "upstream_failed"}, (20, 500)),
                    refused("upstream_failed", 500),
                    series("topdog_requests_total", labels | {"operation": "chat", "status_class": "5xx"}, (20, 500))],
                   20, 0.1),
    ])


def test_tolerance_for_providers_is_the_manuals(tmp_path):
    tolerated = {row[0]: share(row[1]) for row in list(tables(section(SLO, "Alarms")))[1][1:]}
    tests = []
    for times, count, minute, fires in ((1.1, MANY, 25, True), (0.9, MANY, 25, False), (1.1, MANY, 5, False), (1.1, 1, 25, False)):
        inputs = []
        for plan, segment in PAIRS:
            labels = {"instance": "one", "plan": plan, "data_segment": segment}
            bad = times * tolerated[segment]
            inputs += [
                series("topdog_outcomes_total", labels | {"outcome": "upstream_failed"}, (30, count * bad)),
                series("topdog_outcomes_total", labels | {"outcome": "completed"}, (30, count * (1 - bad))),
                # Clients that left say nothing about the provider.
                series("topdog_outcomes_total", labels | {"outcome": "client_gone"}, (30, count * 9)),
            ]
        expected = PAIRS if fires else []
        query = firing("TopDogProvidersFail", "ticket", minute, expected)
        query["expr"] = 'ALERTS{alertname="TopDogProvidersFail", alertstate="firing"}'
        tests.append({"interval": f"{SCRAPE_S}s", "input_series": inputs, "promql_expr_test": [query]})
    promtool(tmp_path, tests)


def test_higher_plans_and_stricter_segments_have_stricter_lines():
    budgets, bounds, shares = error_budgets(), bounds_s(), slow_budgets()
    for lower, higher in zip(PLANS, PLANS[1:]):
        assert bounds[higher] < bounds[lower]
        assert all(budgets[higher, segment] < budgets[lower, segment] for segment in SEGMENTS)
    for laxer, stricter in zip(SEGMENTS, SEGMENTS[1:]):
        for plan in PLANS:
            assert budgets[plan, stricter] < budgets[plan, laxer] and shares[plan, stricter] < shares[plan, laxer]


def test_the_other_alerts():
    file = ROOT / "tests/deploy/alerts_test.yml"
    ran = subprocess.run([need("promtool"), "test", "rules", file], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    tested = file.read_text()
    for alert in alerts():
        if "BudgetBurns" in alert["alert"] or alert["alert"] == "TopDogProvidersFail":
            continue
        cases = re.findall(rf"alertname: {alert['alert']}\b.*?exp_alerts: ?(\[\])?", tested, re.S)
        assert "" in cases and "[]" in cases, f"{alert['alert']}: one test that it fires, one that it does not"


def alerts():
    groups = yaml.safe_load((DEPLOY / "prometheus/alerts.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def test_every_alert_has_a_severity_and_a_runbook():
    text = (ROOT / SLO).read_text()
    headings = set(re.findall(r"^### (\w+)$", text, re.M))
    assert headings == {alert["alert"] for alert in alerts()}
    for alert in alerts():
        assert alert["labels"]["severity"] in ("page", "ticket")
        assert alert["annotations"]["runbook"] == f"{SLO}#{alert['alert'].lower()}"
        assert alert["annotations"]["summary"] and alert["annotations"]["description"]


def test_promtool_finds_nothing_wrong_with_the_rules():
    ran = subprocess.run([need("promtool"), "check", "rules", "--lint=all", "--lint-fatal", *RULES], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr
