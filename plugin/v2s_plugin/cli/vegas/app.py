"""`v2s vegas`: its commands, in the order in which they are run."""

from __future__ import annotations

import typer

from v2s_plugin.cli.vegas.aggregate import aggregate_command
from v2s_plugin.cli.vegas.annotate import annotate_command
from v2s_plugin.cli.vegas.build import build_command
from v2s_plugin.cli.vegas.fetch import fetch_command
from v2s_plugin.cli.vegas.segment import segment_command
from v2s_plugin.cli.vegas.select import select_command
from v2s_plugin.cli.vegas.stats import stats_command
from v2s_plugin.cli.vegas.status import status_command

vegas_app = typer.Typer(
    help="From AudioSet to a clean set of clips with sound.",
    epilog="In this order: select, fetch, segment, annotate, aggregate, build, stats.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


@vegas_app.callback()
def before_vegas() -> None:
    """What holds for every command below (a group of one needs it)."""


vegas_app.command("select")(select_command)
vegas_app.command("fetch")(fetch_command)
vegas_app.command("segment")(segment_command)
vegas_app.command("annotate")(annotate_command)
vegas_app.command("aggregate")(aggregate_command)
vegas_app.command("build")(build_command)
vegas_app.command("stats")(stats_command)
vegas_app.command("status")(status_command)
