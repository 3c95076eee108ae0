-- What the ledger holds from the first version on: a host's state in columns, and its history.
--
-- Times are milliseconds since 1970-01-01T00:00:00Z. A moment is three columns: the wall clock, the
-- boot (an unsigned number in the same 64 bits), and the milliseconds since that boot. Digests are
-- SHA-256 in hexadecimal: a `key` is that of a SubjectPublicKeyInfo, and names keys/KEY.pem and
-- keys/KEY.pub; a `chain` names chains/CHAIN.pem, a certificate certificates/CERTIFICATE.pem.

CREATE TABLE migration (
    version INTEGER PRIMARY KEY CHECK (version > 0),
    program TEXT NOT NULL
) STRICT;

CREATE TABLE host (
    name            TEXT NOT NULL PRIMARY KEY,
    current_bundle  INTEGER,
    withdrawn       INTEGER NOT NULL CHECK (withdrawn IN (0, 1)),
    issuer_override TEXT,
    next_bundle     INTEGER NOT NULL CHECK (next_bundle >= 0),
    wake            INTEGER,
    FOREIGN KEY (name, current_bundle) REFERENCES bundle (host, number)
        DEFERRABLE INITIALLY DEFERRED
) STRICT, WITHOUT ROWID;
CREATE INDEX host_by_wake ON host (wake);

CREATE TABLE owner (
    id   INTEGER PRIMARY KEY,
    host TEXT NOT NULL REFERENCES host (name),
    base TEXT NOT NULL,
    port INTEGER NOT NULL CHECK (port BETWEEN 0 AND 65535),
    UNIQUE (host, base, port)
) STRICT;

CREATE TABLE version (
    id            INTEGER PRIMARY KEY,
    owner         INTEGER NOT NULL REFERENCES owner (id) ON DELETE CASCADE,
    position      INTEGER NOT NULL,
    content       TEXT NOT NULL CHECK (content IN ('rrset', 'unknown')),
    ttl           INTEGER NOT NULL CHECK (ttl BETWEEN 0 AND 2147483647),
    service       TEXT NOT NULL CHECK (service IN ('sent', 'ongoing', 'ended')),
    at_wall       INTEGER NOT NULL,
    at_boot       INTEGER NOT NULL,
    at_uptime     INTEGER NOT NULL CHECK (at_uptime >= 0),
    longest_delay INTEGER CHECK (longest_delay >= 0),
    UNIQUE (owner, position),
    CHECK ((service = 'sent') = (longest_delay IS NOT NULL))
) STRICT;

CREATE TABLE version_record (
    version       INTEGER NOT NULL REFERENCES version (id) ON DELETE CASCADE,
    usage         INTEGER NOT NULL CHECK (usage BETWEEN 0 AND 255),
    selector      INTEGER NOT NULL CHECK (selector BETWEEN 0 AND 255),
    matching_type INTEGER NOT NULL CHECK (matching_type BETWEEN 0 AND 255),
    data          TEXT NOT NULL CHECK (length(data) % 2 = 0 AND data NOT GLOB '*[^0-9a-f]*'),
    PRIMARY KEY (version, usage, selector, matching_type, data)
) STRICT, WITHOUT ROWID;

-- The chains that an unknown version is taken to fit.
CREATE TABLE version_fit (
    version INTEGER NOT NULL REFERENCES version (id) ON DELETE CASCADE,
    chain   TEXT NOT NULL CHECK (length(chain) = 64 AND chain NOT GLOB '*[^0-9a-f]*'),
    PRIMARY KEY (version, chain)
) STRICT, WITHOUT ROWID;

CREATE TABLE presence (
    host         TEXT NOT NULL REFERENCES host (name),
    position     INTEGER NOT NULL,
    chain        TEXT NOT NULL CHECK (length(chain) = 64 AND chain NOT GLOB '*[^0-9a-f]*'),
    ended_wall   INTEGER,
    ended_boot   INTEGER,
    ended_uptime INTEGER CHECK (ended_uptime >= 0),
    PRIMARY KEY (host, position),
    UNIQUE (host, chain),
    CHECK ((ended_wall IS NULL) = (ended_boot IS NULL)),
    CHECK ((ended_wall IS NULL) = (ended_uptime IS NULL))
) STRICT, WITHOUT ROWID;

