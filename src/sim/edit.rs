//! Somebody changes the zone by hand, so that what is presented still fits.
//!
//! Two things are left out, since nobody could know of them: an edit that stops mail by itself, and
//! another TTL for the same records while an update is under way that replaces them before anybody
//! looks (RFC 2136 has no prerequisite for a TTL).

use super::chance::Chooser;
use super::world::{TTL, World};
use crate::time::Ttl;
use crate::tlsa::{Association, Record, TlsaRrset};

/// Changes the zone, if there is a change that leaves senders a way in. `about_to_go` is what an
/// update expects that is about to arrive, beside those that are under way.
pub(super) fn by_hand(
    world: &mut World,
    chooser: &mut dyn Chooser,
    about_to_go: Option<&TlsaRrset>,
) {
    if world.primary.is_absent() {
        return;
    }
    let TlsaRrset { mut records, mut ttl, .. } = world.primary.clone();
    if chooser.below(2) == 0 {
        ttl = Ttl::from_seconds(TTL.as_seconds() * 3);
    }
    match chooser.below(3) {
        0 => {}
        1 => {
            let position = usize::try_from(chooser.below(4)).unwrap_or(0) % records.len().max(1);
            let dropped = records.iter().nth(position).cloned();
            records.retain(|record| Some(record) != dropped.as_ref());
        }
        _ => {
            // Of a kind that the policy has: where each combination counts, one of another kind
            // fits nothing, and it is the operator's wish that it stays.
            let parameters = world.constants.policy.records[0];
            let byte = u8::try_from(chooser.below(256)).unwrap_or(0);
            let data = vec![byte; 32];
            records.insert(Record::from(Association { parameters, data }));
        }
    }
    let edited = TlsaRrset { records, ttl };
    let expected = world.under_way.iter().map(|(_, observed, ..)| observed).chain(about_to_go);
    let is_hidden_by_an_update = expected.into_iter().any(|o| o.records == edited.records);
    if edited != world.primary
        && !edited.records.is_empty()
        && !is_hidden_by_an_update
        && world.fits_what_is_presented(&edited)
    {
        world.apply(edited, chooser);
    }
}
