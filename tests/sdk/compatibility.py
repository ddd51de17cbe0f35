#!/usr/bin/env python3
"""Makes docs/compatibility.md of what the suites showed when they last ran, or says where it is not true any more.

    compatibility.py [--write]

A suite writes a line for each test that passed and shows something (run/NAME/upstream/shown.jsonl). What no line shows is
left empty in the table: it was not tried.
"""
import json
import os
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
TESTBED = pathlib.Path(os.environ.get("TOPDOG_TESTBED", ROOT / "target/testbed"))
DOCUMENT = ROOT / "docs/compatibility.md"
COLUMNS = ["chat", "stream", "tools", "structured", "errors", "task"]
PROVIDERS = {"openai": "OpenAI", "anthropic": "Anthropic", "cohere": "Cohere", "gemini": "Gemini"}
# What is spoken natively by which provider; anything else was translated.
NATIVE = {("chat completions", "openai"), ("Responses", "openai"), ("Messages", "anthropic"), ("Cohere v2", "cohere"),
          ("Gemini", "gemini")}

HEAD = """\
<!-- Written by tests/sdk/compatibility.py from what the suites showed. Renew it with: TOPDOG_BLESS=1 scripts/test sdk -->
# Compatibility

What official SDKs, frameworks and coding agents do through Top Dog, unmodified but for base URL and key. Each mark is a
test that passed, against an emulator of the provider's API; an empty place was not tried. *Relayed*: client and provider
speak the same. *Translated*: they don't, and Top Dog translates ([translation.md](translation.md)).

*chat* is a whole answer with its usage, *stream* one in pieces as they come, *tools* a call and its result in the next
turn, *structured* JSON by a schema, *errors* a provider's 429 in the client's own class of error, *task* a file written by
an agent with a tool of its own ([coding-agents.md](coding-agents.md)). *lenient* stands where the test passed with
`x-topdog-translation: lenient`, as the client sends something that the provider has no words for.

"""


def main():
    text = render(shown(), versions())
    if "--write" in sys.argv[1:]:
        DOCUMENT.write_text(text)
        return 0
    if not DOCUMENT.exists() or DOCUMENT.read_text() != text:
        print(f"{DOCUMENT.relative_to(ROOT)} does not say what the suites showed; TOPDOG_BLESS=1 scripts/test sdk writes it")
        return 1
    print(f"{DOCUMENT.relative_to(ROOT)} is what the suites showed")
    return 0


def shown():
    """Lines of (language, package, API, provider) to what it can do, and how."""
    rows = {}
    for file in sorted(TESTBED.glob("run/*/upstream/shown.jsonl")):
        language = LANGUAGES.get(file.parent.parent.name)
        for line in file.read_text().splitlines() if language else []:
            package, api, provider, what, how = json.loads(line)
            rows.setdefault((language, package, api, provider), {})[what] = how
    return rows


# A suite's name in scripts/test, and what its packages are written in.
LANGUAGES = {"python": "Python", "clients": "Python", "node": "Node", "agents": "agent"}


def versions():
    """The pinned version of each package, by language."""
    found = {}
    for name, version in re.findall(r"^([a-z0-9-]+)==(\S+)", (HERE / "python/requirements.txt").read_text(), re.M):
        found["Python", name] = version
    for language, folder in (("Node", "node"), ("agent", "agents")):
        for name, version in json.loads((HERE / folder / "package.json").read_text())["dependencies"].items():
            found[language, name] = version
    return found


def render(rows, pinned):
    lines = ["| client | speaks | provider | | " + " | ".join(COLUMNS) + " |", "|" + "---|" * (4 + len(COLUMNS))]
    for language, package, api, provider in sorted(rows):
        done = rows[language, package, api, provider]
        client = f"`{package}` {pinned[language, package]}" + ("" if language == "agent" else f" ({language})")
        way = "relayed" if (api, provider) in NATIVE else "translated"
        marks = " | ".join(done.get(column, "") for column in COLUMNS)
        lines.append(f"| {client} | {api} | {PROVIDERS[provider]} | {way} | {marks} |")
    return HEAD + "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
