-- Whether the primary alone was last seen with a version.
ALTER TABLE version ADD COLUMN is_coming INTEGER NOT NULL DEFAULT 0 CHECK (is_coming IN (0, 1));

-- The updates of which no answer came: whatever was seen since, they may be applied once the primary holds
-- the records that they expect. Of the updates of an earlier version nobody knows what they expect.
CREATE TABLE unanswered (
    id             INTEGER PRIMARY KEY,
    version        INTEGER NOT NULL REFERENCES version (id) ON DELETE CASCADE,
    position       INTEGER NOT NULL,
    sent_wall      INTEGER NOT NULL,
    sent_boot      INTEGER NOT NULL,
    sent_uptime    INTEGER NOT NULL CHECK (sent_uptime >= 0),
    longest_delay  INTEGER NOT NULL CHECK (longest_delay >= 0),
    -- 0 where it is applied whatever the primary holds.
    is_conditional INTEGER NOT NULL CHECK (is_conditional IN (0, 1)),
    UNIQUE (version, position)
) STRICT;

CREATE TABLE unanswered_record (
    unanswered    INTEGER NOT NULL REFERENCES unanswered (id) ON DELETE CASCADE,
    usage         INTEGER NOT NULL CHECK (usage BETWEEN 0 AND 255),
    selector      INTEGER NOT NULL CHECK (selector BETWEEN 0 AND 255),
    matching_type INTEGER NOT NULL CHECK (matching_type BETWEEN 0 AND 255),
    data          TEXT NOT NULL CHECK (length(data) % 2 = 0 AND data NOT GLOB '*[^0-9a-f]*'),
    PRIMARY KEY (unanswered, usage, selector, matching_type, data)
) STRICT, WITHOUT ROWID;
