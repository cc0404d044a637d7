"""A bundle's sounds on disk: `sounds.json`, `sounds.md`, and `sheet_<class>.png` per class."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from v2s_engine.evaluate.report import make_folder, output_errors
from v2s_engine.evaluate.sounds.session import MeasuredSounds
from v2s_engine.evaluate.sounds.sheets import draw_sheet
from v2s_engine.evaluate.sounds.tables import sounds_page


@dataclass(frozen=True)
class SoundsReport:
    """Where the files lie."""

    figures: Path
    tables: Path
    sheets: tuple[Path, ...]


def write_sounds_report(measured: MeasuredSounds, folder: Path) -> SoundsReport:
    """Write all of them. Raises `OutputError` where the folder or the disk cannot take them."""
    make_folder(folder)
    report = SoundsReport(
        folder / "sounds.json",
        folder / "sounds.md",
        tuple(folder / f"sheet_{sheet.sound_class}.png" for sheet in measured.sheets),
    )
    text = json.dumps(measured.result.to_json(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    with output_errors(folder):
        report.figures.write_text(text, encoding="utf-8")
        report.tables.write_text(sounds_page(measured.result), encoding="utf-8")
        for sheet, path in zip(measured.sheets, report.sheets, strict=True):
            real = [(each.material.file, each.samples) for each in sheet.real]
            # Spread over the recordings, so that the sheet shows more than one source.
            shown = [real[index * len(real) // min(6, len(real))] for index in range(min(6, len(real)))]
            generated = [(f"take {take.request.row.take}", take.samples) for take in sheet.takes.followed]
            draw_sheet(sheet.sound_class, shown, generated, path)
    return report
