-- One project's `vegas.db`. Times are samples of the 16 kHz grid unless the name says otherwise.

CREATE TABLE facts (            -- what a step was asked for, so that a later call can go on or refuse
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL         -- JSON
) STRICT;

CREATE TABLE notes (            -- what was left out or is odd, each with where it stands
    id     INTEGER PRIMARY KEY,
    step   TEXT NOT NULL,       -- select, fetch, segment, annotate, aggregate, build
    source TEXT NOT NULL,       -- the file it came from, or '' for none
    line   INTEGER,             -- 1 is a file's first line
    about  TEXT NOT NULL,       -- what: a video id, a worker, a column
    reason TEXT NOT NULL,       -- "what; what to do"
    UNIQUE (step, source, line, about, reason)
) STRICT;

CREATE TABLE categories (
    name        TEXT PRIMARY KEY,
    position    INTEGER NOT NULL UNIQUE,
    audioset    TEXT NOT NULL,  -- JSON: display names asked for
    mids        TEXT NOT NULL,  -- JSON: ids of those and all below them, sorted
    candidates  INTEGER NOT NULL    -- segments that could have been drawn
) STRICT;

CREATE TABLE videos (           -- the drawn 10 s sections, one per source video, each in one category
    video_id  TEXT PRIMARY KEY,
    category  TEXT NOT NULL REFERENCES categories (name),
    begin_ms  INTEGER NOT NULL, -- in the source video
    end_ms    INTEGER NOT NULL,
    labels    TEXT NOT NULL,    -- JSON: AudioSet ids as the row has them
    source    TEXT NOT NULL,    -- the CSV's name
    line      INTEGER NOT NULL, -- and the row's line in it
    position  INTEGER NOT NULL  -- order of drawing within its category, 0 first
) STRICT;

CREATE TABLE fetches (          -- one row per video that was tried; none yet: waiting
    video_id     TEXT PRIMARY KEY REFERENCES videos (video_id),
    state        TEXT NOT NULL CHECK (state IN ('fetched', 'failed', 'duplicate')),
    attempts     INTEGER NOT NULL,
    reason       TEXT,          -- why it failed, or the video whose content it repeats
    retry        INTEGER NOT NULL DEFAULT 0,   -- 1: failed for now, a later run tries again
    origin       TEXT,          -- URL or file that it came from
    sha256       TEXT,          -- of the normalised file
    length       INTEGER,       -- samples
    width        INTEGER,
    height       INTEGER,
    licence      TEXT,          -- as the source states it; NULL: not stated
    attribution  TEXT
) STRICT;

CREATE TABLE pieces (           -- the 2 s pieces of fetched videos
    id        INTEGER PRIMARY KEY,
    video_id  TEXT NOT NULL REFERENCES videos (video_id),
    ordinal   INTEGER NOT NULL, -- 0 is the video's first; piece k begins at sample k * 32,000
    length    INTEGER NOT NULL, -- samples, 32,000 but for a slightly short last one
    UNIQUE (video_id, ordinal)
) STRICT;

CREATE TABLE gold (             -- pieces whose answers are known, mixed in to see how well annotators work
    piece_id INTEGER NOT NULL REFERENCES pieces (id),
    modality TEXT NOT NULL CHECK (modality IN ('picture', 'sound')),
    present  INTEGER NOT NULL CHECK (present IN (0, 1)),
    PRIMARY KEY (piece_id, modality)
) STRICT;

CREATE TABLE votes (
    piece_id  INTEGER NOT NULL REFERENCES pieces (id),
    modality  TEXT NOT NULL CHECK (modality IN ('picture', 'sound')),
    annotator TEXT NOT NULL,    -- 'page:ann' or 'mturk:A1B2...': names of different origin never meet
    present   INTEGER NOT NULL CHECK (present IN (0, 1)),
    source    TEXT NOT NULL,    -- 'page', or the name of the result CSV
    line      INTEGER,          -- of that CSV
    given_at  TEXT NOT NULL,    -- ISO 8601, UTC
    PRIMARY KEY (piece_id, modality, annotator)
) STRICT;
CREATE INDEX votes_of_annotators ON votes (annotator);

CREATE TABLE claims (           -- pieces that somebody looks at right now on the annotation page
    piece_id   INTEGER NOT NULL REFERENCES pieces (id),
    modality   TEXT NOT NULL CHECK (modality IN ('picture', 'sound')),
    annotator  TEXT NOT NULL,
    claimed_at TEXT NOT NULL,
    PRIMARY KEY (piece_id, modality, annotator)
) STRICT;

CREATE TABLE verdicts (         -- what the votes of a piece come to; made anew by every `aggregate`
    piece_id       INTEGER PRIMARY KEY REFERENCES pieces (id),
    picture_for    INTEGER NOT NULL,    -- votes that say it is there
    picture_votes  INTEGER NOT NULL,
    picture_chance REAL NOT NULL,       -- probability that it is there, as the method sees it
    sound_for      INTEGER NOT NULL,
    sound_votes    INTEGER NOT NULL,
    sound_chance   REAL NOT NULL,
    kept           INTEGER NOT NULL CHECK (kept IN (0, 1)),
    conflict       INTEGER NOT NULL CHECK (conflict IN (0, 1))  -- to be looked at again
) STRICT;

CREATE TABLE clips (            -- what `build` made of adjacent kept pieces; made anew by every `build`
    id         INTEGER PRIMARY KEY,
    video_id   TEXT NOT NULL REFERENCES videos (video_id),
    first      INTEGER NOT NULL,        -- ordinal of its first piece
    last       INTEGER NOT NULL,        -- and of its last
    length     INTEGER NOT NULL,        -- samples
    split      TEXT NOT NULL CHECK (split IN ('train', 'validation', 'test')),
    file       TEXT NOT NULL UNIQUE,    -- relative to the built set's folder
    UNIQUE (video_id, first)
) STRICT;
