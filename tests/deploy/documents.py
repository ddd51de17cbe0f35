"""Reads the tables of the manual, which tests hold the deployment's files to."""
import re

from conftest import ROOT


def section(file, heading):
    """The text below a heading, up to the next of the same rank or a higher one."""
    text = (ROOT / file).read_text()
    start = re.search(rf"^(#+) {re.escape(heading)}$", text, re.M)
    assert start, f"{file} has no heading {heading!r}"
    rest = text[start.end():]
    end = re.search(rf"^#{{1,{len(start[1])}}} ", rest, re.M)
    return rest[:end.start()] if end else rest


def tables(text):
    """Each table of a text, as rows of cells; the first is the head."""
    for lines in re.findall(r"(?:^\|.*\n?)+", text, re.M):
        rows = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in lines.strip().splitlines()]
        yield [row for row in rows if not set("".join(row)) <= set("-: ")]


def share(text):
    """`0.25 %` as a number."""
    number, unit = text.split()
    assert unit == "%", text
    return round(float(number) / 100, 10)


def codes(text):
    """What stands in backquotes."""
    return re.findall(r"`([a-z_]+)`", text)
