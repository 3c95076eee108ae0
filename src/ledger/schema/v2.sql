-- The latest copy of the zone that was seen to hold a version: tells A before B from A after B.
ALTER TABLE version ADD COLUMN serial INTEGER CHECK (serial BETWEEN 0 AND 4294967295);
