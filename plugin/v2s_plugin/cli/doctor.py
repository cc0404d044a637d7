"""`v2s doctor`: is everything there, and what to do where it is not."""

from __future__ import annotations

from v2s_plugin.cli.options import JsonOption


def doctor_command(*, as_json: JsonOption = False) -> int:
    """Check every part of V2S, and say what to do.

    The interpreter, packages, devices, bundles, the worker, and what is installed in editing programs. Ends with 1
    where a part that every job needs does not work.
    """
    from dataclasses import asdict

    from v2s_plugin.cli.answers import EXIT_DONE, answer_json
    from v2s_plugin.doctor import examine

    findings = []
    for finding in examine():
        findings.append(finding)
        if not as_json:
            advice = f"; {finding.advice}" if finding.advice else ""
            print(f"{finding.state:<8}{finding.part}: {finding.text}{advice}", flush=True)
    failed = any(finding.state == "problem" for finding in findings)
    if as_json:
        answer_json({"ok": not failed, "findings": [asdict(finding) for finding in findings]})
    return 1 if failed else EXIT_DONE