CREATE TABLE bundle (
    host    TEXT NOT NULL REFERENCES host (name),
    number  INTEGER NOT NULL CHECK (number >= 0),
    issuer  TEXT NOT NULL,
    created INTEGER NOT NULL,
    PRIMARY KEY (host, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE credential (
    host     TEXT NOT NULL,
    bundle   INTEGER NOT NULL,
    key_type TEXT NOT NULL CHECK (
        key_type IN ('ecdsa-p256', 'ecdsa-p384', 'rsa-2048', 'rsa-3072', 'rsa-4096')
    ),
    key      TEXT NOT NULL CHECK (length(key) = 64 AND key NOT GLOB '*[^0-9a-f]*'),
    key_at   INTEGER NOT NULL,
    chain    TEXT CHECK (length(chain) = 64 AND chain NOT GLOB '*[^0-9a-f]*'),
    anchor   TEXT CHECK (length(anchor) = 64 AND anchor NOT GLOB '*[^0-9a-f]*'),
    PRIMARY KEY (host, bundle, key_type),
    FOREIGN KEY (host, bundle) REFERENCES bundle (host, number) ON DELETE CASCADE,
    CHECK (anchor IS NULL OR chain IS NOT NULL)
) STRICT, WITHOUT ROWID;

CREATE TABLE deployment (
    host         TEXT NOT NULL PRIMARY KEY REFERENCES host (name),
    bundle       INTEGER NOT NULL,
    begun_wall   INTEGER NOT NULL,
    begun_boot   INTEGER NOT NULL,
    begun_uptime INTEGER NOT NULL CHECK (begun_uptime >= 0),
    done_wall    INTEGER,
    done_boot    INTEGER,
    done_uptime  INTEGER CHECK (done_uptime >= 0),
    shown        INTEGER NOT NULL CHECK (shown IN (0, 1)),
    FOREIGN KEY (host, bundle) REFERENCES bundle (host, number) DEFERRABLE INITIALLY DEFERRED,
    CHECK ((done_wall IS NULL) = (done_boot IS NULL)),
    CHECK ((done_wall IS NULL) = (done_uptime IS NULL))
) STRICT, WITHOUT ROWID;

CREATE TABLE deployment_chain (
    host  TEXT NOT NULL REFERENCES deployment (host) ON DELETE CASCADE,
    chain TEXT NOT NULL CHECK (length(chain) = 64 AND chain NOT GLOB '*[^0-9a-f]*'),
    PRIMARY KEY (host, chain)
) STRICT, WITHOUT ROWID;

CREATE TABLE standby (
    host     TEXT NOT NULL REFERENCES host (name),
    key_type TEXT NOT NULL CHECK (
        key_type IN ('ecdsa-p256', 'ecdsa-p384', 'rsa-2048', 'rsa-3072', 'rsa-4096')
    ),
    key      TEXT NOT NULL CHECK (length(key) = 64 AND key NOT GLOB '*[^0-9a-f]*'),
    key_at   INTEGER NOT NULL,
    PRIMARY KEY (host, key_type)
) STRICT, WITHOUT ROWID;

CREATE TABLE barred (
    host        TEXT NOT NULL REFERENCES host (name),
    position    INTEGER NOT NULL,
    usage       INTEGER NOT NULL CHECK (usage IN (2, 3)),
    certificate TEXT NOT NULL CHECK (
        length(certificate) = 64 AND certificate NOT GLOB '*[^0-9a-f]*'
    ),
    PRIMARY KEY (host, position)
) STRICT, WITHOUT ROWID;

-- A rollover in flight; without a target bundle it leads out of DANE.
CREATE TABLE rollover (
    host          TEXT NOT NULL PRIMARY KEY REFERENCES host (name),
    kind          TEXT NOT NULL CHECK (
        kind IN (
            'renewal', 'ca-change', 'compromise', 'first-publication', 'abort', 'withdrawal'
        )
    ),
    started       INTEGER NOT NULL,
    target_bundle INTEGER,
    from_bundle   INTEGER,
    took_standby  INTEGER NOT NULL CHECK (took_standby IN (0, 1)),
    FOREIGN KEY (host, target_bundle) REFERENCES bundle (host, number)
        DEFERRABLE INITIALLY DEFERRED,
    FOREIGN KEY (host, from_bundle) REFERENCES bundle (host, number)
        DEFERRABLE INITIALLY DEFERRED
) STRICT, WITHOUT ROWID;

CREATE TABLE failure (
    host           TEXT NOT NULL REFERENCES host (name),
    step           TEXT NOT NULL CHECK (
        step IN ('make-key', 'issue', 'publish', 'deploy', 'restore', 'revoke')
    ),
    count          INTEGER NOT NULL CHECK (count BETWEEN 0 AND 4294967295),
    at_wall        INTEGER NOT NULL,
    at_boot        INTEGER NOT NULL,
    at_uptime      INTEGER NOT NULL CHECK (at_uptime >= 0),
    not_before     INTEGER NOT NULL,
    message        TEXT NOT NULL,
    hint           TEXT NOT NULL,
    needs_operator INTEGER NOT NULL CHECK (needs_operator IN (0, 1)),
    PRIMARY KEY (host, step)
) STRICT, WITHOUT ROWID;

CREATE TABLE revocation (
    host     TEXT NOT NULL REFERENCES host (name),
    position INTEGER NOT NULL,
    issuer   TEXT NOT NULL,
    chain    TEXT NOT NULL CHECK (length(chain) = 64 AND chain NOT GLOB '*[^0-9a-f]*'),
    PRIMARY KEY (host, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE event (
    id          INTEGER PRIMARY KEY,
    host        TEXT NOT NULL REFERENCES host (name),
    at          INTEGER NOT NULL,
    observation TEXT NOT NULL,
    decision    TEXT NOT NULL,
    action      TEXT NOT NULL,
    result      TEXT NOT NULL
) STRICT;
CREATE INDEX event_by_host ON event (host);
CREATE TRIGGER event_is_never_changed BEFORE UPDATE ON event
BEGIN SELECT RAISE(ABORT, 'history is only ever added to'); END;
CREATE TRIGGER event_is_never_deleted BEFORE DELETE ON event
BEGIN SELECT RAISE(ABORT, 'history is only ever added to'); END;

-- Files that no row names any more, and since when.
CREATE TABLE retired (
    file  TEXT NOT NULL PRIMARY KEY,
    since INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
