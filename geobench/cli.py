"""The command line: finds the verbs, and turns errors into one plain sentence and an exit code."""

from __future__ import annotations

import pkgutil
import sys
import warnings
from importlib import import_module
from keyword import iskeyword
from typing import Any

import click

from geobench import verbs
from geobench.errors import GeobenchError, GeobenchWarning, nearest_names
from geobench.version import __version__


def _verb(module: str) -> str:
    return module.rstrip("_").replace("_", "-")


class VerbGroup(click.Group):
    """A click group whose commands are the modules of :mod:`geobench.verbs`, imported when called.

    A verb that Python keeps for itself has an underscore at the end of its module's name: ``import_``.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all verbs, sorted."""
        return sorted(_verb(module.name) for module in pkgutil.iter_modules(verbs.__path__))

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Return the verb called ``name``."""
        if name not in self.list_commands(ctx):
            return None
        module = import_module(f"geobench.verbs.{name.replace('-', '_')}{'_' * iskeyword(name)}")
        command: click.Command = module.command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the verb that ``args`` name, or fail with the nearest one."""
        if args and not args[0].startswith("-") and args[0] not in self.list_commands(ctx):
            ctx.fail(f"no verb {args[0]!r}{nearest_names(args[0], self.list_commands(ctx))}")
        return super().resolve_command(ctx, args)


_HELP = """Benchmarks, methods and trustworthy tables for geometry-aware semantic correspondence.

\b
Two commands to begin with:
  geobench demo                                       everything, offline, in a minute
  geobench eval --method dense-sift --benchmark quadrupeds

Add --debug anywhere to see the traceback of an error.
"""


@click.group(
    cls=VerbGroup, help=_HELP, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__, prog_name="geobench")
def cli() -> None:
    """Start a verb."""


def _show_warning(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
    label = "warning" if issubclass(category, GeobenchWarning) else category.__name__
    click.echo(f"geobench: {label}: {message}", err=True)


def _report(error: BaseException, debug: bool) -> int:
    """Print one sentence about ``error`` and return the exit code."""
    if debug:
        import traceback

        traceback.print_exception(error)
    if isinstance(error, GeobenchError):
        click.echo(f"geobench: {error}", err=True)
        return error.exit_code
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        click.echo(f"geobench: {where}{error.strerror or error}; check the path and the disk, then repeat", err=True)
        return 1
    hint = "" if debug else "; run again with --debug for the traceback, and please report it"
    click.echo(f"geobench: internal error: {type(error).__name__}: {error}{hint}", err=True)
    return 1


def run(argv: list[str]) -> int:
    """Run the command line on ``argv`` and return its exit code (0, 1 failed, 2 wrong usage, 130 interrupted)."""
    debug = "--debug" in argv
    arguments = [argument for argument in argv if argument != "--debug"]
    with warnings.catch_warnings():
        warnings.simplefilter("always", GeobenchWarning)
        warnings.showwarning = _show_warning
        try:
            code = cli.main(arguments, prog_name="geobench", standalone_mode=False)
        except click.exceptions.NoArgsIsHelpError as error:
            click.echo(error.ctx.get_help() if error.ctx else str(error))
            return 2
        except click.ClickException as error:
            error.show()
            return error.exit_code
        except (click.Abort, KeyboardInterrupt):
            click.echo(
                "geobench: interrupted; what was finished is kept, the same command goes on from there", err=True
            )
            return 130
        except Exception as error:
            return _report(error, debug)
    return code if isinstance(code, int) else 0


def main() -> None:
    """Run the command line and exit."""
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
