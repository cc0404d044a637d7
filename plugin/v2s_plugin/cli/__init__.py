"""The command `v2s`.

    stdout    the result, and nothing else; with --json one JSON object, also for an error
    stderr    talk: progress, what was skipped, warnings, errors

    exit 0    done
         1    failed
         2    wrong use
         3    done, but some clips were skipped (listed with their reasons)
       130    cancelled

V2S_TRACEBACK=1 shows where an error came from. Each command lies in a file of its own and imports what it needs when it
runs: `v2s --help` loads none of it.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from typing import Annotated

import typer
import typer.main

from v2s_engine import __version__
from v2s_engine.errors import CancelledError, UsageError, V2SError
from v2s_plugin.cli.answers import EXIT_CANCELLED, EXIT_FAILED, EXIT_WRONG_USE, answer_json, error_answer
from v2s_plugin.cli.bundles import bundles_command
from v2s_plugin.cli.corpus import corpus_app
from v2s_plugin.cli.demo import demo_command
from v2s_plugin.cli.doctor import doctor_command
from v2s_plugin.cli.envelope import envelope_command
from v2s_plugin.cli.evaluate import evaluate_command
from v2s_plugin.cli.export import export_command
from v2s_plugin.cli.generate import generate_command
from v2s_plugin.cli.hosts import hosts_app
from v2s_plugin.cli.plan import plan_command
from v2s_plugin.cli.reexport import reexport_command
from v2s_plugin.cli.remove import remove_command
from v2s_plugin.cli.takes import takes_command
from v2s_plugin.cli.talk import skip_lines
from v2s_plugin.cli.train import train_command
from v2s_plugin.cli.train_timing import train_timing_command
from v2s_plugin.cli.train_visual import train_visual_command
from v2s_plugin.cli.vegas.app import vegas_app
from v2s_plugin.cli.worker import worker_command

app = typer.Typer(
    name="v2s",
    help="Natural sound under silent pictures: reads an editing timeline, writes it back scored.",
    epilog="Start with: v2s demo",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,  # rich alone takes as long to load as all the rest
    pretty_exceptions_enable=False,
)
app.command("generate")(generate_command)
app.command("plan")(plan_command)
app.command("takes")(takes_command)
app.command("envelope")(envelope_command)
app.command("remove")(remove_command)
app.command("bundles")(bundles_command)
app.command("demo")(demo_command)
app.command("worker")(worker_command)
app.command("doctor")(doctor_command)
app.add_typer(hosts_app, name="hosts")
app.add_typer(corpus_app, name="corpus")
app.add_typer(vegas_app, name="vegas")
app.command("train")(train_command)
app.command("train-timing")(train_timing_command)
app.command("train-visual")(train_visual_command)
app.command("export")(export_command)
app.command("reexport")(reexport_command)
app.command("evaluate")(evaluate_command)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line (by default the process's own) and return its exit code; raises nothing."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        code = typer.main.get_command(app).main(given, prog_name="v2s", standalone_mode=False)
        sys.stdout.flush()
    except (BrokenPipeError, SystemExit):  # typer makes the second out of the first
        # Whoever read the result has left: not an error, and nobody to tell. The interpreter flushes once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return EXIT_FAILED
    except BaseException as error:
        return _explain(error, as_json="--json" in given)
    return code if isinstance(code, int) else 0


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"v2s {__version__}")
        raise typer.Exit


@app.callback()
def before_command(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", callback=_show_version)
    ] = False,
) -> None:
    """What holds for every command."""


def _explain(error: BaseException, *, as_json: bool) -> int:
    """Say what went wrong, for a person or a program; returns the exit code."""
    if os.environ.get("V2S_TRACEBACK"):
        traceback.print_exception(error)
    code, kind, message = _code_kind_message(error)
    if as_json:
        answer_json(error_answer(kind, message, error))
    elif hasattr(error, "show"):  # wrong use, found by typer, which knows the command's usage line
        error.show()
    else:
        others = skip_lines(getattr(error, "skips", ())[1:])
        print("\n".join([f"v2s: {message}", *others]), file=sys.stderr)
    return code


def _code_kind_message(error: BaseException) -> tuple[int, str, str]:
    kind = type(error).__name__
    if isinstance(error, KeyboardInterrupt):
        return EXIT_CANCELLED, "CancelledError", "cancelled; what was finished before is kept"
    if isinstance(error, CancelledError):
        return EXIT_CANCELLED, kind, str(error)
    if isinstance(error, UsageError):
        return EXIT_WRONG_USE, kind, str(error)
    if isinstance(error, V2SError):
        return EXIT_FAILED, kind, str(error)
    if hasattr(error, "format_message"):
        return EXIT_WRONG_USE, "UsageError", error.format_message()
    hint = "" if os.environ.get("V2S_TRACEBACK") else " V2S_TRACEBACK=1 shows where."
    return EXIT_FAILED, kind, f"this should not have happened, please report it: {kind}: {error}.{hint}"
