"""Writes docs/cli.md from the verbs' own --help; ``--check`` fails when it is out of date."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from geobench.cli import cli

TARGET = Path(__file__).parent / "cli.md"
HEAD = "# Command line\n\nGenerated from `--help` by `make docs`; `make lint` checks it.\n"


def help_of(name: str) -> str:
    """Return the help text of a verb, 100 columns wide."""
    root = click.Context(cli, info_name="geobench", terminal_width=100, max_content_width=100)
    verb = cli.get_command(root, name)
    if verb is None:
        raise SystemExit(f"no verb {name}")
    context = click.Context(verb, info_name=name, parent=root, terminal_width=100, max_content_width=100)
    return verb.get_help(context)


def document() -> str:
    """Return the whole of docs/cli.md."""
    root = click.Context(cli, info_name="geobench", terminal_width=100, max_content_width=100)
    sections = [f"```text\n{cli.get_help(root)}\n```"]
    sections += [f"## geobench {name}\n\n```text\n{help_of(name)}\n```" for name in cli.list_commands(root)]
    return HEAD + "\n" + "\n\n".join(sections) + "\n"


def main() -> int:
    """Write the file, or with ``--check`` compare it; return the exit code."""
    if "--check" in sys.argv:
        current = TARGET.read_text(encoding="utf-8") if TARGET.is_file() else ""
        if current != document():
            sys.stderr.write("docs/cli.md is out of date: run make docs\n")
            return 1
        return 0
    TARGET.write_text(document(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
