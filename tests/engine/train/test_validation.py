from tests.engine.train.made_clips import made_clip
from v2s_engine.train.validation import spread_over_classes


def test_what_is_held_out_is_measured_on_all_classes() -> None:
    dogs = [made_clip(f"dog {number}", 1) for number in range(20)]
    drums = [made_clip(f"drum {number}", 1, "drum") for number in range(4)]
    chosen = spread_over_classes([*dogs, *drums], 16)
    assert [clip.name for clip in chosen[:4]] == ["dog 0", "drum 0", "dog 1", "drum 1"]
    assert sorted(clip.name for clip in chosen) == sorted(clip.name for clip in (*dogs[:12], *drums))
    assert spread_over_classes(drums, 16) == drums
