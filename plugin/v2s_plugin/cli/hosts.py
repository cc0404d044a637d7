"""`v2s hosts`: panels in editing programs, listed, installed and taken out again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from v2s_plugin.cli.hosts_resolve import resolve_command
from v2s_plugin.cli.options import JsonOption

HostArgument = Annotated[str, typer.Argument(metavar="blender|resolve|premiere", help="The editing program.")]
DirOption = Annotated[
    Path | None,
    typer.Option(
        "--dir",
        metavar="DIR",
        help="Its folder, where it is not found: Blender's own for one version (.../blender/5.0), Resolve's "
        "Fusion/Scripts, or for Premiere any folder.",
        show_default=False,
    ),
]
ZipOption = Annotated[
    Path | None,
    typer.Option("--zip", metavar="ZIP", help="The Blender extension, as downloaded.", show_default=False),
]

hosts_app = typer.Typer(
    help="Panels in editing programs.", no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False
)


@hosts_app.command("list")
def list_command(*, as_json: JsonOption = False) -> int:
    """Show the editing programs found, and what they have."""
    from v2s_plugin.cli.answers import EXIT_DONE, answer_json
    from v2s_plugin.hosts.folders import Place
    from v2s_plugin.hosts.installing import installations
    from v2s_plugin.hosts.programs import HOSTS

    place = Place.here()
    found = installations(place)
    if as_json:
        rows = [
            {
                "host": each.host.name,
                "version": each.home.version,
                "state": each.state,
                "target": str(each.target),
            }
            for each in found
        ]
        answer_json({"hosts": rows})
        return EXIT_DONE
    for each in found:
        print(f"{each.host.name} {each.home.version or ''}".rstrip() + f": {each.state}: {each.target}")
    for host in HOSTS.values():
        if all(each.host != host for each in found):
            print(f"{host.name}: {host.absence(place)}")
    return EXIT_DONE


@hosts_app.command("install")
def install_command(host: HostArgument, *, folder: DirOption = None, package: ZipOption = None) -> int:
    """Install V2S in an editing program, for this user."""
    from v2s_plugin.cli.answers import EXIT_DONE
    from v2s_plugin.cli.talk import say
    from v2s_plugin.hosts.folders import Place
    from v2s_plugin.hosts.installing import install
    from v2s_plugin.hosts.programs import host_named

    program = host_named(host)
    for target in install(program, Place.here(), folder=folder, package=package):
        print(target)
    say(f"next: {program.next_step}")
    return EXIT_DONE


@hosts_app.command("uninstall")
def uninstall_command(host: HostArgument, *, folder: DirOption = None) -> int:
    """Take V2S out of an editing program again."""
    from v2s_plugin.cli.answers import EXIT_DONE
    from v2s_plugin.cli.talk import say
    from v2s_plugin.hosts.folders import Place
    from v2s_plugin.hosts.installing import uninstall
    from v2s_plugin.hosts.programs import host_named

    program = host_named(host)
    removed = uninstall(program, Place.here(), folder=folder)
    for path in removed:
        print(path)
    if not removed:
        say(f"nothing of V2S is installed in {program.title}")
    return EXIT_DONE


hosts_app.command("resolve")(resolve_command)
