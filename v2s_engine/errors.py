"""Every error that V2S raises on purpose.

    V2SError
    ├── UsageError            the call itself is wrong (also a ValueError)
    ├── MissingExtraError     an optional package is not installed (also an ImportError)
    ├── MediaError            a picture or sound file
    │   ├── MediaNotFoundError    not there (also a FileNotFoundError)
    │   ├── MediaUnreadableError  there, but cannot be decoded
    │   └── NoVideoStreamError    decodes, but holds no pictures
    ├── TimelineError         a timeline file or what stands in it
    │   ├── TimelineNotFoundError     not there (also a FileNotFoundError)
    │   ├── TimelineUnreadableError   there, but OpenTimelineIO cannot read it
    │   └── TimelineSchemaError       written by a newer OpenTimelineIO
    ├── BundleError           a trained model as shipped
    │   ├── BundleNotFoundError   no bundle of that name or path (also a FileNotFoundError)
    │   └── BundleDamagedError    a file's hash or shape is not what bundle.json says
    ├── DeviceError           a device or execution provider was asked for and is not there
    ├── TrainingError         a training went wrong: its loss is no number any more
    ├── OutputError           the result cannot be written (exists, in use, disk full)
    └── CancelledError        somebody asked to stop

Every message says what happened, what was found, what was wanted, and what to do::

    try:
        job = generate(...)
    except V2SError as error:
        sys.exit(f"v2s: {error}")
"""


class V2SError(Exception):
    """Base of every error that V2S raises on purpose; `str(error)` is meant for the user."""


class UsageError(V2SError, ValueError):
    """The call itself is wrong: an unknown class, a contradiction between options, a value out of range."""


class MissingExtraError(V2SError, ImportError):
    """A part of V2S was asked for whose packages are not installed; the message gives the pip command."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f"{what} needs packages that are not installed: pip install 'v2s[{extra}]'")


class MediaError(V2SError):
    """Something about a picture or sound file."""


class MediaNotFoundError(MediaError, FileNotFoundError):
    """The media file is not there; the message lists the paths tried."""


class MediaUnreadableError(MediaError):
    """The media file is there but cannot be decoded; the message carries FFmpeg's own words."""


class NoVideoStreamError(MediaError):
    """The media file can be read but holds no pictures."""


class TimelineError(V2SError):
    """Something about a timeline file or what stands in it."""


class TimelineNotFoundError(TimelineError, FileNotFoundError):
    """The timeline file is not there."""


class TimelineUnreadableError(TimelineError):
    """The timeline file is there but OpenTimelineIO cannot read it."""


class TimelineSchemaError(TimelineError):
    """The timeline was written by a newer OpenTimelineIO than the one installed."""


class BundleError(V2SError):
    """Something about a bundle (a trained model as shipped)."""


class BundleNotFoundError(BundleError, FileNotFoundError):
    """No bundle of that name or path; the message lists the known ones."""


class BundleDamagedError(BundleError):
    """A bundle's file is not what its bundle.json says: other hash, missing tensor, wrong shape."""


class DeviceError(V2SError):
    """A device or execution provider was asked for and is not there."""


class TrainingError(V2SError):
    """A training went wrong: its loss or its weights are no numbers any more."""


class OutputError(V2SError):
    """The result cannot be written: it exists already, is in use by another run, or the disk is full."""


class CancelledError(V2SError):
    """Somebody asked to stop; nothing half-written is left behind."""
