"""Pictures out of files: what is in a file, and the picture on screen at given moments.

    for picture in read_pictures(media, times, width=128, height=128):
        ...                                     # [128, 128, 3] uint8, one per time, in the order given

    media ──┬─ film            a video file: seeks, then walks forward     (film, decoder)
            ├─ image sequence  one file a picture: reads those asked for   (slides, sequence, image)
            └─ still           one picture, whatever the moment            (slides, image)
                    └──> screen: upright, over black, ordinary brightness, scaled to RGB

Times are exact seconds from the first picture. The picture on screen at time t is the last one whose presentation time
is at or before t, so variable frame rate is right. Only what is needed is decoded.
"""

from v2s_engine.video.info import VideoInfo, probe
from v2s_engine.video.reader import PictureReader, read_pictures
from v2s_engine.video.sequence import ImageSequence, MissingPolicy, Pictures

__all__ = ["ImageSequence", "MissingPolicy", "PictureReader", "Pictures", "VideoInfo", "probe", "read_pictures"]
