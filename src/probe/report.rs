//! What several visits say together.

use std::collections::BTreeSet;
use std::fmt;

use super::visit::Sni;
use crate::pki::{Chain, KeyFamily};
use crate::rollover::observation::{PresentedChain, Sight};

/// A version of TLS.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum TlsVersion {
    /// TLS 1.2 (RFC 5246).
    Tls12,
    /// TLS 1.3 (RFC 8446).
    Tls13,
}

impl fmt::Display for TlsVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tls12 => "TLS 1.2",
            Self::Tls13 => "TLS 1.3",
        })
    }
}

/// What one look at a listener found.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Report {
    /// What follows from it.
    pub sight: Sight,
    /// The chains presented to clients that sent the base domain as SNI; also where some visits
    /// failed.
    pub with_sni: BTreeSet<PresentedChain>,
    /// The chains presented to clients that sent no SNI; also where some visits failed.
    pub without_sni: BTreeSet<PresentedChain>,
    /// The versions of TLS over which chains were presented.
    pub versions: BTreeSet<TlsVersion>,
}

/// What one visit showed, its connection aside.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Shown {
    /// A chain.
    Presented(Chain, TlsVersion),
    /// TLS, and nothing of this family.
    NotOffered,
    /// The end of the connection in the middle of the handshake: perhaps as much as the above.
    HungUp(String),
    /// No TLS.
    NoTls(String),
    /// Nothing that can be relied on.
    Failed(String),
}

impl Report {
    /// Whether clients with SNI and without are shown different chains.
    pub fn sni_matters(&self) -> bool {
        !self.with_sni.is_empty()
            && !self.without_sni.is_empty()
            && self.with_sni != self.without_sni
    }

    /// Judges the visits of one look.
    ///
    /// One visit that cannot be relied on is enough: what it hides may be the old chain. The same
    /// where visits contradict each other.
    pub(super) fn judge(visits: &[(Sni, Shown)]) -> Self {
        assert!(!visits.is_empty(), "a look makes at least one visit");
        let mut report = Self {
            sight: Sight::NotOffered,
            with_sni: BTreeSet::new(),
            without_sni: BTreeSet::new(),
            versions: BTreeSet::new(),
        };
        let (mut no_tls, mut failed) = (Vec::new(), Vec::new());
        // That a server hangs up on every client of this kind can be its way to say that it has
        // nothing for it; the control that follows tells. On some of them, it says nothing.
        let refused = visits.iter().all(|(_, s)| matches!(s, Shown::NotOffered | Shown::HungUp(_)));
        for (sni, shown) in visits {
            match shown {
                Shown::Presented(chain, version) => {
                    let chains = match sni {
                        Sni::Sent => &mut report.with_sni,
                        Sni::Omitted => &mut report.without_sni,
                    };
                    chains.insert(PresentedChain(chain.clone()));
                    report.versions.insert(*version);
                }
                Shown::HungUp(reason) if !refused => failed.push((*sni, reason)),
                Shown::NotOffered | Shown::HungUp(_) => {}
                Shown::NoTls(reason) => no_tls.push((*sni, reason)),
                Shown::Failed(reason) => failed.push((*sni, reason)),
            }
        }
        let presented = visits.iter().filter(|(_, s)| matches!(s, Shown::Presented(..))).count();
        let not_offered = visits.iter().filter(|(_, s)| *s == Shown::NotOffered).count();
        let all = visits.len();
        report.sight = if let Some((_, reason)) = failed.first() {
            let which = which(&failed.iter().map(|(sni, _)| *sni).collect::<Vec<_>>(), visits);
            Sight::Silent { reason: format!("{which}{reason}") }
        } else if presented == all {
            Sight::Presented(report.with_sni.union(&report.without_sni).cloned().collect())
        } else if refused {
            Sight::NotOffered
        } else if no_tls.len() == all {
            Sight::NoTls { reason: no_tls[0].1.clone() }
        } else {
            let reason = format!(
                "of {all} connections, {presented} were shown a certificate, {not_offered} were \
                 told that there is none of this kind, and {} were offered no TLS",
                no_tls.len()
            );
            Sight::Silent { reason }
        };
        report
    }

    /// Doubts that nothing of `family` is there, unless a client that offers everything is shown
    /// something else.
    ///
    /// The alert that says "none of this family" says as well "none of your cipher suites" or "none
    /// of your versions". Taken at its word it could hide a certificate that others are shown.
    pub(super) fn doubt(&mut self, family: KeyFamily, control: &Shown) {
        let otherwise = "to a client that offers everything";
        let reason = match control {
            Shown::Presented(chain, _) => match KeyFamily::of_spki(chain.leaf().spki()) {
                Some(other) if other != family => return,
                Some(_) | None => format!(
                    "it refuses clients that offer {family} signatures alone, but presents `{}` \
                     {otherwise}",
                    chain.leaf().subject()
                ),
            },
            Shown::NotOffered => {
                "it refuses the handshake, whatever kind of certificate is asked for: it may know \
                 only cipher suites that are no longer in use, or have a key on a rare curve"
                    .to_owned()
            }
            Shown::NoTls(reason) | Shown::Failed(reason) | Shown::HungUp(reason) => {
                format!("{otherwise}: {reason}")
            }
        };
        self.sight = Sight::Silent { reason };
    }
}

/// Says which visits are meant, where it is not all of them.
fn which(meant: &[Sni], visits: &[(Sni, Shown)]) -> String {
    let count = |sni| visits.iter().filter(|(other, _)| *other == sni).count();
    let all_meant = |sni| meant.iter().all(|other| *other == sni) && meant.len() == count(sni);
    if meant.len() == visits.len() {
        String::new()
    } else if all_meant(Sni::Sent) {
        "with SNI: ".to_owned()
    } else if all_meant(Sni::Omitted) {
        "without SNI: ".to_owned()
    } else {
        format!("on {} of {} connections: ", meant.len(), visits.len())
    }
}

#[cfg(test)]
mod tests;
