"""Every setting that the server has, from the file that is its manual and its defaults."""
import functools
import tomllib

from conftest import ROOT


@functools.cache
def defaults():
    """Each setting's dotted name and default value."""
    found = {}

    def collect(table, prefix):
        for name, value in table.items():
            if isinstance(value, dict):
                collect(value, f"{prefix}{name}.")
            else:
                found[f"{prefix}{name}"] = value

    collect(tomllib.loads((ROOT / "crates/topdog/topdog.default.toml").read_text()), "")
    assert len(found) > 30
    return found


def exists(variable):
    """Is there a setting that this variable of the environment sets?"""
    return variable.removeprefix("TOPDOG_").lower().replace("__", ".") in defaults()
