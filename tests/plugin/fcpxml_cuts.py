"""Final Cut Pro projects to score in tests, and their sounds found again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from tests.plugin.cuts import ClickSource, fake_probe, options
from tests.plugin.fcpxml_rules import Placed, placed
from v2s_plugin.scoring import ScoreOptions, ScoreResult, score_file

STORY = """
<asset-clip ref="r2" offset="18018/5s" name="A" start="7207200/2000s" duration="24024/24000s" audioRole="dialogue">
  <note>a note of the editor</note>
  <adjust-volume amount="-3dB"/>
  <title ref="e1" lane="2" offset="7207200/2000s" name="T" start="3600s" duration="1001/1000s"/>
  <asset-clip ref="r3" lane="-1" offset="86607521/24000s" name="B" duration="12012/24000s"/>
  <marker start="7208201/2000s" duration="1001/24000s" value="look"/>
  <filter-video ref="e1" name="Blur"/>
  <metadata><md key="k" value="v"/></metadata>
</asset-clip>
<gap name="Gap" offset="86510424/24000s" start="3600s" duration="48048/24000s">
  <asset-clip ref="r3" lane="1" offset="86412012/24000s" name="C" start="1001/1000s" duration="30030/24000s"/>
</gap>
<asset-clip ref="r3" offset="86558472/24000s" name="D" start="20020/1000s" duration="36036/24000s">
  <timeMap><timept time="0s" value="0s" interp="smooth2"/><timept time="200s" value="100s" interp="smooth2"/></timeMap>
</asset-clip>
"""
"""At 23.976: clips with their own time, sounds, titles, marks, filters; a gap that holds a clip; half speed. B stands
behind the storyline's end."""

LATE = '<asset-clip ref="r3" offset="0s" name="A" duration="2s"/><gap name="Gap" offset="2s" duration="2s"/>'


def score_cut(source: Path, *, takes: int = 1, **more: Any) -> ScoreResult:
    wanted = ScoreOptions(plan=options(sound="dog", existing="add", takes=takes), **more)
    return score_file(source, wanted, lambda **_: ClickSource(), probe=fake_probe)


def ours_in(path: Path) -> list[Placed]:
    """The sounds of ours that stand in a document's sequence, by a reader that knows nothing of V2S."""
    found = [each for each in placed(path) if each.source.endswith(".wav")]
    return sorted(found, key=lambda each: (each.start, each.duration))


def rewrite(path: Path, root: Element) -> None:
    ElementTree.ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)


def our_elements(root: Element) -> Iterator[Element]:
    return (each for each in root.iter("asset-clip") if (each.findtext("note") or "").startswith("v2s "))
