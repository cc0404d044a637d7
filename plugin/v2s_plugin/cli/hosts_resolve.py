"""`v2s hosts resolve`: a timeline in the free version of DaVinci Resolve, whose scripts cannot start programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from v2s_plugin.cli.options import BundleOption, SeedOption, SoundOption, TakesOption

ScopeOption = Annotated[
    str, typer.Option("--scope", help="timeline, marks (between in and out) or clip (under the playhead).")
]
FolderOption = Annotated[
    Path | None, typer.Option("--folder", metavar="DIR", help="Where files go.", show_default="~/V2S")
]


def resolve_command(
    *,
    sound: SoundOption = None,
    takes: TakesOption = 1,
    seed: SeedOption = 0,
    bundle: BundleOption = "",
    scope: ScopeOption = "timeline",
    folder: FolderOption = None,
) -> int:
    """Score what is open in the free version of Resolve.

    Waits until you choose V2S in Resolve's menu Workspace > Scripts; Ctrl-C stops. Studio has a window for this.
    """
    import sys

    from v2s_engine.errors import UsageError
    from v2s_plugin.cli.answers import EXIT_DONE
    from v2s_plugin.cli.talk import say
    from v2s_plugin.hosts.client import WorkerClient
    from v2s_plugin.hosts.folders import Place, connection_file
    from v2s_plugin.hosts.resolve.desk import SCOPES
    from v2s_plugin.hosts.resolve.free import score_free
    from v2s_plugin.hosts.resolve.job import Settings
    from v2s_plugin.hosts.resolve.mailbox import MailboxDesk, mailbox_beside

    if scope not in SCOPES:
        raise UsageError(f"--scope must be one of {', '.join(SCOPES)}; got {scope!r}")
    desk = MailboxDesk(mailbox_beside(connection_file(Place.here())), (folder or Path.home() / "V2S").absolute(), say)
    client = WorkerClient([sys.executable, "-P", "-m", "v2s_plugin.cli", "worker"], host="resolve free")
    settings = Settings(sound=sound, takes=takes, seed=seed, scope=scope, bundle=bundle or None)
    return EXIT_DONE if score_free(desk, client, settings, say) else 1
