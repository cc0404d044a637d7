"""`v2s bundles`: the trained models at hand."""

from __future__ import annotations

from v2s_plugin.cli.options import JsonOption


def bundles_command(*, as_json: JsonOption = False) -> int:
    """List the trained models and what each can sound like."""
    from v2s_engine.bundle import known_bundles, load_bundle
    from v2s_plugin.cli.answers import EXIT_DONE, answer_json

    bundles = [load_bundle(name) for name in known_bundles()]
    if as_json:
        answer_json(
            {
                "bundles": [
                    {
                        "name": bundle.name,
                        "path": str(bundle.path),
                        "digest": bundle.digest,
                        "sound_classes": list(bundle.sound_classes),
                    }
                    for bundle in bundles
                ]
            }
        )
        return EXIT_DONE
    for bundle in bundles:
        print(f"{bundle.name}: {', '.join(bundle.sound_classes)}")
    return EXIT_DONE
