"""A provider of octoDNS's whose zone is a file of JSON, and which writes down what it is told to apply."""

import json
import logging
import pathlib

from octodns.provider.base import BaseProvider
from octodns.record import Delete, Record


class Provider(BaseProvider):
    SUPPORTS_GEO = SUPPORTS_DYNAMIC = SUPPORTS_ROOT_NS = False

    def __init__(self, id, directory, supports, **more):
        self.log = logging.getLogger(id)
        self.SUPPORTS = set(supports)
        self.zone = pathlib.Path(directory, "zone.json")
        self.applied = pathlib.Path(directory, "applied")
        super().__init__(id, **more)

    def populate(self, zone, target=False, lenient=False):
        records = json.loads(self.zone.read_text())
        for name, kind, data in records:
            if kind in self.SUPPORTS:
                zone.add_record(Record.new(zone, name, {"type": kind, **data}, source=self, lenient=lenient))
        return bool(records)

    def _extra_changes(self, existing, desired, changes):
        # A module that has plans of its own.
        return [Delete(record) for record in existing.records if record._type == "MX"]

    def _apply(self, plan):
        # A module that sends the whole zone: what it does not hold is lost.
        self.zone.write_text(json.dumps([[r.name, r._type, r.data] for r in plan.desired.records]))
        with self.applied.open("a") as applied:
            for change in plan.changes:
                texts = sorted(map(repr, change.new.values)) if change.new else []
                print(change.record.name, change.record._type, ", ".join(texts).replace("'", ""), file=applied)
