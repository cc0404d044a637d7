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
    attribution  TEXT,
    content      TEXT           -- digest of its decoded pictures and sound: the same content has the same
) STRICT;
CREATE INDEX fetches_of_content ON fetches (content);

CREATE TABLE pieces (           -- the 2 s pieces of fetched videos
    id        INTEGER PRIMARY KEY,
    video_id  TEXT NOT NULL REFERENCES videos (video_id),
    ordinal   INTEGER NOT NULL, -- 0 is the video's first; piece k begins at sample k * 32,000
    length    INTEGER NOT NULL, -- samples, 32,000 but for a slightly short last one
    UNIQUE (video_id, ordinal)
) STRICT;

CREATE TABLE cut_sections (     -- what a video's pieces were cut from, and so what their votes are about
    video_id TEXT PRIMARY KEY REFERENCES videos (video_id),
    sha256   TEXT,              -- of the section's file, as `fetches` had it; another one there: fetched again since
    sound    TEXT NOT NULL      -- SHA-256 of its samples: what is coded anew sounds the same and goes on
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

CREATE TABLE page_answers (     -- every key pressed on the annotation page, in order: what undo goes back along, and by
                                -- which an answer that is sent twice counts once
    id        INTEGER PRIMARY KEY,
    request   TEXT NOT NULL UNIQUE,     -- drawn by the browser
    annotator TEXT NOT NULL,
    piece_id  INTEGER NOT NULL REFERENCES pieces (id),
    modality  TEXT NOT NULL CHECK (modality IN ('picture', 'sound')),
    answer    TEXT NOT NULL CHECK (answer IN ('yes', 'no', 'skip', 'broken', 'undo')),
    outcome   TEXT NOT NULL CHECK (outcome IN ('kept', 'already', 'full')),
    undone    INTEGER NOT NULL DEFAULT 0 CHECK (undone IN (0, 1))
) STRICT;
CREATE INDEX page_answers_of_annotators ON page_answers (annotator, piece_id, modality);

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

CREATE TABLE built_files (      -- clips and shards that `build` wrote whole: the next one does not make them again; and
                                -- the mark of each set, by which the project knows it as its own
    folder   TEXT NOT NULL,     -- of the built set, absolute
    file     TEXT NOT NULL,     -- relative to it
    made_of  TEXT NOT NULL,     -- digest of all that decides its bytes
    bytes    INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,  -- with other bytes or another time of change it is not the file that was written
    sha256   TEXT NOT NULL,
    PRIMARY KEY (folder, file)
) STRICT;

CREATE TABLE mturk_hits (       -- rows of the batch CSVs that were written for Mechanical Turk
    hit      TEXT PRIMARY KEY,  -- opaque
    batch    INTEGER NOT NULL,  -- number of the CSV within the project, 1 first
    modality TEXT NOT NULL CHECK (modality IN ('picture', 'sound')),
    category TEXT NOT NULL REFERENCES categories (name),
    source   TEXT NOT NULL,     -- name of the CSV
    line     INTEGER NOT NULL   -- and of the HIT's row in it
) STRICT;

CREATE TABLE mturk_questions (  -- the pieces that a HIT asks about, gold ones among them
    token    TEXT PRIMARY KEY,  -- opaque: what workers and result files see
    hit      TEXT NOT NULL REFERENCES mturk_hits (hit),
    piece_id INTEGER NOT NULL REFERENCES pieces (id),
    UNIQUE (hit, piece_id)
) STRICT;
CREATE INDEX mturk_questions_of_pieces ON mturk_questions (piece_id);

CREATE TABLE mturk_assignments (    -- one worker's work on one HIT, as the last result file that had it says
    id        TEXT PRIMARY KEY,     -- Mechanical Turk's AssignmentId
    hit       TEXT NOT NULL REFERENCES mturk_hits (hit),
    annotator TEXT NOT NULL,        -- as in votes
    accepted  INTEGER NOT NULL CHECK (accepted IN (0, 1)),  -- 0: rejected, its answers do not count
    source    TEXT NOT NULL,        -- name of the result CSV
    line      INTEGER NOT NULL,
    given_at  TEXT NOT NULL         -- ISO 8601, UTC
) STRICT;
CREATE INDEX mturk_assignments_of_hits ON mturk_assignments (hit);

CREATE TABLE mturk_answers (    -- what an assignment says; votes are made of these
    assignment TEXT NOT NULL REFERENCES mturk_assignments (id),
    piece_id   INTEGER NOT NULL REFERENCES pieces (id),
    annotator  TEXT NOT NULL,   -- the assignment's: gold pieces have thousands of answers, one annotator few
    present    INTEGER NOT NULL CHECK (present IN (0, 1)),
    PRIMARY KEY (assignment, piece_id)
) STRICT;
CREATE INDEX mturk_answers_of_annotators ON mturk_answers (piece_id, annotator);
