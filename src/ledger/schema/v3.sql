-- The issuer that the configuration named when another took its place, and the one whose failures led to
-- that. An override of an earlier version does not say, and is taken to be one of the operator's.
ALTER TABLE host ADD COLUMN override_instead_of TEXT;
ALTER TABLE host ADD COLUMN override_after TEXT;
-- How often in a row a step failed because of the issuer itself.
ALTER TABLE failure ADD COLUMN by_issuer INTEGER NOT NULL DEFAULT 0
    CHECK (by_issuer BETWEEN 0 AND 4294967295);
